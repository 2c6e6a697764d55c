//! Linux kernels for x86 as distributions ship them: a setup header, real-mode code that is not
//! used here, and a 64-bit program that unpacks the kernel proper `[LINUX-x86-boot]`.

use std::ops::Range;

use super::{FileKind, Isa, ProgramError, u16_at, u32_at, u64_at};

/// A bzImage that can be entered in 64-bit mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BzImage<'a> {
    /// The setup header: what is copied to the boot parameters at offset [`SETUP_HEADER`].
    pub header: &'a [u8],
    /// What is copied to memory, as a range of the file: all that follows the real-mode code.
    pub payload: Range<u64>,
    /// Where the payload goes.
    pub load_address: u64,
    /// Memory that the kernel takes from there while it unpacks itself, in bytes.
    pub init_size: u64,
    /// The highest address that a byte of the initrd may have.
    pub initrd_max: u64,
    /// The longest command line, without its end.
    pub cmdline_max: usize,
}

/// Offset of the setup header, in the file and in the boot parameters.
pub const SETUP_HEADER: usize = 0x1f1;
/// Bytes at the start of a file that are enough for [`BzImage::of_prefix`].
pub const PREFIX: u64 = 1024;
/// The 64-bit entry's distance from the start of the payload.
pub const ENTRY_64: u64 = 0x200;

const SECTOR: usize = 512;
/// The version of the protocol that tells sizes and 64-bit entries.
const VERSION_MIN: u16 = 0x20c;
const LOADED_HIGH: u8 = 1;
const XLF_KERNEL_64: u16 = 1;
/// Fields of the header, by their offset in the file.
mod at {
    pub(super) const SETUP_SECTS: usize = 0x1f1;
    pub(super) const SYSSIZE: usize = 0x1f4;
    pub(super) const JUMP_LEN: usize = 0x201;
    pub(super) const VERSION: usize = 0x206;
    pub(super) const LOADFLAGS: usize = 0x211;
    pub(super) const INITRD_ADDR_MAX: usize = 0x22c;
    pub(super) const XLOADFLAGS: usize = 0x236;
    pub(super) const CMDLINE_SIZE: usize = 0x238;
    pub(super) const PREF_ADDRESS: usize = 0x258;
    pub(super) const INIT_SIZE: usize = 0x260;
    pub(super) const END: usize = 0x264;
}

impl<'a> BzImage<'a> {
    /// The same as [`Program::parse`](super::Program::parse) for the first bytes of a file, of
    /// which there are `len` in all; `None` if it is no bzImage. So that a kernel need not be in
    /// our memory to be brought into the guest's.
    pub fn of_prefix(prefix: &'a [u8], len: u64) -> Option<Result<Self, ProgramError>> {
        let is_bzimage = FileKind::of(prefix) == FileKind::Image(Isa::X86_64);
        is_bzimage.then(|| Self::parse(prefix, len))
    }

    /// Reads the header, in the first bytes of a file that [`FileKind`] says is a bzImage.
    pub(super) fn parse(file: &'a [u8], len: u64) -> Result<Self, ProgramError> {
        let found = FileKind::Image(Isa::X86_64);
        let cut = |part, needed| ProgramError::Truncated { found, part, needed, len };
        let old = |why| ProgramError::Unsupported { found, why };
        if file.len() < at::END {
            return Err(cut("the setup header", at::END as u64));
        }
        let u16_of = |at| u16_at(file, at).unwrap_or(0);
        let u32_of = |at| u32_at(file, at).unwrap_or(0);
        if u16_of(at::VERSION) < VERSION_MIN || u16_of(at::XLOADFLAGS) & XLF_KERNEL_64 == 0 {
            return Err(old("without a 64-bit entry: a 64-bit kernel, 3.8 or newer, is needed"));
        }
        if file[at::LOADFLAGS] & LOADED_HIGH == 0 {
            return Err(old("that is loaded below 1 MiB (a zImage): a bzImage is needed"));
        }
        // The jump over the header says where it ends; the field is a byte long.
        let header_end = 0x202 + usize::from(file[at::JUMP_LEN]);
        let header = file
            .get(SETUP_HEADER..header_end)
            .ok_or_else(|| cut("the setup header", header_end as u64))?;
        // The real-mode code: a boot sector and these, where none means four.
        let sectors = match file[at::SETUP_SECTS] {
            0 => 4,
            n => usize::from(n),
        };
        let start = (1 + sectors) * SECTOR;
        let size = u64::from(u32_of(at::SYSSIZE)) * 16;
        let end = start as u64 + size;
        // A signature for Secure Boot may follow.
        if len < end {
            return Err(cut("the compressed kernel", end));
        }
        let damaged = |why| ProgramError::Damaged { found, why };
        let load_address = u64_at(file, at::PREF_ADDRESS).unwrap_or(0);
        let init_size = u64::from(u32_of(at::INIT_SIZE));
        if load_address >= 1 << 46 || size <= ENTRY_64 {
            return Err(damaged("its header tells an impossible size or address"));
        }
        Ok(Self {
            header,
            payload: start as u64..end,
            load_address,
            init_size: init_size.max(size),
            initrd_max: u32_of(at::INITRD_ADDR_MAX).into(),
            cmdline_max: u32_of(at::CMDLINE_SIZE) as usize,
        })
    }
}
