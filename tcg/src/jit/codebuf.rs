//! Memory for host code: one file in memory mapped twice, writable here, executable there, so
//! that no page is ever both (W^X).
#![expect(unsafe_code, reason = "maps executable memory and patches code in it")]

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};

/// Memory for code.
pub(crate) struct CodeBuf {
    write: NonNull<u8>,
    exec: NonNull<u8>,
    len: usize,
}

// SAFETY: the mappings belong to the value and are valid from any thread; writes to them are
// either to memory that nobody executes yet, or atomic patches.
unsafe impl Send for CodeBuf {}
// SAFETY: as above.
unsafe impl Sync for CodeBuf {}

impl CodeBuf {
    /// Reserves `len` bytes; memory is used only as code is written.
    pub(crate) fn new(len: usize) -> io::Result<Self> {
        let fd = file(len)?;
        let write = map(&fd, len, libc::PROT_READ | libc::PROT_WRITE)?;
        match map(&fd, len, libc::PROT_READ | libc::PROT_EXEC) {
            Ok(exec) => Ok(Self { write, exec, len }),
            Err(e) => {
                // SAFETY: `write` is a mapping of `len` bytes that nothing refers to.
                unsafe { libc::munmap(write.as_ptr().cast(), len) };
                Err(e)
            }
        }
    }

    /// A file with a copy of the given ranges, for the child of a fork: what it has now it shares
    /// with its parent.
    pub(crate) fn copy(&self, ranges: &[Range<usize>]) -> io::Result<File> {
        let file = File::from(file(self.len)?);
        for range in ranges {
            assert!(range.start <= range.end && range.end <= self.len);
            let mut at = range.start;
            while at < range.end {
                // SAFETY: inside the mapping (checked); others may patch it meanwhile, so it is
                // read by the kernel only, as it is at that moment.
                let done = unsafe {
                    let from = self.write.as_ptr().add(at).cast();
                    libc::pwrite(file.as_raw_fd(), from, range.end - at, at as libc::off_t)
                };
                match done {
                    -1 => return Err(io::Error::last_os_error()),
                    done => at += done as usize,
                }
            }
        }
        Ok(file)
    }

    /// In the child: the copy takes the place of what is shared.
    pub(crate) fn replace(&self, copy: File) -> io::Result<()> {
        let fd = OwnedFd::from(copy);
        let both = [
            (self.write, libc::PROT_READ | libc::PROT_WRITE),
            (self.exec, libc::PROT_READ | libc::PROT_EXEC),
        ];
        for (at, prot) in both {
            // SAFETY: replaces a mapping of `len` bytes that belongs to this value by one of the
            // same length, in which all that is used has the same content.
            let p = unsafe {
                let flags = libc::MAP_SHARED | libc::MAP_FIXED;
                libc::mmap(at.as_ptr().cast(), self.len, prot, flags, fd.as_raw_fd(), 0)
            };
            if p == libc::MAP_FAILED {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    }

    /// Bytes reserved.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Address at which the byte at `offset` executes.
    pub(crate) fn exec_address(&self, offset: usize) -> u64 {
        self.exec.as_ptr() as u64 + offset as u64
    }

    /// Offset of an executable address.
    pub(crate) fn offset_of(&self, address: u64) -> usize {
        let offset = (address as usize).wrapping_sub(self.exec.as_ptr() as usize);
        assert!(offset < self.len, "not an address of translated code");
        offset
    }

    /// Writes code that nobody executes yet.
    pub(crate) fn write(&self, offset: usize, code: &[u8]) {
        assert!(offset <= self.len && code.len() <= self.len - offset);
        // SAFETY: the range was checked to be inside the mapping, and the slice cannot overlap
        // memory that only this type knows.
        unsafe {
            let to = self.write.as_ptr().add(offset);
            std::ptr::copy_nonoverlapping(code.as_ptr(), to, code.len());
        }
    }

    /// Replaces four aligned bytes at once, while other threads may execute them.
    pub(crate) fn patch32(&self, offset: usize, value: u32) {
        assert!(offset.is_multiple_of(4) && offset + 4 <= self.len);
        // SAFETY: inside the mapping, aligned, and accessed atomically while shared.
        unsafe { (*(self.write.as_ptr().add(offset) as *const AtomicU32)).store(value, SeqCst) };
    }

    /// Replaces eight aligned bytes at once, while other threads may execute them.
    pub(crate) fn patch64(&self, offset: usize, value: u64) {
        assert!(offset.is_multiple_of(8) && offset + 8 <= self.len);
        // SAFETY: inside the mapping, aligned, and accessed atomically while shared.
        unsafe { (*(self.write.as_ptr().add(offset) as *const AtomicU64)).store(value, SeqCst) };
    }

    /// Reads eight aligned bytes.
    pub(crate) fn read64(&self, offset: usize) -> u64 {
        assert!(offset.is_multiple_of(8) && offset + 8 <= self.len);
        // SAFETY: inside the mapping, aligned, and accessed atomically while shared.
        unsafe { (*(self.write.as_ptr().add(offset) as *const AtomicU64)).load(SeqCst) }
    }
}

impl Drop for CodeBuf {
    fn drop(&mut self) {
        // SAFETY: both are mappings of `len` bytes made by `new`, and this is their last use.
        unsafe {
            libc::munmap(self.write.as_ptr().cast(), self.len);
            libc::munmap(self.exec.as_ptr().cast(), self.len);
        }
    }
}

fn file(len: usize) -> io::Result<OwnedFd> {
    // SAFETY: the name is a C string; the result is checked.
    let fd = unsafe { libc::memfd_create(c"polyvisor-code".as_ptr(), libc::MFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `fd` was just created and is owned by nobody else.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: plain call on an owned descriptor.
    if unsafe { libc::ftruncate(fd.as_raw_fd(), len as libc::off_t) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(fd)
}

fn map(fd: &OwnedFd, len: usize, prot: i32) -> io::Result<NonNull<u8>> {
    // SAFETY: a fresh shared mapping of an owned file; the result is checked.
    let p =
        unsafe { libc::mmap(std::ptr::null_mut(), len, prot, libc::MAP_SHARED, fd.as_raw_fd(), 0) };
    if p == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    Ok(NonNull::new(p.cast()).expect("mmap does not map address zero unless asked to"))
}
