//! Transports: one core, and a thin face for each way a guest may reach it.
//!
//! A face owns the register layout and the way interrupts travel ([`Interrupts`]), nothing else.
//! [`mmio`] is the only one so far; PCI needs another implementation of [`Interrupts`] (MSI-X)
//! and another register map over the same [`core::Transport`].
//!
//! [`Interrupts`]: super::queue::Interrupts

pub mod core;
pub mod mmio;
mod state;

pub use mmio::VirtioMmio;

#[cfg(test)]
mod tests;
