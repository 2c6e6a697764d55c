//! How the board starts: what is put where in memory, and in which state the harts begin.
//!
//! A kernel is started in supervisor mode, and its firmware calls are answered by the engine
//! `[RISCV-boot]`; or firmware is started in machine mode at the beginning of memory, and is
//! told about a next stage the way OpenSBI wants to be told `[OpenSBI-fw_dynamic]`.
//!
//! ```text
//!  start of memory        firmware
//!  + 2 MiB                kernel, or the firmware's next stage
//!  ...
//!  below the device tree  initrd
//!  end of memory, of its first GiB at most, down to 2 MiB   device tree
//! ```

use std::fmt;
use std::ops::Range;

use super::board::{RAM_BASE, RESET_ROM};
use super::fields::*;
use super::state::{PRV_M, PRV_S};
use super::{Ext, Hart, Model};
use crate::boot::Program;

#[cfg(test)]
mod tests;

/// Room for the device tree; firmware adds to it in place.
pub const FDT_SIZE_MAX: u64 = 1 << 20;

/// Distance of a kernel from the start of memory, unless its header tells another.
const KERNEL_OFFSET: u64 = 2 << 20;
const MIB2: u64 = 2 << 20;
const PAGE: u64 = 4096;
/// The device tree stays below this: 32-bit loaders reach it.
const FDT_CEILING: u64 = 3 << 30;

/// What is to be booted.
#[derive(Clone, Copy, Debug)]
pub struct Payload<'p, 'a> {
    /// Started in machine mode if it is given.
    pub firmware: Option<&'p Program<'a>>,
    /// A kernel, or a boot loader for firmware to start.
    pub kernel: Option<&'p Program<'a>>,
    /// Length of the initial RAM disk, in bytes; an empty one is none.
    pub initrd_len: Option<u64>,
}

/// A part of memory that the boot fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Part {
    Firmware,
    Kernel,
    Initrd,
    Fdt,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Firmware => "the firmware",
            Part::Kernel => "the kernel",
            Part::Initrd => "the initrd",
            Part::Fdt => "the device tree",
        })
    }
}

/// Why a machine cannot be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BootError {
    /// Neither kernel nor firmware.
    #[error("there is nothing to boot: give a kernel, firmware, or both")]
    Nothing,
    /// A kernel without a header, and no firmware that would know what to do with it.
    #[error(
        "the kernel is a flat image without a Linux header: start it as firmware, or give \
         firmware that starts it"
    )]
    RawKernel,
    /// A part is linked to addresses where no memory is.
    #[error(
        "{part} takes the addresses {:#x} to {:#x}, but memory is from {:#x} to {:#x}: give the \
         machine more memory, or a program that is linked for this board",
        .range.start, .range.end - 1, .ram.start, .ram.end - 1
    )]
    OutsideMemory {
        /// Which one.
        part: Part,
        /// Where it would be.
        range: Range<u64>,
        /// Where memory is.
        ram: Range<u64>,
    },
    /// Two parts in the same place.
    #[error(
        "{first} ({:#x} to {:#x}) and {second} ({:#x} to {:#x}) overlap: they do not fit into \
         {} MiB of memory; give the machine more, or smaller files",
        .first_range.start, .first_range.end - 1, .second_range.start, .second_range.end - 1,
        .ram_size >> 20
    )]
    Overlap {
        /// One of them.
        first: Part,
        /// Where it is.
        first_range: Range<u64>,
        /// The other.
        second: Part,
        /// Where it is.
        second_range: Range<u64>,
        /// How much memory there is, in bytes.
        ram_size: u64,
    },
    /// Memory of no use.
    #[error("{size} bytes of memory are too little for a riscv64 guest: 16 MiB are the least")]
    TooLittleMemory {
        /// How much there is.
        size: u64,
    },
    /// Memory beyond physical addresses.
    #[error("{size} bytes of memory are more than 56-bit physical addresses can reach")]
    TooMuchMemory {
        /// How much there is.
        size: u64,
    },
}

/// Bytes to be copied to memory before the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load<'a> {
    /// What they belong to.
    pub part: Part,
    /// Where.
    pub gpa: u64,
    /// What.
    pub bytes: &'a [u8],
}

/// How the harts begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The boot hart at the kernel's first instruction in supervisor mode; the others are
    /// stopped until the kernel starts them with a firmware call.
    Kernel {
        /// The first instruction.
        pc: u64,
    },
    /// All harts in the reset ROM, which jumps to the firmware in machine mode.
    Firmware {
        /// The firmware's first instruction.
        pc: u64,
        /// The next stage, if there is one.
        next: Option<u64>,
    },
}

/// Where everything goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout<'a> {
    /// What to copy; memory is zero elsewhere.
    pub loads: Vec<Load<'a>>,
    /// Where the initrd goes.
    pub initrd: Option<Range<u64>>,
    /// Where the device tree goes: [`FDT_SIZE_MAX`] bytes are free there.
    pub fdt: u64,
    /// How to begin.
    pub start: Start,
}

impl<'a> Layout<'a> {
    /// Finds a place for everything in `ram_size` bytes of memory.
    ///
    /// # Errors
    /// What does not fit.
    pub fn new(ram_size: u64, payload: &Payload<'_, 'a>) -> Result<Self, BootError> {
        if ram_size < 16 << 20 {
            return Err(BootError::TooLittleMemory { size: ram_size });
        }
        let end = RAM_BASE.checked_add(ram_size).filter(|end| *end <= 1 << 56);
        let Some(end) = end else { return Err(BootError::TooMuchMemory { size: ram_size }) };
        let mut plan = Plan { ram: RAM_BASE..end, taken: Vec::new(), loads: Vec::new() };

        let firmware = payload.firmware.map(|p| plan.program(Part::Firmware, p, 0)).transpose()?;
        let kernel =
            payload.kernel.map(|p| plan.program(Part::Kernel, p, KERNEL_OFFSET)).transpose()?;
        let start = match (firmware, kernel) {
            (Some(pc), next) => Start::Firmware { pc, next },
            (None, Some(_)) if matches!(payload.kernel, Some(Program::Raw(_))) => {
                return Err(BootError::RawKernel);
            }
            (None, Some(pc)) => Start::Kernel { pc },
            (None, None) => return Err(BootError::Nothing),
        };
        let fdt = (end.min(FDT_CEILING) - FDT_SIZE_MAX) & !(MIB2 - 1);
        plan.take(Part::Fdt, fdt..fdt + FDT_SIZE_MAX)?;
        let initrd_len = payload.initrd_len.filter(|len| *len > 0);
        let initrd = initrd_len.map(|len| plan.initrd(fdt, len)).transpose()?;
        Ok(Self { loads: plan.loads, initrd, fdt, start })
    }

    /// The contents of [`RESET_ROM`], if there is firmware to jump to.
    pub fn reset_rom(&self) -> Option<Vec<u8>> {
        match self.start {
            Start::Firmware { pc, next } => Some(reset_rom(pc, self.fdt, next)),
            Start::Kernel { .. } => None,
        }
    }

    /// Puts a hart that was just reset ([`Hart::new`]) into the state in which it begins.
    /// Returns whether it runs; otherwise it waits to be started by a firmware call.
    pub fn begin(&self, h: &mut Hart, model: &Model) -> bool {
        match self.start {
            Start::Firmware { .. } => {
                h.prv = PRV_M;
                h.pc = RESET_ROM.base;
                true
            }
            Start::Kernel { pc } => {
                open_to_supervisor(h, model);
                h.pc = pc;
                h.x[10] = h.mhartid;
                h.x[11] = self.fdt;
                h.mhartid == 0
            }
        }
    }
}

/// What firmware does to a hart before it starts a kernel: supervisor mode gets its own traps
/// and interrupts, counters, timer, memory types and A/D updates, and all of memory.
fn open_to_supervisor(h: &mut Hart, model: &Model) {
    h.prv = PRV_S;
    h.medeleg = 0xb1ff;
    h.mideleg = IRQ_SSI | IRQ_STI | IRQ_SEI;
    h.mcounteren = 0xffff_ffff;
    h.scounteren = COUNTER_CY | COUNTER_TM | COUNTER_IR;
    h.pmpcfg[0] = u64::from(PMP_A_NAPOT | PMP_R | PMP_W | PMP_X);
    h.pmpaddr[0] = PMP_ADDR_WRITE;
    for (ext, bit) in
        [(Ext::Svadu, ENVCFG_ADUE), (Ext::Svpbmt, ENVCFG_PBMTE), (Ext::Sstc, ENVCFG_STCE)]
    {
        if model.exts.has(ext) {
            h.menvcfg |= bit;
        }
    }
}

/// Places found so far.
struct Plan<'a> {
    ram: Range<u64>,
    taken: Vec<(Part, Range<u64>)>,
    loads: Vec<Load<'a>>,
}

impl<'a> Plan<'a> {
    /// Places a program, at its own addresses or at `offset`; returns its first instruction.
    fn program(
        &mut self,
        part: Part,
        program: &Program<'a>,
        offset: u64,
    ) -> Result<u64, BootError> {
        let (gpa, bytes, size) = match program {
            Program::Elf(elf) => {
                for segment in &elf.segments {
                    self.loads.push(Load { part, gpa: segment.paddr, bytes: segment.bytes });
                }
                self.take(part, elf.extent())?;
                return Ok(elf.entry);
            }
            Program::Image(image) if part == Part::Kernel => {
                let offset = if image.text_offset == 0 { offset } else { image.text_offset };
                (RAM_BASE + offset, image.bytes, image.image_size)
            }
            Program::Image(image) => (RAM_BASE + offset, image.bytes, image.image_size),
            Program::Raw(bytes) => (RAM_BASE + offset, *bytes, bytes.len() as u64),
        };
        self.take(part, gpa..gpa.saturating_add(size))?;
        self.loads.push(Load { part, gpa, bytes });
        Ok(gpa)
    }

    /// Places the initrd below `fdt`, or at the end of memory if only that leaves room.
    fn initrd(&mut self, fdt: u64, len: u64) -> Result<Range<u64>, BootError> {
        let below = |top: u64| {
            let start = top.saturating_sub(len) & !(PAGE - 1);
            start..start.saturating_add(len)
        };
        let (first, last) = (below(fdt), below(self.ram.end));
        match self.take(Part::Initrd, first.clone()) {
            Ok(()) => Ok(first),
            Err(error) => self.take(Part::Initrd, last.clone()).map(|()| last).map_err(|_| error),
        }
    }

    fn take(&mut self, part: Part, range: Range<u64>) -> Result<(), BootError> {
        if range.start < self.ram.start || range.end > self.ram.end {
            return Err(BootError::OutsideMemory { part, range, ram: self.ram.clone() });
        }
        let other =
            self.taken.iter().find(|(_, r)| range.start < r.end && r.start < range.end).cloned();
        if let Some((first, first_range)) = other {
            return Err(BootError::Overlap {
                first,
                first_range,
                second: part,
                second_range: range,
                ram_size: self.ram.end - self.ram.start,
            });
        }
        self.taken.push((part, range));
        Ok(())
    }
}

/// Code for all harts: a0 the hart's number, a1 the device tree, a2 what OpenSBI's `fw_dynamic`
/// reads, then a jump to the firmware.
fn reset_rom(pc: u64, fdt: u64, next: Option<u64>) -> Vec<u8> {
    const CODE: [u32; 6] = [
        0x0000_0297, // auipc t0, 0
        0x0282_8613, // addi a2, t0, 40
        0xf140_2573, // csrr a0, mhartid
        0x0202_b583, // ld a1, 32(t0)
        0x0182_b283, // ld t0, 24(t0)
        0x0002_8067, // jr t0
    ];
    const MAGIC: u64 = 0x4942_534f;
    const VERSION: u64 = 2;
    /// The next stage runs in supervisor mode, or there is none and harts wait.
    const NEXT_MODE: u64 = PRV_S;
    const OPTIONS: u64 = 0;
    /// Firmware chooses the hart that boots.
    const ANY_HART: u64 = u64::MAX;
    let data = [pc, fdt, MAGIC, VERSION, next.unwrap_or(0), NEXT_MODE, OPTIONS, ANY_HART];
    let code = CODE.iter().flat_map(|insn| insn.to_le_bytes());
    code.chain(data.iter().flat_map(|word| word.to_le_bytes())).collect()
}
