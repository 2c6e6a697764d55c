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

use std::ops::Range;

use super::board::{RAM_BASE, RESET_ROM};
use super::fields::*;
use super::state::{PRV_M, PRV_S};
use super::{Ext, Hart, Model};
pub use crate::boot::{BootError, Load, Part};
use crate::boot::{Isa, Places, Program};

#[cfg(test)]
mod tests;

/// Room for the device tree; firmware adds to it in place.
pub const FDT_SIZE_MAX: u64 = 1 << 20;

/// Distance of a kernel from the start of memory, unless its header tells another.
const KERNEL_OFFSET: u64 = 2 << 20;
const MIB2: u64 = 2 << 20;
/// Memory that a kernel, a device tree and their alignment need at least.
const RAM_MIN: u64 = 16 << 20;
/// Physical addresses have 56 bits.
const RAM_MAX: u64 = (1 << 56) - RAM_BASE;
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
        fits(ram_size)?;
        let end = RAM_BASE + ram_size;
        let mut places = Places::new(RAM_BASE..end);

        let firmware =
            payload.firmware.map(|p| program(&mut places, Part::Firmware, p, 0)).transpose()?;
        let kernel = payload
            .kernel
            .map(|p| program(&mut places, Part::Kernel, p, KERNEL_OFFSET))
            .transpose()?;
        let start = match (firmware, kernel) {
            (Some(pc), next) => Start::Firmware { pc, next },
            (None, Some(_)) if matches!(payload.kernel, Some(Program::Raw(_))) => {
                return Err(BootError::RawKernel);
            }
            (None, Some(pc)) => Start::Kernel { pc },
            (None, None) => return Err(BootError::Nothing),
        };
        let fdt = (end.min(FDT_CEILING) - FDT_SIZE_MAX) & !(MIB2 - 1);
        places.take(Part::Fdt, fdt..fdt + FDT_SIZE_MAX)?;
        let initrd_len = payload.initrd_len.filter(|len| *len > 0);
        let initrd = initrd_len.map(|len| places.initrd(fdt, len)).transpose()?;
        Ok(Self { loads: places.into_loads(), initrd, fdt, start })
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

/// Whether that much memory can be the guest's.
///
/// # Errors
/// It cannot.
pub fn fits(ram_size: u64) -> Result<(), BootError> {
    match ram_size {
        0..RAM_MIN => {
            Err(BootError::TooLittleMemory { size: ram_size, isa: Isa::Riscv64, least: RAM_MIN })
        }
        RAM_MIN..=RAM_MAX => Ok(()),
        _ => Err(BootError::TooMuchMemory { size: ram_size, address_bits: 56 }),
    }
}

/// Places a program, at its own addresses or at `offset`; returns its first instruction.
fn program<'a>(
    places: &mut Places<'a>,
    part: Part,
    program: &Program<'a>,
    offset: u64,
) -> Result<u64, BootError> {
    let (offset, bytes, size) = match program {
        Program::Elf(elf) => return places.elf(part, elf),
        Program::Image(image) if part == Part::Kernel && image.text_offset != 0 => {
            (image.text_offset, image.bytes, image.image_size)
        }
        Program::Image(image) => (offset, image.bytes, image.image_size),
        Program::BzImage(_) => return Err(BootError::WrongFormat { isa: Isa::Riscv64 }),
        Program::Raw(bytes) => (offset, *bytes, bytes.len() as u64),
    };
    places.flat(part, RAM_BASE + offset, bytes, size)?;
    Ok(RAM_BASE + offset)
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
