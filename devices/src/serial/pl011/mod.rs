//! The PrimeCell UART, PL011 [PL011].
//!
//! Models the receive FIFO with its trigger levels and time-out, interrupts with masks and
//! clearing, and the identification by which drivers find it. Transmission takes no time, so the
//! transmit FIFO is always empty. Reception is paced by the guest: bytes wait with the host until
//! there is room and the receiver is enabled, so nothing is overrun. The time-out comes at once,
//! since a host delivers all that it has together.
//!
//! Leaves out the line's own troubles (break, parity, framing), DMA, modem lines, infrared and
//! loopback, and the effect of divisor and word length, which are stored and read back.
//!
//! `spec` has the register map, `model` the port as a value, `device` the glue to bus, line and
//! host, `state` what is saved. Tested in `tests` and by the registry's generic tests.

mod device;
mod model;
pub mod spec;
mod state;
#[cfg(test)]
mod tests;

pub use device::{Pl011, specimen};
