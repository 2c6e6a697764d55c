//! Pages that code is made from, and what a fault means.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tcg::guest::Access;
use tcg::mmu::user::{NotExecutable, SEGV_ACCERR, SEGV_MAPERR, UserMemory};

use super::{EXEC, Kind, Map, PAGE, Space, WRITE, host_prot};
use crate::Errno;
use crate::host::mapping;

impl UserMemory for Space {
    fn fetch(&self, va: u64) -> Result<bool, NotExecutable> {
        let page = va & !(PAGE - 1);
        let mut map = self.lock();
        let Some((_, kind)) = map.areas.at(page) else {
            return Err(NotExecutable { code: SEGV_MAPERR });
        };
        if kind.prot & EXEC == 0 {
            return Err(NotExecutable { code: SEGV_ACCERR });
        }
        if kind.prot & WRITE != 0 && !map.coded.contains(&page) {
            mapping::protect(page..page + PAGE, libc::PROT_READ)
                .map_err(|_| NotExecutable { code: SEGV_ACCERR })?;
            map.coded.insert(page);
            self.coded.store(map.coded.len(), Relaxed);
        }
        Ok(!kind.shared)
    }

    fn retry(&self, va: u64, access: Access, drop_code: &dyn Fn(u64, u64)) -> bool {
        let mut map = self.lock();
        let Some((_, kind)) = map.areas.at(va) else { return map.grow(va) };
        // Linux maps what may be written or executed so that it can be read as well.
        let allowed = match access {
            Access::Load => kind.prot != 0,
            Access::Store => kind.prot & WRITE != 0,
            Access::Fetch => kind.prot & EXEC != 0,
        };
        if !allowed {
            return false;
        }
        let page = va & !(PAGE - 1);
        if map.coded.contains(&page) {
            // First: whoever stores there next must not find the old code any more.
            drop_code(page, PAGE);
            if mapping::protect(page..page + PAGE, host_prot(kind.prot)).is_err() {
                return false;
            }
            map.coded.remove(&page);
            self.coded.store(map.coded.len(), Relaxed);
        }
        // Otherwise another thread has done it meanwhile.
        true
    }

    fn code_pages(&self) -> &AtomicUsize {
        &self.coded
    }
}

impl Space {
    /// Whether some writable page is read-only for the sake of code.
    pub fn has_code_pages(&self) -> bool {
        self.coded.load(Relaxed) != 0
    }

    /// Allows stores to the code pages of a range, for the host's kernel to write there; `drop`
    /// gets each page and its length, because code made from it is not valid any more.
    pub fn allow_kernel(&self, range: Range<u64>, drop: &dyn Fn(u64, u64)) {
        let mut map = self.lock();
        if range.is_empty() {
            return;
        }
        let pages: Vec<u64> =
            map.coded.range(range.start & !(PAGE - 1)..range.end).copied().collect();
        for page in pages {
            let Some((_, kind)) = map.areas.at(page) else { continue };
            drop(page, PAGE);
            if mapping::protect(page..page + PAGE, host_prot(kind.prot)).is_ok() {
                map.coded.remove(&page);
            }
        }
        self.coded.store(map.coded.len(), Relaxed);
    }
}

impl Map {
    /// Extends an area that grows downwards to `va`, if the next one above does and its limit
    /// allows it.
    fn grow(&mut self, va: u64) -> bool {
        /// As far as Linux lets a mapping grow at once is what the stack's limit says; this is its
        /// default.
        const MOST: u64 = 8 << 20;
        /// Linux keeps this far from what lies below (stack_guard_gap).
        const GAP: u64 = 256 * PAGE;
        let Some((area, kind)) = self.areas.next(va) else { return false };
        let start = va & !(PAGE - 1);
        if !kind.grows || area.end - start > MOST {
            return false;
        }
        let in_the_way = |(_, other): (Range<u64>, Kind)| other.prot != 0 && !other.grows;
        if self.areas.within(start.saturating_sub(GAP)..start).any(in_the_way) {
            return false;
        }
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
        match mapping::map(start..area.start, host_prot(kind.prot), flags, -1, 0) {
            Ok(_) => {
                self.areas.insert(start..area.start, kind);
                true
            }
            Err(Errno(_)) => false,
        }
    }
}
