//! System V queues and semaphores.

use super::int;
use crate::host::call::plain;
use crate::{Errno, Isa, Thread};

/// Words of struct semid64_ds: of x86-64, which keeps a word behind each time free, and of
/// asm-generic. The permissions take the first six.
const HOST: usize = 13;
const GENERIC: usize = 11;
const PERMISSIONS: usize = 6;
/// Fields behind the permissions: both times and the number of semaphores.
const FIELDS: [(usize, usize); 3] = [(6, 6), (8, 7), (10, 8)];

fn to_generic(host: &[u64; HOST]) -> [u64; GENERIC] {
    let mut generic = [0; GENERIC];
    generic[..PERMISSIONS].copy_from_slice(&host[..PERMISSIONS]);
    for (from, to) in FIELDS {
        generic[to] = host[from];
    }
    generic
}

fn to_host(generic: &[u64; GENERIC]) -> [u64; HOST] {
    let mut host = [0; HOST];
    host[..PERMISSIONS].copy_from_slice(&generic[..PERMISSIONS]);
    for (to, from) in FIELDS {
        host[to] = generic[from];
    }
    host
}

pub(crate) fn semctl<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    /// SEM_STAT and SEM_STAT_ANY of sys/sem.h.
    const SEM_STAT: i32 = 18;
    const SEM_STAT_ANY: i32 = 20;
    if !G::ABI.generic_structs {
        return plain(libc::SYS_semctl, a);
    }
    match int(a[2]) {
        libc::IPC_STAT | SEM_STAT | SEM_STAT_ANY => {
            let mut host = [0u64; HOST];
            let to = host.as_mut_ptr() as u64;
            let result = plain(libc::SYS_semctl, [a[0], a[1], a[2], to, 0, 0])?;
            t.mem().write(a[3], &to_generic(&host))?;
            Ok(result)
        }
        libc::IPC_SET => {
            let host = to_host(&t.mem().read(a[3])?);
            plain(libc::SYS_semctl, [a[0], a[1], a[2], host.as_ptr() as u64, 0, 0])
        }
        _ => plain(libc::SYS_semctl, a),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversions_undo_each_other() {
        let generic: [u64; GENERIC] = std::array::from_fn(|i| if i < 9 { i as u64 + 1 } else { 0 });
        assert_eq!(to_generic(&to_host(&generic)), generic);
        assert_eq!(to_host(&generic)[8], 8);
    }
}
