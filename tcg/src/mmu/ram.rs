//! Guest-physical memory: slots, and what lies at an address.

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

struct Mapped {
    slot: Slot,
    pages: Arc<Pages>,
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

/// All slots.
#[derive(Default)]
pub(crate) struct Ram {
    slots: RwLock<Vec<Mapped>>,
}

impl Ram {
    pub(crate) fn map(&self, slot: Slot) -> Result<(), SlotError> {
        let (gpa, len) = (slot.gpa, slot.host.len());
        if (gpa | len) & super::PAGE_MASK != 0 || len == 0 || gpa.checked_add(len).is_none() {
            return Err(SlotError::Unaligned { gpa, len });
        }
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        let overlaps = |m: &Mapped| gpa < m.slot.gpa + m.slot.host.len() && m.slot.gpa < gpa + len;
        if slots.iter().any(overlaps) {
            return Err(SlotError::Overlap { gpa });
        }
        slots.push(Mapped { slot, pages: Arc::new(Pages::new(len)) });
        slots.sort_by_key(|m| m.slot.gpa);
        Ok(())
    }

    /// Removes the slot that starts at `gpa`; false if there is none.
    pub(crate) fn unmap(&self, gpa: u64) -> bool {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        let before = slots.len();
        slots.retain(|m| m.slot.gpa != gpa);
        slots.len() != before
    }

    pub(crate) fn find(&self, gpa: u64) -> Option<Place> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        let m = &slots[slots.partition_point(|m| m.slot.gpa <= gpa).checked_sub(1)?];
        let offset = gpa - m.slot.gpa;
        let hva = m.slot.host.at(offset)?;
        Some(Place { hva, pages: m.pages.clone(), offset, readonly: m.slot.readonly })
    }
}
