//! Accelerators that take a running guest over from one another: registers go by name from the old
//! VM into a new one, memory and devices stay where they are.

use std::collections::VecDeque;
use std::time::Duration;

use accel::choice::{Target, at_hand};
use accel::{Accelerator, IrqChips};
use api::AccelSpec;
use arch::Arch;

use crate::error::Error;

/// What takes the guest over, and how often.
pub(crate) struct Handover<A: Arch> {
    pub(super) every: Duration,
    /// The next one first.
    others: VecDeque<Box<dyn Accelerator<A>>>,
}

impl<A: Arch> Handover<A> {
    /// The one that runs the guest goes to the end of the row.
    pub(super) fn next(&mut self, present: &mut Box<dyn Accelerator<A>>) {
        if let Some(next) = self.others.pop_front() {
            self.others.push_back(std::mem::replace(present, next));
        }
    }
}

/// What hands the guest over, if the specification asks for it, and the kind of vCPU that all of
/// them have. With one accelerator at hand, its VMs take over from one another.
pub(super) fn plan<A: Target>(
    spec: &AccelSpec,
    present: &dyn Accelerator<A>,
    asked: &A::Model,
    irqchips: IrqChips,
) -> Result<(Option<Handover<A>>, A::Model), Error> {
    let mut model = present.model(asked)?;
    let Some(ms) = spec.handover_ms else {
        return Ok((None, model));
    };
    let tcg = super::accelerator::tcg_mode(spec);
    let mut others = VecDeque::new();
    for (_, accel) in at_hand::<A>(&[tcg]) {
        if accel.name() != present.name() {
            model = accel.model(&model)?;
            others.push_back(accel);
        }
    }
    if let Some(other) = others.iter().find(|other| !other.irqchips().contains(&irqchips)) {
        return Err(Error::Spec(format!(
            "{} does not model the interrupt controllers of this machine, and cannot take its \
             guest over; leave --handover-every out",
            other.name()
        )));
    }
    Ok((Some(Handover { every: Duration::from_millis(ms.into()), others }), model))
}
