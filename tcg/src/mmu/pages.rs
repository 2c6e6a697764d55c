//! What each guest page is used for, beyond holding bytes.
//!
//! One byte a page. A page whose byte is zero is plain memory: stores to it may be cached in a
//! TLB. Any flag sends every store to the page through the slow path, which does what the flag
//! asks for.

use std::sync::atomic::{AtomicU8, Ordering::SeqCst};

use super::PAGE_BITS;

/// Translated or predecoded code was made from this page.
pub const CODE: u8 = 1;
/// Somebody wants to see each store ([`crate::machine::Machine::watch`]).
pub const WATCH: u8 = 2;
/// A vCPU may hold a TLB entry that lets it store to this page without the slow path.
pub const WRITERS: u8 = 0x80;

/// The state bytes of one slot of memory.
pub struct Pages {
    states: Box<[AtomicU8]>,
}

impl Pages {
    /// For `len` bytes of memory.
    pub fn new(len: u64) -> Self {
        let count = len.div_ceil(1 << PAGE_BITS);
        Self { states: (0..count).map(|_| AtomicU8::new(0)).collect() }
    }

    /// The state of the page at `offset` bytes.
    pub fn get(&self, offset: u64) -> u8 {
        self.state(offset).load(SeqCst)
    }

    /// Sets flags; gives the state before.
    pub fn add(&self, offset: u64, flags: u8) -> u8 {
        self.state(offset).fetch_or(flags, SeqCst)
    }

    /// Clears flags; gives the state before.
    pub fn remove(&self, offset: u64, flags: u8) -> u8 {
        self.state(offset).fetch_and(!flags, SeqCst)
    }

    /// Grants unsupervised stores to a page if nothing stands against it: the one function that
    /// decides so. Marks the page as having writers.
    pub fn grant_store(&self, offset: u64) -> bool {
        let before = self.add(offset, WRITERS);
        before & !WRITERS == 0
    }

    fn state(&self, offset: u64) -> &AtomicU8 {
        &self.states[(offset >> PAGE_BITS) as usize]
    }
}
