//! The list of all device models.
//!
//! `polyvisor info` prints it, and every model on it is put through the conformance test and the
//! bounded fuzz of this module's tests. A new model needs one line in [`KINDS`]:
//!
//! ```text
//! Kind { name: "virtio-blk", about: "virtio block device", specimen: virtio::blk::specimen },
//! ```
//!
//! where `name` is what [`Device::kind`] answers, and `specimen` is a
//! `pub fn specimen(bench: &Bench) -> Specimen` in the model's `device.rs` that builds a
//! stand-alone device from the fake handles of the [`Bench`]: lines from `bench.irq.line(n)`,
//! time from `bench.clock.clone()`, guest memory from `bench.memory.clone()`. What reaches the
//! device from outside, other than registers and time, is its stimulus:
//! `Specimen::new(device).stimulated_by(move |random| ...)`.

use std::sync::{Arc, Mutex};

use vm_memory::GuestAddress;

use crate::bus::Shared;
use crate::clock::Clock;
use crate::device::Device;
use crate::dma::{Dma, Memory};
use crate::testing::{TestClock, TestIrq};
use crate::{intc, power, rtc, serial, virtio};

#[cfg(test)]
mod tests;

/// A device model.
pub struct Kind {
    /// Its name, as [`Device::kind`] answers it and users write it.
    pub name: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// Builds one that stands alone.
    pub specimen: fn(&Bench) -> Specimen,
}

/// Every device model, by class.
#[rustfmt::skip]
pub const KINDS: &[Kind] = &[
    Kind { name: "aclint", about: "RISC-V timers and software interrupts", specimen: intc::aclint::specimen },
    Kind { name: "plic", about: "RISC-V platform-level interrupt controller", specimen: intc::plic::specimen },
    Kind { name: "uart16550", about: "16550A serial port", specimen: serial::uart16550::specimen },
    Kind { name: "goldfish-rtc", about: "Goldfish real-time clock", specimen: rtc::goldfish::specimen },
    Kind { name: "finisher", about: "SiFive test finisher (power-off, reset)", specimen: power::finisher::specimen },
    Kind { name: "cmos-rtc", about: "CMOS real-time clock of PCs", specimen: rtc::cmos::specimen },
    Kind { name: "pl011", about: "PrimeCell serial port", specimen: serial::pl011::specimen },
    Kind { name: "pl031", about: "PrimeCell real-time clock", specimen: rtc::pl031::specimen },
    Kind { name: "i8042", about: "keyboard controller of PCs (reset only)", specimen: power::i8042::specimen },
    Kind { name: "acpi-power", about: "ACPI sleep, reset and power button", specimen: power::acpi::specimen },
    Kind { name: "debug-exit", about: "exit status of test programs", specimen: power::debug_exit::specimen },
    Kind { name: "virtio-blk", about: "virtio block device", specimen: virtio::blk::specimen },
    Kind { name: "virtio-net", about: "virtio network card", specimen: virtio::net::specimen },
    Kind { name: "virtio-rng", about: "virtio entropy source", specimen: virtio::rng::specimen },
    Kind { name: "virtio-console", about: "virtio console", specimen: virtio::console::specimen },
];

/// The kind called `name`.
pub fn find(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// Fake handles for one device.
pub struct Bench {
    /// Time; starts at one second, so that there is a past.
    pub clock: Arc<TestClock>,
    /// Where the device's lines end.
    pub irq: Arc<TestIrq>,
    /// Guest memory: [`Bench::MEMORY_LEN`] bytes from guest-physical address 0.
    pub memory: Dma,
}

impl Bench {
    /// Bytes of guest memory.
    pub const MEMORY_LEN: usize = 1 << 20;

    /// A bench with zeroed memory.
    ///
    /// # Panics
    /// When the host has not a megabyte left.
    pub fn new() -> Self {
        let memory = Memory::from_ranges(&[(GuestAddress(0), Self::MEMORY_LEN)])
            .expect("mapping a megabyte of memory for a test bench");
        Self {
            clock: TestClock::starting_at(1_000_000_000),
            irq: TestIrq::new(),
            memory: Arc::new(memory),
        }
    }

    /// A bench for a second device that takes over: same memory and time, lines of its own.
    pub fn twin(&self) -> Self {
        Self {
            clock: TestClock::starting_at(self.clock.now_ns()),
            irq: TestIrq::new(),
            memory: self.memory.clone(),
        }
    }
}

impl Default for Bench {
    fn default() -> Self {
        Self::new()
    }
}

/// A device that stands alone, and the way to poke it from outside.
pub struct Specimen {
    /// The device.
    pub device: Shared<dyn Device>,
    /// Does something to the device that a host event might do, chosen by the number given.
    /// Called without the device's lock.
    pub stimulus: Option<Box<dyn Fn(u64)>>,
}

impl Specimen {
    /// A device to which nothing happens but register accesses and time.
    pub fn new(device: impl Device + 'static) -> Self {
        Self::shared(Arc::new(Mutex::new(device)))
    }

    /// The same for a device that is shared already, with its timers.
    pub fn shared(device: Shared<dyn Device>) -> Self {
        Self { device, stimulus: None }
    }

    /// Adds a stimulus.
    pub fn stimulated_by(self, stimulus: impl Fn(u64) + 'static) -> Self {
        Self { stimulus: Some(Box::new(stimulus)), ..self }
    }
}
