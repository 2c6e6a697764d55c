//! Threads and processes of the host.
#![expect(unsafe_code, reason = "plain calls of the C library")]

use std::ffi::{c_int, c_void};

use super::mapping;
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

/// The same with flags and exit signal of clone(2). The C library does not know of it: it must be
/// the only thread, so that none of the library's locks is taken.
pub(crate) fn fork_with(flags: u64) -> Result<i32, Errno> {
    let args = [flags, 0, 0, 0, 0, 0];
    super::call::plain(libc::SYS_clone, args).map(|pid| pid as i32)
}

/// Bytes of the host's stack for a process that shares our memory, used as they are touched.
const STACK: u64 = 1 << 20;
/// Bytes below it that fault.
const GUARD: u64 = 1 << 16;

/// A stack of the host.
struct Stack(u64);

impl Stack {
    fn new() -> Result<Self, Errno> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        let stack = Self(mapping::map(0..STACK, prot, flags, -1, 0)?);
        mapping::protect(stack.0..stack.0 + GUARD, libc::PROT_NONE)?;
        Ok(stack)
    }

    fn top(&self) -> *mut c_void {
        (self.0 + STACK) as *mut c_void
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // Nothing else can be done where the kernel refuses to unmap.
        let _ = mapping::unmap(self.0..self.0 + STACK);
    }
}

extern "C" fn run_child(child: *mut c_void) -> c_int {
    // SAFETY: `vfork` passes this address of its own variable, and waits in there meanwhile.
    let child = unsafe { &mut *child.cast::<&mut dyn FnMut() -> i32>() };
    child()
}

/// Runs `child` as a process of its own in this memory, as this thread: with what is the thread's,
/// on another stack. The thread waits until the process runs another program, or has ended: with
/// what `child` gives as its status. `flags` are CLONE flags, and the exit signal.
///
/// What `child` has not dropped when it runs another program is never dropped.
pub(crate) fn vfork(flags: u64, child: &mut dyn FnMut() -> i32) -> Result<i32, Errno> {
    let flags = flags as c_int | libc::CLONE_VM | libc::CLONE_VFORK;
    let stack = Stack::new()?;
    let mut child = child;
    let argument: *mut &mut dyn FnMut() -> i32 = &mut child;
    // SAFETY: the stack is large enough for whatever runs on a thread's, has a guard, and stays
    // until the process does not use this memory any more: the kernel keeps this thread waiting
    // until then, so it touches nothing of its own while the child does.
    match unsafe { libc::clone(run_child, stack.top(), flags, argument.cast()) } {
        -1 => Err(Errno::last()),
        pid => Ok(pid),
    }
}
