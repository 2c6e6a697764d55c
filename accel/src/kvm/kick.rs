//! Getting a vCPU out of guest code from any thread, without a race.
//!
//! Who kicks says so in [`Kick::wanted`], then sets `immediate_exit` in the page that the vCPU
//! shares with KVM, then sends its thread a signal `[KVM-API 5 kvm_run.immediate_exit]`. If the
//! vCPU is not in KVM yet, the flag makes it come back at once; if it is, the signal does. The
//! vCPU clears the flag before it looks at `wanted`, so that no kick falls between.
#![expect(unsafe_code, reason = "signals, and one byte of the page shared with KVM")]

use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, MutexGuard, Once, PoisonError};

/// The kick of one vCPU.
#[derive(Default)]
pub(super) struct Kick {
    wanted: AtomicBool,
    target: Mutex<Option<Target>>,
    sent: Condvar,
}

/// The thread of a vCPU, and its `immediate_exit`.
struct Target {
    thread: libc::pthread_t,
    immediate_exit: NonNull<u8>,
}

// SAFETY: the pointer is used for atomic accesses only, and a thread's id is a number.
unsafe impl Send for Target {}

impl Kick {
    fn target(&self) -> MutexGuard<'_, Option<Target>> {
        self.target.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kicks the vCPU; it comes back soon, or at once when it runs next.
    pub(super) fn send(&self) {
        self.wanted.store(true, SeqCst);
        let target = self.target();
        self.sent.notify_all();
        if let Some(target) = &*target {
            // SAFETY: `aim`'s caller keeps the byte valid until `leave`, which takes this lock;
            // everybody accesses it atomically.
            unsafe { AtomicU8::from_ptr(target.immediate_exit.as_ptr()) }.store(1, SeqCst);
            // SAFETY: the thread is in `aim` .. `leave`, so it has not ended.
            unsafe { libc::pthread_kill(target.thread, signal()) };
        }
    }

    /// The calling thread runs the vCPU from now on, until [`Kick::leave`].
    ///
    /// # Safety
    /// `immediate_exit` stays valid, and is accessed atomically only, until [`Kick::leave`], and
    /// the thread does not end before.
    pub(super) unsafe fn aim(&self, immediate_exit: NonNull<u8>) {
        install();
        // SAFETY: has no requirements.
        let thread = unsafe { libc::pthread_self() };
        *self.target() = Some(Target { thread, immediate_exit });
    }

    /// The vCPU is about to go.
    pub(super) fn leave(&self) {
        *self.target() = None;
    }

    /// For the vCPU's thread: whether it was kicked since it asked last.
    pub(super) fn take(&self) -> bool {
        self.wanted.swap(false, SeqCst)
    }

    /// For the vCPU's thread: waits until there is a kick to take.
    pub(super) fn wait(&self) {
        let mut target = self.target();
        while !self.wanted.load(SeqCst) {
            target = self.sent.wait(target).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The signal that interrupts `KVM_RUN`.
fn signal() -> libc::c_int {
    libc::SIGRTMIN()
}

extern "C" fn ignore(_: libc::c_int) {}

/// Has the signal interrupt system calls, and do nothing else.
fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: all zero is a valid value: no flags, so that system calls are not restarted, and
        // an empty mask.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = ignore as *const () as usize;
        // SAFETY: the structure is valid, and its handler does nothing, which is safe in any
        // signal.
        unsafe { libc::sigaction(signal(), &action, std::ptr::null_mut()) };
    });
}
