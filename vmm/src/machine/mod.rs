//! Machines: what the specification asks for, put together and kept running.
//!
//! | part | lives |
//! |---|---|
//! | [`life::Parts`]: memory, devices, clock, back ends, console | as long as the machine |
//! | VM, vCPUs and their threads | from reset to reset |
//!
//! Devices reach the present VM through [`link::Link`], threads hear of the end through
//! [`control::Control`]. A board is one file (`riscv64` and `aarch64` for those called `virt`,
//! `x86_64` for `microvm`), and is put together in a [`frame::Frame`].

mod aarch64;
mod accelerator;
mod backends;
pub(crate) mod control;
mod files;
mod frame;
mod handover;
pub(crate) mod htif;
pub(crate) mod life;
pub(crate) mod link;
mod riscv64;
#[cfg(test)]
mod tests;
mod virtio;
mod x86_64;

use std::sync::Arc;
use std::thread::JoinHandle;

use api::{Isa, MachineSpec};
use arch::Arch;

use crate::clock::MachineClock;
use crate::error::Error;
use control::{Control, Event};
use life::{Booted, Parts};

/// How a machine ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The guest switched it off.
    PoweredOff,
    /// The guest switched it off and says that something is wrong with it.
    Failed,
    /// The guest ended its run with a status.
    Exit(u32),
    /// A vCPU could not go on; says where and why.
    Crashed(String),
    /// The user ended it.
    Quit,
}

/// A running machine.
pub struct Machine {
    control: Arc<Control>,
    clock: Arc<MachineClock>,
    vcpus: u32,
    thread: JoinHandle<Result<Outcome, Error>>,
}

impl Machine {
    /// Makes the machine and starts it. A guest that restarts its machine does so until it, or
    /// the user, ends it.
    ///
    /// # Errors
    /// What is wrong with the specification or its files, or what the host lacks.
    pub fn start(spec: &MachineSpec) -> Result<Self, Error> {
        match spec.isa {
            Isa::Riscv64 => {
                let (parts, booted) = riscv64::build(spec)?;
                Self::spawn(parts, booted)
            }
            Isa::X86_64 => {
                let (parts, booted) = x86_64::build(spec)?;
                Self::spawn(parts, booted)
            }
            Isa::Aarch64 => {
                let (parts, booted) = aarch64::build(spec)?;
                Self::spawn(parts, booted)
            }
        }
    }

    fn spawn<A: Arch>(parts: Parts<A>, booted: Booted<A>) -> Result<Self, Error> {
        let (control, clock) = (parts.control.clone(), parts.clock.clone());
        let vcpus = booted.vcpus.len() as u32;
        let thread = std::thread::Builder::new()
            .name("machine".into())
            .spawn(move || parts.run(booted))
            .map_err(|source| Error::Host { what: "a thread", source })?;
        Ok(Self { control, clock, vcpus, thread })
    }

    /// Waits for the machine's end. All its threads are gone then, and the terminal is restored.
    ///
    /// # Errors
    /// The host, or Polyvisor, failed.
    pub fn wait(self) -> Result<Outcome, Error> {
        self.thread.join().unwrap_or_else(|_| Err(Error::Panic("machine".into())))
    }

    /// Stops the guest and its time between two instructions; false if the machine has ended.
    pub fn pause(&self) -> bool {
        let paused = self.control.pause(self.vcpus);
        if paused {
            self.clock.pause();
        }
        paused
    }

    /// Lets a paused guest go on.
    pub fn resume(&self) {
        self.clock.resume();
        self.control.resume();
    }

    /// Switches the machine off.
    pub fn quit(&self) {
        self.control.post(Event::Quit);
    }
}
