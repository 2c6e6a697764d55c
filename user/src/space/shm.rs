//! System V shared memory.

use super::{EXEC, Kind, Map, PAGE, READ, Space, WRITE, page_up, pages};
use crate::Errno;
use crate::host::{call, mapping};

/// struct shmid64_ds of Linux: the size follows the permissions, which have 48 bytes.
const DS_WORDS: usize = 14;
const DS_SIZE: usize = 6;

fn size(id: u64) -> Result<u64, Errno> {
    let mut ds = [0u64; DS_WORDS];
    let args = [id, libc::IPC_STAT as u64, ds.as_mut_ptr() as u64, 0, 0, 0];
    call::plain(libc::SYS_shmctl, args)?;
    page_up(ds[DS_SIZE]).ok_or(Errno::EINVAL)
}

impl Space {
    /// shmat(2).
    pub fn attach(&self, id: u64, addr: u64, flags: i32) -> Result<u64, Errno> {
        self.change(|map| map.attach(id, addr, flags))
    }

    /// shmdt(2).
    pub fn detach(&self, addr: u64) -> Result<(), Errno> {
        self.change(|map| map.detach(addr))
    }
}

impl Map {
    fn attach(&mut self, id: u64, addr: u64, flags: i32) -> Result<u64, Errno> {
        let len = size(id)?;
        let mut prot = READ;
        if flags & libc::SHM_RDONLY == 0 {
            prot |= WRITE;
        }
        if flags & libc::SHM_EXEC != 0 {
            prot |= EXEC;
        }
        let kind = Kind { prot, grows: false, shared: true };
        let how = (flags & libc::SHM_RDONLY) | libc::SHM_REMAP;
        let take = |at: u64| call::plain(libc::SYS_shmat, [id, at, how as u64, 0, 0, 0]).map(drop);
        let anywhere = addr == 0;
        let addr = if flags & libc::SHM_RND != 0 { addr & !(PAGE - 1) } else { addr };
        if addr == 0 && flags & libc::SHM_REMAP != 0 {
            return Err(Errno::EINVAL);
        }
        let at = if anywhere {
            self.place(0, len, false, |range| {
                mapping::claim(range.clone())?;
                let taken = take(range.start);
                if taken.is_err() {
                    mapping::unmap(range)?;
                }
                taken
            })?
        } else {
            let range = pages(addr, len, Errno::EINVAL)?;
            if flags & libc::SHM_REMAP == 0 && !self.areas.is_free(range.clone()) {
                return Err(Errno::EINVAL);
            }
            let claimed = self.claim(range)?;
            if let Err(error) = take(addr) {
                self.release(&claimed);
                return Err(error);
            }
            addr
        };
        self.segments.insert(at, len);
        Ok(self.mapped(at..at + len, kind))
    }

    fn detach(&mut self, addr: u64) -> Result<(), Errno> {
        let len = *self.segments.get(&addr).ok_or(Errno::EINVAL)?;
        call::plain(libc::SYS_shmdt, [addr, 0, 0, 0, 0, 0])?;
        self.segments.remove(&addr);
        let range = addr..addr + len;
        self.forget(range.clone());
        self.areas.remove(range.clone());
        self.hint = self.hint.max(range.end).min(self.base);
        Ok(())
    }
}
