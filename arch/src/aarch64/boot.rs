//! How the board starts a kernel: what is put where in memory, and in which state the vCPUs
//! begin `[LINUX-arm64-boot]`. Calls to the firmware (PSCI) are the accelerator's.
//!
//! ```text
//!  start of memory   device tree
//!  + 2 MiB           kernel
//!  ...
//!  end of memory, of its first GiB at most   initrd
//! ```

use std::ops::Range;

use super::board::{RAM_BASE, RAM_MAX};
pub use crate::boot::{BootError, Load, Part};
use crate::boot::{Isa, Places, Program};

#[cfg(test)]
mod tests;

/// Room for the device tree.
pub const FDT_SIZE_MAX: u64 = 2 << 20;
/// Where it is.
pub const FDT: u64 = RAM_BASE;

const KERNEL_OFFSET: u64 = FDT_SIZE_MAX;
/// Memory that a kernel, a device tree and their alignment need at least.
const RAM_MIN: u64 = 16 << 20;
/// The initrd ends within so much from the start, near the kernel.
const INITRD_REACH: u64 = 1 << 30;

/// What is to be booted.
#[derive(Clone, Copy, Debug)]
pub struct Payload<'p, 'a> {
    /// A kernel.
    pub kernel: Option<&'p Program<'a>>,
    /// Length of the initial RAM disk, in bytes; an empty one is none.
    pub initrd_len: Option<u64>,
}

/// Where everything goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout<'a> {
    /// What to copy; memory is zero elsewhere.
    pub loads: Vec<Load<'a>>,
    /// Where the initrd goes.
    pub initrd: Option<Range<u64>>,
    /// The first instruction of the first vCPU, which finds the device tree's address in X0.
    pub entry: u64,
}

/// Whether that much memory can be the guest's.
///
/// # Errors
/// It cannot.
pub fn fits(ram_size: u64) -> Result<(), BootError> {
    match ram_size {
        0..RAM_MIN => {
            Err(BootError::TooLittleMemory { size: ram_size, isa: Isa::Aarch64, least: RAM_MIN })
        }
        RAM_MIN..=RAM_MAX => Ok(()),
        _ => Err(BootError::TooMuchMemory { size: ram_size, address_bits: 40 }),
    }
}

impl<'a> Layout<'a> {
    /// Finds a place for everything in `ram_size` bytes of memory.
    ///
    /// # Errors
    /// What does not fit.
    pub fn new(ram_size: u64, payload: &Payload<'_, 'a>) -> Result<Self, BootError> {
        fits(ram_size)?;
        let kernel = payload.kernel.ok_or(BootError::Nothing)?;
        let end = RAM_BASE + ram_size;
        let mut places = Places::new(RAM_BASE..end);
        places.take(Part::Fdt, FDT..FDT + FDT_SIZE_MAX)?;
        let entry = match kernel {
            Program::Elf(elf) => places.elf(Part::Kernel, elf)?,
            Program::Image(image) => {
                let gpa = RAM_BASE + KERNEL_OFFSET + image.text_offset;
                places.flat(Part::Kernel, gpa, image.bytes, image.image_size)?;
                gpa
            }
            Program::Raw(bytes) => {
                let gpa = RAM_BASE + KERNEL_OFFSET;
                places.flat(Part::Kernel, gpa, bytes, bytes.len() as u64)?;
                gpa
            }
            Program::BzImage(_) => return Err(BootError::WrongFormat { isa: Isa::Aarch64 }),
        };
        let initrd_len = payload.initrd_len.filter(|len| *len > 0);
        let top = end.min(RAM_BASE + INITRD_REACH);
        let initrd = initrd_len.map(|len| places.initrd(top, len)).transpose()?;
        Ok(Self { loads: places.into_loads(), initrd, entry })
    }
}
