//! The RISC-V advanced core-local interruptor: MSWI (software interrupts) and MTIMER (timers),
//! side by side as in the SiFive CLINT [ACLINT-1.0 §1.1], for up to eight harts.
//!
//! MTIME counts at 10 MHz from the start of the machine, [`ticks`], plus an offset that the guest
//! sets by writing it. The `time` CSR of a hart is [`ticks`] as well; a guest that writes MTIME
//! moves the comparators, not the CSR.
//!
//! Leaves out SSWI: supervisors use the SBI, or Sstc.
//!
//! `spec` has the register map, `model` the device as a value, `device` the glue to bus, clock
//! and lines, `state` what is saved. Tested in `tests` and by the registry's generic tests.

mod device;
mod model;
pub mod spec;
mod state;
#[cfg(test)]
mod tests;

pub use device::{Aclint, specimen};
pub use model::ticks;
