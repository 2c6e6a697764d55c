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

    /// Fills up to `bytes` bytes, from the start of `pattern` on; gives how many, as
    /// [`Self::move_bytes`] does. The number is a multiple of the pattern's length.
    pub(crate) fn fill_bytes(&mut self, to: u64, pattern: &[u8], bytes: u64) -> u64 {
        let bytes = bytes.min(room(to));
        let bytes = bytes - bytes % pattern.len() as u64;
        if !self.direct || bytes == 0 {
            return 0;
        }
        let mut data = [0; PAGE_SIZE as usize];
        let data = &mut data[..bytes as usize];
        match *pattern {
            [byte] => data.fill(byte),
            _ => data.chunks_exact_mut(pattern.len()).for_each(|c| c.copy_from_slice(pattern)),
        }
        if direct::copy_out(to, data).fault == 0 { bytes } else { 0 }
    }
}
