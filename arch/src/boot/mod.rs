//! Kernels and firmware as files: which format, for which machine, what goes where.
//!
//! Files are untrusted. They are looked at in two steps, both free of copies where nothing is
//! compressed: [`unpack`] removes gzip and EFI zboot wrappings, [`Program::parse`] understands
//! what is inside, a Linux `Image`, an ELF executable, or bytes to be loaded as they are.

pub mod bzimage;
mod elf;
mod identify;
mod image;
mod place;
#[cfg(test)]
mod tests;
mod unpack;

use std::fmt;

pub use bzimage::BzImage;
pub use elf::{Elf, Segment};
pub use identify::FileKind;
pub use image::Image;
pub(crate) use place::Places;
pub use place::{BootError, Load, Part};
pub use unpack::unpack;

/// The architecture that a program is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Isa {
    /// RISC-V, 64 bits.
    Riscv64,
    /// Arm, 64 bits.
    Aarch64,
    /// x86, 64 bits.
    X86_64,
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Isa::Riscv64 => "riscv64",
            Isa::Aarch64 => "aarch64",
            Isa::X86_64 => "x86_64",
        })
    }
}

/// Why a file cannot be booted. The sentences speak of "the file": whoever prints them has
/// named it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// A file of another kind.
    #[error(
        "the file is {found}; a {isa} guest boots {} or an ELF executable for {isa}",
        match .isa {
            Isa::X86_64 => "a Linux bzImage",
            _ => "a Linux Image (also compressed with gzip, or as an EFI zboot image)",
        }
    )]
    NotAProgram {
        /// What it is.
        found: FileKind,
        /// What the guest is.
        isa: Isa,
    },
    /// A program for another machine.
    #[error("the file is {found}, but the guest is {isa}: choose a kernel built for {isa}")]
    WrongIsa {
        /// What it is.
        found: FileKind,
        /// What the guest is.
        isa: Isa,
    },
    /// The end is missing.
    #[error(
        "the file is {found} that is cut short: {part} would end at byte {needed}, but there are \
         {len} bytes; copy or download it again"
    )]
    Truncated {
        /// What it is.
        found: FileKind,
        /// What does not fit.
        part: &'static str,
        /// Where that would end.
        needed: u64,
        /// How long the file is.
        len: u64,
    },
    /// Contradicts its own format.
    #[error("the file is {found} that is damaged: {why}; copy or download it again")]
    Damaged {
        /// What it is.
        found: FileKind,
        /// What is wrong.
        why: &'static str,
    },
    /// Uses a part of the format that is not supported.
    #[error("the file is {found}, {why}")]
    Unsupported {
        /// What it is.
        found: FileKind,
        /// What is not supported, and what to do.
        why: &'static str,
    },
    /// Unpacks to more than the limit.
    #[error("the file is {found} that unpacks to more than {limit} bytes, which is no kernel")]
    TooLarge {
        /// What it is.
        found: FileKind,
        /// The limit.
        limit: u64,
    },
}

/// What a file contains, once it is unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program<'a> {
    /// A Linux kernel as a flat image with a header.
    Image(Image<'a>),
    /// A Linux kernel for x86, with a setup header.
    BzImage(BzImage<'a>),
    /// An ELF executable: a kernel, firmware, a bare test program.
    Elf(Elf<'a>),
    /// Firmware as a flat image without a header.
    Raw(&'a [u8]),
}

impl<'a> Program<'a> {
    /// A kernel: an `Image`, a bzImage or an ELF executable.
    ///
    /// # Errors
    /// What the file is instead, or what is wrong with it.
    pub fn parse(file: &'a [u8], isa: Isa) -> Result<Self, ProgramError> {
        let found = FileKind::of(file);
        match found {
            FileKind::Image(Isa::X86_64) if isa == Isa::X86_64 => {
                BzImage::parse(file, file.len() as u64).map(Program::BzImage)
            }
            FileKind::Image(built_for) if built_for == isa => {
                Image::parse(file, isa).map(Program::Image)
            }
            FileKind::Elf(_) => Elf::parse(file, isa).map(Program::Elf),
            FileKind::Image(built_for) if built_for != isa => {
                Err(ProgramError::WrongIsa { found, isa })
            }
            _ => Err(ProgramError::NotAProgram { found, isa }),
        }
    }

    /// Firmware or a boot loader: as [`Self::parse`], and otherwise raw machine code, unless the
    /// file is known to be something else.
    ///
    /// # Errors
    /// What the file is instead, or what is wrong with it.
    pub fn parse_firmware(file: &'a [u8], isa: Isa) -> Result<Self, ProgramError> {
        match FileKind::of(file) {
            FileKind::Unknown => Ok(Program::Raw(file)),
            _ => Self::parse(file, isa),
        }
    }
}

/// The integers of file formats, at an offset; `None` past the end.
fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// `len` bytes from `at`, both as the file gives them; `None` if they are not all there.
fn slice_at(bytes: &[u8], at: u64, len: u64) -> Option<&[u8]> {
    let start = usize::try_from(at).ok()?;
    let end = usize::try_from(at.checked_add(len)?).ok()?;
    bytes.get(start..end)
}
