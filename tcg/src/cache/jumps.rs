//! Where the code of a guest address is, for translated code to look up inline.
//!
//! One table per vCPU and fetch space (privilege and translation root), direct-mapped by guest
//! virtual address. A context switch changes the table, so an entry needs no tag but the address.

use std::sync::Arc;

use super::Block;
use crate::guest::Guest;
use crate::mmu::PAGE_BITS;

/// Log2 of the entries per table: a kernel that forks and executes uses some ten thousand blocks.
pub(crate) const JUMP_BITS: u32 = 14;
const ENTRIES: usize = 1 << JUMP_BITS;
/// Words of the set of pages.
const PAGE_WORDS: usize = 64;
/// An address that no instruction has: odd, and not canonical in any mode.
const EMPTY: u64 = 0x5555_0000_0000_0001;

/// A guest address and the host address of its code.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(16))]
pub(crate) struct Jump {
    pub(crate) pc: u64,
    pub(crate) code: u64,
}

/// A table.
pub(crate) struct Jumps<G: Guest> {
    table: Box<[Jump]>,
    /// The blocks themselves, for the dispatcher.
    blocks: Box<[Option<Arc<Block<G>>>]>,
    /// A bit per page (hashed) that was ever entered, so that most page flushes cost nothing.
    pages: [u64; PAGE_WORDS],
    /// Indices of entries that may be filled.
    used: Vec<u16>,
    empty: Jump,
}

/// Index of an address for instructions aligned to `align` bytes.
pub(crate) const fn index(pc: u64, align: u64) -> usize {
    (pc >> align.trailing_zeros()) as usize & (ENTRIES - 1)
}

impl<G: Guest> Jumps<G> {
    /// An empty table; `miss` is the code that a jump to an unknown address goes to.
    pub(crate) fn new(miss: u64) -> Self {
        let empty = Jump { pc: EMPTY, code: miss };
        Self {
            table: vec![empty; ENTRIES].into(),
            blocks: vec![None; ENTRIES].into(),
            pages: [0; PAGE_WORDS],
            used: Vec::new(),
            empty,
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
            0 => self.empty,
            code => Jump { pc, code },
        };
        if self.blocks[at].replace(block.clone()).is_none() {
            self.used.push(at as u16);
        }
    }

    /// The host code of the live block of an address, if it is known here.
    pub(crate) fn code(&self, pc: u64) -> Option<u64> {
        let at = index(pc, G::INSN_ALIGN);
        let block = self.blocks[at].as_ref()?;
        (self.table[at].pc == pc && !block.is_dead()).then_some(self.table[at].code)
    }

    /// The live block of an address, if it is known here.
    pub(crate) fn find(&self, pc: u64) -> Option<&Arc<Block<G>>> {
        let block = self.blocks[index(pc, G::INSN_ALIGN)].as_ref()?;
        (block.key.pc == pc && !block.is_dead()).then_some(block)
    }

    /// Forgets the addresses of one page.
    pub(crate) fn forget_page(&mut self, va: u64) {
        let (word, bit) = page_bit(va);
        if self.pages[word] & bit != 0 {
            let page = va >> PAGE_BITS;
            let mut used = std::mem::take(&mut self.used);
            used.retain(|&at| {
                // A block may reach into the page behind its own.
                let on_page = self.blocks[usize::from(at)]
                    .as_ref()
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
        self.table[usize::from(at)] = self.empty;
        self.blocks[usize::from(at)] = None;
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
