//! System calls on scattered memory at an offset of a file.
#![expect(unsafe_code, reason = "preadv, pwritev and fallocate have no safe form in std")]

use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::os::fd::AsRawFd;

use libc::{c_int, c_void, iovec, off_t};

use crate::buf::{Buf, BufMut};

/// Pieces in one call; the kernel takes up to 1024 (IOV_MAX).
const PIECES_MAX: usize = 1024;

/// The pieces of a transfer that are still to be moved.
struct Rest {
    pieces: Vec<iovec>,
    first: usize,
    offset: u64,
}

impl Rest {
    fn new(pieces: impl Iterator<Item = iovec>, offset: u64) -> Self {
        Self { pieces: pieces.filter(|piece| piece.iov_len > 0).collect(), first: 0, offset }
    }

    /// What the next call is to move; `None` when all is done.
    fn next(&self) -> Option<(&[iovec], off_t)> {
        let left = &self.pieces[self.first..];
        let batch = &left[..left.len().min(PIECES_MAX)];
        // Offsets were checked against the image's size, which is an off_t.
        (!batch.is_empty()).then_some((batch, self.offset as off_t))
    }

    /// Takes note that the next `moved` bytes are done.
    fn advance(&mut self, mut moved: usize) {
        self.offset += moved as u64;
        while let Some(piece) = self.pieces.get_mut(self.first).filter(|_| moved > 0) {
            let step = moved.min(piece.iov_len);
            piece.iov_base = piece.iov_base.wrapping_byte_add(step);
            piece.iov_len -= step;
            moved -= step;
            if piece.iov_len == 0 {
                self.first += 1;
            }
        }
    }
}

/// Fills all of `into` from `offset` on.
pub(super) fn read_all_at(file: &File, offset: u64, into: &[BufMut<'_>]) -> Result<()> {
    let pieces =
        into.iter().map(|buf| iovec { iov_base: buf.start().cast::<c_void>(), iov_len: buf.len() });
    let mut rest = Rest::new(pieces, offset);
    while let Some((batch, at)) = rest.next() {
        // SAFETY: every piece lies within a `BufMut` of `into` (`advance` only shortens them),
        // and a `BufMut` vouches for its bytes as long as it is borrowed.
        let moved =
            unsafe { libc::preadv(file.as_raw_fd(), batch.as_ptr(), batch.len() as c_int, at) };
        match retry(moved)? {
            None => {}
            Some(0) => {
                return Err(Error::new(ErrorKind::UnexpectedEof, "the image file has shrunk"));
            }
            Some(moved) => rest.advance(moved),
        }
    }
    Ok(())
}

/// Writes all of `from` at `offset` on.
pub(super) fn write_all_at(file: &File, offset: u64, from: &[Buf<'_>]) -> Result<()> {
    let pieces = from.iter().map(|buf| iovec {
        // The kernel only reads from it.
        iov_base: buf.start().cast_mut().cast::<c_void>(),
        iov_len: buf.len(),
    });
    let mut rest = Rest::new(pieces, offset);
    while let Some((batch, at)) = rest.next() {
        // SAFETY: every piece lies within a `Buf` of `from` (`advance` only shortens them), a
        // `Buf` vouches for its bytes as long as it is borrowed, and pwritev does not write.
        let moved =
            unsafe { libc::pwritev(file.as_raw_fd(), batch.as_ptr(), batch.len() as c_int, at) };
        match retry(moved)? {
            None => {}
            Some(0) => return Err(ErrorKind::WriteZero.into()),
            Some(moved) => rest.advance(moved),
        }
    }
    Ok(())
}

/// Frees the storage of the range, which then reads as zeros. False where the file system cannot.
pub(super) fn punch_hole(file: &File, offset: u64, len: u64) -> Result<bool> {
    fallocate(file, libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE, offset, len)
}

/// Makes the range read as zeros, storage kept. False where the file system cannot.
pub(super) fn zero_range(file: &File, offset: u64, len: u64) -> Result<bool> {
    fallocate(file, libc::FALLOC_FL_ZERO_RANGE | libc::FALLOC_FL_KEEP_SIZE, offset, len)
}

fn fallocate(file: &File, mode: c_int, offset: u64, len: u64) -> Result<bool> {
    if len == 0 {
        return Ok(true);
    }
    loop {
        // SAFETY: no memory is passed; the descriptor is that of an open file.
        let failed =
            unsafe { libc::fallocate(file.as_raw_fd(), mode, offset as off_t, len as off_t) != 0 };
        if !failed {
            return Ok(true);
        }
        let error = Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EINTR) => {}
            Some(libc::EOPNOTSUPP | libc::ENOSYS | libc::ENODEV) => return Ok(false),
            _ => return Err(error),
        }
    }
}

/// The outcome of a call: bytes moved, or `None` if it is to be repeated.
fn retry(moved: isize) -> Result<Option<usize>> {
    match usize::try_from(moved) {
        Ok(moved) => Ok(Some(moved)),
        Err(_) => {
            let error = Error::last_os_error();
            if error.kind() == ErrorKind::Interrupted { Ok(None) } else { Err(error) }
        }
    }
}
