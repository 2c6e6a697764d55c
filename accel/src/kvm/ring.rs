//! Dirty rings: each vCPU lists the pages it writes `[KVM-API 8.29]`.
#![expect(unsafe_code, reason = "maps a ring that the kernel fills, and hands entries back")]

use std::io;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use kvm_bindings::{KVM_CAP_DIRTY_LOG_RING, KVM_CAP_DIRTY_LOG_RING_ACQ_REL};
use kvm_ioctls::VmFd;

use super::page::Page;

/// Bytes of an entry: flags, slot, page number in the slot.
pub(super) const ENTRY_BYTES: u32 = 16;

/// Where in a vCPU's mapping the ring is.
const OFFSET: libc::off_t = 64 * 4096;

/// `_IO(KVMIO, 0xc7)`.
const KVM_RESET_DIRTY_RINGS: libc::c_ulong = 0xaec7;

/// An entry is filled, and one that we are done with.
const DIRTY: u32 = 1;
const HARVESTED: u32 = 2;

#[repr(C)]
struct Entry {
    flags: AtomicU32,
    slot: u32,
    offset: u64,
}

/// Bytes of the longest ring; 0 if there are none.
pub(super) fn longest(kvm: &kvm_ioctls::Kvm) -> u32 {
    u32::try_from(kvm.check_extension_raw(CAP.into())).unwrap_or(0)
}

/// The flavour of the interface for hosts whose stores are seen in order, and the one for others.
const CAP: u32 = if cfg!(target_arch = "x86_64") {
    KVM_CAP_DIRTY_LOG_RING
} else {
    KVM_CAP_DIRTY_LOG_RING_ACQ_REL
};

/// Has the vCPUs of a machine, none of which exists yet, have rings of `bytes` bytes.
pub(super) fn enable(fd: &VmFd, bytes: u32) -> Result<(), super::KvmError> {
    let cap = kvm_bindings::kvm_enable_cap {
        cap: CAP,
        args: [bytes.into(), 0, 0, 0],
        ..kvm_bindings::kvm_enable_cap::default()
    };
    fd.enable_cap(&cap).map_err(super::KvmError::refused("dirty rings"))
}

/// The ring of one vCPU.
pub(super) struct Ring {
    entries: NonNull<Entry>,
    count: usize,
    next: usize,
}

// SAFETY: the mapping is nobody else's on this side, and the kernel's accesses are ordered by the
// flags.
unsafe impl Send for Ring {}

impl Ring {
    pub(super) fn new(page: &Page, count: usize) -> io::Result<Self> {
        let len = count * ENTRY_BYTES as usize;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping of the vCPU's descriptor, at the place of its ring.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                protection,
                libc::MAP_SHARED,
                page.fd.as_raw_fd(),
                OFFSET,
            )
        };
        match NonNull::new(start.cast()) {
            Some(entries) if start != libc::MAP_FAILED => Ok(Self { entries, count, next: 0 }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Gives each filled entry's slot and page number, and marks it as done with.
    pub(super) fn harvest(&mut self, mut found: impl FnMut(u32, u64)) {
        for _ in 0..self.count {
            // SAFETY: `next` is below `count`, so the entry is in the mapping.
            let entry = unsafe { self.entries.add(self.next).as_ref() };
            if entry.flags.load(Ordering::Acquire) & DIRTY == 0 {
                return;
            }
            found(entry.slot, entry.offset);
            entry.flags.store(HARVESTED, Ordering::Release);
            self.next = (self.next + 1) % self.count;
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        let len = self.count * ENTRY_BYTES as usize;
        // SAFETY: the mapping was made by `new`, and nothing refers to it any more.
        unsafe { libc::munmap(self.entries.as_ptr().cast(), len) };
    }
}

/// Has KVM watch the harvested pages again.
pub(super) fn reset(fd: &VmFd) -> io::Result<()> {
    // SAFETY: the call takes no argument and touches no memory but the rings' flags.
    match unsafe { libc::ioctl(fd.as_raw_fd(), KVM_RESET_DIRTY_RINGS, 0) } {
        0.. => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
