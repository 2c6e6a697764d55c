//! The Goldfish real-time clock: nanoseconds since 1970 in two 32-bit halves, with one alarm
//! [GOLDFISH §RTC].
//!
//! Time is the host's wall-clock time plus an offset that the guest sets by writing the time
//! registers. The alarm is one-shot; it stays pending until the guest clears the interrupt, and
//! reaches the line while interrupts are enabled.
//!
//! Leaves out nothing that drivers use. An alarm follows the wall clock as of its arming: if the
//! host's clock is set back, the alarm waits; if it is set forward, the alarm comes when its
//! distance has passed.
//!
//! `spec` has the register map, `model` the clock as a value, `device` the glue to bus, clock and
//! line, `state` what is saved. Tested in `tests` and by the registry's generic tests.

mod device;
mod model;
pub mod spec;
mod state;
#[cfg(test)]
mod tests;

pub use device::{GoldfishRtc, specimen};
