//! Descriptors. The guest's are the host's; the one that is ours is hidden.

use super::int;
use super::open::{flags_to_guest, flags_to_host, pipe_flags};
use crate::host::call::{interruptible, plain};
use crate::{Errno, Isa, Thread};

pub(super) fn is_ours<G: Isa>(t: &Thread<G>, fd: u64) -> bool {
    t.process.executable.fd().is_some_and(|own| own == int(fd))
}

pub(crate) fn close<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    if is_ours(t, a[0]) {
        return Err(Errno::EBADF);
    }
    plain(libc::SYS_close, a)
}

pub(crate) fn close_range<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    let (first, last) = (u64::from(a[0] as u32), u64::from(a[1] as u32));
    let own = t.process.executable.fd().map(|own| own as u64);
    let Some(own) = own.filter(|own| (first..=last).contains(own)) else {
        return plain(libc::SYS_close_range, a);
    };
    if own > first {
        plain(libc::SYS_close_range, [first, own - 1, a[2], 0, 0, 0])?;
    }
    if own < last {
        plain(libc::SYS_close_range, [own + 1, last, a[2], 0, 0, 0])?;
    }
    Ok(0)
}

pub(crate) fn dup2<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    if is_ours(t, a[0]) || is_ours(t, a[1]) {
        return Err(Errno::EBADF);
    }
    // Not every host has the call itself.
    if a[0] == a[1] {
        return plain(libc::SYS_fcntl, [a[0], libc::F_GETFD as u64, 0, 0, 0, 0]).map(|_| a[1]);
    }
    plain(libc::SYS_dup3, [a[0], a[1], 0, 0, 0, 0])
}

pub(crate) fn dup3<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    if is_ours(t, a[0]) || is_ours(t, a[1]) {
        return Err(Errno::EBADF);
    }
    plain(libc::SYS_dup3, a)
}

pub(crate) fn pipe2<G: Isa>(_: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    plain(libc::SYS_pipe2, [a[0], pipe_flags::<G>(a[1]), 0, 0, 0, 0])
}

pub(crate) fn fcntl<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    if is_ours(t, a[0]) {
        return Err(Errno::EBADF);
    }
    match int(a[1]) {
        libc::F_GETFL => plain(libc::SYS_fcntl, a).map(flags_to_guest::<G>),
        libc::F_SETFL => plain(libc::SYS_fcntl, [a[0], a[1], flags_to_host::<G>(a[2]), 0, 0, 0]),
        libc::F_SETLKW | libc::F_OFD_SETLKW => interruptible(libc::SYS_fcntl, a),
        _ => plain(libc::SYS_fcntl, a),
    }
}
