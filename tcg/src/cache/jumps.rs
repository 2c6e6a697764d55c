//! Where the code of a guest address is, for translated code to look up inline.
//!
//! One table per vCPU and fetch space (privilege and translation root), direct-mapped by guest
//! virtual address. A context switch changes the table, so an entry needs no tag but the address.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::Block;
use crate::guest::Guest;
use crate::mmu::{PAGE_BITS, PAGE_SIZE};

/// The entries of a table, fewer for user mode (`direct`). A kernel that forks and executes uses some
/// ten thousand blocks, and those that share an entry are looked up again and again.
pub(crate) const fn entries(direct: bool) -> usize {
    if direct { 1 << 14 } else { 1 << 16 }
}

/// An address that no instruction has: odd, and not canonical in any mode. A jump there finds
/// another entry, which is never empty in this way ([`Jumps::empty`]).
const EMPTY: u64 = 0x5555_0000_0000_0007;

/// A guest address and the host address of its code. All zeros is an empty entry, except in the
/// place of address 0: so a new table is memory that nobody has touched. No address equals that of
/// an empty entry in its place.
type Jump = [u64; 2];

/// Blocks are kept in parts, made as they are needed.
const PART: usize = 128;
type Part<G> = Box<[Option<Arc<Block<G>>>; PART]>;

/// Blocks without code that are kept: few, because most of them are of use for a moment only, and
/// what makes room for one of them should still be near the processor.
const COLD: usize = 256;

/// The place of a block without code.
struct Cold<G: Guest> {
    /// Its address, or [`EMPTY`].
    pc: u64,
    /// The block; none while it runs.
    block: Option<Arc<Block<G>>>,
}

/// A table.
pub(crate) struct Jumps<G: Guest> {
    table: Box<[Jump]>,
    /// The blocks themselves, for the dispatcher.
    blocks: Box<[Option<Part<G>>]>,
    /// Blocks that have no code.
    cold: Box<[Cold<G>]>,
    /// The places among them that may be taken.
    cold_used: Vec<u16>,
    /// The pages that have entries, and where they are in guest-physical memory.
    pages: FxHashMap<u64, u64>,
    /// The one that was entered last.
    page: Option<(u64, u64)>,
    /// Indices of entries that may be filled.
    used: Vec<u16>,
    /// What is in place of code that is not known.
    miss: u64,
}

/// Index of an address for instructions aligned to `align` bytes, in a table of so many entries.
pub(crate) const fn index(pc: u64, align: u64, entries: usize) -> usize {
    (pc >> align.trailing_zeros()) as usize & (entries - 1)
}

impl<G: Guest> Jumps<G> {
    /// An empty table; `miss` is the code that a jump to an unknown address goes to.
    pub(crate) fn new(miss: u64, entries: usize) -> Self {
        let mut table = vec![[0; 2]; entries];
        table[0] = [EMPTY, miss];
        Self {
            table: table.into(),
            blocks: (0..entries / PART).map(|_| None).collect(),
            cold: (0..COLD).map(|_| Cold { pc: EMPTY, block: None }).collect(),
            cold_used: Vec::new(),
            pages: FxHashMap::default(),
            page: None,
            used: Vec::new(),
            miss,
        }
    }

    /// Address of the table for translated code.
    pub(crate) fn address(&self) -> u64 {
        self.table.as_ptr() as u64
    }

    fn index(&self, pc: u64) -> usize {
        index(pc, G::INSN_ALIGN, self.table.len())
    }

    /// Enters a block that has code. Gives whether it is the first of its page.
    pub(crate) fn enter(&mut self, block: &Arc<Block<G>>) -> bool {
        let first = self.note_pages(block);
        let at = self.index(block.key.pc);
        self.table[at] = [block.key.pc, block.code()];
        let part = self.blocks[at / PART].get_or_insert_with(|| Box::new([const { None }; PART]));
        if part[at % PART].replace(block.clone()).is_none() {
            self.note_used(at);
        }
        first
    }

    /// Makes a place for a block without code, which is to be put there by [`Self::give_back`]. Gives
    /// whether it is the first of its page.
    pub(crate) fn enter_cold(&mut self, block: &Block<G>) -> bool {
        let first = self.note_pages(block);
        let at = cold_index(block.key.pc, G::INSN_ALIGN);
        let place = &mut self.cold[at];
        if place.pc == EMPTY {
            self.cold_used.push(at as u16);
        }
        *place = Cold { pc: block.key.pc, block: None };
        first
    }

    /// Takes the live block without code of an address out of its place, if it is known here: so
    /// it can be run without counting one more reference to it.
    pub(crate) fn take_cold(&mut self, pc: u64) -> Option<Arc<Block<G>>> {
        let place = &mut self.cold[cold_index(pc, G::INSN_ALIGN)];
        if place.pc != pc {
            return None;
        }
        place.block.take().filter(|block| !block.is_dead())
    }

    /// Puts a block back, unless its place was cleared meanwhile or it has code now.
    pub(crate) fn give_back(&mut self, block: Arc<Block<G>>) {
        let place = &mut self.cold[cold_index(block.key.pc, G::INSN_ALIGN)];
        if place.pc == block.key.pc && block.code() == 0 {
            place.block = Some(block);
        }
    }

    /// Gives whether a page of the block is the first to be noted.
    fn note_pages(&mut self, block: &Block<G>) -> bool {
        let mut first = false;
        for (page, gpa) in block.pages() {
            if self.page == Some((page, gpa)) {
                continue;
            }
            let known = self.pages.insert(page, gpa);
            first |= known.is_none();
            if known.is_some_and(|known| known != gpa) {
                self.forget_page(page << PAGE_BITS);
                self.pages.insert(page, gpa);
            }
            self.page = Some((page, gpa));
        }
        first
    }

    fn note_used(&mut self, at: usize) {
        if self.used.len() == 2 * self.table.len() {
            // Entries that were forgotten and filled again are there twice.
            self.used.sort_unstable();
            self.used.dedup();
        }
        self.used.push(at as u16);
    }

    /// Enters what another table for the same mode knows of the page of an address, if there the page
    /// is the same memory: a program that is started again finds its code at once.
    pub(crate) fn inherit(&mut self, from: &Self, pc: u64) {
        let page = pc >> PAGE_BITS;
        let Some(gpa) = self.pages.get(&page) else { return };
        if from.pages.get(&page) != Some(gpa) {
            return;
        }
        let page_start = page << PAGE_BITS;
        // What may run into the next page is left out.
        let entries = (PAGE_SIZE as usize - G::INSN_MAX) / G::INSN_ALIGN as usize;
        let start = self.index(page_start);
        for at in start..start + entries {
            let [pc, code] = from.table[at];
            if pc >> PAGE_BITS == page && pc & 1 == 0 && code != self.miss && self.is_free(at) {
                self.table[at] = [pc, code];
                self.note_used(at);
            }
        }
    }

    /// Nobody's entry is there.
    fn is_free(&self, at: usize) -> bool {
        self.table[at] == [0; 2] || self.table[at] == self.empty(at)
    }

    /// An entry that no address equals that has its place there.
    fn empty(&self, at: usize) -> Jump {
        if at == self.index(EMPTY) { [0, self.miss] } else { [EMPTY, self.miss] }
    }

    fn block(&self, at: usize) -> Option<&Arc<Block<G>>> {
        self.blocks[at / PART].as_ref()?[at % PART].as_ref()
    }

    /// The host code of the live block of an address, if it is known here.
    pub(crate) fn code(&self, pc: u64) -> Option<u64> {
        let at = self.index(pc);
        // The table says whose entry it is: blocks of others are not touched for nothing. Looked at
        // second, because the first to touch memory should be who writes there.
        let block = self.block(at)?;
        let [entry, code] = self.table[at];
        (entry == pc && !block.is_dead()).then_some(code)
    }

    /// The live block with code of an address, if it is known here.
    pub(crate) fn find(&self, pc: u64) -> Option<&Arc<Block<G>>> {
        self.code(pc).and_then(|_| self.block(self.index(pc)))
    }

    /// Forgets the addresses of one page.
    pub(crate) fn forget_page(&mut self, va: u64) {
        let page = va >> PAGE_BITS;
        if self.pages.remove(&page).is_none() {
            return;
        }
        self.page = None;
        let start = page << PAGE_BITS;
        // A block that begins so close to its page's end may reach into the next.
        let crossing = (G::INSN_MAX as u64 - 1) & !(G::INSN_ALIGN - 1);
        let mut pc = start.wrapping_sub(crossing);
        while pc != start.wrapping_add(PAGE_SIZE) {
            let at = self.index(pc);
            let [entry, _] = self.table[at];
            if entry == pc {
                self.forget(at);
            }
            pc = pc.wrapping_add(G::INSN_ALIGN);
        }
        let first = start.wrapping_sub(crossing);
        let cold = &mut self.cold;
        self.cold_used.retain(|&at| {
            let place = &mut cold[usize::from(at)];
            let on_page = place.pc.wrapping_sub(first) < PAGE_SIZE + crossing;
            if on_page {
                *place = Cold { pc: EMPTY, block: None };
            }
            !on_page
        });
    }

    fn forget(&mut self, at: usize) {
        self.table[at] = self.empty(at);
        if let Some(part) = &mut self.blocks[at / PART] {
            part[at % PART] = None;
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.pages.clear();
        self.page = None;
        for at in std::mem::take(&mut self.used) {
            self.forget(usize::from(at));
        }
        for at in self.cold_used.drain(..) {
            self.cold[usize::from(at)] = Cold { pc: EMPTY, block: None };
        }
    }
}

/// The place of an address among blocks without code.
const fn cold_index(pc: u64, align: u64) -> usize {
    (pc >> align.trailing_zeros()) as usize & (COLD - 1)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::SeqCst;

    use super::super::{Body, Key};
    use super::*;
    use crate::guest::riscv64::Riscv64;

    const MISS: u64 = 0x1000;

    fn block(pc: u64, gpa: u64, second_page: Option<u64>) -> Arc<Block<Riscv64>> {
        let block = Block::new(Key { gpa, pc, mode: 0 }, 4, Body::Undefined(0), second_page);
        block.code.store(pc + 0x7000_0000, SeqCst);
        Arc::new(block)
    }

    fn table() -> Jumps<Riscv64> {
        Jumps::new(MISS, entries(false))
    }

    fn entry(table: &Jumps<Riscv64>, pc: u64) -> Jump {
        table.table[table.index(pc)]
    }

    #[test]
    fn a_page_takes_its_blocks_along() {
        let mut table = table();
        for pc in [0x5000, 0x5ffa, 0x6000, 0x6800, 0x7000] {
            assert_eq!(table.enter(&block(pc, pc, None)), pc & 0xfff == 0, "{pc:#x}");
        }
        table.enter(&block(0x5ffe, 0x5ffe, Some(0x6)));
        table.forget_page(0x6123);
        for (pc, stays) in [(0x5000, true), (0x5ffa, true), (0x5ffe, false), (0x6000, false)] {
            assert_eq!(table.code(pc).is_some(), stays, "{pc:#x}");
            assert_eq!(entry(&table, pc)[0] == pc, stays, "{pc:#x}");
        }
        assert!(table.find(0x6800).is_none() && table.find(0x7000).is_some());
        table.clear();
        assert!(table.find(0x7000).is_none());
    }

    #[test]
    fn a_page_that_is_elsewhere_replaces_the_old_one() {
        let mut table = table();
        table.enter(&block(0x5000, 0x9000, None));
        table.enter(&block(0x5010, 0x9010, None));
        assert!(!table.enter(&block(0x5020, 0xa020, None)));
        assert!(table.find(0x5000).is_none() && table.find(0x5010).is_none());
        assert!(table.find(0x5020).is_some());
    }

    #[test]
    fn code_of_the_same_memory_is_inherited() {
        let (mut old, mut new) = (table(), table());
        for pc in [0x5000, 0x5010, 0x5ffa] {
            old.enter(&block(pc, pc + 0x4000, None));
        }
        old.enter(&block(0x5ffe, 0x9ffe, Some(0xb)));
        old.enter(&block(0x6000, 0xb000, None));
        let cold = block(0x5020, 0x9020, None);
        cold.code.store(0, SeqCst);
        old.enter_cold(&cold);
        old.give_back(cold);

        new.enter(&block(0x5000, 0x9000, None));
        new.inherit(&old, 0x5000);
        for (pc, there) in [(0x5010, true), (0x5ffa, true), (0x5ffe, false), (0x6000, false)] {
            assert_eq!(entry(&new, pc) == entry(&old, pc), there, "{pc:#x}");
        }
        assert_eq!(entry(&new, 0x5020), [0; 2], "has no code");
        new.forget_page(0x5000);
        assert_eq!(entry(&new, 0x5010)[1], MISS);

        let mut other = table();
        other.enter(&block(0x5000, 0xc000, None));
        other.inherit(&old, 0x5000);
        assert_eq!(entry(&other, 0x5010), [0; 2], "the page is other memory");
    }

    #[test]
    fn pages_that_come_and_go_take_no_memory() {
        let mut table = table();
        let blocks: Vec<_> =
            (0..1024).map(|n| block(0x5000 + 4 * n, 0x5000 + 4 * n, None)).collect();
        for _ in 0..200 {
            blocks.iter().for_each(|block| _ = table.enter(block));
            table.forget_page(0x5000);
        }
        assert!(table.used.len() <= 2 * entries(false));
    }
}
