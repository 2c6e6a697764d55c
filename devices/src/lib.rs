//! Device models and the buses they sit on.
//!
//! A device is a value with registers: `read`, `write`, `reset`, state out and in. Everything it
//! needs arrives as a handle ([`irq::IrqLine`], [`clock::Clock`], [`clock::Timer`], [`dma::Dma`],
//! a back end); nothing in this crate names a guest ISA or an accelerator, and no device owns a
//! thread or a lock: the bus holds the lock, `vmm` holds the threads.
//!
//! [`registry`] lists every model; a model that is listed there is tested by the conformance and
//! fuzz tests without further work.

pub mod bus;
pub mod clock;
pub mod device;
pub mod dma;
pub mod host;
pub mod intc;
pub mod irq;
pub mod power;
pub mod registry;
pub mod rtc;
pub mod serial;
pub mod testing;
pub mod virtio;

pub use bus::Bus;
pub use device::{Access, Device, Effect, MachineEvent};
/// Disk images, for whoever opens one for a disk.
pub use disk;
