//! Linux flat images with a header: `[RISCV-image]`, and that of arm64, which is its model.

use super::{FileKind, Isa, ProgramError, u16_at, u32_at, u64_at};

/// A Linux kernel to be copied to memory as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image<'a> {
    /// The whole file.
    pub bytes: &'a [u8],
    /// Distance of the kernel from the start of memory (riscv64) or from a 2 MiB boundary
    /// (aarch64), in bytes.
    pub text_offset: u64,
    /// Memory that the kernel takes from there, in bytes: at least the file's length.
    pub image_size: u64,
}

/// A kernel of the time when the header had no size `[RISCV-image]` is at most this large.
const UNTOLD_SIZE: u64 = 32 << 20;

impl<'a> Image<'a> {
    /// Reads the header of a file that [`FileKind`] says is an image for `isa`.
    pub(super) fn parse(bytes: &'a [u8], isa: Isa) -> Result<Self, ProgramError> {
        let found = FileKind::Image(isa);
        let len = bytes.len() as u64;
        let fields = (u64_at(bytes, 8), u64_at(bytes, 16), u64_at(bytes, 24));
        let (Some(mut text_offset), Some(told), Some(flags)) = fields else {
            return Err(ProgramError::Truncated { found, part: "the header", needed: 64, len });
        };
        if flags & 1 != 0 {
            let why = "built for big-endian memory, which no guest here has";
            return Err(ProgramError::Unsupported { found, why });
        }
        if told == 0 && isa == Isa::Aarch64 {
            text_offset = 0x8_0000;
        }
        if text_offset >= 1 << 30 || told >= 1 << 40 {
            let why = "its header tells an impossible size or offset";
            return Err(ProgramError::Damaged { found, why });
        }
        if let Some(needed) = Some(64).max(sections_end(bytes)).filter(|needed| *needed > len) {
            return Err(ProgramError::Truncated { found, part: "its last section", needed, len });
        }
        let image_size = if told == 0 { len.max(UNTOLD_SIZE) } else { told.max(len) };
        Ok(Self { bytes, text_offset, image_size })
    }
}

/// Where the sections of the EFI stub end in the file, or at least its headers, if there is one
/// `[PE]`. The size in the kernel's own header includes zeroed memory, so that this alone tells
/// whether a file is whole.
fn sections_end(bytes: &[u8]) -> Option<u64> {
    const SIGNATURE: u32 = u32::from_le_bytes(*b"PE\0\0");
    const HEADER: usize = 24;
    const SECTION: usize = 40;
    if !bytes.starts_with(b"MZ") {
        return None;
    }
    let pe = u32_at(bytes, 0x3c)? as usize;
    let headers = pe.checked_add(HEADER)?;
    let (Some(signature), Some(count), Some(optional)) =
        (u32_at(bytes, pe), u16_at(bytes, pe.checked_add(6)?), u16_at(bytes, headers - 4))
    else {
        return Some(headers as u64);
    };
    if signature != SIGNATURE {
        return None;
    }
    let table = headers.checked_add(usize::from(optional))?;
    let mut end = table.checked_add(usize::from(count) * SECTION)? as u64;
    for n in 0..usize::from(count) {
        let header = table + n * SECTION;
        let (Some(size), Some(start)) = (u32_at(bytes, header + 16), u32_at(bytes, header + 20))
        else {
            break;
        };
        end = end.max(u64::from(start) + u64::from(size));
    }
    Some(end)
}
