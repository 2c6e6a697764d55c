//! How the board starts: what is put where in memory, and in which state the vCPUs begin.
//!
//! A bzImage, or an ELF executable, is entered in 64-bit mode with Linux's boot parameters
//! `[LINUX-x86-boot]`; an ELF executable that says so is entered in 32-bit protected mode as Xen's
//! PVH does `[XEN-PVH]`, which is what a Linux kernel that was not packed into a bzImage wants.
//!
//! ```text
//!  0x6000         GDT and the small structures of both protocols
//!  0x7000         boot parameters of Linux ("zero page")
//!  0x8000         command line
//!  0x9000         page tables: the first 4 GiB as they are
//!  0xe_0000       ACPI tables
//!  1 MiB or more  kernel, where it wants to be
//!  end of memory below the device registers, or of what the kernel reaches: initrd
//! ```

use std::ops::Range;

use super::Cpu;
use super::board::*;
use crate::acpi::Tables;
pub use crate::boot::{BootError, Load, Part};
use crate::boot::{BzImage, Isa, Places, Program, bzimage};

mod entry;
mod params;
#[cfg(test)]
mod tests;

const PAGE: u64 = 4096;
/// Page with the GDT and the small structures.
const SMALL: u64 = 0x6000;
/// Boot parameters of Linux.
const BOOT_PARAMS: u64 = 0x7000;
/// The command line, and its end at most.
const CMDLINE: Range<u64> = 0x8000..0x9000;
/// Page tables.
const PAGE_TABLES: u64 = 0x9000;
const PARAMS_END: u64 = 0xf000;
/// Programs without a header of their own, and the least address of any other.
const PROGRAM_BASE: u64 = 1 << 20;
/// Bytes of memory below which nothing starts.
const RAM_MIN: u64 = 2 << 20;
/// The highest end of an initrd for programs that do not say.
const INITRD_CEILING: u64 = 1 << 31;

/// What is to be booted.
#[derive(Clone, Copy, Debug)]
pub struct Payload<'p, 'a> {
    /// A kernel.
    pub kernel: Option<&'p Program<'a>>,
    /// Its command line.
    pub cmdline: &'p str,
    /// Length of the initial RAM disk, in bytes; an empty one is none.
    pub initrd_len: Option<u64>,
}

/// How the first vCPU begins; the others wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// In 64-bit mode with Linux's boot parameters.
    Linux64 {
        /// The first instruction.
        pc: u64,
    },
    /// In 32-bit protected mode with the parameters of Xen's PVH.
    Pvh {
        /// The first instruction.
        pc: u32,
    },
}

/// Bytes that are made for the boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Where they go.
    pub gpa: u64,
    /// What they are.
    pub bytes: Vec<u8>,
}

/// Where everything goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout<'a> {
    /// What to copy; memory is zero elsewhere.
    pub loads: Vec<Load<'a>>,
    /// What to copy of the kernel's file, and where, if it is not among the loads.
    pub from_file: Option<(u64, Range<u64>)>,
    /// Where the initrd goes.
    pub initrd: Option<Range<u64>>,
    /// How to begin.
    pub start: Start,
    /// The kernel's setup header, if it has one.
    header: &'a [u8],
    cmdline: String,
    ram_size: u64,
}

/// Whether that much memory can be the guest's.
///
/// # Errors
/// It cannot.
pub fn fits(ram_size: u64) -> Result<(), BootError> {
    match ram_size {
        0..RAM_MIN => too_little(ram_size, RAM_MIN),
        RAM_MIN..=RAM_MAX => Ok(()),
        _ => Err(BootError::TooMuchMemory { size: ram_size, address_bits: 46 }),
    }
}

fn too_little<T>(size: u64, least: u64) -> Result<T, BootError> {
    Err(BootError::TooLittleMemory { size, isa: Isa::X86_64, least })
}

impl<'a> Layout<'a> {
    /// Finds a place for everything in `ram_size` bytes of memory.
    ///
    /// # Errors
    /// What does not fit.
    pub fn new(ram_size: u64, payload: &Payload<'_, 'a>) -> Result<Self, BootError> {
        fits(ram_size)?;
        let kernel = payload.kernel.ok_or(BootError::Nothing)?;
        let low_end = ram_size.min(LOW_RAM_MAX);
        let mut places = Places::new(0..low_end);
        places.take(Part::Params, SMALL..PARAMS_END)?;
        places.take(Part::Params, LEGACY_HOLE.range())?;
        let (start, initrd_max, cmdline_max) = match kernel {
            Program::BzImage(image) => {
                let start = bzimage(&mut places, image, low_end)?;
                (start, image.initrd_max.saturating_add(1), image.cmdline_max)
            }
            Program::Elf(elf) => {
                let entry = places.elf(Part::Kernel, elf)?;
                let start = match elf.pvh_entry() {
                    Some(pc) => Start::Pvh { pc },
                    None => Start::Linux64 { pc: entry },
                };
                (start, INITRD_CEILING, usize::MAX)
            }
            Program::Raw(bytes) => {
                places.flat(Part::Kernel, PROGRAM_BASE, bytes, bytes.len() as u64)?;
                (Start::Linux64 { pc: PROGRAM_BASE }, INITRD_CEILING, usize::MAX)
            }
            Program::Image(_) => return Err(BootError::WrongFormat { isa: Isa::X86_64 }),
        };
        let len = payload.cmdline.len();
        let limit = cmdline_max.min((CMDLINE.end - CMDLINE.start) as usize - 1);
        if len > limit {
            return Err(BootError::CommandLine { len, limit });
        }
        if payload.cmdline.contains('\0') {
            return Err(BootError::CommandLineZero);
        }
        let initrd_len = payload.initrd_len.filter(|len| *len > 0);
        let top = low_end.min(initrd_max);
        let initrd = initrd_len.map(|len| places.initrd(top, len)).transpose()?;
        Ok(Self {
            loads: places.into_loads(),
            initrd,
            start,
            from_file: match kernel {
                Program::BzImage(image) => Some((image.load_address, image.payload.clone())),
                _ => None,
            },
            header: match kernel {
                Program::BzImage(image) => image.header,
                _ => &[],
            },
            cmdline: payload.cmdline.to_owned(),
            ram_size,
        })
    }

    /// What the guest is handed, beside the files: the parameters of its boot protocol, and
    /// `acpi`. `seed` is random bytes for a start of the kernel's generator, or empty.
    pub fn made(&self, acpi: &Tables, seed: &[u8]) -> Vec<Made> {
        let mut made = vec![
            Made { gpa: acpi.base, bytes: acpi.bytes.clone() },
            Made { gpa: CMDLINE.start, bytes: [self.cmdline.as_bytes(), &[0]].concat() },
        ];
        match self.start {
            Start::Linux64 { .. } => {
                made.push(Made { gpa: BOOT_PARAMS, bytes: params::zero_page(self, acpi, seed) });
                made.push(Made { gpa: SMALL, bytes: params::small_linux(seed) });
                made.push(Made { gpa: PAGE_TABLES, bytes: entry::page_tables() });
            }
            Start::Pvh { .. } => {
                made.push(Made { gpa: SMALL, bytes: params::small_pvh(self, acpi) });
            }
        }
        made
    }

    /// Puts a vCPU that was just reset into the state in which it begins. Returns whether it
    /// runs; otherwise it waits for another to start it.
    pub fn begin(&self, index: u32, cpu: &mut Cpu) -> bool {
        if index == 0 {
            match self.start {
                Start::Linux64 { pc } => entry::linux64(cpu, pc),
                Start::Pvh { pc } => entry::pvh(cpu, pc),
            }
        }
        index == 0
    }
}

/// Places a bzImage. The kernel unpacks itself in place, so the memory that it takes is told by
/// its header, not by its file.
fn bzimage<'a>(
    places: &mut Places<'a>,
    image: &BzImage<'a>,
    low_end: u64,
) -> Result<Start, BootError> {
    let end = image.load_address.saturating_add(image.init_size);
    if end > low_end {
        return too_little(low_end, end);
    }
    places.take(Part::Kernel, image.load_address..end)?;
    Ok(Start::Linux64 { pc: image.load_address + bzimage::ENTRY_64 })
}

/// What is at which addresses, as both protocols tell it.
fn memory_map(ram_size: u64) -> Vec<(Range<u64>, u32)> {
    const RAM: u32 = 1;
    const RESERVED: u32 = 2;
    let hole = LEGACY_HOLE.range();
    let mut map = Vec::new();
    for range in ram(ram_size) {
        if range.contains(&hole.start) {
            map.push((range.start..hole.start, RAM));
            map.push((hole.clone(), RESERVED));
            map.push((hole.end..range.end, RAM));
        } else {
            map.push((range, RAM));
        }
    }
    map
}
