//! Accesses to 16 bytes, for vectors. Like those of several instructions they are not atomic; but
//! a store that crosses into a page where it may not store does nothing.

use crate::builder::MemOp;
use crate::guest::{Access, Guest};
use crate::mmu::{PAGE_MASK, PAGE_SIZE};
use crate::vcpu::Core;

/// Bytes of a vector.
const BYTES: u64 = 16;

impl<G: Guest> Core<G> {
    /// Loads up to 16 bytes, zero-extended.
    pub(crate) fn load_vector(&mut self, va: u64, m: MemOp) -> Result<u128, G::Exception> {
        if m.size < 4 {
            return self.load_op(va, MemOp { signed: false, ..m }).map(u128::from);
        }
        if m.aligned && !va.is_multiple_of(BYTES) {
            return Err(G::misaligned(va, Access::Load));
        }
        let low = self.load(va, 3)?;
        let high = self.load(va.wrapping_add(8), 3)?;
        Ok(u128::from(low) | u128::from(high) << 64)
    }

    /// Stores the low bytes of a vector, up to 16.
    pub(crate) fn store_vector(&mut self, va: u64, v: u128, m: MemOp) -> Result<(), G::Exception> {
        if m.size < 4 {
            return self.store_op(va, v as u64, m);
        }
        if m.aligned && !va.is_multiple_of(BYTES) {
            return Err(G::misaligned(va, Access::Store));
        }
        if !self.direct && (va & PAGE_MASK) + BYTES > PAGE_SIZE {
            self.probe_store(va)?;
            self.probe_store((va | PAGE_MASK).wrapping_add(1))?;
        }
        self.store(va, v as u64, 3)?;
        self.store(va.wrapping_add(8), (v >> 64) as u64, 3)
    }
}
