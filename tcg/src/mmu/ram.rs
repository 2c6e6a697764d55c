//! Guest-physical memory: slots, and what lies at an address.

use std::sync::atomic::{AtomicU64, Ordering::*};
use std::sync::{Arc, PoisonError, RwLock};

use super::host::{HostRange, Hva};
use super::pages::Pages;

/// A piece of guest-physical memory.
#[derive(Clone)]
pub struct Slot {
    /// Guest-physical address of its first byte, page-aligned.
    pub gpa: u64,
    /// The memory behind it.
    pub host: HostRange,
    /// Stores go to the bus instead (ROM, flash).
    pub readonly: bool,
}

/// A slot could not be added.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SlotError {
    /// It shares addresses with another.
    #[error("memory at {gpa:#x} overlaps memory that is already there")]
    Overlap {
        /// Its start.
        gpa: u64,
    },
    /// Its start or length is not a whole number of pages, or it passes the end of the space.
    #[error("memory at {gpa:#x}, {len:#x} bytes long, does not consist of whole pages")]
    Unaligned {
        /// Its start.
        gpa: u64,
        /// Its length.
        len: u64,
    },
}

/// A slot with what is kept for it.
pub(crate) struct Mapped {
    gpa: u64,
    len: u64,
    start: Hva,
    readonly: bool,
    pages: Arc<Pages>,
    /// Keeps the memory mapped.
    _host: HostRange,
}

/// What answers at a guest-physical address.
pub(crate) struct Place {
    /// The memory.
    pub(crate) hva: Hva,
    /// State of its page.
    pub(crate) pages: Arc<Pages>,
    /// Offset of the address in its slot.
    pub(crate) offset: u64,
    /// Stores are for the bus.
    pub(crate) readonly: bool,
}

/// All slots at some moment, by address.
pub(crate) type Slots = Arc<[Mapped]>;

/// The slot of an address, and the address in it.
fn slot_of(slots: &[Mapped], gpa: u64) -> Option<(&Mapped, Hva, u64)> {
    let m = &slots[slots.partition_point(|m| m.gpa <= gpa).checked_sub(1)?];
    let offset = gpa - m.gpa;
    if offset >= m.len {
        return None;
    }
    Some((m, m.start.offset(offset as usize)?, offset))
}

/// What is at an address.
pub(crate) fn find(slots: &[Mapped], gpa: u64) -> Option<Place> {
    let (m, hva, offset) = slot_of(slots, gpa)?;
    Some(Place { hva, pages: m.pages.clone(), offset, readonly: m.readonly })
}

/// Memory at an address, to read; and to write unless it is read only.
pub(crate) fn memory(slots: &[Mapped], gpa: u64) -> Option<(Hva, bool)> {
    slot_of(slots, gpa).map(|(m, hva, _)| (hva, m.readonly))
}

/// All slots. vCPUs keep what they have seen, and look whether it is still the newest.
pub(crate) struct Ram {
    version: AtomicU64,
    slots: RwLock<Slots>,
}

impl Default for Ram {
    fn default() -> Self {
        Self { version: AtomicU64::new(1), slots: RwLock::new(Arc::new([])) }
    }
}

impl Ram {
    pub(crate) fn map(&self, slot: Slot) -> Result<(), SlotError> {
        let (gpa, len) = (slot.gpa, slot.host.len());
        let whole = (gpa | len) & super::PAGE_MASK == 0 && len != 0;
        let (Some(start), true, Some(end)) = (slot.host.at(0), whole, gpa.checked_add(len)) else {
            return Err(SlotError::Unaligned { gpa, len });
        };
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        if slots.iter().any(|m| gpa < m.gpa + m.len && m.gpa < end) {
            return Err(SlotError::Overlap { gpa });
        }
        let pages = Arc::new(Pages::new(len));
        let new = Mapped { gpa, len, start, readonly: slot.readonly, pages, _host: slot.host };
        let mut all: Vec<Mapped> = slots.iter().map(Mapped::again).collect();
        all.push(new);
        all.sort_by_key(|m| m.gpa);
        *slots = all.into();
        self.version.fetch_add(1, SeqCst);
        Ok(())
    }

    /// The slots now.
    pub(crate) fn slots(&self) -> Slots {
        self.slots.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A number that changes with the slots.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Relaxed)
    }

    /// What is at an address now.
    pub(crate) fn find(&self, gpa: u64) -> Option<Place> {
        find(&self.slots.read().unwrap_or_else(PoisonError::into_inner), gpa)
    }
}

impl Mapped {
    fn again(&self) -> Mapped {
        Mapped { pages: self.pages.clone(), _host: self._host.clone(), ..*self }
    }
}
