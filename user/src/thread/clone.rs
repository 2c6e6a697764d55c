//! New threads and processes.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc;

use super::{Thread, calls};
use crate::host::call::plain;
use crate::host::{signals, thread};
use crate::{Errno, Isa};

/// What clone(2) and clone3(2) are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clone {
    /// CLONE flags.
    pub(super) flags: u64,
    /// What the parent gets when the child ends.
    pub(super) exit_signal: i32,
    /// The child's stack pointer, or 0 for the parent's.
    pub(super) stack: u64,
    pub(super) parent_tid: u64,
    pub(super) child_tid: u64,
    pub(super) pidfd: u64,
    pub(super) tls: u64,
}

const VM: u64 = libc::CLONE_VM as u64;
const FS: u64 = libc::CLONE_FS as u64;
const FILES: u64 = libc::CLONE_FILES as u64;
const SIGHAND: u64 = libc::CLONE_SIGHAND as u64;
const THREAD: u64 = libc::CLONE_THREAD as u64;
const SYSVSEM: u64 = libc::CLONE_SYSVSEM as u64;
const VFORK: u64 = libc::CLONE_VFORK as u64;
const SETTLS: u64 = libc::CLONE_SETTLS as u64;
const PARENT_SETTID: u64 = libc::CLONE_PARENT_SETTID as u64;
const CHILD_SETTID: u64 = libc::CLONE_CHILD_SETTID as u64;
const CHILD_CLEARTID: u64 = libc::CLONE_CHILD_CLEARTID as u64;
const PIDFD: u64 = libc::CLONE_PIDFD as u64;
const PARENT: u64 = libc::CLONE_PARENT as u64;
const NAMESPACES: u64 = (libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWUTS) as u64;
const IO: u64 = 0x8000_0000;
/// Without effect for long.
const DETACHED: u64 = 0x0040_0000;
const UNTRACED: u64 = libc::CLONE_UNTRACED as u64;
const CLEAR_SIGHAND: u64 = 1 << 32;

/// What a thread shares with its process, all of it or nothing.
const SHARED: u64 = VM | FS | FILES | SIGHAND | THREAD;
/// What may be asked for a thread.
const THREAD_FLAGS: u64 = SHARED
    | SYSVSEM
    | SETTLS
    | PARENT_SETTID
    | CHILD_SETTID
    | CHILD_CLEARTID
    | IO
    | DETACHED
    | UNTRACED;
/// What may be asked for a process.
const PROCESS_FLAGS: u64 = HOST_FLAGS
    | VM
    | VFORK
    | SETTLS
    | PARENT_SETTID
    | CHILD_SETTID
    | CHILD_CLEARTID
    | PIDFD
    | DETACHED
    | UNTRACED
    | CLEAR_SIGHAND;
/// What of it the host does as it is asked to.
const HOST_FLAGS: u64 = FS | FILES | SIGHAND | SYSVSEM | IO | PARENT | NAMESPACES;

/// Bytes of the host's stack for a guest thread, used as they are touched.
const HOST_STACK: usize = 1 << 20;

impl Clone {
    pub(super) fn run<G: Isa>(&self, t: &mut Thread<G>) -> Result<u64, Errno> {
        if self.flags & THREAD != 0 {
            if self.flags & SHARED != SHARED || self.flags & !THREAD_FLAGS != 0 {
                return Err(Errno::EINVAL);
            }
            return self.thread(t);
        }
        // What host threads have to themselves cannot be had by two processes at a time.
        let shares = self.flags & VM != 0;
        if shares && self.flags & VFORK == 0
            || self.flags & !PROCESS_FLAGS != 0
            || self.flags & (SIGHAND | CLEAR_SIGHAND) == SIGHAND | CLEAR_SIGHAND
            || !(0..=64).contains(&self.exit_signal)
        {
            return Err(Errno::EINVAL);
        }
        if shares { self.shared(t) } else { self.process(t) }
    }

    /// What the host's clone(2) gets: flags and exit signal.
    fn host_flags(&self) -> u64 {
        self.flags & (HOST_FLAGS | VFORK) | self.exit_signal as u64
    }

    /// The child's registers.
    fn state<G: Isa>(&self, t: &mut Thread<G>) -> G::State {
        let mut state = t.state().clone();
        G::set_result(&mut state, 0);
        if self.stack != 0 {
            G::set_sp(&mut state, self.stack);
        }
        if self.flags & SETTLS != 0 {
            G::set_tp(&mut state, self.tls);
        }
        G::interrupted(&mut state);
        state
    }

    fn thread<G: Isa>(&self, t: &mut Thread<G>) -> Result<u64, Errno> {
        let state = self.state(t);
        let vcpu = t.process.machine.add_vcpu(state).ok_or(Errno::EAGAIN)?;
        let (process, dispatch, asked) = (t.process.clone(), t.dispatch, *self);
        let mask = t.signals.mask;
        let (started, starting) = mpsc::channel();
        // The thread begins with all signals blocked, until it can take them.
        hold_signals()?;
        let spawned = std::thread::Builder::new().stack_size(HOST_STACK).spawn(move || {
            let mut child = Thread::with_vcpu(process, vcpu, mask, dispatch);
            asked.child(&mut child);
            // The parent waits for it.
            let _ = started.send(child.tid);
            let status = child.run();
            drop(child);
            calls::leave_host_thread(status);
        });
        let tid = spawned.map_err(|_| Errno::EAGAIN).and_then(|_| {
            let tid = starting.recv().map_err(|_| Errno::EAGAIN)?;
            Ok(tid as u64)
        });
        signals::set_mask(t.signals.mask);
        tid
    }

    /// What the child does first. Its number is stored before it runs: both places may be the one
    /// that it clears when it ends.
    fn child<G: Isa>(&self, child: &mut Thread<G>) {
        if self.flags & CHILD_SETTID != 0 {
            let _ = child.mem().write(self.child_tid, &child.tid);
        }
        if self.flags & PARENT_SETTID != 0 {
            let _ = child.mem().write(self.parent_tid, &child.tid);
        }
        if self.flags & CHILD_CLEARTID != 0 {
            child.clear_tid = self.child_tid;
        }
    }

    fn process<G: Isa>(&self, t: &mut Thread<G>) -> Result<u64, Errno> {
        let state = self.state(t);
        self.check_pidfd(t)?;
        hold_signals()?;
        hold_faults()?;
        let pid = {
            let process = t.process.clone();
            // Whatever threads change together stands still.
            let actions = process.actions.lock();
            let space = process.space.pause();
            let forked =
                process.machine.stand_still().map_err(|_| Errno::EAGAIN).and_then(|engine| {
                    let forked = self.fork(process.threads.load(SeqCst));
                    if forked == Ok(0) {
                        engine.resume_in_child(t.vcpu.core().index);
                    }
                    forked
                });
            drop(space);
            drop(actions);
            forked
        };
        signals::set_mask(u64::MAX);
        match pid {
            Ok(0) => {
                t.became_child();
                *t.state() = state;
                if self.flags & CLEAR_SIGHAND != 0 {
                    t.process.actions.reset();
                }
                self.child_process(t);
                signals::set_mask(t.signals.mask);
                Err(Errno::NO_RESULT)
            }
            Ok(pid) => {
                if self.flags & PARENT_SETTID != 0 {
                    let _ = t.mem().write(self.parent_tid, &pid);
                }
                self.give_pidfd(t, pid);
                signals::set_mask(t.signals.mask);
                Ok(pid as u64)
            }
            Err(e) => {
                signals::set_mask(t.signals.mask);
                Err(e)
            }
        }
    }

    fn child_process<G: Isa>(&self, t: &mut Thread<G>) {
        if self.flags & CHILD_SETTID != 0 {
            let _ = t.mem().write(self.child_tid, &t.tid);
        }
        t.clear_tid = if self.flags & CHILD_CLEARTID != 0 { self.child_tid } else { 0 };
    }

    /// The host's part. The C library must know of a fork beside other threads, and can be asked
    /// for one kind only: there the end is always told by SIGCHLD.
    fn fork(&self, threads: u32) -> Result<i32, Errno> {
        match self.host_flags() {
            flags if flags == libc::SIGCHLD as u64 => thread::fork(),
            flags if threads == 1 => thread::fork_with(flags),
            flags if flags & !0xff == 0 => thread::fork(),
            _ => Err(Errno::EINVAL),
        }
    }

    /// The place for a descriptor must be there before there is a process.
    fn check_pidfd<G: Isa>(&self, t: &Thread<G>) -> Result<(), Errno> {
        if self.flags & PIDFD == 0 { Ok(()) } else { t.mem().write(self.pidfd, &u32::MAX) }
    }

    fn give_pidfd<G: Isa>(&self, t: &Thread<G>, pid: i32) {
        if self.flags & PIDFD == 0 {
            return;
        }
        // The child may be gone already if nobody is to be told of its end.
        if let Ok(fd) = plain(libc::SYS_pidfd_open, [pid as u64, 0, 0, 0, 0, 0]) {
            let _ = t.mem().write(self.pidfd, &(fd as u32));
        }
    }

    /// A process in the same memory, for whose end or program the thread waits. The host does the
    /// same, so that the child has what is the thread's to itself.
    fn shared<G: Isa>(&self, t: &mut Thread<G>) -> Result<u64, Errno> {
        let state = self.state(t);
        let vcpu = t.process.machine.add_vcpu(state).ok_or(Errno::EAGAIN)?;
        self.check_pidfd(t)?;
        let process = t.process.beside(self.flags & SIGHAND != 0);
        hold_signals()?;
        hold_faults()?;
        let mut child = Thread::with_vcpu(process, vcpu, t.signals.mask, t.dispatch);
        child.signals.stack = t.signals.stack;
        let forked = thread::vfork(self.host_flags(), &mut || {
            signals::set_mask(u64::MAX);
            child.became_child();
            if self.flags & CLEAR_SIGHAND != 0 {
                child.process.actions.reset();
            }
            self.child(&mut child);
            child.run()
        });
        // With what it has left of a call that did not come back.
        drop(child);
        signals::forget();
        signals::attach(t.vcpu.core().signals().request_word());
        if let Ok(pid) = forked {
            self.give_pidfd(t, pid);
        }
        signals::set_mask(t.signals.mask);
        forked.map(|pid| pid as u64)
    }
}

/// Blocks all signals. One that has come already is delivered first: it is not the child's.
fn hold_signals() -> Result<(), Errno> {
    signals::set_mask(u64::MAX);
    if signals::is_pending() { Err(Errno::RESTART) } else { Ok(()) }
}

/// The same for those that faults raise: somebody may send one to either process, which must have it
/// then, and the other not.
fn hold_faults() -> Result<(), Errno> {
    signals::block_all();
    if signals::is_pending() {
        signals::set_mask(u64::MAX);
        return Err(Errno::RESTART);
    }
    Ok(())
}
