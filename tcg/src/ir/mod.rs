//! The IR: the list of [`Builder`](crate::builder::Builder) calls that describe an instruction.
//!
//! It has no vocabulary beyond the Builder's. [`Record`] is the builder that keeps the calls;
//! [`replay`] makes them again on any other: on `Direct`, which executes, that is [`eval`], the
//! oracle of whatever improves lists and of the hosts; on a host's emitter it is a translator.

mod list;
mod record;
mod replay;
#[cfg(test)]
mod tests;

pub use list::{F, List, Op, V};
pub use record::Record;
pub use replay::replay;

use std::convert::Infallible;

use crate::builder::{At, Lowered};
use crate::guest::Guest;
use crate::interp::Direct;
use crate::vcpu::Core;

/// The list of an instruction.
pub fn record<G: Guest>(at: At, insn: G::Insn, mode: u32) -> List<G> {
    let mut b = Record::default();
    let flow: Result<_, Infallible> = G::lower(&mut b, at, insn, mode);
    match flow {
        Ok(flow) => b.finish(flow),
        Err(never) => match never {},
    }
}

/// Executes an instruction by way of its list.
pub(crate) fn eval<'c, G: Guest>(
    core: &'c mut Core<G>,
    at: At,
    insn: G::Insn,
    mode: u32,
) -> Lowered<G, Direct<'c, G>> {
    replay(&record::<G>(at, insn, mode), &mut Direct::new(core, at))
}
