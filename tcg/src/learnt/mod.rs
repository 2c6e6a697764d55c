//! What was learnt about code, kept from one run to the next: which blocks of a page become hot.
//! A block that is known to is translated when it is run again, instead of being interpreted until it has
//! proved itself.
//!
//! Pages are known by their content (`hash`), whatever machine or program they are part of, so a
//! page that was changed is another page. All of this is hints: they decide when a block is
//! translated, never into what, and what is wrong with them costs time alone.
//!
//! The file (`table`, `place`) is read when a run has shown to be no short one, and written at
//! its end if enough was new. See `docs/adr/0018-kept-hints.md`.

mod hash;
mod place;
mod table;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rustc_hash::FxHashMap;

use place::{FILE_BYTES, Place};
use table::{PageBlocks, Span, Table, merge};

use crate::cache::Block;
use crate::guest::Guest;
use crate::mmu::{PAGE_MASK, PAGE_SIZE};

/// Where what is learnt is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learning {
    /// The folder, which is made when it is needed.
    pub folder: PathBuf,
    /// The vCPUs' model.
    pub model: String,
}

/// Blocks that are translated before the file is read: more than a program has that does little.
const BEGIN: u32 = 48;
/// Translated blocks that were not known, for which the file is written.
const NEWS: u32 = 64;
/// Runs after which a block is worth translating, had one known. It pays below the threshold: that
/// is what it takes to find out.
const WORTH: u32 = 8;
/// Added to the runs of a block that is known: more than any threshold.
pub(crate) const KNOWN: u32 = 1 << 31;
/// Runs of such a block before it is translated: what follows it is there then, and what of that is
/// known is translated with it ([`crate::cache::path`]).
pub(crate) const KNOWN_RUNS: u32 = 1;
/// Pages known at most: those of a gigabyte.
const MOST_PAGES: usize = 1 << 18;
/// Blocks noted at most: what the file has room for.
const MOST_BLOCKS: usize = FILE_BYTES / 2;

/// What is known of a page of code.
#[derive(Clone, Copy, Default)]
pub(crate) struct Hints {
    /// Its number among those of this run, or 0.
    page: u32,
    known: Span,
}

impl Hints {
    /// There are none: nobody has asked, or it was too early.
    pub(crate) fn is_none(self) -> bool {
        self.page == 0
    }
}

struct Page {
    hash: u64,
    known: Span,
    /// Blocks that were worth translating, in ascending order.
    hot: Vec<u16>,
}

#[derive(Default)]
pub(crate) struct Pages {
    by_hash: FxHashMap<u64, u32>,
    /// Number 1 is the first.
    list: Vec<Page>,
    /// Blocks of all of them.
    blocks: usize,
}

/// What a machine has learnt, and knows from earlier ones.
pub(crate) struct Learnt {
    place: Place,
    /// Blocks translated of late that were not known.
    news: AtomicU32,
    /// The file, once it was read; `None` in there if it cannot be.
    table: OnceLock<Option<Table>>,
    pages: Mutex<Pages>,
}

impl Learnt {
    /// For machines of guest `G`; `kind` tells those apart that run other code. `host` is what
    /// translates.
    pub(crate) fn new<G: Guest>(learning: Learning, kind: &str, host: &str) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        let key = format!("{} {kind} {} {version} {host}", G::NAME, learning.model);
        let name = format!("{}-{kind}", G::NAME);
        Self {
            place: Place::new(learning.folder, &name, hash::hash(key.as_bytes())),
            news: AtomicU32::new(0),
            table: OnceLock::new(),
            pages: Mutex::default(),
        }
    }

    /// Locked while files are open too: they are in no child.
    pub(crate) fn stand_still(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// In the child of a process that has split: what was learnt before is the parent's to keep.
    pub(crate) fn in_child(&self) {
        self.news.store(0, Relaxed);
    }

    /// What is known of a page of code with this content; nothing before the file was read.
    pub(crate) fn hints(&self, content: &[u8]) -> Hints {
        let Some(table) = self.table.get() else {
            return Hints::default();
        };
        let hash = hash::hash(content);
        let mut pages = self.stand_still();
        let page = match pages.by_hash.get(&hash) {
            Some(number) => *number,
            None if pages.list.len() == MOST_PAGES => return Hints::default(),
            None => {
                let known = table.as_ref().and_then(|table| table.find(hash)).unwrap_or_default();
                pages.list.push(Page { hash, known, hot: Vec::new() });
                let number = pages.list.len() as u32;
                pages.by_hash.insert(hash, number);
                number
            }
        };
        Hints { page, known: pages.list[page as usize - 1].known }
    }

    /// Applies to a block what is known of its page.
    pub(crate) fn advise<G: Guest>(&self, block: &Block<G>, hints: Hints) {
        block.page.store(hints.page, Relaxed);
        if let Some(Some(table)) = self.table.get()
            && table.holds(hints.known, (block.key.gpa & PAGE_MASK) as u16)
        {
            block.hits.fetch_or(KNOWN, Relaxed);
        }
    }

    /// A block was translated.
    pub(crate) fn translated<G: Guest>(&self, block: &Block<G>) {
        if block.hits.load(Relaxed) < KNOWN {
            self.news.fetch_add(1, Relaxed);
        }
    }

    /// The run is no short one, and the file is not read yet.
    pub(crate) fn is_due(&self) -> bool {
        self.news.load(Relaxed) >= BEGIN && self.table.get().is_none()
    }

    /// Reads the file: what is known is known from here on.
    pub(crate) fn begin(&self) {
        let _standing = self.stand_still();
        self.table.get_or_init(|| {
            self.news.store(0, Relaxed);
            self.place.read()
        });
    }

    /// Notes a block that dies, or is there at the end, if it was worth translating.
    pub(crate) fn note<G: Guest>(&self, block: &Block<G>) {
        let page = block.page.load(Relaxed) as usize;
        if page != 0 && block.hits.load(Relaxed) >= WORTH {
            self.stand_still().note(page - 1, (block.key.gpa & PAGE_MASK) as u16);
        }
    }

    /// So much is new that it is worth keeping.
    pub(crate) fn has_news(&self) -> bool {
        self.table.get().is_some() && self.news.load(Relaxed) >= NEWS
    }

    /// Keeps what was noted.
    pub(crate) fn keep(&self) {
        let pages = self.stand_still();
        self.news.store(0, Relaxed);
        let hot: Vec<PageBlocks<'_>> = pages
            .list
            .iter()
            .filter(|page| !page.hot.is_empty())
            .map(|page| (page.hash, &*page.hot))
            .collect();
        // What could not be kept is learnt again.
        let _ = self.place.update(|old| merge(old, &hot, self.place.key(), FILE_BYTES));
    }
}

impl Pages {
    fn note(&mut self, page: usize, offset: u16) {
        let Some(page) = self.list.get_mut(page) else { return };
        if let Err(at) = page.hot.binary_search(&offset)
            && self.blocks < MOST_BLOCKS
        {
            page.hot.insert(at, offset);
            self.blocks += 1;
        }
    }
}

const _: () = assert!(PAGE_SIZE <= 1 << 16, "offsets in a page have 16 bits");
