//! The raw format: byte `n` of the image is byte `n` of a file or block device.

mod io;
mod open;

use std::fs::File;
use std::io::{Error, ErrorKind, Result};

pub use open::OpenOptions;

use crate::buf::{Buf, BufMut};
use crate::image::Image;

/// An open raw image. Holds an advisory lock on its file: exclusive to write, shared to read.
#[derive(Debug)]
pub struct RawImage {
    file: File,
    size: u64,
    readonly: bool,
}

impl RawImage {
    fn check_range(&self, offset: u64, len: u64) -> Result<()> {
        match offset.checked_add(len) {
            Some(end) if end <= self.size => Ok(()),
            _ => Err(Error::new(
                ErrorKind::InvalidInput,
                format!("{len} bytes at {offset} leave the image, which has {} bytes", self.size),
            )),
        }
    }

    fn check_change(&self, offset: u64, len: u64) -> Result<()> {
        if self.readonly {
            return Err(Error::new(ErrorKind::PermissionDenied, "the image is read-only"));
        }
        self.check_range(offset, len)
    }
}

impl Image for RawImage {
    fn size(&self) -> u64 {
        self.size
    }

    fn readonly(&self) -> bool {
        self.readonly
    }

    fn read_at(&self, offset: u64, into: &[BufMut<'_>]) -> Result<()> {
        self.check_range(offset, total(into.iter().map(BufMut::len)))?;
        io::read_all_at(&self.file, offset, into)
    }

    fn write_at(&self, offset: u64, from: &[Buf<'_>]) -> Result<()> {
        self.check_change(offset, total(from.iter().map(Buf::len)))?;
        io::write_all_at(&self.file, offset, from)
    }

    fn flush(&self) -> Result<()> {
        if self.readonly { Ok(()) } else { self.file.sync_data() }
    }

    fn discard(&self, offset: u64, len: u64) -> Result<()> {
        self.check_change(offset, len)?;
        io::punch_hole(&self.file, offset, len).map(|_freed| ())
    }

    fn write_zeroes(&self, offset: u64, len: u64, may_unmap: bool) -> Result<()> {
        self.check_change(offset, len)?;
        let done = (may_unmap && io::punch_hole(&self.file, offset, len)?)
            || io::zero_range(&self.file, offset, len)?;
        if done { Ok(()) } else { self.write_zero_bytes(offset, len) }
    }
}

impl RawImage {
    /// For file systems that have no call for it.
    fn write_zero_bytes(&self, mut offset: u64, mut len: u64) -> Result<()> {
        static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
        const PIECES: usize = 64;
        let whole = [Buf::from(&ZEROS[..]); PIECES];
        while len > 0 {
            let count = (len / ZEROS.len() as u64).min(PIECES as u64) as usize;
            let written = if count > 0 {
                io::write_all_at(&self.file, offset, &whole[..count])?;
                (count * ZEROS.len()) as u64
            } else {
                io::write_all_at(&self.file, offset, &[Buf::from(&ZEROS[..len as usize])])?;
                len
            };
            offset += written;
            len -= written;
        }
        Ok(())
    }
}

/// Total length in bytes; so large that no range check passes if it overflows.
fn total(lens: impl Iterator<Item = usize>) -> u64 {
    lens.fold(0u64, |sum, len| sum.saturating_add(len as u64))
}

#[cfg(test)]
mod tests;
