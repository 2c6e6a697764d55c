//! The 16550A serial port, after the datasheet of the PC16550D [PC16550D §8].
//!
//! Models the FIFOs of 16 bytes with their trigger levels, the interrupts by priority with their
//! ways of being cleared, modem control and status, and loopback: what the drivers of Linux,
//! OpenSBI, U-Boot and EDK2 probe and use. Transmission takes no time: the transmitter is always
//! empty. Reception is paced by the guest: bytes wait with the host until there is room, so
//! nothing is overrun except in loopback. The character timeout comes at once, since a host
//! delivers all that it has together.
//!
//! Leaves out the line's own troubles (break, parity, framing), DMA modes, and the effect of the
//! divisor and of the word length, which are stored and read back.
//!
//! vm-superio's model was looked at and not taken: it has no trigger levels, FIFO control, status
//! interrupts or modem deltas, which drivers probe for.
//!
//! `spec` has the register map, `model` the port as a value, `device` the glue to bus, line and
//! host, `state` what is saved. Tested in `tests` and by the registry's generic tests.

mod device;
mod model;
pub mod spec;
mod state;
#[cfg(test)]
mod tests;

pub use device::{Uart16550, specimen};
