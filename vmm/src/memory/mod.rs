//! Guest memory and its one owner.
//!
//! All of it lies in one memfd, or is anonymous ([`mapping::Backing`]). [`GuestMemory`] hands out views of the same mapping: slots for
//! the accelerator, a [`Dma`] for devices, which reports writes, and plain copies for the boot. A
//! host page is touched only when the guest, or the boot, touches it.

mod mapping;
#[cfg(test)]
mod tests;

use std::io;
use std::ops::Range;
use std::sync::Arc;

use accel::Slot;
use devices::dma::{Dma, DmaBitmap, DmaWatch, Memory};
use vm_memory::{Bytes, GuestMemoryRegion, MemoryRegionAddress, ReadVolatile};

use mapping::{Backing, Mapping, Region};

/// A wish for memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    /// Guest-physical address.
    pub gpa: u64,
    /// Bytes, a whole number of pages.
    pub len: u64,
    /// Neither the guest nor devices may write it.
    pub readonly: bool,
}

/// Memory cannot be had, or what is to be put there does not fit.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The host refuses.
    #[error(
        "the host cannot provide {} MiB of memory for the guest: {source}; ask for less with \
         --memory", .len >> 20
    )]
    Host {
        /// How much, in bytes.
        len: u64,
        /// What the host says.
        source: io::Error,
    },
    /// An address without memory.
    #[error("{:#x} to {:#x} is not memory of the guest", .0.start, .0.end)]
    Outside(Range<u64>),
    /// A file could not be read into memory.
    #[error("the file could not be read into the guest's memory: {0}")]
    Read(String),
}

struct Piece {
    region: Arc<Region>,
    /// Where it begins in the backing.
    offset: u64,
    readonly: bool,
}

/// See the module.
pub struct GuestMemory {
    backing: Backing,
    pieces: Vec<Piece>,
    dma: Dma,
}

impl GuestMemory {
    /// Memory as wished for, all zero. `watch` hears of the devices' writes.
    pub fn new(wants: &[Want], watch: &Arc<dyn DmaWatch>) -> Result<Self, MemoryError> {
        let total = wants.iter().fold(0u64, |sum, want| sum.saturating_add(want.len));
        let refused = |source| MemoryError::Host { len: total, source };
        Self::on(Backing::best(total).map_err(refused)?, wants, watch).map_err(refused)
    }

    fn on(backing: Backing, wants: &[Want], watch: &Arc<dyn DmaWatch>) -> io::Result<Self> {
        let mut offset = 0;
        let mut pieces = Vec::new();
        for want in wants {
            let bitmap = DmaBitmap::new(watch.clone(), want.gpa);
            let region = Arc::new(backing.map(offset, *want, bitmap)?);
            pieces.push(Piece { region, offset, readonly: want.readonly });
            offset += want.len;
        }
        let writable = pieces.iter().filter(|p| !p.readonly).map(|p| p.region.clone()).collect();
        let dma =
            Memory::from_arc_regions(writable).map_err(|e| io::Error::other(e.to_string()))?;
        Ok(Self { backing, pieces, dma: Arc::new(dma) })
    }

    /// What the accelerator maps.
    pub fn slots(&self) -> Vec<Slot> {
        let slot = |piece: &Piece| Slot {
            gpa: piece.region.start_addr().0,
            memory: Arc::new(Mapping(piece.region.clone())),
            readonly: piece.readonly,
        };
        self.pieces.iter().map(slot).collect()
    }

    /// What devices reach.
    pub fn dma(&self) -> Dma {
        self.dma.clone()
    }

    /// Puts `bytes` to `gpa`, read-only memory or not.
    pub fn write(&self, gpa: u64, bytes: &[u8]) -> Result<(), MemoryError> {
        let (piece, at) = self.find(gpa, bytes.len() as u64)?;
        piece.region.write_slice(bytes, at).map_err(|e| MemoryError::Read(e.to_string()))
    }

    /// Fills `len` bytes at `gpa` from a file.
    pub fn read_from<F: ReadVolatile>(
        &self,
        gpa: u64,
        len: u64,
        file: &mut F,
    ) -> Result<(), MemoryError> {
        let (piece, at) = self.find(gpa, len)?;
        piece
            .region
            .read_exact_volatile_from(at, file, len as usize)
            .map_err(|e| MemoryError::Read(e.to_string()))
    }

    /// Makes all memory zero, as it was at first. Nothing may use it meanwhile.
    pub fn clear(&self) -> Result<(), MemoryError> {
        for piece in &self.pieces {
            let len = piece.region.len();
            self.backing
                .clear(piece.offset, &piece.region)
                .map_err(|source| MemoryError::Host { len, source })?;
        }
        Ok(())
    }

    fn find(&self, gpa: u64, len: u64) -> Result<(&Piece, MemoryRegionAddress), MemoryError> {
        let holds = |piece: &&Piece| {
            let start = piece.region.start_addr().0;
            gpa.checked_sub(start)
                .and_then(|at| at.checked_add(len))
                .is_some_and(|end| end <= piece.region.len())
        };
        let piece = self
            .pieces
            .iter()
            .find(holds)
            .ok_or_else(|| MemoryError::Outside(gpa..gpa.saturating_add(len)))?;
        Ok((piece, MemoryRegionAddress(gpa - piece.region.start_addr().0)))
    }
}
