//! Blocks: decoded guest code, and the host code made from it.
//!
//! Shared by the vCPUs of a machine. A block is known by where its code lies in guest-physical
//! memory, at which virtual address it runs, and the mode it was decoded for; none of that
//! changes with a context switch. When the bytes below a block change, it dies: it is taken out
//! of the maps, and its host code is made to leave at its first instruction.

use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::*};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockWriteGuard};

use rustc_hash::FxHashMap;

use crate::builder::{At, Reserve};
use crate::guest::Guest;
use crate::host::Native;
use crate::jit::Rows;
use crate::learnt::Learnt;
use crate::mmu::{PAGE_BITS, PAGE_MASK};

pub(crate) mod build;
pub(crate) mod jumps;
mod known;
#[cfg(translator)]
pub(crate) mod path;
#[cfg(test)]
mod tests;

/// What identifies a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// Guest-physical address of the first instruction.
    pub(crate) gpa: u64,
    /// Guest virtual address of the first instruction.
    pub(crate) pc: u64,
    /// [`Guest::mode`].
    pub(crate) mode: u32,
}

impl Key {
    /// Number of the guest-physical page.
    fn page(&self) -> u64 {
        self.gpa >> PAGE_BITS
    }

    /// What tells blocks apart that begin in one page.
    fn in_page(&self) -> (u64, u32) {
        (self.pc, self.mode)
    }
}

/// A decoded instruction.
#[derive(Copy)]
pub(crate) struct Predecoded<I> {
    pub(crate) insn: I,
    /// Where it is in its page.
    pub(crate) offset: u16,
    pub(crate) len: u8,
    pub(crate) reserve: Reserve,
}

impl<I> Predecoded<I> {
    /// The same as a place in the page of `pc`.
    pub(crate) fn at(&self, pc: u64) -> At {
        let pc = pc & !PAGE_MASK | u64::from(self.offset);
        At { pc, len: self.len, reserve: self.reserve }
    }
}

// Not derived: that would copy field by field, which takes several times as long.
impl<I: Copy> Clone for Predecoded<I> {
    fn clone(&self) -> Self {
        *self
    }
}

/// Instructions in a row, as they were decoded.
type Insns<I> = Arc<[Predecoded<I>]>;

/// Decoded instructions in a row, at least one. Those that another run ends with are shared with it.
pub(crate) struct Run<I> {
    all: Insns<I>,
    first: u16,
}

impl<I> std::ops::Deref for Run<I> {
    type Target = [Predecoded<I>];

    #[inline]
    fn deref(&self) -> &Self::Target {
        &self.all[usize::from(self.first)..]
    }
}

/// What a block consists of.
pub(crate) enum Body<G: Guest> {
    /// Instructions.
    Insns(Run<G::Insn>),
    /// No instruction: these bits are undefined.
    Undefined(u64),
}

/// A run of instructions with one entry.
pub(crate) struct Block<G: Guest> {
    pub(crate) key: Key,
    /// Bytes of guest code.
    pub(crate) len: u32,
    pub(crate) body: Body<G>,
    /// Guest-physical page of the last byte, where it is not that of the first.
    second_page: Option<u64>,
    /// Number of its first page among those of [`Learnt`], or 0.
    pub(crate) page: AtomicU32,
    /// Times that the interpreter has run it.
    pub(crate) hits: AtomicU32,
    code: AtomicU64,
    dead: AtomicBool,
    /// Guest-physical range, in the block's first page, of other code that its own depends on.
    pub(crate) ahead: OnceLock<(u64, u64)>,
    /// Where it can fault, once it has code; apart, because most blocks never have.
    #[cfg_attr(not(translator), expect(dead_code, reason = "translators alone use it"))]
    pub(crate) rows: OnceLock<Box<Rows>>,
}

impl<G: Guest> Block<G> {
    pub(crate) fn new(key: Key, len: u32, body: Body<G>, second_page: Option<u64>) -> Self {
        Self {
            key,
            len,
            body,
            second_page,
            page: AtomicU32::new(0),
            hits: AtomicU32::new(0),
            code: AtomicU64::new(0),
            dead: AtomicBool::new(false),
            ahead: OnceLock::new(),
            rows: OnceLock::new(),
        }
    }

    /// Where one of its instructions is.
    #[inline]
    pub(crate) fn at(&self, i: &Predecoded<G::Insn>) -> At {
        i.at(self.key.pc)
    }

    /// How many instructions it has.
    pub(crate) fn insns(&self) -> u32 {
        match &self.body {
            Body::Insns(run) => run.len() as u32,
            Body::Undefined(_) => 1,
        }
    }

    /// Entry of its host code; 0 as long as it has none.
    pub(crate) fn code(&self) -> u64 {
        self.code.load(Acquire)
    }

    /// The guest code has changed.
    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Acquire)
    }

    /// Number of its first virtual page.
    pub(crate) fn first_page(&self) -> u64 {
        self.key.pc >> PAGE_BITS
    }

    /// Number of the virtual page of its last byte.
    pub(crate) fn last_page(&self) -> u64 {
        self.key.pc.wrapping_add(u64::from(self.len.max(1)) - 1) >> PAGE_BITS
    }

    /// The virtual pages that it is on, and their guest-physical numbers.
    fn pages(&self) -> impl Iterator<Item = (u64, u64)> {
        let second = self.second_page.map(|gpa| (self.first_page().wrapping_add(1), gpa));
        std::iter::once((self.first_page(), self.key.gpa >> PAGE_BITS)).chain(second)
    }

    fn touches(&self, gpa: u64, len: u64) -> bool {
        let overlaps = |from: u64, bytes: u64| gpa < from + bytes && from < gpa + len;
        if self.ahead.get().is_some_and(|&(from, bytes)| overlaps(from, bytes)) {
            return true;
        }
        match self.second_page {
            None => overlaps(self.key.gpa, u64::from(self.len)),
            Some(second) => {
                let in_first = (PAGE_MASK + 1) - (self.key.gpa & PAGE_MASK);
                overlaps(self.key.gpa, in_first)
                    || overlaps(second << PAGE_BITS, u64::from(self.len) - in_first)
            }
        }
    }
}

/// The blocks made from one guest-physical page.
struct Page<G: Guest> {
    /// Those that begin there, by virtual address and mode.
    blocks: FxHashMap<(u64, u32), Arc<Block<G>>>,
    /// Those that begin in another page and end here.
    reaching: Vec<Arc<Block<G>>>,
}

// Not derived: that would ask for `G: Default`.
impl<G: Guest> Default for Page<G> {
    fn default() -> Self {
        Self { blocks: FxHashMap::default(), reaching: Vec::new() }
    }
}

impl<G: Guest> Page<G> {
    fn is_empty(&self) -> bool {
        self.blocks.is_empty() && self.reaching.is_empty()
    }

    /// Takes out the blocks made from `len` bytes at `gpa`.
    fn take(&mut self, gpa: u64, len: u64) -> Vec<Arc<Block<G>>> {
        let from_here = self.blocks.extract_if(|_, b| b.touches(gpa, len)).map(|(_, b)| b);
        let mut taken: Vec<_> = from_here.collect();
        taken.extend(self.reaching.extract_if(.., |b| b.touches(gpa, len)));
        taken
    }

    fn remove(&mut self, block: &Arc<Block<G>>) {
        if self.blocks.get(&block.key.in_page()).is_some_and(|b| Arc::ptr_eq(b, block)) {
            self.blocks.remove(&block.key.in_page());
        }
        self.reaching.retain(|b| !Arc::ptr_eq(b, block));
    }
}

/// Blocks by the guest-physical page that they begin in; found by page first, because what runs
/// next is mostly on the page that was looked at last.
type Pages<G> = FxHashMap<u64, Page<G>>;

/// The cache while nobody changes it.
pub(crate) struct Standing<'a, G: Guest> {
    _pages: RwLockWriteGuard<'a, Pages<G>>,
}

/// All blocks of a machine.
pub(crate) struct Cache<G: Guest> {
    pages: RwLock<Pages<G>>,
    /// Changes with every invalidation, under the lock of `pages`: a block whose bytes were read
    /// before is not entered.
    epoch: AtomicU64,
    /// The translator for this host, if there is one and it is wanted.
    pub(crate) native: Option<Native<G>>,
    /// What earlier runs have learnt, and this one does, if that is wanted.
    pub(crate) learnt: Option<Learnt>,
}

impl<G: Guest> Cache<G> {
    pub(crate) fn new(native: Option<Native<G>>, learnt: Option<Learnt>) -> Self {
        Self { pages: RwLock::default(), epoch: AtomicU64::new(0), native, learnt }
    }

    /// The code that jumps to unknown addresses go to.
    pub(crate) fn miss_code(&self) -> u64 {
        self.native.as_ref().map_or(0, |n| n.miss_code())
    }

    fn pages(&self) -> RwLockWriteGuard<'_, Pages<G>> {
        self.pages.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn stand_still(&self) -> Standing<'_, G> {
        Standing { _pages: self.pages() }
    }

    pub(crate) fn find(&self, key: &Key) -> Option<Arc<Block<G>>> {
        let pages = self.pages.read().unwrap_or_else(PoisonError::into_inner);
        pages.get(&key.page())?.blocks.get(&key.in_page()).cloned()
    }

    /// Whether blocks begin or end in a page.
    pub(crate) fn has_blocks(&self, page: u64) -> bool {
        self.pages.read().unwrap_or_else(PoisonError::into_inner).contains_key(&page)
    }

    /// To be asked before the bytes of a block are marked as code and read.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(SeqCst)
    }

    /// What was read of code before is not to be relied on. `pages` is held.
    fn next_epoch(&self, _pages: &Pages<G>) {
        self.epoch.fetch_add(1, SeqCst);
    }

    /// Adds a block; if another thread was faster, gives that one's. `None` if code was
    /// invalidated since `epoch`: the block's bytes may be out of date.
    pub(crate) fn insert(&self, block: Block<G>, epoch: u64) -> Option<Arc<Block<G>>> {
        let mut pages = self.pages();
        if self.epoch() != epoch {
            return None;
        }
        let block =
            match pages.entry(block.key.page()).or_default().blocks.entry(block.key.in_page()) {
                Entry::Occupied(there) if there.get().second_page == block.second_page => {
                    return Some(there.get().clone());
                }
                // Its second page is another one in this space: there is room for one of the two.
                Entry::Occupied(mut there) => {
                    let block = Arc::new(block);
                    let old = there.insert(block.clone());
                    if let Some(page) = old.second_page.and_then(|second| pages.get_mut(&second)) {
                        page.remove(&old);
                    }
                    self.kill(&old);
                    block
                }
                Entry::Vacant(place) => place.insert(Arc::new(block)).clone(),
            };
        if let Some(second) = block.second_page {
            pages.entry(second).or_default().reaching.push(block.clone());
        }
        Some(block)
    }

    /// Kills the blocks made from `len` bytes at `gpa`, which lie in one page; gives whether there
    /// were any. `unmark` says that the page holds no code, if that is so now.
    pub(crate) fn invalidate(&self, gpa: u64, len: u64, unmark: impl FnOnce()) -> bool {
        let mut pages = self.pages();
        self.next_epoch(&pages);
        let number = gpa >> PAGE_BITS;
        let Some(page) = pages.get_mut(&number) else {
            unmark();
            return false;
        };
        let dying = page.take(gpa, len);
        if page.is_empty() {
            pages.remove(&number);
            unmark();
        }
        for block in &dying {
            for other in [Some(block.key.page()), block.second_page] {
                if let Some(page) = other.and_then(|p| pages.get_mut(&p)) {
                    page.remove(block);
                }
            }
            self.kill(block);
        }
        !dying.is_empty()
    }

    /// Kills the blocks made from the pages of a range; user mode, where a page may be far from the
    /// next.
    pub(crate) fn invalidate_pages(&self, start: u64, len: u64) {
        let first = start >> PAGE_BITS;
        let last = start.saturating_add(len.saturating_sub(1)) >> PAGE_BITS;
        let few = last - first < 64;
        let pages: Vec<u64> = if few {
            (first..=last).collect()
        } else {
            self.pages().keys().copied().filter(|page| (first..=last).contains(page)).collect()
        };
        // Also without blocks: somebody may be reading these bytes now.
        self.next_epoch(&self.pages());
        for page in pages {
            self.invalidate(page << PAGE_BITS, PAGE_MASK + 1, || ());
        }
    }

    fn kill(&self, block: &Block<G>) {
        block.dead.store(true, SeqCst);
        self.note(block);
        if let (Some(native), code @ 1..) = (&self.native, block.code()) {
            native.kill(block, code);
        }
    }

    /// All of them, page by page.
    pub(crate) fn by_page(&self) -> Vec<Arc<Block<G>>> {
        let pages = self.pages.read().unwrap_or_else(PoisonError::into_inner);
        pages.values().flat_map(|page| page.blocks.values()).cloned().collect()
    }

    fn note(&self, block: &Block<G>) {
        if let Some(learnt) = &self.learnt {
            learnt.note(block);
        }
    }

    /// At the end: keeps what was learnt, if there is enough of it.
    pub(crate) fn keep_learnt(&self) {
        let Some(learnt) = self.learnt.as_ref().filter(|learnt| learnt.has_news()) else {
            return;
        };
        let pages = self.pages.read().unwrap_or_else(PoisonError::into_inner);
        pages.values().flat_map(|page| page.blocks.values()).for_each(|block| learnt.note(block));
        drop(pages);
        learnt.keep();
    }

    /// Publishes the host code of a block.
    #[cfg_attr(not(translator), expect(dead_code, reason = "translators alone use it"))]
    pub(crate) fn set_code(&self, block: &Block<G>, code: u64) {
        block.code.store(code, SeqCst);
        // It may have died while it was being translated.
        if block.is_dead() {
            self.kill(block);
        }
    }

    /// Forgets all blocks: the memory of their host code is to be reused.
    #[cfg_attr(not(translator), expect(dead_code, reason = "translators alone use it"))]
    pub(crate) fn clear(&self) {
        let mut pages = self.pages();
        self.next_epoch(&pages);
        for block in pages.values().flat_map(|page| page.blocks.values()) {
            block.dead.store(true, SeqCst);
            self.note(block);
        }
        pages.clear();
    }
}
