//! System calls of the host, by number.
#![expect(unsafe_code, reason = "makes system calls that a guest chose")]

use crate::Errno;

/// Makes a system call. A guest may name any address in its calls, as any program may: what the
/// kernel then reads and writes there is the guest's doing. Our own callers name guest memory
/// that the address space has handed out, or memory that they own.
pub(crate) fn plain(number: i64, a: [u64; 6]) -> Result<u64, Errno> {
    // SAFETY: the number and the arguments are integers to the kernel, which checks every
    // address; whether what is mapped there may be written is the caller's promise above.
    let result = unsafe { tcg::syscall::plain(number, &a) };
    if (-4095..0).contains(&result) { Err(Errno(-result as i32)) } else { Ok(result as u64) }
}

/// Makes a system call that may block: a signal ends it, or keeps it from being begun
/// ([`Errno::RESTART`]).
pub(crate) fn interruptible(number: i64, a: [u64; 6]) -> Result<u64, Errno> {
    super::signals::syscall(number, &a)
}
