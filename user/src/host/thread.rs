//! Threads and processes of the host.
#![expect(unsafe_code, reason = "plain calls of the C library")]

use crate::Errno;

/// The number of this thread.
pub(crate) fn id() -> i32 {
    // SAFETY: a plain call.
    unsafe { libc::gettid() }
}

/// Whether this is the thread that the process began with.
pub(crate) fn is_main() -> bool {
    // SAFETY: plain calls.
    unsafe { libc::gettid() == libc::getpid() }
}

/// Ends the process without running what others have left to be done at its end.
pub(crate) fn exit_process(status: i32) -> ! {
    // SAFETY: a plain call.
    unsafe { libc::_exit(status) }
}

/// Ends this thread alone. For the thread that the process began with: the others go on.
pub(crate) fn exit_thread(status: i32) -> ! {
    // SAFETY: the thread runs nothing any more, and nothing of its stack is used by others.
    unsafe {
        libc::syscall(libc::SYS_exit, status);
    }
    exit_process(status)
}

/// Splits the process in two; gives the child's number, and 0 to the child. Nothing of ours may be
/// locked by another thread.
pub(crate) fn fork() -> Result<i32, Errno> {
    // SAFETY: the C library makes its own state sound in the child; that ours is, is the caller's
    // promise.
    match unsafe { libc::fork() } {
        -1 => Err(Errno::last()),
        pid => Ok(pid),
    }
}
