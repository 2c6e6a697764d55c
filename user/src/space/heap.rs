//! The heap of brk(2).

use super::{END, Kind, Map, PAGE, READ, Space, WRITE, page_up};
use crate::host::mapping;

const HEAP: Kind = Kind { prot: READ | WRITE, grows: false, shared: false };

impl Space {
    /// Where the heap begins; nothing is mapped there yet.
    pub fn set_heap(&self, start: u64) {
        let start = page_up(start).unwrap_or(END);
        self.lock().heap = start..start;
    }

    /// brk(2): the new end, or the old one if that is not possible.
    pub fn set_brk(&self, end: u64) -> u64 {
        self.change(|map| map.set_brk(end))
    }
}

impl Map {
    fn set_brk(&mut self, end: u64) -> u64 {
        let heap = self.heap.clone();
        if end < heap.start || end >= END {
            return heap.end;
        }
        let (Some(old), Some(new)) = (page_up(heap.end), page_up(end)) else { return heap.end };
        let done = if new > old { self.grow_heap(old, new) } else { self.shrink_heap(new, old) };
        if done {
            self.heap.end = end;
        }
        self.heap.end
    }

    fn grow_heap(&mut self, old: u64, new: u64) -> bool {
        // One page is kept free, so that a run over the heap's end faults.
        if !self.areas.is_free(old..new + PAGE) {
            return false;
        }
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        if mapping::map(old..new, prot, flags, -1, 0).is_err() {
            return false;
        }
        let prot = self.prot(prot);
        self.areas.insert(old..new, Kind { prot, ..HEAP });
        true
    }

    fn shrink_heap(&mut self, new: u64, old: u64) -> bool {
        new == old || self.unmap(new..old).is_ok()
    }
}
