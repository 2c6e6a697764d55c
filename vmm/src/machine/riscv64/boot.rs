//! What the board `virt` does at power-on: files to memory, device tree, harts.

use accel::IrqChips;
use api::{Firmware, MachineSpec};
use arch::boot::{Isa, Program};
use arch::riscv64::boot::{Layout, Payload};
use arch::riscv64::fdt::Fdt;
use arch::riscv64::{Hart, Model, Riscv64, board};

use crate::error::Error;
use crate::machine::files::{BootFile, seed};
use crate::machine::life::{Board, Booted};
use crate::memory::GuestMemory;
use crate::vcpu::Begin;

/// The board.
pub(super) struct Virt {
    harts: u32,
    ram_size: u64,
    virtio_slots: usize,
    cmdline: Option<String>,
    kernel: Option<BootFile>,
    initrd: Option<BootFile>,
    firmware: Option<BootFile>,
    /// The kernel is started as firmware would be.
    bare: bool,
    model: Model,
}

impl Virt {
    /// Opens what is to be booted.
    pub(super) fn open(spec: &MachineSpec, model: Model) -> Result<Self, Error> {
        let board = &spec.board;
        let firmware = match &board.firmware {
            Firmware::File(path) => Some(BootFile::open("firmware", path)?),
            Firmware::Builtin | Firmware::None => None,
        };
        Ok(Self {
            harts: board.cpus,
            ram_size: board.memory,
            virtio_slots: spec.devices.len(),
            cmdline: board.cmdline.clone(),
            kernel: BootFile::open_some("kernel", board.kernel.as_ref())?,
            initrd: BootFile::open_some("initrd", board.initrd.as_ref())?,
            firmware,
            bare: board.firmware == Firmware::None,
            model,
        })
    }

    /// Harts begin in the reset ROM.
    pub(super) fn needs_rom(&self) -> bool {
        self.bare || self.firmware.is_some()
    }

    /// Firmware starts anything; without it a kernel has to say itself what it is.
    fn parse<'a>(
        &self,
        file: &Option<BootFile>,
        bytes: Option<&'a [u8]>,
    ) -> Result<Option<Program<'a>>, Error> {
        let raw = self.needs_rom();
        file.as_ref().zip(bytes).map(|(file, b)| file.parse(b, Isa::Riscv64, raw)).transpose()
    }

    /// Copies everything to its place.
    fn load(&self, layout: &Layout<'_>, memory: &GuestMemory) -> Result<(), Error> {
        for load in &layout.loads {
            memory.write(load.gpa, load.bytes)?;
        }
        if let (Some(range), Some(initrd)) = (&layout.initrd, &self.initrd) {
            memory.read_from(range.start, initrd.len(), &mut initrd.rewound()?)?;
        }
        if let Some(code) = layout.reset_rom() {
            memory.write(board::RESET_ROM.base, &code)?;
        }
        let fdt = Fdt {
            harts: self.harts as usize,
            model: &self.model,
            ram_size: self.ram_size,
            virtio_slots: self.virtio_slots,
            bootargs: self.cmdline.as_deref(),
            initrd: layout.initrd.clone(),
            rng_seed: &seed()?,
        };
        Ok(memory.write(layout.fdt, &fdt.build()?)?)
    }
}

impl Board<Riscv64> for Virt {
    fn boot(&self, memory: &GuestMemory) -> Result<Booted<Riscv64>, Error> {
        let read = |file: &Option<BootFile>| file.as_ref().map(BootFile::read).transpose();
        let (kernel_bytes, firmware_bytes) = (read(&self.kernel)?, read(&self.firmware)?);
        let kernel = self.parse(&self.kernel, kernel_bytes.as_deref())?;
        let firmware = self.parse(&self.firmware, firmware_bytes.as_deref())?;
        let initrd_len = self.initrd.as_ref().map(BootFile::len);
        let payload = if self.bare {
            Payload { firmware: kernel.as_ref(), kernel: None, initrd_len }
        } else {
            Payload { firmware: firmware.as_ref(), kernel: kernel.as_ref(), initrd_len }
        };
        let layout = Layout::new(self.ram_size, &payload)?;
        self.load(&layout, memory)?;
        let begin = |hart| {
            let mut state = Hart::new(hart, &self.model);
            let runs = layout.begin(&mut state, &self.model);
            Begin { state, parked: !runs }
        };
        let tohost = match payload.firmware.or(payload.kernel) {
            Some(Program::Elf(elf)) => elf.symbol("tohost"),
            _ => None,
        };
        Ok(Booted {
            vcpus: (0..u64::from(self.harts)).map(begin).collect(),
            tohost,
            irqchips: None,
        })
    }

    fn firmware_calls(&self) -> bool {
        !self.needs_rom()
    }

    fn model(&self) -> Model {
        self.model.clone()
    }

    fn irqchips(&self) -> IrqChips {
        IrqChips::Machine
    }
}
