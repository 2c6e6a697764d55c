//! Signals of the guest.
//!
//! The host's kernel does what it does for any process: it queues signals, keeps masks, chooses
//! threads. A signal that the guest has a handler for is caught ([`crate::host::signals`]) and
//! becomes a frame on the guest's stack at the next block boundary, or behind the system call
//! that it interrupted. One whose default is to end or stop the process does that to this one.
//! Signals that instructions of the guest raise are made here ([`Thread::raise`]).

mod aarch64;
mod action;
pub mod calls;
mod frame;
mod riscv64;
mod x86_64;

use action::Action;
pub(crate) use action::Actions;
pub use frame::{Cause, Frame, Frames, Restored, Stack};

use crate::host::signals::{self, FAULTS, Info, bit};
use crate::{Isa, Thread};
use action::{IGNORE, SA_NODEFER, SA_ONSTACK, SA_RESETHAND};
use frame::SS_AUTODISARM;

/// The signals of a thread.
#[derive(Debug, Default)]
pub struct Signals {
    /// Blocked, bit 0 for signal 1.
    pub(crate) mask: u64,
    /// The mask to go back to, during a call that waits under another one.
    pub(crate) waiting: Option<u64>,
    /// The alternate stack.
    pub(crate) stack: Stack,
    /// Faults that somebody sent while the guest blocks them.
    pub(crate) held: Vec<(i32, Info)>,
}

/// si_code of a signal that the kernel sends.
const SI_KERNEL: i32 = 0x80;

/// Number, code, and address of a signal that an instruction raises.
pub(crate) fn fault_info(signal: i32, code: i32, address: u64) -> Info {
    let mut info = [0; 16];
    // si_signo, si_errno, si_code, then the union.
    info[0] = u64::from(signal as u32);
    info[1] = u64::from(code as u32);
    info[2] = address;
    info
}

impl Signals {
    /// There is something to be looked after beside what is pending: a call has waited under another
    /// mask, or signals are held that may not be blocked any more.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.is_some() || !self.held.is_empty()
    }
}

impl<G: Isa> Thread<G> {
    /// Sets the guest's mask of this thread, here and on the host.
    pub(crate) fn set_signal_mask(&mut self, mask: u64) {
        self.signals.mask = mask & !(bit(libc::SIGKILL) | bit(libc::SIGSTOP));
        signals::set_mask(self.signals.mask);
    }

    /// Delivers the signals that have come. To be called outside of guest code, behind every call.
    pub(crate) fn deliver_signals(&mut self) {
        let free = |held: &(i32, Info), mask| bit(held.0) & mask == 0;
        if let Some(at) = self.signals.held.iter().position(|h| free(h, self.signals.mask)) {
            let (signal, info) = self.signals.held.swap_remove(at);
            self.deliver(signal, &info);
        }
        while let Some((signal, info)) = signals::take() {
            if bit(signal) & FAULTS & self.signals.mask != 0 {
                if self.signals.held.iter().all(|held| held.0 != signal) {
                    self.signals.held.push((signal, info));
                }
                signals::set_mask(self.signals.mask);
            } else {
                self.deliver(signal, &info);
            }
        }
        if let Some(mask) = self.signals.waiting.take() {
            // The wait ended without a handler.
            self.set_signal_mask(mask);
        }
    }

    /// A signal that the thread's own instruction raises, which cannot be put off.
    pub(crate) fn raise(&mut self, signal: i32, info: &Info) {
        let handler = self.process.actions.get(signal).handler;
        if bit(signal) & self.signals.mask != 0 || handler == IGNORE {
            self.process.die(signal);
        }
        self.deliver(signal, info);
    }

    /// Lets a signal take effect.
    fn deliver(&mut self, signal: i32, info: &Info) {
        let action = self.process.actions.take(signal);
        match action.handler {
            IGNORE => signals::set_mask(self.signals.mask),
            action::DEFAULT => {
                self.default(signal);
                signals::set_mask(self.signals.mask)
            }
            _ => {
                self.enter_handler(signal, info, &action);
                0
            }
        };
    }

    fn default(&mut self, signal: i32) {
        match signal {
            libc::SIGCHLD | libc::SIGCONT | libc::SIGURG | libc::SIGWINCH => {}
            libc::SIGSTOP | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU => signals::stop(signal),
            _ => self.process.die(signal),
        }
    }

    fn enter_handler(&mut self, signal: i32, info: &Info, action: &Action) {
        let waiting = self.signals.waiting.take();
        let sp = G::sp(self.state());
        let stack = self.signals.stack;
        let on_stack = action.flags & SA_ONSTACK != 0 && stack.is_enabled() && !stack.holds(sp);
        let frame = Frame {
            signal,
            info: *info,
            handler: action.handler,
            restorer: if action.restorer != 0 { action.restorer } else { self.process.sigreturn() },
            sp: if on_stack { stack.start.wrapping_add(stack.size) } else { sp },
            stack: Stack { flags: stack.flags_at(sp), ..stack },
            mask: waiting.unwrap_or(self.signals.mask),
        };
        let mem = self.process.mem;
        G::interrupted(self.state());
        if G::push_frame(self.state(), mem, &frame).is_err() {
            // No room for the frame.
            self.process.die(libc::SIGSEGV);
        }
        if stack.flags & SS_AUTODISARM != 0 {
            self.signals.stack = Stack::default();
        }
        let own = if action.flags & SA_NODEFER != 0 { 0 } else { bit(signal) };
        self.set_signal_mask(self.signals.mask | action.mask | own);
        if action.flags & SA_RESETHAND != 0 {
            // The host's action follows.
            self.process.actions.sync(signal);
        }
    }

    /// Returns from a handler: the registers and the mask are those of its frame.
    pub(crate) fn sigreturn(&mut self) {
        let mem = self.process.mem;
        match G::pop_frame(self.state(), mem) {
            Ok(Restored { mask, stack }) => {
                self.signals.stack = stack.settled();
                self.set_signal_mask(mask);
            }
            Err(_) => self.raise(libc::SIGSEGV, &fault_info(libc::SIGSEGV, SI_KERNEL, 0)),
        }
    }
}
