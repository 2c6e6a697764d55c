//! Translations where host code can look them up.
//!
//! Two direct-mapped tables per vCPU, loads and stores. An entry's tag is the guest page address
//! with the *key* of an address space in its low bits; its addend takes a guest virtual address
//! to the host address. Keys are handed out to spaces (translation root, ASID, privilege) as
//! they come into use, so a context switch changes the key and flushes nothing, and flushing a
//! space is forgetting its key.

use super::host::{Entry, Hva};
use super::{PAGE_BITS, PAGE_MASK, PAGE_SIZE};
use crate::jit::cell::TablesRef;

/// Log2 of the entries per table.
pub const TLB_BITS: u32 = 12;
pub(crate) const ENTRIES: usize = 1 << TLB_BITS;
/// Keys are smaller: the tag of the empty entry has this one.
const KEYS: u64 = PAGE_MASK;
/// Spaces remembered at a time; more are rare, and cost misses only.
const SPACES: usize = 64;
/// Ranges of large pages told apart.
const LARGE_RANGES: usize = 16;

/// The tables of one vCPU. They lie behind its core.
#[repr(C)]
pub(crate) struct Tables {
    /// For loads.
    pub(crate) load: [Entry; ENTRIES],
    /// For stores and read-modify-writes.
    pub(crate) store: [Entry; ENTRIES],
}

/// What is known of translations.
pub struct Tlb {
    /// None in user mode, where there is nothing to translate.
    tables: Option<TablesRef>,
    spaces: Vec<(u64, u64)>,
    next_key: u64,
    /// The virtual ranges that pages larger than 4 KiB cover, (base, mask).
    large: Vec<(u64, u64)>,
}

/// Index of an address in the tables.
pub const fn index(va: u64) -> usize {
    (va >> PAGE_BITS) as usize & (ENTRIES - 1)
}

impl Tlb {
    /// Nothing is known.
    pub(crate) fn new(tables: Option<TablesRef>) -> Self {
        Self { tables, spaces: Vec::new(), next_key: 1, large: Vec::new() }
    }

    /// The key of a space, a new one if it has none.
    pub(crate) fn key(&mut self, space: u64) -> u64 {
        if let Some(at) = self.spaces.iter().position(|s| s.0 == space) {
            if at > 3 {
                self.spaces.swap(at, at / 2);
                return self.spaces[at / 2].1;
            }
            return self.spaces[at].1;
        }
        if self.next_key == KEYS {
            if let Some(tables) = self.tables.as_deref_mut() {
                tables.load.fill(Entry::NONE);
                tables.store.fill(Entry::NONE);
            }
            self.spaces.clear();
            self.next_key = 1;
        }
        self.spaces.truncate(SPACES - 1);
        let key = self.next_key;
        self.next_key += 1;
        self.spaces.push((space, key));
        key
    }

    /// Forgets everything that was learnt about the spaces for which `which` holds.
    pub(crate) fn flush(&mut self, which: impl Fn(u64) -> bool) {
        self.spaces.retain(|s| !which(s.0));
        if self.spaces.is_empty() {
            self.large.clear();
        }
    }

    /// Forgets one page in all spaces; false if it was part of a larger page, so that the caller
    /// has to flush the spaces.
    #[must_use]
    pub(crate) fn flush_page(&mut self, va: u64) -> bool {
        if self.large.iter().any(|&(base, mask)| va & mask == base) {
            return false;
        }
        self.drop_page(va);
        true
    }

    fn drop_page(&mut self, va: u64) {
        let page = va & !PAGE_MASK;
        let Some(tables) = self.tables.as_deref_mut() else { return };
        for table in [&mut tables.load, &mut tables.store] {
            let entry = &mut table[index(va)];
            if entry.guest_page() == page {
                *entry = Entry::NONE;
            }
        }
    }

    /// Says that a page of `1 << bits` bytes around `va` was learnt of.
    pub(crate) fn note_large(&mut self, va: u64, bits: u32) {
        if bits <= PAGE_BITS {
            return;
        }
        let mask = u64::MAX << bits;
        // A range that has all of the page already?
        if self.large.iter().any(|&(base, m)| va & m == base && m & !mask == 0) {
            return;
        }
        if self.large.len() < LARGE_RANGES {
            self.large.push((va & mask, mask));
            return;
        }
        // The nearest range grows to cover the page too.
        let nearest = self.large.iter_mut().min_by_key(|range| (range.0 ^ va) & range.1);
        if let Some((base, old)) = nearest {
            let mut mask = mask & *old;
            while (*base ^ va) & mask != 0 {
                mask <<= 1;
            }
            (*base, *old) = (va & mask, mask);
        }
    }

    /// Enters a translation: `host` is where `va` is.
    pub(crate) fn enter(&mut self, store: bool, key: u64, va: u64, host: Hva) {
        let Some(tables) = self.tables.as_deref_mut() else { return };
        let table = if store { &mut tables.store } else { &mut tables.load };
        table[index(va)] = Entry::new(va, key, host);
    }

    /// Takes away the right to store without the slow path from the host page at `host_page`.
    pub(crate) fn protect(&mut self, host_page: u64) {
        let Some(tables) = self.tables.as_deref_mut() else { return };
        for entry in &mut tables.store {
            if entry.host_page() == Some(host_page) {
                *entry = Entry::NONE;
            }
        }
    }

    /// The place of an access of `bytes` bytes that stays in one page.
    pub(crate) fn lookup(&self, store: bool, key: u64, va: u64, bytes: u64) -> Option<Hva> {
        let tables = self.tables.as_deref()?;
        let table = if store { &tables.store } else { &tables.load };
        table[index(va)].hit(key, va, bytes)
    }
}

/// Translations of instruction fetches, for the search of code: the page, its space, and its
/// guest-physical page.
pub(crate) struct Fetches {
    entries: [Option<(u64, u64, u64)>; FETCHES],
}

const FETCHES: usize = 256;

impl Default for Fetches {
    fn default() -> Self {
        Self { entries: [None; FETCHES] }
    }
}

impl Fetches {
    fn at(va: u64) -> usize {
        (va >> PAGE_BITS) as usize % FETCHES
    }

    /// The guest-physical address of `va` in a space.
    pub(crate) fn find(&self, va: u64, space: u64) -> Option<u64> {
        let (page, of, gpa) = self.entries[Self::at(va)]?;
        (page == va & !PAGE_MASK && of == space).then_some(gpa | va & PAGE_MASK)
    }

    /// Enters a translation.
    pub(crate) fn enter(&mut self, va: u64, space: u64, gpa: u64) {
        self.entries[Self::at(va)] = Some((va & !PAGE_MASK, space, gpa & !PAGE_MASK));
    }

    /// Forgets one page, in all spaces.
    pub(crate) fn forget_page(&mut self, va: u64) {
        self.entries[Self::at(va)] = None;
    }

    /// Forgets the spaces for which `which` holds.
    pub(crate) fn forget_spaces(&mut self, which: impl Fn(u64) -> bool) {
        for entry in &mut self.entries {
            if entry.is_some_and(|(_, of, _)| which(of)) {
                *entry = None;
            }
        }
    }
}

const _: () = assert!(PAGE_SIZE == 4096 && size_of::<Entry>() == 16);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::jit::cell::TablesPlace;
    use crate::mmu::host::{Anonymous, HostRange};

    fn memory() -> Hva {
        let memory = HostRange::new(Arc::new(Anonymous::new(8192)));
        // Kept for ever: places outlive what they were made from.
        Box::leak(Box::new(memory)).at(0).unwrap()
    }

    fn empty() -> Tlb {
        Tlb::new(Some(TablesPlace::leaked().fill()))
    }

    #[test]
    fn spaces_do_not_see_each_other() {
        let (host, mut tlb) = (memory(), empty());
        let (a, b) = (tlb.key(10), tlb.key(20));
        tlb.enter(false, a, 0x1234_5678, host.offset(0x678).unwrap());
        assert_eq!(tlb.lookup(false, a, 0x1234_5670, 8).map(Hva::addr), Some(host.addr() + 0x670));
        assert_eq!(tlb.lookup(false, b, 0x1234_5678, 8), None);
        assert_eq!(tlb.lookup(true, a, 0x1234_5678, 8), None);
        assert_eq!(tlb.lookup(false, a, 0x1234_5ffc, 8), None, "crosses the page");
        assert_eq!(tlb.lookup(false, a, 0x1234_4ffc, 8), None, "begins in the page before");
        tlb.flush(|space| space == 10);
        let a = tlb.key(10);
        assert_eq!(tlb.lookup(false, a, 0x1234_5678, 8), None);
    }

    #[test]
    fn keys_run_out_without_confusion() {
        let (host, mut tlb) = (memory(), empty());
        let first = tlb.key(0);
        tlb.enter(true, first, 0x5000, host);
        for space in 1..10_000 {
            let key = tlb.key(space);
            assert!(key > 0 && key < KEYS);
            assert_eq!(tlb.lookup(true, key, 0x5000, 1), None);
        }
    }

    #[test]
    fn a_page_inside_a_large_one_is_not_flushed_alone() {
        let mut tlb = empty();
        tlb.note_large(0x4000_0000, 21);
        assert!(!tlb.flush_page(0x4010_3000));
        assert!(tlb.flush_page(0x4020_0000));
        for n in 0..100 {
            tlb.note_large(0x5000_0000 + (n << 22), 21);
        }
        for n in 0..100 {
            assert!(!tlb.flush_page(0x5000_0000 + (n << 22)), "ranges merge, none is lost");
        }
        assert!(tlb.flush_page(0x1_0000_0000_0000));
    }
}
