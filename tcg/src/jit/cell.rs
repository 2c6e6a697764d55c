//! One vCPU's memory: what all threads may touch, and what only its own thread does.
#![expect(unsafe_code, reason = "hands out the one exclusive reference to a vCPU's core")]

use std::cell::UnsafeCell;
use std::mem::{MaybeUninit, offset_of};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};

use crate::guest::Guest;
use crate::mmu::host::Entry;
use crate::mmu::tlb::{ENTRIES, Tables};
use crate::vcpu::{Core, Signals};

/// [`Signals`] in front of [`Core`], and the tables of its TLB behind it, so that translated code
/// reaches all from one register.
#[repr(C)]
pub(crate) struct Cell<G: Guest> {
    signals: Signals<G>,
    core: UnsafeCell<MaybeUninit<Core<G>>>,
    tables: UnsafeCell<MaybeUninit<Tables>>,
    taken: AtomicBool,
}

/// The exclusive reference to a core's tables, which the core itself holds.
pub(crate) struct TablesRef(NonNull<Tables>);

/// Where a core's tables will be.
pub(crate) struct TablesPlace(NonNull<MaybeUninit<Tables>>);

// SAFETY: it is a `&mut Tables` in all but lifetime, and `Tables` are plain numbers.
unsafe impl Send for TablesRef {}

impl TablesPlace {
    /// Memory that belongs to nobody else, for tests.
    #[cfg(test)]
    pub(crate) fn leaked() -> Self {
        Self(NonNull::from(Box::leak(Box::new_uninit())))
    }

    /// Makes empty tables there. Where none are used the memory is better left alone.
    pub(crate) fn fill(mut self) -> TablesRef {
        // SAFETY: this is the only reference to memory that the cell has for the tables (`take`);
        // each table is an array of entries, all of which are written.
        unsafe {
            let place = self.0.as_mut().as_mut_ptr();
            for table in [&raw mut (*place).load, &raw mut (*place).store] {
                for at in 0..ENTRIES {
                    table.cast::<Entry>().add(at).write(Entry::NONE);
                }
            }
        }
        TablesRef(self.0.cast())
    }
}

impl Deref for TablesRef {
    type Target = Tables;

    fn deref(&self) -> &Tables {
        // SAFETY: the cell outlives its core, which holds the only `TablesRef` to it (`take`).
        unsafe { self.0.as_ref() }
    }
}

impl DerefMut for TablesRef {
    fn deref_mut(&mut self) -> &mut Tables {
        // SAFETY: as in `deref`; borrowed exclusively.
        unsafe { self.0.as_mut() }
    }
}

// SAFETY: `signals` and `taken` are made for sharing; `core` is reached only through `CoreRef`,
// of which there is at most one at a time.
unsafe impl<G: Guest> Sync for Cell<G> {}
// SAFETY: a core holds no thread-bound value: it is moved to its thread by `CoreRef`, and all its
// parts (state, tables, handles) are Send.
unsafe impl<G: Guest> Send for Cell<G> {}

impl<G: Guest> Cell<G> {
    /// Bytes from the core back to the request word.
    pub(crate) const REQUEST_BEFORE_CORE: usize =
        offset_of!(Cell<G>, core) - offset_of!(Cell<G>, signals);
    /// Bytes from the core back to where the thread says that it is inside `run`.
    pub(crate) const INSIDE_BEFORE_CORE: usize = Self::REQUEST_BEFORE_CORE - Signals::<G>::INSIDE;
    /// Bytes from the core to the tables of its TLB.
    pub(crate) const TABLES_BEHIND_CORE: usize =
        offset_of!(Cell<G>, tables) - offset_of!(Cell<G>, core);

    /// A cell without a core, whose memory is not touched yet.
    fn new() -> Arc<Self> {
        let mut cell = Arc::<Self>::new_uninit();
        let place = Arc::get_mut(&mut cell).expect("nobody else has it yet").as_mut_ptr();
        // SAFETY: the fields lie in the allocation and are written before anybody reads them; what
        // is left may be anything as long as the core is not taken.
        unsafe {
            (&raw mut (*place).signals).write(Signals::default());
            (&raw mut (*place).taken).write(AtomicBool::new(false));
            cell.assume_init()
        }
    }

    pub(crate) fn signals(&self) -> &Signals<G> {
        &self.signals
    }

    /// In the child of a fork: the thread that had the exclusive reference is not there. What its
    /// core held is lost.
    pub(crate) fn abandon(&self) {
        self.taken.store(false, SeqCst);
    }

    /// The exclusive reference, built by `make`; `None` if it is out.
    pub(crate) fn take(
        self: &Arc<Self>,
        make: impl FnOnce(TablesPlace) -> Core<G>,
    ) -> Option<CoreRef<G>> {
        if self.taken.swap(true, SeqCst) {
            return None;
        }
        let tables = TablesPlace(NonNull::new(self.tables.get()).expect("it is not null"));
        // SAFETY: `taken` was false, so no reference to the core or its tables exists, and the
        // core holds no value.
        unsafe { (*self.core.get()).write(make(tables)) };
        Some(CoreRef { cell: self.clone() })
    }
}

/// The one reference to a core.
pub(crate) struct CoreRef<G: Guest> {
    cell: Arc<Cell<G>>,
}

impl<G: Guest> CoreRef<G> {
    pub(crate) fn get(&mut self) -> &mut Core<G> {
        // SAFETY: this is the only `CoreRef` of the cell, borrowed exclusively, and `take`
        // initialised the core.
        unsafe { (*self.cell.core.get()).assume_init_mut() }
    }

    /// What other threads may touch of it.
    pub(crate) fn signals(&self) -> &Signals<G> {
        &self.cell.signals
    }

    /// Address of the core for translated code.
    pub(crate) fn address(&mut self) -> *mut Core<G> {
        self.cell.core.get().cast()
    }
}

impl<G: Guest> Drop for CoreRef<G> {
    fn drop(&mut self) {
        // SAFETY: as in `get`; nobody uses the core between this and the next `take`.
        unsafe { (*self.cell.core.get()).assume_init_drop() };
        // Its thread may have been killed in the middle of guest code.
        self.cell.signals.leave();
        self.cell.taken.store(false, SeqCst);
    }
}

/// The cells of a machine.
pub(crate) struct Cells<G: Guest> {
    /// Made as they are needed, and never unmade: others may hold on to one.
    chunks: Box<[OnceLock<Chunk<G>>]>,
    len: AtomicU32,
}

type Chunk<G> = Box<[OnceLock<Arc<Cell<G>>>]>;

/// Cells in a chunk.
const CHUNK: u32 = 256;

impl<G: Guest> Cells<G> {
    /// `count` cells, and room for `most`.
    pub(crate) fn new(count: u32, most: u32) -> Self {
        let chunks = (0..most.div_ceil(CHUNK)).map(|_| OnceLock::new()).collect();
        let cells = Self { chunks, len: AtomicU32::new(0) };
        for _ in 0..count {
            cells.add();
        }
        cells
    }

    /// One more cell and its number; `None` if there is no room.
    fn add(&self) -> Option<u32> {
        let room = self.chunks.len() as u32 * CHUNK;
        let next = |n| (n < room).then_some(n + 1);
        // Made before it counts: whoever sees the new length finds the cell.
        loop {
            let index = self.len();
            next(index)?;
            let chunk = self.chunks[(index / CHUNK) as usize]
                .get_or_init(|| (0..CHUNK).map(|_| OnceLock::new()).collect());
            chunk[(index % CHUNK) as usize].get_or_init(Cell::new);
            if self.len.compare_exchange(index, index + 1, SeqCst, SeqCst).is_ok() {
                return Some(index);
            }
        }
    }

    pub(crate) fn len(&self) -> u32 {
        self.len.load(SeqCst)
    }

    pub(crate) fn get(&self, index: u32) -> &Arc<Cell<G>> {
        self.chunks[(index / CHUNK) as usize]
            .get()
            .and_then(|chunk| chunk[(index % CHUNK) as usize].get())
            .expect("a vCPU's number is below their count")
    }

    /// Takes a cell that no vCPU has, a new one if need be; `make` is given its number.
    pub(crate) fn vacant(&self, make: impl Fn(TablesPlace, u32) -> Core<G>) -> Option<CoreRef<G>> {
        let take = |index| self.get(index).take(|tables| make(tables, index));
        let old = (0..self.len()).find_map(take);
        if old.is_some() {
            return old;
        }
        loop {
            let index = self.add()?;
            if let Some(core) = take(index) {
                return Some(core);
            }
        }
    }
}
