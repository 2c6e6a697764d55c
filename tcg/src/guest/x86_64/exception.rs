//! Exceptions, and the helper that raises them.

use super::X86_64;
use crate::guest::{Access, Helper, Touches};
use crate::vcpu::Core;

/// Exceptions by their vectors `[SDM-3A §6.3.1]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vector {
    /// #DE.
    DivideError = 0,
    /// #DB.
    Debug = 1,
    /// #BP.
    Breakpoint = 3,
    /// #UD.
    InvalidOpcode = 6,
    /// #GP.
    GeneralProtection = 13,
    /// #AC.
    AlignmentCheck = 17,
}

/// Why a vCPU stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exception {
    /// An exception without further data.
    Fault(Vector),
    /// An access to where no memory is.
    PageFault {
        /// Its address.
        address: u64,
        /// Its kind.
        access: Access,
    },
    /// `int n`.
    Interrupt(u8),
    /// `syscall`; the instruction has two bytes.
    Syscall,
}

/// What [`RAISE`] raises, as its first argument: a vector, or for `int n` this plus n.
pub(super) const INTERRUPT: u64 = 0x200;

/// Raises the exception that its argument names.
pub(super) static RAISE: Helper<X86_64> =
    Helper { name: "raise", touches: Touches::Leaves, run: raise };

/// `syscall`.
pub(super) static SYSCALL: Helper<X86_64> =
    Helper { name: "syscall", touches: Touches::Asks, run: |_, _| Err(Exception::Syscall) };

fn raise(_: &mut Core<X86_64>, [what, ..]: [u64; 3]) -> Result<u64, Exception> {
    let vectors = [
        Vector::DivideError,
        Vector::Debug,
        Vector::Breakpoint,
        Vector::GeneralProtection,
        Vector::AlignmentCheck,
    ];
    let vector = vectors.into_iter().find(|&v| v as u64 == what);
    Err(match (vector, what) {
        (Some(vector), _) => Exception::Fault(vector),
        (None, INTERRUPT..) => Exception::Interrupt((what - INTERRUPT) as u8),
        _ => Exception::Fault(Vector::InvalidOpcode),
    })
}
