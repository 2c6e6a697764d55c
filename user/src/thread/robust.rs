//! What a thread leaves behind when it ends: robust futexes that it holds, and its number in
//! memory, for those that wait for it.

use crate::host::signals;
use crate::{Errno, Isa, Thread};

const FUTEX_OWNER_DIED: u32 = 0x4000_0000;
const FUTEX_WAITERS: u32 = 0x8000_0000;
const FUTEX_TID: u32 = 0x3fff_ffff;
const FUTEX_WAKE: u64 = 1;
/// Entries of a list that are looked at; a list may be a circle.
const MOST: u32 = 2048;

impl<G: Isa> Thread<G> {
    /// Lets others have what the thread holds. The last thing that it does.
    pub(super) fn leave_futexes(&mut self) {
        if self.robust_list != 0 {
            // A list that leads nowhere ends there.
            let _ = self.walk_robust_list();
        }
        if self.clear_tid != 0 && self.mem().write(self.clear_tid, &0u32).is_ok() {
            wake(self.clear_tid);
        }
    }

    /// struct robust_list_head: the first entry, the futex's offset from an entry, and the entry
    /// that is being taken or given back. Bit 0 of an entry's address marks a PI futex.
    fn walk_robust_list(&mut self) -> Result<(), Errno> {
        let head = self.robust_list;
        let [mut entry, offset, pending]: [u64; 3] = self.mem().read(head)?;
        for _ in 0..MOST {
            if entry & !1 == head {
                break;
            }
            let next = self.mem().read(entry & !1)?;
            if entry & !1 != pending & !1 {
                self.leave_futex((entry & !1).wrapping_add(offset), entry & 1 != 0, false);
            }
            entry = next;
        }
        if pending & !1 != 0 {
            self.leave_futex((pending & !1).wrapping_add(offset), pending & 1 != 0, true);
        }
        Ok(())
    }

    fn leave_futex(&self, va: u64, pi: bool, pending: bool) {
        if !va.is_multiple_of(4) {
            return;
        }
        let Ok(mut seen) = self.mem().read::<u32>(va) else { return };
        loop {
            let owner = seen & FUTEX_TID;
            if pending && !pi && owner == 0 {
                // It was given back, but nobody was woken yet.
                return wake(va);
            }
            if owner != self.tid as u32 {
                return;
            }
            let new = seen & FUTEX_WAITERS | FUTEX_OWNER_DIED;
            match tcg::mmu::user::exchange32(va, seen, new) {
                Ok(found) if found == seen => break,
                Ok(found) => seen = found,
                Err(_) => return,
            }
        }
        if !pi && seen & FUTEX_WAITERS != 0 {
            wake(va);
        }
    }
}

/// Wakes one that waits for a futex, in this process or another.
fn wake(va: u64) {
    // Nobody waiting is no error.
    let _ = signals::syscall(libc::SYS_futex, &[va, FUTEX_WAKE, 1, 0, 0, 0]);
}
