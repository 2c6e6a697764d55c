//! Exceptions, and the helper that raises them.

use super::Aarch64;
use crate::guest::{Access, Helper, Touches};
use crate::vcpu::Core;

/// Why a vCPU stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exception {
    /// No instruction of EL0; the word, or 0 where it is not known any more.
    Undefined(u32),
    /// `svc`, with its immediate.
    Supervisor(u16),
    /// `brk`, with its immediate.
    Breakpoint(u16),
    /// An access to where no memory is.
    Abort {
        /// Its address.
        address: u64,
        /// Its kind.
        access: Access,
    },
    /// A program counter or an atomic access that is not aligned.
    Misaligned {
        /// Its address.
        address: u64,
        /// Its kind.
        access: Access,
    },
}

/// What [`RAISE`] raises, as its first argument.
pub(super) mod what {
    pub(in super::super) const UNDEFINED: u64 = 0;
    pub(in super::super) const BREAKPOINT: u64 = 1;
}

/// Raises an exception: which, and its immediate.
pub(super) static RAISE: Helper<Aarch64> =
    Helper { name: "raise", touches: Touches::Leaves, run: raise };

fn raise(_: &mut Core<Aarch64>, [kind, imm, _]: [u64; 3]) -> Result<u64, Exception> {
    Err(match kind {
        what::BREAKPOINT => Exception::Breakpoint(imm as u16),
        _ => Exception::Undefined(imm as u32),
    })
}

/// `svc` with its immediate.
pub(super) static SUPERVISOR: Helper<Aarch64> = Helper {
    name: "svc",
    touches: Touches::Asks,
    run: |_, [imm, ..]| Err(Exception::Supervisor(imm as u16)),
};
