//! The registers of a host thread as a handler of its signals finds them.
#![expect(unsafe_code, reason = "reads and changes the context that the kernel gave to a handler")]

use std::ffi::c_void;

use super::syscall;
use crate::user::CodeRange;

/// A signal's number, code and address, and where the thread was.
pub struct Interrupted<'a> {
    context: &'a mut libc::ucontext_t,
}

impl Interrupted<'_> {
    /// # Safety
    /// `context` is the third argument of a signal handler that is running, used by nobody else.
    pub unsafe fn new(context: *mut c_void) -> Self {
        // SAFETY: the kernel passes a valid context; exclusive use is the caller's promise.
        Self { context: unsafe { &mut *context.cast() } }
    }

    fn reg(&mut self, at: i32) -> &mut i64 {
        &mut self.context.uc_mcontext.gregs[at as usize]
    }

    /// After SIGSEGV or SIGBUS: if a guest's access did it, the thread goes on where that is
    /// answered; false if it is no guest's.
    pub fn catch(&mut self, code: &CodeRange, signal: i32, si_code: i32, address: u64) -> bool {
        let pc = *self.reg(libc::REG_RIP) as u64;
        let Some(to) = code.catch(pc, signal, si_code, address) else {
            return false;
        };
        *self.reg(libc::REG_RIP) = to.pc as i64;
        *self.reg(libc::REG_RAX) = to.first as i64;
        *self.reg(libc::REG_RDX) = to.second as i64;
        true
    }

    /// A system call that the thread was about to make ([`super::syscall::syscall`]) is not made.
    /// `code` makes some of them itself.
    pub fn restart_syscall(&mut self, code: Option<&CodeRange>) {
        let pc = *self.reg(libc::REG_RIP) as u64;
        let to = code.and_then(|code| code.restart(pc));
        if let Some(to) = to.or_else(|| syscall::restart(pc)) {
            *self.reg(libc::REG_RIP) = to as i64;
        }
    }

    /// The signals that are blocked behind the handler, bit 0 for signal 1.
    pub fn set_blocked(&mut self, mask: u64) {
        // SAFETY: the kernel's set of signals is the first eight bytes of the field.
        unsafe { std::ptr::from_mut(&mut self.context.uc_sigmask).cast::<u64>().write(mask) };
    }
}
