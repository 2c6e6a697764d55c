//! Requests to devices. They are numbered alike on all the 64-bit architectures here, and almost all
//! structures are those of asm-generic.

use super::file::is_ours;
use crate::host::call::interruptible;
use crate::{Errno, Isa, Thread};

/// The type byte of the requests of `/dev/kvm`, whose structures speak of the host's processor.
const KVM: u64 = 0xae;

/// The requests whose structure has device numbers of the kernel's old type, which are longer on
/// x86-64 than elsewhere [linux/loop.h].
const LOOP_SET_STATUS: u64 = 0x4c02;
const LOOP_GET_STATUS: u64 = 0x4c03;

pub(crate) fn ioctl<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    if is_ours(t, a[0]) {
        return Err(Errno::EBADF);
    }
    if !G::ABI.generic_structs {
        return interruptible(libc::SYS_ioctl, a);
    }
    match a[1] & 0xffff_ffff {
        request if request >> 8 & 0xff == KVM => Err(Errno::ENOTTY),
        LOOP_SET_STATUS => {
            let info = LoopInfo::from_guest(&t.mem().read::<[u8; LoopInfo::GUEST]>(a[2])?);
            interruptible(libc::SYS_ioctl, [a[0], a[1], &raw const info as u64, 0, 0, 0])
        }
        LOOP_GET_STATUS => {
            let mut info = LoopInfo([0; LoopInfo::HOST]);
            let result =
                interruptible(libc::SYS_ioctl, [a[0], a[1], &raw mut info as u64, 0, 0, 0])?;
            t.mem().write_bytes(a[2], &info.to_guest())?;
            Ok(result)
        }
        _ => interruptible(libc::SYS_ioctl, a),
    }
}

/// struct loop_info, as x86-64 has it.
struct LoopInfo([u8; Self::HOST]);

impl LoopInfo {
    /// Bytes of it on the host, and on guests with the structures of asm-generic.
    const HOST: usize = 168;
    const GUEST: usize = 160;
    /// Where its parts are on the host and for the guest, and the guest's bytes: lo_number,
    /// lo_device, lo_inode, lo_rdevice, from lo_offset to lo_encrypt_key, from lo_init on.
    const PARTS: [(usize, usize, usize); 6] =
        [(0, 0, 4), (8, 4, 4), (16, 8, 8), (24, 16, 4), (32, 20, 112), (144, 136, 20)];

    fn from_guest(guest: &[u8; Self::GUEST]) -> Self {
        let mut host = [0; Self::HOST];
        for (at, from, len) in Self::PARTS {
            host[at..at + len].copy_from_slice(&guest[from..from + len]);
        }
        Self(host)
    }

    fn to_guest(&self) -> [u8; Self::GUEST] {
        let mut guest = [0; Self::GUEST];
        for (from, at, len) in Self::PARTS {
            guest[at..at + len].copy_from_slice(&self.0[from..from + len]);
        }
        guest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_where_the_layouts_of_c_have_them() {
        let mut host = [0; LoopInfo::HOST];
        host[44] = 12; // lo_flags
        host[48] = b'n'; // lo_name
        host[8] = 7; // lo_device
        host[160] = 3; // reserved
        let guest = LoopInfo(host).to_guest();
        assert_eq!((guest[32], guest[36], guest[4], guest[152]), (12, b'n', 7, 3));
        assert_eq!(guest.iter().filter(|byte| **byte != 0).count(), 4);
        assert_eq!(LoopInfo::from_guest(&guest).0, host);
    }
}
