//! The accelerator that a specification wants.

use accel::choice::{Choice, Target, Wish, choose};
use accel::tcg::Tcg;
use accel::{Accelerator, TcgMode};
use api::{AccelKind, AccelSpec, TcgKind};

use crate::error::Error;

/// How the software CPU is to work.
pub(super) fn tcg_mode(spec: &AccelSpec) -> TcgMode {
    match spec.tcg {
        TcgKind::Jit => TcgMode::Jit,
        TcgKind::Interp => TcgMode::Interpreter,
    }
}

/// Finds it for a guest of architecture `A`, and logs why it is the one.
pub(super) fn find<A: Target>(spec: &AccelSpec) -> Result<Box<dyn Accelerator<A>>, Error> {
    let wish = match spec.kind {
        AccelKind::Auto => Wish::Auto,
        AccelKind::Kvm => Wish::Kvm,
        AccelKind::Tcg => Wish::Tcg,
    };
    let tcg = Tcg { mode: tcg_mode(spec), learnt: spec.learnt.clone() };
    let Choice { accelerator, why } = choose::<A>(wish, tcg)?;
    tracing::info!("accelerator: {}; {why}", accelerator.name());
    Ok(accelerator)
}
