//! The aarch64 board `virt`: its devices, their wires, and its boot.

use std::sync::{Arc, Mutex};

use accel::IrqChips;
use api::{Firmware, MachineSpec};
use arch::Arch;
use arch::aarch64::boot::{FDT, Layout, Payload};
use arch::aarch64::fdt::Fdt;
use arch::aarch64::{Aarch64, Cpu, board};
use arch::boot::{BootError, Isa};
use devices::rtc::pl031::Pl031;
use devices::serial::pl011::Pl011;

use super::files::{BootFile, seed};
use super::frame::{Frame, Limits};
use super::life::{Board, Booted, Parts};
use super::{accelerator, handover};
use crate::error::Error;
use crate::memory::{GuestMemory, Want};
use crate::vcpu::Begin;

const LIMITS: Limits =
    Limits { isa: api::Isa::Aarch64, cpus: board::CPUS_MAX, virtio_slots: board::VIRTIO_SLOTS };

/// Puts a machine together.
pub(super) fn build(spec: &MachineSpec) -> Result<(Parts<Aarch64>, Booted<Aarch64>), Error> {
    LIMITS.check(spec)?;
    arch::aarch64::boot::fits(spec.board.memory)?;
    arch::model::only("host", spec.board.cpu.as_deref(), Aarch64::NAME)?;
    let virt = Virt::open(spec)?;
    // What the user gave is looked at before the host is.
    let bytes = virt.kernel.read()?;
    let layout = virt.layout(&bytes)?;
    let accel = accelerator::find::<Aarch64>(&spec.accel)?;
    let want = Want { gpa: board::RAM_BASE, len: spec.board.memory, readonly: false };
    let mut frame = Frame::new(spec, &[want])?;
    let link = frame.link.clone();
    frame.virtio(board::virtio, |slot| link.input(board::virtio_spi(slot)))?;
    let booted = virt.load(&layout, &frame.memory)?;
    drop(bytes);
    let console = frame.console()?;

    let uart = Pl011::new(link.input(board::UART_SPI), Box::new(console.sink.clone()));
    let uart = Arc::new(Mutex::new(uart));
    let rtc = Pl031::new(frame.clock(), link.input(board::RTC_SPI));
    frame.place(board::UART.base, 0, uart.clone());
    frame.place(board::RTC.base, 0, rtc);
    let (handover, ()) = handover::plan(&spec.accel, &*accel, &(), IrqChips::Accelerator)?;
    Ok((frame.finish(accel, handover, Box::new(virt), uart, console), booted))
}

/// The board.
struct Virt {
    cpus: u32,
    ram_size: u64,
    virtio_slots: usize,
    cmdline: Option<String>,
    kernel: BootFile,
    initrd: Option<BootFile>,
    /// The kernel may be raw machine code.
    bare: bool,
}

impl Virt {
    /// Opens what is to be booted.
    fn open(spec: &MachineSpec) -> Result<Self, Error> {
        let board = &spec.board;
        if matches!(board.firmware, Firmware::File(_)) {
            return Err(BootError::Firmware { isa: Isa::Aarch64 }.into());
        }
        let kernel = BootFile::open_some("kernel", board.kernel.as_ref())?;
        Ok(Self {
            cpus: board.cpus,
            ram_size: board.memory,
            virtio_slots: spec.devices.len(),
            cmdline: board.cmdline.clone(),
            kernel: kernel.ok_or(BootError::Nothing)?,
            initrd: BootFile::open_some("initrd", board.initrd.as_ref())?,
            bare: board.firmware == Firmware::None,
        })
    }

    fn layout<'a>(&self, bytes: &'a [u8]) -> Result<Layout<'a>, Error> {
        let program = self.kernel.parse(bytes, Isa::Aarch64, self.bare)?;
        let initrd_len = self.initrd.as_ref().map(BootFile::len);
        let payload = Payload { kernel: Some(&program), initrd_len };
        Ok(Layout::new(self.ram_size, &payload)?)
    }

    fn load(&self, layout: &Layout<'_>, memory: &GuestMemory) -> Result<Booted<Aarch64>, Error> {
        for load in &layout.loads {
            memory.write(load.gpa, load.bytes)?;
        }
        if let (Some(range), Some(initrd)) = (&layout.initrd, &self.initrd) {
            memory.read_from(range.start, initrd.len(), &mut initrd.rewound()?)?;
        }
        let fdt = Fdt {
            cpus: self.cpus,
            ram_size: self.ram_size,
            virtio_slots: self.virtio_slots,
            bootargs: self.cmdline.as_deref(),
            initrd: layout.initrd.clone(),
            rng_seed: &seed()?,
        };
        memory.write(FDT, &fdt.build()?)?;
        let begin = |cpu| {
            let mut state = Cpu::reset();
            if cpu == 0 {
                state.pc = layout.entry;
                state.x[0] = FDT;
            }
            Begin { state, parked: cpu != 0 }
        };
        Ok(Booted { vcpus: (0..self.cpus).map(begin).collect(), tohost: None, irqchips: None })
    }
}

impl Board<Aarch64> for Virt {
    fn boot(&self, memory: &GuestMemory) -> Result<Booted<Aarch64>, Error> {
        let bytes = self.kernel.read()?;
        self.load(&self.layout(&bytes)?, memory)
    }

    /// PSCI.
    fn firmware_calls(&self) -> bool {
        true
    }

    fn model(&self) {}

    fn irqchips(&self) -> IrqChips {
        IrqChips::Accelerator
    }
}
