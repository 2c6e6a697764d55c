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
    let cannot_save = |accel: &dyn Accelerator<A>| {
        Error::Spec(format!(
            "{} cannot save the interrupt controllers of this machine, and its guest cannot be \
             handed over; leave --handover-every out",
            accel.name()
        ))
    };
    if !present.saves(irqchips) {
        return Err(cannot_save(present));
    }
    if let Some(other) = others.iter().find(|other| !other.irqchips().contains(&irqchips)) {
        return Err(Error::Spec(format!(
            "{} does not model the interrupt controllers of this machine, and cannot take its \
             guest over; leave --handover-every out",
            other.name()
        )));
    }
    if let Some(other) = others.iter().find(|other| !other.saves(irqchips)) {
        return Err(cannot_save(&**other));
    }
    Ok((Some(Handover { every: Duration::from_millis(ms.into()), others }), model))
}

#[cfg(test)]
mod tests {
    use accel::{Vm, VmConfig};
    use arch::riscv64::Riscv64;
    use arch::riscv64::model::Model;

    use super::*;

    /// Models whatever it is asked for, and may be unable to save it.
    struct Fake {
        saves: bool,
    }

    impl Accelerator<Riscv64> for Fake {
        fn name(&self) -> &'static str {
            "fake"
        }

        fn model(&self, asked: &Model) -> Result<Model, accel::Error> {
            Ok(asked.clone())
        }

        fn irqchips(&self) -> &'static [IrqChips] {
            &[IrqChips::Machine]
        }

        fn saves(&self, _: IrqChips) -> bool {
            self.saves
        }

        fn create_vm(&self, _: VmConfig<Riscv64>) -> Result<Box<dyn Vm<Riscv64>>, accel::Error> {
            unreachable!("a plan makes no VM")
        }
    }

    fn planned(saves: bool, handover_ms: Option<u32>) -> Result<bool, String> {
        let spec = AccelSpec { handover_ms, ..AccelSpec::default() };
        let plan = plan::<Riscv64>(&spec, &Fake { saves }, &Model::default(), IrqChips::Machine);
        plan.map(|(handover, _)| handover.is_some()).map_err(|error| {
            assert!(error.is_input(), "{error}");
            error.to_string()
        })
    }

    #[test]
    fn what_cannot_be_saved_is_refused_before_the_machine_starts() {
        assert_eq!(planned(true, Some(5)), Ok(true));
        assert_eq!(planned(false, None), Ok(false));
        let text = planned(false, Some(5)).unwrap_err();
        assert!(text.contains("fake cannot save") && text.contains("--handover-every"), "{text}");
    }
}
