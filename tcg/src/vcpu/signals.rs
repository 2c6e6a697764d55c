//! What other threads may touch of a vCPU.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Release, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::guest::Guest;

/// Reasons to leave translated code, in [`Signals::request`].
pub mod request {
    /// Return to the caller of `run`.
    pub const KICK: u32 = 1;
    /// An interrupt line or a timer changed.
    pub const INTERRUPT: u32 = 2;
    /// Another vCPU queued work.
    pub const WORK: u32 = 4;
}

/// Work that one thread asks of a vCPU at its next safe point.
pub(crate) enum Work<G: Guest> {
    /// Stores to this host page go through the slow path from now on.
    Protect(u64),
    /// Code was dropped: forget where it was.
    ForgetCode,
    /// The guest's own.
    Remote(G::Remote),
}

// Not derived: that would ask for `G: Clone`.
impl<G: Guest> Clone for Work<G> {
    fn clone(&self) -> Self {
        match self {
            Work::Protect(host_page) => Work::Protect(*host_page),
            Work::ForgetCode => Work::ForgetCode,
            Work::Remote(r) => Work::Remote(r.clone()),
        }
    }
}

/// The queue of a vCPU while nobody changes it.
pub(crate) struct QueueGuard<'a, G: Guest> {
    _queue: MutexGuard<'a, Queue<G>>,
}

struct Queue<G: Guest> {
    work: Vec<Work<G>>,
    taken: u64,
    queued: u64,
}

/// The part of a vCPU that any thread may touch.
#[repr(C, align(64))]
pub struct Signals<G: Guest> {
    /// Not zero: leave translated code at the next check. First, for translated code.
    pub(crate) request: AtomicU32,
    /// The thread is inside `run` and may use what it has cached.
    inside: AtomicBool,
    /// It is, but stands still while another runs alone.
    standing: AtomicBool,
    /// Interrupt lines as driven by devices, numbered by the guest.
    pub lines: AtomicU64,
    queue: Mutex<Queue<G>>,
    wake: Condvar,
}

impl<G: Guest> Default for Signals<G> {
    fn default() -> Self {
        Self {
            request: AtomicU32::new(0),
            inside: AtomicBool::new(false),
            standing: AtomicBool::new(false),
            lines: AtomicU64::new(0),
            queue: Mutex::new(Queue { work: Vec::new(), taken: 0, queued: 0 }),
            wake: Condvar::new(),
        }
    }
}

impl<G: Guest> Signals<G> {
    /// Where [`Self::set_inside`] says it, for translated code: a byte.
    pub(crate) const INSIDE: usize = std::mem::offset_of!(Self, inside);

    fn queue(&self) -> MutexGuard<'_, Queue<G>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn stand_still(&self) -> QueueGuard<'_, G> {
        QueueGuard { _queue: self.queue() }
    }

    /// Makes the vCPU look at `why` soon, waking it if it is halted.
    pub fn raise(&self, why: u32) {
        self.request.fetch_or(why, SeqCst);
        drop(self.queue());
        self.wake.notify_all();
    }

    /// Drives an interrupt line.
    pub fn set_line(&self, line: u32, level: bool) {
        let bit = 1 << line;
        let before = if level {
            self.lines.fetch_or(bit, SeqCst)
        } else {
            self.lines.fetch_and(!bit, SeqCst)
        };
        if (before & bit != 0) != level {
            self.raise(request::INTERRUPT);
        }
    }

    /// Queues work; gives the ticket to wait for.
    pub(crate) fn post(&self, work: Work<G>) -> u64 {
        let mut queue = self.queue();
        queue.work.push(work);
        queue.queued += 1;
        let ticket = queue.queued;
        drop(queue);
        self.raise(request::WORK);
        ticket
    }

    /// The work up to `ticket` is done, or will be before anything cached is used again.
    pub(crate) fn settled(&self, ticket: u64) -> bool {
        !self.inside.load(SeqCst) || self.queue().taken >= ticket
    }

    /// The work that is queued, and the ticket of the last of it.
    pub(super) fn take_work(&self) -> (Vec<Work<G>>, u64) {
        let mut queue = self.queue();
        (std::mem::take(&mut queue.work), queue.queued)
    }

    /// All work up to `ticket` is done.
    pub(super) fn work_is_done(&self, ticket: u64) {
        self.queue().taken = ticket;
    }

    /// Says whether the thread waits for another that runs alone.
    pub(super) fn set_standing(&self, standing: bool) {
        self.standing.store(standing, SeqCst);
    }

    /// It executes nothing of the guest's, nor will before it has seen that another runs alone.
    pub(crate) fn stands_still(&self) -> bool {
        !self.inside.load(SeqCst) || self.standing.load(SeqCst)
    }

    /// Says whether the thread may use what it has cached. After entering, queued work comes
    /// first.
    pub(crate) fn set_inside(&self, inside: bool) {
        self.inside.store(inside, SeqCst);
    }

    /// Makes the vCPU return from `run` soon. For signal handlers too: does not wake a halted
    /// vCPU, which there is none of in user mode.
    pub fn kick(&self) {
        self.request.fetch_or(request::KICK, SeqCst);
    }

    /// The word that [`Self::kick`] sets [`request::KICK`] in, for signal handlers.
    pub fn request_word(&self) -> &AtomicU32 {
        &self.request
    }

    /// The thread uses nothing cached from here on.
    pub(crate) fn leave(&self) {
        self.standing.store(false, Release);
        self.inside.store(false, Release);
    }

    /// Blocks until a request is raised.
    pub(crate) fn wait(&self) {
        let mut queue = self.queue();
        while self.request.load(SeqCst) == 0 {
            queue = self.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
