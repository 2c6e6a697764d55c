//! What a file is.

use super::open::{HERE, path, with_path};
use crate::host::call::plain;
use crate::{Errno, Isa, Thread, proc};

/// struct stat of x86-64, in words.
const HOST_STAT: usize = 18;

/// struct stat of asm-generic, in words, from that of x86-64.
fn generic(h: &[u64; HOST_STAT]) -> [u64; 16] {
    let low = |word: u64| word & 0xffff_ffff;
    let mut g = [0; 16];
    g[0] = h[0]; // st_dev
    g[1] = h[1]; // st_ino
    g[2] = low(h[3]) | h[2] << 32; // st_mode, st_nlink
    g[3] = h[3] >> 32 | h[4] << 32; // st_uid, st_gid
    g[4] = h[5]; // st_rdev
    g[6] = h[6]; // st_size
    g[7] = low(h[7]); // st_blksize
    g[8] = h[8]; // st_blocks
    g[9..15].copy_from_slice(&h[9..15]); // times
    g
}

fn convert<G: Isa>(
    t: &Thread<G>,
    to: u64,
    ask: impl FnOnce(u64) -> Result<u64, Errno>,
) -> Result<u64, Errno> {
    if !G::ABI.generic_structs {
        return ask(to);
    }
    let mut stat = [0u64; HOST_STAT];
    let result = ask(stat.as_mut_ptr() as u64)?;
    t.mem().write(to, &generic(&stat))?;
    Ok(result)
}

pub(crate) fn fstat<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    convert(t, a[1], |to| plain(libc::SYS_fstat, [a[0], to, 0, 0, 0, 0]))
}

pub(crate) fn stat<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    newfstatat(t, [HERE, a[0], a[1], 0, 0, 0])
}

pub(crate) fn lstat<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    newfstatat(t, [HERE, a[0], a[1], libc::AT_SYMLINK_NOFOLLOW as u64, 0, 0])
}

/// `/proc/self/exe` itself is a link, wherever it leads.
fn follows(flags: u64) -> bool {
    flags & libc::AT_SYMLINK_NOFOLLOW as u64 == 0
}

pub(crate) fn newfstatat<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    let ask = |t: &mut Thread<G>, path: u64| {
        convert(t, a[2], |to| plain(libc::SYS_newfstatat, [a[0], path, to, a[3], 0, 0]))
    };
    if follows(a[3]) { with_path(t, a[1], ask) } else { in_sysroot(t, a[1], ask) }
}

pub(crate) fn statx<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    let ask =
        |_: &mut Thread<G>, path: u64| plain(libc::SYS_statx, [a[0], path, a[2], a[3], a[4], 0]);
    if follows(a[2]) { with_path(t, a[1], ask) } else { in_sysroot(t, a[1], ask) }
}

/// As [`with_path`], for what does not follow links.
fn in_sysroot<G: Isa>(
    t: &mut Thread<G>,
    va: u64,
    ask: impl FnOnce(&mut Thread<G>, u64) -> Result<u64, Errno>,
) -> Result<u64, Errno> {
    let found = path(t, va).ok().and_then(|path| t.process.options().sysroot.find(&path));
    match found.map(std::ffi::CString::new) {
        Some(Ok(found)) => ask(t, found.as_ptr() as u64),
        _ => ask(t, va),
    }
}

pub(crate) fn readlink<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    readlinkat(t, [HERE, a[0], a[1], a[2], 0, 0])
}

pub(crate) fn readlinkat<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    let name = path(t, a[1])?;
    if let Some(exe) = proc::exe(t, &name) {
        let size = usize::try_from(super::int(a[3])).map_err(|_| Errno::EINVAL)?;
        if size == 0 {
            return Err(Errno::EINVAL);
        }
        let part = &exe[..exe.len().min(size)];
        t.mem().write_bytes(a[2], part)?;
        return Ok(part.len() as u64);
    }
    in_sysroot(t, a[1], |_, path| plain(libc::SYS_readlinkat, [a[0], path, a[2], a[3], 0, 0]))
}

/// struct linux_dirent64: the length and the name's place.
const RECORD_LEN: usize = 16;
const NAME: usize = 19;

/// A listing of our own descriptors does not show the one that is not the guest's.
pub(crate) fn getdents64<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    let len = plain(libc::SYS_getdents64, a)?;
    let Some(own) = t.process.executable.fd() else { return Ok(len) };
    if len == 0 || !proc::lists_descriptors(super::int(a[0])) {
        return Ok(len);
    }
    let mut list = vec![0; len as usize];
    t.mem().read_bytes(a[1], &mut list)?;
    let kept = without(&list, own.to_string().as_bytes());
    t.mem().write_bytes(a[1], &kept)?;
    Ok(kept.len() as u64)
}

/// The records of a listing but for those of one name.
fn without(mut list: &[u8], name: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(list.len());
    while let Some(bytes) = list.get(RECORD_LEN..RECORD_LEN + 2) {
        let len = usize::from(u16::from_le_bytes([bytes[0], bytes[1]]));
        let Some(record) = list.get(..len).filter(|r| r.len() > NAME) else { break };
        let own = record[NAME..].strip_prefix(name).is_some_and(|rest| rest.first() == Some(&0));
        if !own {
            kept.extend_from_slice(record);
        }
        list = &list[len..];
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_are_converted() {
        let mut host = [0u64; HOST_STAT];
        for (at, word) in host.iter_mut().enumerate() {
            *word = at as u64;
        }
        host[3] = 0o100644 | 7 << 32;
        let g = generic(&host);
        assert_eq!(g[2], 0o100644 | 2 << 32);
        assert_eq!(g[3], 7 | 4 << 32);
        assert_eq!(g[4..9], [5, 0, 6, 7, 8]);
        assert_eq!(g[9..], [9, 10, 11, 12, 13, 14, 0]);
    }

    #[test]
    fn a_name_is_taken_out_of_a_listing() {
        let record = |name: &str| {
            let mut r = vec![0; 24];
            r[RECORD_LEN] = 24;
            r[NAME..NAME + name.len()].copy_from_slice(name.as_bytes());
            r
        };
        let list = [record("1"), record("100"), record("10")].concat();
        assert_eq!(without(&list, b"10"), [record("1"), record("100")].concat());
    }
}
