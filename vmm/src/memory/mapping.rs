//! The memfd behind guest memory and its mappings: the only unsafe code of this crate.
#![expect(unsafe_code, reason = "memfd_create(2), fallocate(2), and the promise to accelerators")]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd};
use std::sync::Arc;

use accel::HostMemory;
use devices::dma::DmaBitmap;
use vm_memory::GuestRegionMmap;

/// A mapped piece of guest memory.
pub(super) type Region = GuestRegionMmap<DmaBitmap>;

/// A new file without a name, `len` bytes of zeros; its pages are touched when they are used.
pub(super) fn memfd(len: u64) -> io::Result<File> {
    // SAFETY: the name is a terminated string; the call touches no other memory.
    let fd = unsafe { libc::memfd_create(c"polyvisor-guest".as_ptr(), libc::MFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded: the descriptor is open, and nobody else's.
    let file = unsafe { File::from_raw_fd(fd) };
    file.set_len(len)?;
    Ok(file)
}

/// Makes `len` bytes at `offset` zero by giving their pages back to the host.
pub(super) fn punch(file: &File, offset: u64, len: u64) -> io::Result<()> {
    let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    let (offset, len) = (offset as libc::off_t, len as libc::off_t);
    // SAFETY: the call touches no memory but pages of the file, which stay mapped, as zeros.
    match unsafe { libc::fallocate(file.as_raw_fd(), mode, offset, len) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A region as accelerators want it.
pub(super) struct Mapping(pub(super) Arc<Region>);

// SAFETY: the region owns a readable and writable mapping of `len` bytes, which starts at a page
// and stays where it is until the region is dropped, and the value keeps the region.
unsafe impl HostMemory for Mapping {
    fn as_ptr(&self) -> *mut u8 {
        self.0.get_mmap().as_ptr()
    }

    fn len(&self) -> usize {
        self.0.get_mmap().size()
    }
}
