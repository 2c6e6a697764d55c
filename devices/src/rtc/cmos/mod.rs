//! The real-time clock and CMOS memory of PCs, a Motorola MC146818 [MC146818].
//!
//! Models time and date in both number formats, setting them, the alarm with its wild cards, the
//! three interrupts (alarm, end of update, periodic), and the memory behind the clock's registers.
//! Time goes on by itself: flags are brought up to date when somebody looks, or when an interrupt
//! that is enabled comes due.
//!
//! Leaves out daylight saving, the square-wave output, and what PC firmware keeps in the memory.
//!
//! `spec` has the register map, `calendar` the reckoning of dates, `model` the clock as a value,
//! `device` the glue to ports, time and line, `state` what is saved.

mod calendar;
mod device;
mod model;
pub mod spec;
mod state;
#[cfg(test)]
mod tests;

pub use device::{CmosRtc, specimen};
