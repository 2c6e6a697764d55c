//! Many bytes at a time, for instructions that move or fill memory.

use super::{PAGE_MASK, PAGE_SIZE};
use crate::guest::Guest;
use crate::host::direct;
use crate::vcpu::Core;

/// Bytes from an address to the end of its page.
fn room(va: u64) -> u64 {
    PAGE_SIZE - (va & PAGE_MASK)
}

impl<G: Guest> Core<G> {
    /// Moves up to `bytes` bytes upwards as if one after the other, in user mode and inside pages;
    /// gives how many it has moved. 0 says that it takes single accesses, faults and all.
    pub(crate) fn move_bytes(&mut self, to: u64, from: u64, bytes: u64) -> u64 {
        let bytes = bytes.min(room(to)).min(room(from));
        // After a fault in the middle it is done again: what was read must not have changed.
        let behind = to < from && from - to < bytes;
        if !self.direct || behind || direct::copy(to, from, bytes).fault != 0 {
            return 0;
        }
        bytes
    }

    /// Fills up to `bytes` bytes with the low `1 << size` bytes of `value` again and again; gives
    /// how many, as [`Self::move_bytes`] does. The number is a multiple of that length.
    pub(crate) fn fill_bytes(&mut self, to: u64, value: u64, size: u8, bytes: u64) -> u64 {
        let bytes = bytes.min(room(to)) >> size << size;
        if !self.direct || bytes == 0 {
            return 0;
        }
        let pattern = match size {
            0 => value & 0xff,
            1 => value & 0xffff,
            2 => value & 0xffff_ffff,
            _ => value,
        };
        let pattern = pattern.wrapping_mul(u64::MAX / (u64::MAX >> (64 - (8 << size))));
        if direct::fill(to, pattern, bytes).fault == 0 { bytes } else { 0 }
    }
}
