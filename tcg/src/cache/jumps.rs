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
/// place of address 0: so a new table is memory that nobody has touched. While a block has no code
/// all bits of its address are inverted. No address equals that of an empty entry in its place, nor
/// an inverted one: that would have its place elsewhere.
type Jump = [u64; 2];

/// Blocks are kept in parts, made as they are needed.
const PART: usize = 128;
type Part<G> = Box<[Option<Arc<Block<G>>>; PART]>;

/// A table.
pub(crate) struct Jumps<G: Guest> {
    table: Box<[Jump]>,
    /// The blocks themselves, for the dispatcher.
    blocks: Box<[Option<Part<G>>]>,
    /// A bit per page (hashed) that was ever entered, so that most page flushes cost nothing.
    pages: [u64; PAGE_WORDS],
    /// Indices of entries that may be filled.
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
            pages: [0; PAGE_WORDS],
            used: Vec::new(),
            miss,
        }
    }

    /// Address of the table for translated code.
    pub(crate) fn address(&self) -> u64 {
        self.table.as_ptr() as u64
    }

    /// Enters a block, and its code once it has some.
    pub(crate) fn enter(&mut self, block: &Arc<Block<G>>) {
        let pc = block.key.pc;
        for page in [block.first_page(), block.last_page()] {
            let (word, bit) = page_bit(page << PAGE_BITS);
            self.pages[word] |= bit;
        }
        let at = index(pc, G::INSN_ALIGN);
        self.table[at] = match block.code() {
            0 => [!pc, self.miss],
            code => [pc, code],
        };
        let part = self.blocks[at / PART].get_or_insert_with(|| Box::new([const { None }; PART]));
        if part[at % PART].replace(block.clone()).is_none() {
            self.used.push(at as u16);
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

    /// The live block of an address, if it is known here.
    pub(crate) fn find(&self, pc: u64) -> Option<&Arc<Block<G>>> {
        let at = index(pc, G::INSN_ALIGN);
        let block = self.block(at)?;
        let [entry, _] = self.table[at];
        ((entry == pc || entry == !pc) && !block.is_dead()).then_some(block)
    }

    /// Forgets the addresses of one page.
    pub(crate) fn forget_page(&mut self, va: u64) {
        let (word, bit) = page_bit(va);
        if self.pages[word] & bit != 0 {
            let page = va >> PAGE_BITS;
            let mut used = std::mem::take(&mut self.used);
            used.retain(|&at| {
                // A block may reach into the page behind its own.
                let on_page = self
                    .block(usize::from(at))
                    .is_none_or(|b| b.first_page() == page || b.last_page() == page);
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

fn page_bit(va: u64) -> (usize, u64) {
    let hash = (va >> PAGE_BITS).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        >> (64 - PAGE_WORDS.trailing_zeros() - 6);
    (hash as usize >> 6, 1 << (hash & 63))
}
