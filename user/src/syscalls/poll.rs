//! Waiting for many things: struct epoll_event has no gap on x86-64, and one on other
//! architectures.

use crate::host::call::{interruptible, plain};
use crate::{Errno, Isa, Thread};

/// Bytes of the structure on x86-64.
const PACKED: usize = 12;
/// Events that one call gives at most: a list without bounds would be the guest's to size.
const MOST: u64 = 4096;

pub(crate) fn epoll_ctl<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    if !G::ABI.generic_structs || a[3] == 0 {
        return plain(libc::SYS_epoll_ctl, a);
    }
    // No event is looked at for a removal: what the address names may be nothing.
    let event: [u32; 4] = match t.mem().read(a[3]) {
        Ok(event) => event,
        Err(_) => return plain(libc::SYS_epoll_ctl, a),
    };
    let packed = [event[0], event[2], event[3]];
    plain(libc::SYS_epoll_ctl, [a[0], a[1], a[2], packed.as_ptr() as u64, 0, 0])
}

/// Waits with `wait`, which gets the address of a list of the host's and its length; gives the
/// events to the guest at `to`.
fn wait_events<G: Isa>(
    t: &mut Thread<G>,
    to: u64,
    most: u64,
    wait: impl FnOnce(&mut Thread<G>, u64, u64) -> Result<u64, Errno>,
) -> Result<u64, Errno> {
    let count = i64::from(super::int(most));
    if !G::ABI.generic_structs || count <= 0 {
        return wait(t, to, most);
    }
    let count = (count as u64).min(MOST);
    let mut list = vec![0u8; count as usize * PACKED];
    let got = wait(t, list.as_mut_ptr() as u64, count)?;
    let mut events = Vec::with_capacity(got as usize * 16);
    for event in list.chunks_exact(PACKED).take(got as usize) {
        events.extend_from_slice(&event[..4]);
        events.extend_from_slice(&[0; 4]);
        events.extend_from_slice(&event[4..]);
    }
    t.mem().write_bytes(to, &events)?;
    Ok(got)
}

pub(crate) fn epoll_wait<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    wait_events(t, a[1], a[2], |_, list, most| {
        interruptible(libc::SYS_epoll_pwait, [a[0], list, most, a[3], 0, 0])
    })
}

pub(crate) fn epoll_pwait<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    wait_events(t, a[1], a[2], |_, list, most| {
        interruptible(libc::SYS_epoll_pwait, [a[0], list, most, a[3], a[4], a[5]])
    })
}

pub(crate) fn epoll_pwait2<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    wait_events(t, a[1], a[2], |_, list, most| {
        interruptible(libc::SYS_epoll_pwait2, [a[0], list, most, a[3], a[4], a[5]])
    })
}
