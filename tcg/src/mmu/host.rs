//! Host memory that backs guest memory. Everything that dereferences it is here.
//!
//! Guest memory is shared with other vCPUs, devices and the guest's own races, so it is never
//! borrowed: each access is one volatile or atomic operation on raw memory.
#![expect(unsafe_code, reason = "guest memory is raw memory shared with the guest")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering::*};

use super::{PAGE_MASK, PAGE_SIZE};
use crate::builder::Rmw;

/// Memory mapped into this process for a guest.
///
/// # Safety
/// `as_ptr()..as_ptr() + len()` is mapped readable and writable as long as the value lives, is
/// page-aligned, and never moves.
pub unsafe trait HostMapping: Send + Sync {
    /// Start of the mapping.
    fn as_ptr(&self) -> *mut u8;
    /// Bytes mapped.
    fn len(&self) -> usize;
    /// Nothing is mapped.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A place in guest memory, valid for at least `room` bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hva {
    addr: usize,
    room: usize,
}

impl Hva {
    /// The host address, for the addend of a TLB entry.
    pub(crate) fn addr(self) -> u64 {
        self.addr as u64
    }

    /// The start of its page: mappings consist of whole pages.
    pub(crate) fn page(self) -> Hva {
        let into = self.addr & PAGE_MASK as usize;
        Hva { addr: self.addr - into, room: self.room + into }
    }

    /// This place, `by` bytes further; `None` if that leaves the mapping.
    pub(crate) fn offset(self, by: usize) -> Option<Hva> {
        (by <= self.room).then(|| Hva { addr: self.addr + by, room: self.room - by })
    }

    /// Loads `1 << size` bytes, zero-extended. Naturally aligned accesses are single-copy atomic.
    pub(crate) fn load(self, size: u8) -> u64 {
        assert!(self.room >= 1 << size);
        let p = self.addr;
        // SAFETY: `room` bytes from `addr` are mapped (the invariant of Hva), and `room` was
        // checked to cover the access; atomics are used only where they are aligned.
        unsafe {
            match (size, p & ((1 << size) - 1)) {
                (0, _) => u64::from((*(p as *const AtomicU8)).load(Relaxed)),
                (1, 0) => u64::from((*(p as *const AtomicU16)).load(Relaxed)),
                (2, 0) => u64::from((*(p as *const AtomicU32)).load(Relaxed)),
                (3, 0) => (*(p as *const AtomicU64)).load(Relaxed),
                (1, _) => u64::from((p as *const Unaligned<u16>).read_volatile().0),
                (2, _) => u64::from((p as *const Unaligned<u32>).read_volatile().0),
                _ => (p as *const Unaligned<u64>).read_volatile().0,
            }
        }
    }

    /// Stores the low `1 << size` bytes of `v`.
    pub(crate) fn store(self, v: u64, size: u8) {
        assert!(self.room >= 1 << size);
        let p = self.addr;
        // SAFETY: as in `load`.
        unsafe {
            match (size, p & ((1 << size) - 1)) {
                (0, _) => (*(p as *const AtomicU8)).store(v as u8, Relaxed),
                (1, 0) => (*(p as *const AtomicU16)).store(v as u16, Relaxed),
                (2, 0) => (*(p as *const AtomicU32)).store(v as u32, Relaxed),
                (3, 0) => (*(p as *const AtomicU64)).store(v, Relaxed),
                (1, _) => (p as *mut Unaligned<u16>).write_volatile(Unaligned(v as u16)),
                (2, _) => (p as *mut Unaligned<u32>).write_volatile(Unaligned(v as u32)),
                _ => (p as *mut Unaligned<u64>).write_volatile(Unaligned(v)),
            }
        }
    }

    /// Atomic read-modify-write of an aligned operand; gives the old value, zero-extended.
    pub(crate) fn rmw(self, op: Rmw, v: u64, size: u8) -> u64 {
        assert!(self.room >= 1 << size && self.addr.is_multiple_of(1 << size));
        macro_rules! rmw {
            ($atomic:ty, $u:ty, $i:ty) => {{
                // SAFETY: mapped (see `load`), aligned and long enough (checked above).
                let cell = unsafe { &*(self.addr as *const $atomic) };
                let v = v as $u;
                let signed = |f: fn($i, $i) -> $i| {
                    cell.fetch_update(SeqCst, SeqCst, |old| Some(f(old as $i, v as $i) as $u))
                        .unwrap_or_else(|old| old)
                };
                u64::from(match op {
                    Rmw::Swap => cell.swap(v, SeqCst),
                    Rmw::Add => cell.fetch_add(v, SeqCst),
                    Rmw::Xor => cell.fetch_xor(v, SeqCst),
                    Rmw::And => cell.fetch_and(v, SeqCst),
                    Rmw::Or => cell.fetch_or(v, SeqCst),
                    Rmw::Minu => cell.fetch_min(v, SeqCst),
                    Rmw::Maxu => cell.fetch_max(v, SeqCst),
                    Rmw::Min => signed(<$i>::min),
                    Rmw::Max => signed(<$i>::max),
                })
            }};
        }
        match size {
            0 => rmw!(AtomicU8, u8, i8),
            1 => rmw!(AtomicU16, u16, i16),
            2 => rmw!(AtomicU32, u32, i32),
            _ => rmw!(AtomicU64, u64, i64),
        }
    }

    /// Atomic compare and exchange of an aligned operand; gives the value found.
    pub(crate) fn cas(self, old: u64, new: u64, size: u8) -> u64 {
        assert!(self.room >= 1 << size && self.addr.is_multiple_of(1 << size));
        macro_rules! cas {
            ($atomic:ty, $u:ty) => {{
                // SAFETY: mapped (see `load`), aligned and long enough (checked above).
                let cell = unsafe { &*(self.addr as *const $atomic) };
                u64::from(
                    cell.compare_exchange(old as $u, new as $u, SeqCst, SeqCst)
                        .unwrap_or_else(|found| found),
                )
            }};
        }
        match size {
            0 => cas!(AtomicU8, u8),
            1 => cas!(AtomicU16, u16),
            2 => cas!(AtomicU32, u32),
            _ => cas!(AtomicU64, u64),
        }
    }

    /// Copies `out.len()` bytes out.
    pub(crate) fn read(self, out: &mut [u8]) {
        assert!(self.room >= out.len());
        let mut at = self.addr;
        let mut words = out.chunks_exact_mut(8);
        for word in &mut words {
            // SAFETY: `room` bytes from `addr` are mapped, and no more than that are read.
            let value = unsafe { (at as *const Unaligned<u64>).read_volatile().0 };
            word.copy_from_slice(&value.to_ne_bytes());
            at += 8;
        }
        for byte in words.into_remainder() {
            // SAFETY: as above.
            *byte = unsafe { (at as *const u8).read_volatile() };
            at += 1;
        }
    }
}

/// One translation of a page, in a table that translated code reads: a tag to compare, and what
/// takes a guest virtual address to the host address. Made only from a place in guest memory, of
/// which the whole page is mapped; slots of memory are never removed while a machine lives.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(16))]
pub struct Entry {
    tag: u64,
    addend: u64,
}

impl Entry {
    /// Offset of the tag, for translated code.
    #[cfg_attr(not(translator), expect(dead_code, reason = "translators alone use it"))]
    pub(crate) const TAG: usize = std::mem::offset_of!(Entry, tag);
    /// Offset of the addend, for translated code.
    #[cfg_attr(not(translator), expect(dead_code, reason = "translators alone use it"))]
    pub(crate) const ADDEND: usize = std::mem::offset_of!(Entry, addend);
    /// A translation of nothing: no access has its tag.
    pub(crate) const NONE: Entry = Entry { tag: u64::MAX, addend: 0 };

    /// The page of guest address `va` is that of `host`; `key` is or-ed into its tag. Nothing if
    /// less than a page is mapped there.
    pub(crate) fn new(va: u64, key: u64, host: Hva) -> Entry {
        let page = host.page();
        let va = va & !PAGE_MASK;
        if (page.room as u64) < PAGE_SIZE {
            return Entry::NONE;
        }
        Entry { tag: va | key, addend: page.addr().wrapping_sub(va) }
    }

    /// The guest page, whatever the space.
    pub(crate) fn guest_page(&self) -> u64 {
        self.tag & !PAGE_MASK
    }

    /// The host address of the page; `None` for the entry of nothing.
    pub(crate) fn host_page(&self) -> Option<u64> {
        (self.tag != u64::MAX).then(|| self.guest_page().wrapping_add(self.addend))
    }

    /// The place of an access of `bytes` bytes at `va`, if this is the entry for it and the
    /// access stays in the page.
    pub(crate) fn hit(&self, key: u64, va: u64, bytes: u64) -> Option<Hva> {
        let last = va.wrapping_add(bytes - 1) & !PAGE_MASK;
        if self.tag != last | key || va & !PAGE_MASK != last {
            return None;
        }
        let room = PAGE_SIZE - (va & PAGE_MASK);
        Some(Hva { addr: va.wrapping_add(self.addend) as usize, room: room as usize })
    }
}

#[derive(Clone, Copy)]
#[repr(C, packed)]
struct Unaligned<T: Copy>(T);

/// A piece of host memory and what keeps it mapped.
#[derive(Clone)]
pub struct HostRange {
    mapping: Arc<dyn HostMapping>,
}

impl HostRange {
    /// The whole of a mapping.
    pub fn new(mapping: Arc<dyn HostMapping>) -> Self {
        Self { mapping }
    }

    /// Bytes mapped.
    pub fn len(&self) -> u64 {
        self.mapping.len() as u64
    }

    /// Nothing is mapped.
    pub fn is_empty(&self) -> bool {
        self.mapping.is_empty()
    }

    /// The place `offset` bytes into it, if that is inside.
    pub(crate) fn at(&self, offset: u64) -> Option<Hva> {
        let len = self.mapping.len();
        let offset = usize::try_from(offset).ok().filter(|&o| o < len)?;
        Some(Hva { addr: self.mapping.as_ptr() as usize + offset, room: len - offset })
    }
}

/// Anonymous memory, for tests and for programs without a machine.
pub struct Anonymous {
    words: Box<[AtomicU64]>,
}

impl Anonymous {
    /// Zeroed memory of at least `len` bytes, a whole number of pages, page-aligned.
    pub fn new(len: usize) -> Self {
        let words = len.next_multiple_of(4096) / 8 + 512;
        Self { words: (0..words).map(|_| AtomicU64::new(0)).collect() }
    }

    fn skip(&self) -> usize {
        (self.words.as_ptr() as usize).next_multiple_of(4096) - self.words.as_ptr() as usize
    }
}

// SAFETY: the boxed words are never moved or freed while the value lives, they allow shared
// mutation, and one page more than needed was allocated so that the aligned part has `len` bytes.
unsafe impl HostMapping for Anonymous {
    fn as_ptr(&self) -> *mut u8 {
        (self.words.as_ptr() as usize + self.skip()) as *mut u8
    }

    fn len(&self) -> usize {
        self.words.len() * 8 - 4096
    }
}
