//! The virtual machine monitor: makes a machine of a [`MachineSpec`] and runs it.
//!
//! [`Machine::start`] puts board, memory, devices and accelerator together and starts their
//! threads: one per vCPU, one per virtio device, one for timers, one for console input.
//! [`Machine::wait`] returns when the guest, the user or a failure has ended it, and leaves no
//! thread behind. None of them polls: a machine whose guest is idle sleeps.

mod clock;
mod console;
mod cpus;
mod error;
mod info;
mod io;
mod machine;
pub mod memory;
mod vcpu;
mod worker;

pub use api::MachineSpec;
pub use cpus::{Cpus, cpus};
pub use error::Error;
pub use info::{Availability, Info, accelerators, info};
pub use machine::{Machine, Outcome};
