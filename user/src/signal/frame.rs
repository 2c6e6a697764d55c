//! What a signal's handler finds on its stack.

use tcg::guest::Guest;
use tcg::mmu::user::Fault;

use crate::host::signals::Info;
use crate::space::END;
use crate::{Errno, Mem};

/// The thread runs on the alternate stack.
pub(crate) const SS_ONSTACK: u32 = 1;
/// There is no alternate stack.
pub(crate) const SS_DISABLE: u32 = 2;
/// The alternate stack is taken away while a handler runs.
pub(crate) const SS_AUTODISARM: u32 = 1 << 31;

/// An alternate stack, stack_t.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stack {
    /// Its lowest address.
    pub start: u64,
    /// Flags as in sigaltstack(2).
    pub flags: u32,
    /// Bytes.
    pub size: u64,
}

impl Default for Stack {
    fn default() -> Self {
        Self { start: 0, flags: SS_DISABLE, size: 0 }
    }
}

impl Stack {
    pub(crate) fn is_enabled(&self) -> bool {
        self.size != 0
    }

    /// Whether a stack pointer is on it. One that is taken away does not count.
    pub(crate) fn holds(&self, sp: u64) -> bool {
        self.flags & SS_AUTODISARM == 0 && sp > self.start && sp - self.start <= self.size
    }

    /// The flags as a program sees them with that stack pointer.
    pub(crate) fn flags_at(&self, sp: u64) -> u32 {
        let state = match () {
            () if !self.is_enabled() => SS_DISABLE,
            () if self.holds(sp) => SS_ONSTACK,
            () => 0,
        };
        state | self.flags & SS_AUTODISARM
    }

    /// As it is kept: without what depends on the stack pointer.
    pub(crate) fn settled(self) -> Self {
        if self.flags & SS_DISABLE != 0 || self.size == 0 {
            return Self::default();
        }
        Self { flags: self.flags & SS_AUTODISARM, ..self }
    }

    /// stack_t at `va`.
    pub(crate) fn read(mem: Mem, va: u64) -> Result<Self, Errno> {
        let [start, flags, size]: [u64; 3] = mem.read(va)?;
        Ok(Self { start, flags: flags as u32, size })
    }

    /// Its words as stack_t.
    pub(crate) fn words(&self) -> [u64; 3] {
        [self.start, u64::from(self.flags), self.size]
    }
}

/// What goes into a frame beside the registers.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// The signal.
    pub signal: i32,
    /// siginfo_t.
    pub(crate) info: Info,
    /// The handler.
    pub handler: u64,
    /// Where it returns to.
    pub restorer: u64,
    /// The stack pointer below which the frame goes.
    pub sp: u64,
    /// The alternate stack, with its flags as the program sees them.
    pub stack: Stack,
    /// The mask to return to.
    pub mask: u64,
}

/// What a frame gives back beside the registers.
#[derive(Clone, Copy, Debug)]
pub struct Restored {
    /// The mask.
    pub mask: u64,
    /// The alternate stack.
    pub stack: Stack,
}

/// What an exception of the guest means to Linux.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A system call.
    Syscall,
    /// A signal, its si_code, and its si_addr.
    Signal(i32, i32, u64),
}

/// The address of a frame: in the guest's half, so that places in it are addresses too.
pub(crate) fn place(at: u64) -> Result<u64, Errno> {
    if at < END { Ok(at) } else { Err(Errno::EFAULT) }
}

/// Signal frames of an architecture.
pub trait Frames: Guest {
    /// Bytes of the instruction that makes a system call.
    const SYSCALL_BYTES: u64;
    /// struct sigaction has the member sa_restorer.
    const HAS_RESTORER: bool;
    /// clone(2) takes the thread pointer behind the place for the child's number.
    const CLONE_TLS_LAST: bool;
    /// Bytes of the smallest alternate stack.
    const MIN_SIGNAL_STACK: u64;

    /// What an exception means; `fault` is that of the access, if it was one. The registers
    /// become those that a handler is to see.
    fn cause(state: &mut Self::State, e: Self::Exception, fault: Option<Fault>) -> Cause;
    /// The thread's code is left in the middle: reservations are lost.
    fn interrupted(state: &mut Self::State);
    /// Builds a frame and sets the registers for the handler.
    fn push_frame(state: &mut Self::State, mem: Mem, frame: &Frame) -> Result<(), Errno>;
    /// Takes the registers from the frame that the stack pointer points to.
    fn pop_frame(state: &mut Self::State, mem: Mem) -> Result<Restored, Errno>;
}
