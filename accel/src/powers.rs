//! What only some accelerators can do, asked of a VM or vCPU by a method that returns an `Option`.

use std::os::fd::AsRawFd;

use crate::Error;

/// Reporting of stores to chosen pages.
pub trait Watch {
    /// Watches the page of `gpa`. To be called before the vCPUs run.
    ///
    /// # Errors
    /// There is no memory at `gpa`.
    fn watch(&self, gpa: u64) -> Result<(), Error>;
}

/// Interrupt controllers inside the accelerator. Any thread.
pub trait IrqChip: Send + Sync {
    /// Drives an input as the controllers number them (x86: a global system interrupt; Arm: a
    /// shared peripheral interrupt, from 0).
    fn set_line(&self, input: u32, level: bool);
    /// A message-signalled interrupt: what a device writes, and where.
    ///
    /// # Errors
    /// The message names no vCPU.
    fn send_msi(&self, address: u64, data: u32) -> Result<(), Error>;
    /// Has the eventfd raise and lower an input whenever it is written.
    ///
    /// # Errors
    /// There is no such input, or the descriptor serves one already.
    fn attach(&self, input: u32, event: &dyn AsRawFd) -> Result<(), Error>;
    /// Ends an [`IrqChip::attach`].
    ///
    /// # Errors
    /// The descriptor is not attached.
    fn detach(&self, input: u32, event: &dyn AsRawFd) -> Result<(), Error>;
    /// The controllers' registers, for [`IrqChip::restore`] of the same accelerator.
    ///
    /// # Errors
    /// The host failed.
    fn save(&self) -> Result<Vec<u8>, Error>;
    /// Puts saved registers back.
    ///
    /// # Errors
    /// The bytes are not of [`IrqChip::save`], or the host refuses them.
    fn restore(&self, saved: &[u8]) -> Result<(), Error>;
}

/// Stores that signal an eventfd without a call of `GuestIo::write`.
pub trait Doorbells: Send + Sync {
    /// A 4-byte store of `value` to `gpa` writes the eventfd.
    ///
    /// # Errors
    /// The place is taken, or the host has no more of them.
    fn attach(&self, gpa: u64, value: u32, event: &dyn AsRawFd) -> Result<(), Error>;
    /// Ends a [`Doorbells::attach`].
    ///
    /// # Errors
    /// There is no such doorbell.
    fn detach(&self, gpa: u64, value: u32, event: &dyn AsRawFd) -> Result<(), Error>;
}

/// Which pages the guest wrote. Devices' writes are not in it.
pub trait DirtyLog: Send + Sync {
    /// Begins to log all memory; pages count as clean.
    ///
    /// # Errors
    /// The host refuses.
    fn start(&self) -> Result<(), Error>;
    /// Page numbers (guest-physical address / 4096) written since the start, or since the last
    /// call, each once, in order. To be called while no vCPU runs if none may be missed.
    ///
    /// # Errors
    /// Nothing is being logged, or the host failed.
    fn take(&self) -> Result<Vec<u64>, Error>;
    /// Ends the log.
    ///
    /// # Errors
    /// The host refuses.
    fn stop(&self) -> Result<(), Error>;
}

/// Time that a guest has without asking [`VcpuClock`](crate::VcpuClock): counters, and timers that
/// the accelerator runs. Any thread.
pub trait GuestTime: Send + Sync {
    /// Stops it, if it runs. To be called while no vCPU runs.
    ///
    /// # Errors
    /// The host cannot; time goes on then.
    fn stop(&self) -> Result<(), Error>;
    /// Lets it go on from where it was stopped, before any vCPU runs again.
    ///
    /// # Errors
    /// The host failed.
    fn go_on(&self) -> Result<(), Error>;
}

/// What stops a vCPU for its debugger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stops {
    /// After every instruction.
    pub step: bool,
    /// At breakpoint instructions in guest memory.
    pub software: bool,
    /// Before the instructions at these virtual addresses; how many are possible is the host's
    /// to say.
    pub hardware: Vec<u64>,
}

/// Debugging of a vCPU from outside.
pub trait GuestDebug {
    /// Replaces the stops.
    ///
    /// # Errors
    /// The host has not that many hardware breakpoints.
    fn set_stops(&mut self, stops: &Stops) -> Result<(), Error>;
}

/// Where a debugger's stop happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DebugStop {
    /// Virtual address of the instruction that comes next, or, for a breakpoint instruction, of
    /// that instruction.
    pub pc: u64,
    /// It was a single step.
    pub step: bool,
}
