//! mremap(2).

use std::ops::Range;

use super::{Kind, Map, Space, host_prot, page_up, pages};
use crate::Errno;
use crate::host::{call, mapping};

/// The arguments of mremap(2).
#[derive(Clone, Copy, Debug)]
pub struct Move {
    /// What is there now.
    pub old: u64,
    /// Its length; zero makes another mapping of shared memory.
    pub old_len: u64,
    /// The length wanted.
    pub new_len: u64,
    /// MREMAP flags.
    pub flags: i32,
    /// Where, with MREMAP_FIXED.
    pub new: u64,
}

impl Space {
    /// mremap(2).
    pub fn remap(&self, m: Move) -> Result<u64, Errno> {
        self.change(|map| map.remap(m))
    }
}

fn host(old: &Range<u64>, new_len: u64, flags: i32, new: u64) -> Result<u64, Errno> {
    let args = [old.start, old.end - old.start, new_len, flags as u64, new, 0];
    call::plain(libc::SYS_mremap, args)
}

impl Map {
    fn remap(&mut self, m: Move) -> Result<u64, Errno> {
        const KNOWN: i32 = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED | libc::MREMAP_DONTUNMAP;
        let (may_move, fixed) = (m.flags & libc::MREMAP_MAYMOVE, m.flags & libc::MREMAP_FIXED);
        let keep = m.flags & libc::MREMAP_DONTUNMAP;
        let moves = fixed | keep != 0;
        if m.flags & !KNOWN != 0
            || (moves && may_move == 0)
            || (keep != 0 && m.old_len != m.new_len)
        {
            return Err(Errno::EINVAL);
        }
        let old = pages(m.old, m.old_len, Errno::EINVAL)?;
        let new_len = page_up(m.new_len).filter(|len| *len > 0).ok_or(Errno::EINVAL)?;
        let old_len = old.end - old.start;
        let Some((_, kind)) = self.areas.at(old.start).filter(|_| self.areas.is_full(old.clone()))
        else {
            return Err(Errno::EFAULT);
        };
        self.allow_stores(old.clone());
        if fixed != 0 {
            let target = pages(m.new, m.new_len, Errno::EINVAL)?;
            if target.start < old.end && old.start < target.end {
                return Err(Errno::EINVAL);
            }
            let claimed = self.claim(target.clone())?;
            if let Err(error) = host(&old, new_len, m.flags, target.start) {
                self.release(&claimed);
                return Err(error);
            }
            return Ok(self.moved(old, target, kind, keep != 0));
        }
        if keep == 0 && new_len <= old_len && old_len > 0 {
            let tail = old.start + new_len..old.end;
            if !tail.is_empty() {
                self.unmap(tail)?;
            }
            return Ok(old.start);
        }
        let grown = old.start..old.start.checked_add(new_len).ok_or(Errno::EINVAL)?;
        if keep == 0
            && old_len > 0
            && grown.end <= self.base.max(old.end)
            && self.areas.is_free(old.end..grown.end)
            && host(&old, new_len, 0, 0).is_ok()
        {
            self.areas.insert(old.end..grown.end, kind);
            return Ok(old.start);
        }
        if may_move == 0 {
            return Err(Errno::ENOMEM);
        }
        let flags = m.flags | libc::MREMAP_FIXED;
        let at = self.place(0, new_len, false, |range| {
            mapping::claim(range.clone())?;
            let moved = host(&old, new_len, flags, range.start);
            if moved.is_err() {
                mapping::unmap(range)?;
            }
            moved.map(drop)
        })?;
        Ok(self.moved(old, at..at + new_len, kind, keep != 0))
    }

    /// Notes a move that the host has made.
    fn moved(&mut self, old: Range<u64>, new: Range<u64>, kind: Kind, keep: bool) -> u64 {
        let at = new.start;
        self.forget(new.clone());
        self.forget(old.clone());
        if !keep && !old.is_empty() {
            self.areas.remove(old);
        }
        self.areas.insert(new, kind);
        at
    }

    /// Takes back the protection for the sake of code: it would move along with the pages.
    fn allow_stores(&mut self, range: Range<u64>) {
        let pages: Vec<u64> = self.coded.range(range).copied().collect();
        for page in pages {
            let Some((_, kind)) = self.areas.at(page) else { continue };
            // A page that stays read-only faults at the next store, and is looked at then.
            let _ = mapping::protect(page..page + super::PAGE, host_prot(kind.prot));
        }
    }
}
