//! Descriptor chains, checked as a whole before a device sees them [VIRTIO-1.3 §2.7.5].
//!
//! `virtio-queue`'s own chain iterator ends silently where a chain is malformed; a device would
//! act on half a request. Here every rule is checked, and a chain that passes lies in guest
//! memory from end to end.

use std::ops::Range;

use virtio_queue::desc::split::Descriptor;
use vm_memory::{
    Address, Bytes, GuestAddress, GuestMemory, GuestMemoryBackend, Permissions, VolatileSlice,
};

use super::QueueError;
use crate::dma::{DmaSlice, Memory};

/// Descriptors in one chain, an indirect table included. Drivers use at most the queue's size,
/// or what a device's configuration allows, which is less.
const CHAIN_MAX: u32 = 1024;

/// Bytes in one chain [VIRTIO-1.3 §2.7.5.2].
const BYTES_MAX: u64 = 1 << 32;

#[derive(Clone, Copy, Debug)]
struct Segment {
    addr: GuestAddress,
    len: u32,
}

/// One direction of a chain: bytes scattered over guest memory, addressed as if they were one
/// run.
#[derive(Debug, Default)]
pub struct Buffers {
    segments: Vec<Segment>,
    len: u64,
}

impl Buffers {
    /// Bytes in all segments.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// No byte at all.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn clear(&mut self) {
        self.segments.clear();
        self.len = 0;
    }

    /// The pieces of guest memory that make up `range`, clipped to what there is.
    fn pieces(&self, range: Range<u64>) -> impl Iterator<Item = (GuestAddress, usize)> + '_ {
        let mut start = 0;
        self.segments.iter().filter_map(move |s| {
            let here = start..start + u64::from(s.len);
            start = here.end;
            let from = range.start.max(here.start);
            let to = range.end.min(here.end);
            (from < to).then(|| (s.addr.unchecked_add(from - here.start), (to - from) as usize))
        })
    }

    /// Copies bytes from offset `at` on into `into`; returns how many there were.
    pub fn read(&self, memory: &Memory, at: u64, into: &mut [u8]) -> usize {
        let mut done = 0;
        for (addr, len) in self.pieces(at..at.saturating_add(into.len() as u64)) {
            if memory.read_slice(&mut into[done..done + len], addr).is_err() {
                break;
            }
            done += len;
        }
        done
    }

    /// Copies `from` to offset `at` on; returns how many bytes had room.
    pub fn write(&self, memory: &Memory, at: u64, from: &[u8]) -> usize {
        let mut done = 0;
        for (addr, len) in self.pieces(at..at.saturating_add(from.len() as u64)) {
            if memory.write_slice(&from[done..done + len], addr).is_err() {
                break;
            }
            done += len;
        }
        done
    }

    /// The host's view of `range`, for input and output without a copy.
    pub fn slices<'m>(
        &self,
        memory: &'m Memory,
        range: Range<u64>,
    ) -> Vec<VolatileSlice<'m, DmaSlice<'m>>> {
        let mut found = Vec::with_capacity(self.segments.len());
        for (addr, len) in self.pieces(range) {
            found.extend(GuestMemoryBackend::get_slices(memory, addr, len).map_while(Result::ok));
        }
        found
    }

    fn append(&mut self, memory: &Memory, desc: &Descriptor) -> Result<(), &'static str> {
        if desc.len() == 0 {
            return Ok(());
        }
        let access = if desc.is_write_only() { Permissions::Write } else { Permissions::Read };
        if !GuestMemory::check_range(memory, desc.addr(), desc.len() as usize, access) {
            return Err("a buffer lies outside of guest memory");
        }
        self.segments.push(Segment { addr: desc.addr(), len: desc.len() });
        self.len += u64::from(desc.len());
        Ok(())
    }
}

/// A descriptor chain. Kept by its device and filled again by every
/// [`VirtQueue::pop`](super::VirtQueue::pop), so that a request allocates nothing.
#[derive(Debug, Default)]
pub struct Chain {
    head: u16,
    readable: Buffers,
    writable: Buffers,
}

impl Chain {
    /// An empty chain to pop into.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of its first descriptor, by which it is given back.
    pub fn head(&self) -> u16 {
        self.head
    }

    /// What the driver filled for the device.
    pub fn readable(&self) -> &Buffers {
        &self.readable
    }

    /// What the device is to fill for the driver.
    pub fn writable(&self) -> &Buffers {
        &self.writable
    }

    pub(super) fn load(
        &mut self,
        memory: &Memory,
        table: GuestAddress,
        size: u16,
        head: u16,
    ) -> Result<(), QueueError> {
        self.head = head;
        self.readable.clear();
        self.writable.clear();
        self.walk(memory, table, u32::from(size), head)
            .map_err(|what| QueueError::Chain { head, what })
    }

    fn walk(
        &mut self,
        memory: &Memory,
        mut table: GuestAddress,
        mut size: u32,
        head: u16,
    ) -> Result<(), &'static str> {
        let mut indirect = false;
        let mut next = u32::from(head);
        // A chain without a loop visits no descriptor twice.
        let mut left = size.min(CHAIN_MAX);
        loop {
            if next >= size {
                return Err("a descriptor number is beyond the table");
            }
            left = left.checked_sub(1).ok_or("it loops, or is longer than allowed")?;
            let at = table.checked_add(16 * u64::from(next)).ok_or("the table wraps around")?;
            let desc: Descriptor =
                memory.read_obj(at).map_err(|_| "a descriptor lies outside of guest memory")?;
            if desc.refers_to_indirect_table() {
                if indirect || desc.has_next() {
                    return Err("an indirect table may neither nest nor be followed");
                }
                if desc.len() == 0 || !desc.len().is_multiple_of(16) {
                    return Err("the length of an indirect table is no multiple of a descriptor");
                }
                indirect = true;
                (table, size, next) = (desc.addr(), desc.len() / 16, 0);
                left = size.min(CHAIN_MAX);
                continue;
            }
            self.append(memory, &desc)?;
            if !desc.has_next() {
                return Ok(());
            }
            next = u32::from(desc.next());
        }
    }

    fn append(&mut self, memory: &Memory, desc: &Descriptor) -> Result<(), &'static str> {
        if desc.is_write_only() {
            self.writable.append(memory, desc)?;
        } else if self.writable.is_empty() {
            self.readable.append(memory, desc)?;
        } else {
            return Err("a readable descriptor follows a writable one");
        }
        if self.readable.len + self.writable.len > BYTES_MAX {
            return Err("it is longer than 4 GiB");
        }
        Ok(())
    }
}
