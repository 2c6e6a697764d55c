//! The address space.

use super::int;
use crate::host::call::plain;
use crate::space::{END, MAP_32BIT, Move, Request};
use crate::{Errno, Isa, Thread};

pub(crate) fn mmap<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    let mut flags = int(a[3]);
    if !G::ABI.map_32bit {
        flags &= !MAP_32BIT;
    }
    let fd = if flags & libc::MAP_ANONYMOUS != 0 { -1 } else { int(a[4]) };
    let request = Request { addr: a[0], len: a[1], prot: int(a[2]), flags, fd, offset: a[5] };
    if request.shared() && request.prot & libc::PROT_WRITE != 0 {
        t.process.machine.share_memory();
    }
    t.process.space.map(request)
}

pub(crate) fn munmap<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    t.process.space.unmap(a[0], a[1]).map(|()| 0)
}

pub(crate) fn mprotect<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    if int(a[2]) & libc::PROT_WRITE != 0 && t.process.space.shares(a[0], a[1]) {
        t.process.machine.share_memory();
    }
    t.process.space.protect(a[0], a[1], int(a[2])).map(|()| 0)
}

pub(crate) fn pkey_mprotect<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    // There are no keys but "none".
    if int(a[3]) != -1 {
        return Err(Errno::EINVAL);
    }
    mprotect(t, a)
}

pub(crate) fn mremap<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    let m = Move { old: a[0], old_len: a[1], new_len: a[2], flags: int(a[3]), new: a[4] };
    t.process.space.remap(m)
}

pub(crate) fn brk<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    Ok(t.process.space.set_brk(a[0]))
}

pub(crate) fn madvise<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    let end = a[0].checked_add(a[1]).ok_or(Errno::EINVAL)?;
    // What lies above is ours, not the guest's to give advice on.
    if end > END {
        return Err(Errno::ENOMEM);
    }
    let result = plain(libc::SYS_madvise, a);
    // The content may be gone.
    if matches!(int(a[2]), libc::MADV_DONTNEED | libc::MADV_REMOVE | libc::MADV_FREE)
        && t.process.space.executes(a[0]..end)
    {
        t.process.machine.written(a[0], a[1] as usize);
    }
    result
}

pub(crate) fn shmat<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    t.process.machine.share_memory();
    t.process.space.attach(a[0], a[1], int(a[2]))
}

pub(crate) fn shmdt<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    t.process.space.detach(a[0]).map(|()| 0)
}
