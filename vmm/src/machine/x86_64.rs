//! The x86_64 board `microvm`: its devices, their wires, and its boot.

use std::sync::{Arc, Mutex};

use accel::IrqChips;
use api::{Firmware, MachineSpec};
use arch::boot::{BootError, BzImage, Isa, Program, bzimage};
use arch::x86_64::boot::{Layout, Payload};
use arch::x86_64::{Cpu, Model, X86_64, acpi, board};
use devices::bus::lock;
use devices::power::acpi::AcpiPower;
use devices::power::debug_exit::DebugExit;
use devices::power::i8042::{COMMAND, DATA, I8042};
use devices::rtc::cmos::CmosRtc;
use devices::serial::uart16550::Uart16550;

use super::files::{BootFile, seed};
use super::frame::{Frame, Limits};
use super::life::{Board, Booted, Parts};
use super::{accelerator, handover};
use crate::error::Error;
use crate::memory::{GuestMemory, Want};
use crate::vcpu::Begin;

const LIMITS: Limits =
    Limits { isa: api::Isa::X86_64, cpus: board::CPUS_MAX, virtio_slots: board::VIRTIO_SLOTS };

/// Puts a machine together.
pub(super) fn build(spec: &MachineSpec) -> Result<(Parts<X86_64>, Booted<X86_64>), Error> {
    LIMITS.check(spec)?;
    arch::x86_64::boot::fits(spec.board.memory)?;
    let asked = spec.board.cpu.as_deref().map_or(Ok(Model::default()), str::parse)?;
    let kernel = Kernel::open(spec)?;
    // What the user gave is looked at before the host is.
    let bytes = kernel.read()?;
    let layout = kernel.layout(&bytes)?;
    let accel = accelerator::find::<X86_64>(&spec.accel)?;
    let ram = board::ram(spec.board.memory).into_iter();
    let wants: Vec<Want> = ram
        .map(|range| Want { gpa: range.start, len: range.end - range.start, readonly: false })
        .collect();
    let mut frame = Frame::new(spec, &wants)?;
    let link = frame.link.clone();
    frame.virtio(board::virtio, |slot| link.input(board::virtio_gsi(slot)))?;
    let booted = kernel.load(&layout, &frame.memory)?;
    let console = frame.console()?;

    let uart = Uart16550::new(link.input(board::UART_GSI), Box::new(console.sink.clone()));
    let uart = Arc::new(Mutex::new(uart));
    let rtc = CmosRtc::new(frame.clock(), link.input(board::RTC_GSI));
    let power = Arc::new(Mutex::new(AcpiPower::new(link.input(board::POWER_GSI))));
    let button = power.clone();
    frame.power_button = Some(Box::new(move || lock(&button).press()));
    let keyboard = Arc::new(Mutex::new(I8042));
    frame.place_ports(board::UART_PORTS.base, 0, uart.clone());
    frame.place_ports(board::RTC_PORTS.base, 0, rtc);
    frame.place_ports(board::POWER_PORTS.base, 0, power);
    frame.place_ports(board::I8042_DATA_PORT.into(), DATA, keyboard.clone());
    frame.place_ports(board::I8042_COMMAND_PORT.into(), COMMAND, keyboard);
    frame.place_ports(board::DEBUG_EXIT_PORTS.base, 0, Arc::new(Mutex::new(DebugExit)));
    let chips = IrqChips::Accelerator;
    let (handover, model) = handover::plan(&spec.accel, &*accel, &asked, chips)?;
    let board = Box::new(Microvm { kernel, model });
    Ok((frame.finish(accel, handover, board, uart, console), booted))
}

/// What is booted.
struct Kernel {
    cpus: u32,
    ram_size: u64,
    virtio_slots: usize,
    cmdline: String,
    file: BootFile,
    initrd: Option<BootFile>,
    /// The file may be raw machine code.
    bare: bool,
}

/// What was read of the kernel's file.
enum Bytes {
    /// The beginning of a bzImage.
    Prefix(Vec<u8>),
    /// All, unpacked.
    Whole(Vec<u8>),
}

impl Kernel {
    fn open(spec: &MachineSpec) -> Result<Self, Error> {
        let board = &spec.board;
        if matches!(board.firmware, Firmware::File(_)) {
            return Err(BootError::Firmware { isa: Isa::X86_64 }.into());
        }
        let kernel = BootFile::open_some("kernel", board.kernel.as_ref())?;
        Ok(Self {
            cpus: board.cpus,
            ram_size: board.memory,
            virtio_slots: spec.devices.len(),
            cmdline: board.cmdline.clone().unwrap_or_default(),
            file: kernel.ok_or(BootError::Nothing)?,
            initrd: BootFile::open_some("initrd", board.initrd.as_ref())?,
            bare: board.firmware == Firmware::None,
        })
    }

    /// Reads the file; of a bzImage only as much as says what it is.
    fn read(&self) -> Result<Bytes, Error> {
        let prefix = self.file.read_prefix(bzimage::PREFIX)?;
        if BzImage::of_prefix(&prefix, self.file.len()).is_some() {
            return Ok(Bytes::Prefix(prefix));
        }
        self.file.read().map(Bytes::Whole)
    }

    fn layout<'a>(&self, bytes: &'a Bytes) -> Result<Layout<'a>, Error> {
        let program = match bytes {
            Bytes::Prefix(prefix) => BzImage::of_prefix(prefix, self.file.len())
                .expect("it was one when it was read")
                .map(Program::BzImage)
                .map_err(|source| self.file.refused(source))?,
            Bytes::Whole(bytes) => self.file.parse(bytes, Isa::X86_64, self.bare)?,
        };
        let payload = Payload {
            kernel: Some(&program),
            cmdline: &self.cmdline,
            initrd_len: self.initrd.as_ref().map(BootFile::len),
        };
        Ok(Layout::new(self.ram_size, &payload)?)
    }

    fn load(&self, layout: &Layout<'_>, memory: &GuestMemory) -> Result<Booted<X86_64>, Error> {
        for load in &layout.loads {
            memory.write(load.gpa, load.bytes)?;
        }
        if let Some((gpa, range)) = &layout.from_file {
            let mut file = self.file.at(range.start)?;
            memory.read_from(*gpa, range.end - range.start, &mut file)?;
        }
        if let (Some(range), Some(initrd)) = (&layout.initrd, &self.initrd) {
            memory.read_from(range.start, initrd.len(), &mut initrd.rewound()?)?;
        }
        let tables = acpi::tables(self.cpus, self.virtio_slots)?;
        for made in layout.made(&tables, &seed()?) {
            memory.write(made.gpa, &made.bytes)?;
        }
        let begin = |index| {
            let mut state = Cpu::reset(index == 0);
            let runs = layout.begin(index, &mut state);
            Begin { state, parked: !runs }
        };
        Ok(Booted { vcpus: (0..self.cpus).map(begin).collect(), tohost: None, irqchips: None })
    }
}

/// The board.
struct Microvm {
    kernel: Kernel,
    model: Model,
}

impl Board<X86_64> for Microvm {
    fn boot(&self, memory: &GuestMemory) -> Result<Booted<X86_64>, Error> {
        let bytes = self.kernel.read()?;
        self.kernel.load(&self.kernel.layout(&bytes)?, memory)
    }

    /// There is no firmware to call: what a PC's would do is in the tables.
    fn firmware_calls(&self) -> bool {
        false
    }

    fn model(&self) -> Model {
        self.model.clone()
    }

    fn irqchips(&self) -> IrqChips {
        IrqChips::Accelerator
    }
}
