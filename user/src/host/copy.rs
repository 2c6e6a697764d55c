//! Copies between our memory and guest addresses that may not be mapped.
#![expect(unsafe_code, reason = "reads and writes memory at addresses that a guest chose")]

use crate::Errno;

fn checked(done: isize, wanted: usize) -> Result<(), Errno> {
    if done == wanted as isize { Ok(()) } else { Err(Errno::EFAULT) }
}

/// Copies `out.len()` bytes from `va`.
pub(crate) fn read(va: u64, out: &mut [u8]) -> Result<(), Errno> {
    if out.is_empty() {
        return Ok(());
    }
    let local = libc::iovec { iov_base: out.as_mut_ptr().cast(), iov_len: out.len() };
    let remote = libc::iovec { iov_base: va as *mut libc::c_void, iov_len: out.len() };
    // SAFETY: the kernel checks the remote side, and `out` is valid for its length.
    let done = unsafe { libc::process_vm_readv(libc::getpid(), &local, 1, &remote, 1, 0) };
    checked(done, out.len())
}

/// Copies `data` to `va`.
pub(crate) fn write(va: u64, data: &[u8]) -> Result<(), Errno> {
    if data.is_empty() {
        return Ok(());
    }
    let local = libc::iovec { iov_base: data.as_ptr().cast_mut().cast(), iov_len: data.len() };
    let remote = libc::iovec { iov_base: va as *mut libc::c_void, iov_len: data.len() };
    // SAFETY: the kernel checks the remote side; that only guest memory is named there is what
    // `Mem` is handed out for. `data` is only read.
    let done = unsafe { libc::process_vm_writev(libc::getpid(), &local, 1, &remote, 1, 0) };
    checked(done, data.len())
}
