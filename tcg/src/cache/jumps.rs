//! Where the code of a guest address is, for translated code to look up inline.
//!
//! One table per vCPU and fetch space (privilege and translation root), direct-mapped by guest
//! virtual address. A context switch changes the table, so an entry needs no tag but the address.

use std::sync::Arc;

use super::Block;
use crate::guest::Guest;
use crate::mmu::PAGE_BITS;
use crate::mmu::populate::populate;

/// Log2 of the entries per table: a kernel that forks and executes uses some ten thousand blocks.
pub(crate) const JUMP_BITS: u32 = 14;
const ENTRIES: usize = 1 << JUMP_BITS;
/// Words of the set of pages.
const PAGE_WORDS: usize = 64;
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
// Both kinds are numbered in one list.
const _: () = assert!(ENTRIES + COLD <= 1 << 16);

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
    /// A bit per page (hashed) that was ever entered, so that most page flushes cost nothing.
    pages: [u64; PAGE_WORDS],
    /// Indices of entries that may be filled; those from `ENTRIES` on are cold.
    used: Vec<u16>,
    /// What is in place of code that is not known.
    miss: u64,
}

/// Index of an address for instructions aligned to `align` bytes.
pub(crate) const fn index(pc: u64, align: u64) -> usize {
    (pc >> align.trailing_zeros()) as usize & (ENTRIES - 1)
}

impl<G: Guest> Jumps<G> {
    /// An empty table; `miss` is the code that a jump to an unknown address goes to. `busy`: even a
    /// short run will use most of its pages.
    pub(crate) fn new(miss: u64, busy: bool) -> Self {
        let mut table = vec![[0; 2]; ENTRIES];
        if busy {
            populate(&mut table);
        }
        table[0] = [EMPTY, miss];
        Self {
            table: table.into(),
            blocks: (0..ENTRIES / PART).map(|_| None).collect(),
            cold: (0..COLD).map(|_| Cold { pc: EMPTY, block: None }).collect(),
            pages: [0; PAGE_WORDS],
            used: Vec::new(),
            miss,
        }
    }

    /// Address of the table for translated code.
    pub(crate) fn address(&self) -> u64 {
        self.table.as_ptr() as u64
    }

    /// Enters a block that has code.
    pub(crate) fn enter(&mut self, block: &Arc<Block<G>>) {
        self.note_pages(block);
        let pc = block.key.pc;
        let at = index(pc, G::INSN_ALIGN);
        self.table[at] = [pc, block.code()];
        let part = self.blocks[at / PART].get_or_insert_with(|| Box::new([const { None }; PART]));
        if part[at % PART].replace(block.clone()).is_none() {
            self.used.push(at as u16);
        }
    }

    /// Makes a place for a block without code, which is to be put there by [`Self::give_back`].
    pub(crate) fn enter_cold(&mut self, block: &Block<G>) {
        self.note_pages(block);
        let at = cold_index(block.key.pc, G::INSN_ALIGN);
        let place = &mut self.cold[at];
        if place.pc == EMPTY {
            self.used.push((ENTRIES + at) as u16);
        }
        *place = Cold { pc: block.key.pc, block: None };
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

    fn note_pages(&mut self, block: &Block<G>) {
        for page in [block.first_page(), block.last_page()] {
            let (word, bit) = page_bit(page << PAGE_BITS);
            self.pages[word] |= bit;
        }
    }

    /// An entry that no address equals that has its place there.
    fn empty(&self, at: usize) -> Jump {
        if at == index(EMPTY, G::INSN_ALIGN) { [0, self.miss] } else { [EMPTY, self.miss] }
    }

    fn block(&self, at: usize) -> Option<&Arc<Block<G>>> {
        self.blocks[at / PART].as_ref()?[at % PART].as_ref()
    }

    /// The host code of the live block of an address, if it is known here.
    pub(crate) fn code(&self, pc: u64) -> Option<u64> {
        let at = index(pc, G::INSN_ALIGN);
        // The table says whose entry it is: blocks of others are not touched for nothing. Looked at
        // second, because the first to touch memory should be who writes there.
        let block = self.block(at)?;
        let [entry, code] = self.table[at];
        (entry == pc && !block.is_dead()).then_some(code)
    }

    /// The live block with code of an address, if it is known here.
    pub(crate) fn find(&self, pc: u64) -> Option<&Arc<Block<G>>> {
        self.code(pc).and_then(|_| self.block(index(pc, G::INSN_ALIGN)))
    }

    /// Forgets the addresses of one page.
    pub(crate) fn forget_page(&mut self, va: u64) {
        let (word, bit) = page_bit(va);
        if self.pages[word] & bit != 0 {
            let page = va >> PAGE_BITS;
            let mut used = std::mem::take(&mut self.used);
            used.retain(|&at| {
                let block = match usize::from(at).checked_sub(ENTRIES) {
                    Some(cold) => self.cold[cold].block.as_ref(),
                    None => self.block(usize::from(at)),
                };
                // A block may reach into the page behind its own.
                let on_page = block.is_none_or(|b| b.first_page() == page || b.last_page() == page);
                if on_page {
                    self.forget(at);
                }
                !on_page
            });
            self.used = used;
        }
    }

    fn forget(&mut self, at: u16) {
        let at = usize::from(at);
        if let Some(cold) = at.checked_sub(ENTRIES) {
            self.cold[cold] = Cold { pc: EMPTY, block: None };
            return;
        }
        self.table[at] = self.empty(at);
        if let Some(part) = &mut self.blocks[at / PART] {
            part[at % PART] = None;
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.pages = [0; PAGE_WORDS];
        for at in std::mem::take(&mut self.used) {
            self.forget(at);
        }
    }
}

/// The place of an address among blocks without code.
const fn cold_index(pc: u64, align: u64) -> usize {
    (pc >> align.trailing_zeros()) as usize & (COLD - 1)
}

fn page_bit(va: u64) -> (usize, u64) {
    let hash = (va >> PAGE_BITS).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        >> (64 - PAGE_WORDS.trailing_zeros() - 6);
    (hash as usize >> 6, 1 << (hash & 63))
}
