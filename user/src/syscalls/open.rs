//! Files by name.

use std::ffi::CString;

use super::int;
use crate::host::call::{interruptible, plain};
use crate::{Errno, Isa, Thread, proc};

/// PATH_MAX.
pub(crate) const LONGEST: usize = 4096;

/// O flags that Arm numbers otherwise: Arm's, and the host's.
const ARM_FLAGS: [(u64, i32); 4] = [
    (0o40000, libc::O_DIRECTORY),
    (0o100000, libc::O_NOFOLLOW),
    (0o200000, libc::O_DIRECT),
    // The C library's constant is zero on 64-bit hosts; the kernel's is this.
    (0o400000, 0o100000),
];

/// Every bit that [`ARM_FLAGS`] gives another meaning.
const ARM_BITS: u64 = 0o740000;

/// O flags as the host numbers them.
pub(crate) fn flags_to_host<G: Isa>(flags: u64) -> u64 {
    if !G::ABI.arm_open_flags {
        return flags;
    }
    let moved = ARM_FLAGS.iter().filter(|(arm, _)| flags & arm != 0);
    moved.fold(flags & !ARM_BITS, |all, (_, host)| all | *host as u64)
}

/// O flags as the guest numbers them.
pub(crate) fn flags_to_guest<G: Isa>(flags: u64) -> u64 {
    if !G::ABI.arm_open_flags {
        return flags;
    }
    let moved = ARM_FLAGS.iter().filter(|(_, host)| flags & *host as u64 != 0);
    moved.fold(flags & !ARM_BITS, |all, (arm, _)| all | arm)
}

/// The path at `va`.
pub(crate) fn path<G: Isa>(t: &Thread<G>, va: u64) -> Result<Vec<u8>, Errno> {
    t.mem().cstr(va, LONGEST)
}

/// Calls `f` with the address of the path at `va`, or of the path that it leads to: in the
/// sysroot, or where `/proc/self/exe` of the guest does.
pub(crate) fn with_path<G: Isa, R>(
    t: &mut Thread<G>,
    va: u64,
    f: impl FnOnce(&mut Thread<G>, u64) -> Result<R, Errno>,
) -> Result<R, Errno> {
    let path = match t.mem().cstr(va, LONGEST) {
        Ok(path) => path,
        // The kernel says what is wrong with it; some calls allow none.
        Err(_) => return f(t, va),
    };
    match lookup(t, &path) {
        Some(host) => {
            let host = CString::new(host).map_err(|_| Errno::EINVAL)?;
            f(t, host.as_ptr() as u64)
        }
        None => f(t, va),
    }
}

/// Where a path that is looked up leads on the host, if not to itself.
pub(crate) fn lookup<G: Isa>(t: &Thread<G>, path: &[u8]) -> Option<Vec<u8>> {
    proc::exe(t, path).or_else(|| t.process.options().sysroot.find(path))
}

fn open_at<G: Isa>(
    t: &mut Thread<G>,
    at: u64,
    va: u64,
    flags: u64,
    mode: u64,
) -> Result<u64, Errno> {
    let flags = flags_to_host::<G>(flags);
    let name = path(t, va)?;
    if let Some(opened) = proc::open(t, &name, flags) {
        return opened;
    }
    // What is made is made where the guest says.
    let host = if flags & libc::O_CREAT as u64 == 0 { lookup(t, &name) } else { None };
    let host = host.map(CString::new).transpose().map_err(|_| Errno::EINVAL)?;
    let path = host.as_ref().map_or(va, |host| host.as_ptr() as u64);
    interruptible(libc::SYS_openat, [at, path, flags, mode, 0, 0])
}

pub(crate) fn openat<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    open_at(t, a[0], a[1], a[2], a[3])
}

/// AT_FDCWD as an argument.
pub(crate) const HERE: u64 = libc::AT_FDCWD as i64 as u64;

pub(crate) fn open<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    open_at(t, HERE, a[0], a[1], a[2])
}

pub(crate) fn creat<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    let flags = (libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC) as u64;
    open_at(t, HERE, a[0], flags_to_guest::<G>(flags), a[1])
}

pub(crate) fn openat2<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    /// struct open_how as it was first; what follows must be zero, says the kernel.
    const HOW: u64 = 24;
    if a[3] != HOW {
        return plain(libc::SYS_openat2, a);
    }
    let mut how: [u64; 3] = t.mem().read(a[2])?;
    how[0] = flags_to_host::<G>(how[0]);
    let name = path(t, a[1])?;
    if how[2] == 0
        && let Some(opened) = proc::open(t, &name, how[0])
    {
        return opened;
    }
    interruptible(libc::SYS_openat2, [a[0], a[1], how.as_ptr() as u64, HOW, 0, 0])
}

pub(crate) fn open_by_handle_at<G: Isa>(_: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    interruptible(libc::SYS_open_by_handle_at, [a[0], a[1], flags_to_host::<G>(a[2]), 0, 0, 0])
}

pub(crate) fn access<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    let here = libc::AT_FDCWD as u64;
    with_path(t, a[0], |_, path| plain(libc::SYS_faccessat, [here, path, a[1], 0, 0, 0]))
}

pub(crate) fn faccessat<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    with_path(t, a[1], |_, path| plain(libc::SYS_faccessat, [a[0], path, a[2], 0, 0, 0]))
}

pub(crate) fn faccessat2<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    let number = libc::SYS_faccessat2;
    with_path(t, a[1], |_, path| plain(number, [a[0], path, a[2], a[3], 0, 0]))
}

/// Bits of open(2) that a number of a guest may have.
pub(crate) fn pipe_flags<G: Isa>(flags: u64) -> u64 {
    u64::from(int(flags_to_host::<G>(flags)) as u32)
}
