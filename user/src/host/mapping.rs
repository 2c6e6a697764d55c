//! The host's calls that map memory, for addresses that the guest's address space manages.

use std::ops::Range;

use super::call::plain;
use crate::Errno;

/// mmap(2).
pub(crate) fn map(
    range: Range<u64>,
    prot: i32,
    flags: i32,
    fd: i32,
    offset: u64,
) -> Result<u64, Errno> {
    let len = range.end - range.start;
    let args = [range.start, len, prot as u64, flags as u64, i64::from(fd) as u64, offset];
    plain(libc::SYS_mmap, args)
}

/// Reserves addresses where nothing is mapped: EEXIST if something is.
pub(crate) fn claim(range: Range<u64>) -> Result<(), Errno> {
    let flags =
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED_NOREPLACE;
    let (start, whole) = (range.start, range.clone());
    let got = map(range, libc::PROT_NONE, flags, -1, 0)?;
    if got == start {
        return Ok(());
    }
    // A kernel before 4.17 takes the address as a hint.
    unmap(got..got + (whole.end - whole.start))?;
    Err(Errno::EEXIST)
}

/// munmap(2).
pub(crate) fn unmap(range: Range<u64>) -> Result<(), Errno> {
    plain(libc::SYS_munmap, [range.start, range.end - range.start, 0, 0, 0, 0]).map(drop)
}

/// mprotect(2).
pub(crate) fn protect(range: Range<u64>, prot: i32) -> Result<(), Errno> {
    plain(libc::SYS_mprotect, [range.start, range.end - range.start, prot as u64, 0, 0, 0])
        .map(drop)
}

/// Whether a descriptor is open: EBADF if not.
pub(crate) fn check_descriptor(fd: i32) -> Result<(), Errno> {
    plain(libc::SYS_fcntl, [fd as u64, libc::F_GETFD as u64, 0, 0, 0, 0]).map(drop)
}
