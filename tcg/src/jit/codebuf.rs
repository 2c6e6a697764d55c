//! Memory for host code: one file in memory mapped twice, writable here, executable there, so
//! that no page is ever both (W^X).
#![expect(unsafe_code, reason = "maps executable memory and patches code in it")]

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

    /// A copy of the given ranges, for the child of a fork: what this has it shares with its parent.
    /// The other bytes are zeros. It takes no descriptor: the table may be full, or another's too.
    pub(crate) fn copy(&self, ranges: &[Range<usize>]) -> io::Result<Self> {
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a fresh mapping; the result is checked.
        let write = unsafe { libc::mmap(std::ptr::null_mut(), self.len, prot, flags, -1, 0) };
        let write = mapped(write)?;
        // SAFETY: of a shared mapping, a second one of the same pages: for "from nothing" mremap(2)
        // makes that. Both results are checked.
        let exec = mapped(unsafe {
            libc::mremap(write.as_ptr().cast(), 0, self.len, libc::MREMAP_MAYMOVE)
        });
        let exec = exec.inspect_err(|_| {
            // SAFETY: nothing refers to that mapping of `len` bytes.
            unsafe { libc::munmap(write.as_ptr().cast(), self.len) };
        })?;
        let copy = Self { write, exec, len: self.len };
        let prot = libc::PROT_READ | libc::PROT_EXEC;
        // SAFETY: a mapping of `len` bytes that nobody uses yet.
        if unsafe { libc::mprotect(copy.exec.as_ptr().cast(), self.len, prot) } < 0 {
            return Err(io::Error::last_os_error());
        }
        for range in ranges {
            assert!(range.start <= range.end && range.end <= self.len);
            // Others may patch it meanwhile: each patch is inside one of these words.
            for at in (range.start & !7..range.end).step_by(8) {
                copy.patch64(at, self.read64(at));
            }
        }
        Ok(copy)
    }

    /// In the child: the copy takes the place of what is shared.
    pub(crate) fn replace(&self, copy: Self) -> io::Result<()> {
        assert_eq!(self.len, copy.len, "a copy of this");
        let copy = std::mem::ManuallyDrop::new(copy);
        for (from, to) in [(copy.write, self.write), (copy.exec, self.exec)] {
            // SAFETY: a mapping of `len` bytes that belongs to `copy`, which is not used any more,
            // replaces one of the same length that belongs to this value, and in which all that is
            // used has the same content.
            let p = unsafe {
                let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
                let to = to.as_ptr().cast::<libc::c_void>();
                libc::mremap(from.as_ptr().cast(), self.len, self.len, flags, to)
            };
            mapped(p)?;
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
    mapped(p)
}

/// What mmap(2) or mremap(2) gave.
fn mapped(p: *mut libc::c_void) -> io::Result<NonNull<u8>> {
    if p == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    Ok(NonNull::new(p.cast()).expect("mmap does not map address zero unless asked to"))
}
