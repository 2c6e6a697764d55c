//! Compressed kernels: gzip files, and the EFI programs that carry a compressed kernel.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::GzDecoder;

use super::{FileKind, ProgramError, slice_at, u32_at};

/// Wrappings that are removed: a zboot image inside gzip, say. More is no kernel.
const DEPTH: usize = 3;

/// Removes gzip `[GZIP §2]` and EFI zboot wrappings; anything else is returned as it is.
///
/// # Errors
/// A damaged or incomplete file, a compression other than gzip, more than `limit` bytes.
pub fn unpack(file: &[u8], limit: u64) -> Result<Cow<'_, [u8]>, ProgramError> {
    let mut bytes = Cow::Borrowed(file);
    for _ in 0..DEPTH {
        let found = FileKind::of(&bytes);
        bytes = match found {
            FileKind::Compressed("gzip") => Cow::Owned(gunzip(&bytes, found, limit)?),
            FileKind::Zboot => Cow::Owned(gunzip(zboot_payload(&bytes)?, found, limit)?),
            FileKind::Compressed(_) => {
                let why = "which Polyvisor does not unpack: unpack it first with that program";
                return Err(ProgramError::Unsupported { found, why });
            }
            _ => return Ok(bytes),
        };
    }
    let found = FileKind::of(&bytes);
    match found {
        FileKind::Compressed(_) | FileKind::Zboot => {
            Err(ProgramError::Damaged { found, why: "it is compressed over and over" })
        }
        _ => Ok(bytes),
    }
}

fn gunzip(bytes: &[u8], found: FileKind, limit: u64) -> Result<Vec<u8>, ProgramError> {
    let mut unpacked = Vec::new();
    // The buffer grows with what is really there, never with what a header promises.
    let outcome = GzDecoder::new(bytes).take(limit.saturating_add(1)).read_to_end(&mut unpacked);
    if unpacked.len() as u64 > limit {
        return Err(ProgramError::TooLarge { found, limit });
    }
    match outcome {
        Ok(_) => Ok(unpacked),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Err(ProgramError::Damaged { found, why: "the compressed data has no end" })
        }
        Err(_) => Err(ProgramError::Damaged { found, why: "the compressed data is corrupt" }),
    }
}

/// The compressed kernel in a zboot image; its header says where, and compressed by what.
fn zboot_payload(file: &[u8]) -> Result<&[u8], ProgramError> {
    let found = FileKind::Zboot;
    let header = (u32_at(file, 8), u32_at(file, 12), file.get(24..56));
    let (Some(offset), Some(size), Some(compression)) = header else {
        let len = file.len() as u64;
        return Err(ProgramError::Truncated { found, part: "the header", needed: 56, len });
    };
    if !compression.starts_with(b"gzip\0") {
        let why = "compressed by other means than gzip, which Polyvisor does not unpack: extract \
                   the Image in it first";
        return Err(ProgramError::Unsupported { found, why });
    }
    slice_at(file, offset.into(), size.into()).ok_or(ProgramError::Truncated {
        found,
        part: "the compressed kernel",
        needed: u64::from(offset) + u64::from(size),
        len: file.len() as u64,
    })
}
