//! A guest thread on its host thread.

pub mod calls;
mod clone;
mod robust;

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use tcg::Stop;

use crate::host::{signals, thread};
use crate::signal::{Cause, Signals, fault_info};
use crate::syscalls::exec;
use crate::{Errno, Isa, Mem, Process};

/// Makes a system call of a thread, by number.
pub type Dispatch<G> = fn(&mut Thread<G>, u64, [u64; 6]) -> Result<u64, Errno>;

/// A guest thread; belongs to the host thread that runs it.
pub struct Thread<G: Isa> {
    /// The process.
    pub process: Arc<Process<G>>,
    /// Its registers, and what executes them.
    pub vcpu: tcg::Vcpu<G>,
    /// The thread's number, as the host's kernel has it.
    pub tid: i32,
    pub(crate) signals: Signals,
    /// Where its number is cleared when it ends, or 0.
    pub(crate) clear_tid: u64,
    /// Its list of robust futexes, or 0.
    pub(crate) robust_list: u64,
    /// The call that runs another program, while it is made.
    pub(crate) exec: Option<exec::Call>,
    /// It has ended, with this status.
    pub(crate) ended: Option<i32>,
    dispatch: Dispatch<G>,
}

impl<G: Isa> Thread<G> {
    /// The first thread of a process, on this host thread. `None` if there is no room for it.
    pub fn first(
        process: &Arc<Process<G>>,
        state: G::State,
        dispatch: Dispatch<G>,
    ) -> Option<Self> {
        let vcpu = process.machine.add_vcpu(state)?;
        // What the program that started us had blocked stays blocked.
        let mask = signals::set_mask(u64::MAX);
        Some(Self::with_vcpu(process.clone(), vcpu, mask, dispatch))
    }

    fn with_vcpu(
        process: Arc<Process<G>>,
        mut vcpu: tcg::Vcpu<G>,
        mask: u64,
        dispatch: Dispatch<G>,
    ) -> Self {
        process.threads.fetch_add(1, SeqCst);
        signals::attach(vcpu.core().signals().request_word());
        let signals = Signals { mask, ..Signals::default() };
        Self {
            process,
            vcpu,
            tid: thread::id(),
            signals,
            clear_tid: 0,
            robust_list: 0,
            exec: None,
            ended: None,
            dispatch,
        }
    }

    /// After a fork: this is the only thread of the new process.
    fn became_child(&mut self) {
        self.tid = thread::id();
        self.robust_list = 0;
        self.signals.held.clear();
        self.process.threads.store(1, SeqCst);
    }

    /// The registers.
    pub fn state(&mut self) -> &mut G::State {
        &mut self.vcpu.core().state
    }

    /// The process's memory.
    pub fn mem(&self) -> Mem {
        self.process.mem
    }

    /// Runs the thread to its end; gives its status.
    pub fn run(&mut self) -> i32 {
        signals::set_mask(self.signals.mask);
        let status = loop {
            match self.vcpu.run() {
                Stop::Kicked => {}
                Stop::Exception(e) => self.exception(e),
                Stop::Crashed(_) => self.process.die(libc::SIGSEGV),
            }
            if let Some(status) = self.ended {
                break status;
            }
            if signals::is_pending() || self.signals.is_waiting() {
                self.deliver_signals();
            }
        };
        signals::set_mask(u64::MAX);
        signals::detach();
        self.leave_futexes();
        self.process.threads.fetch_sub(1, SeqCst);
        status
    }

    fn exception(&mut self, e: G::Exception) {
        let core = self.vcpu.core();
        let fault = core.fault();
        match G::cause(&mut core.state, e, fault) {
            Cause::Syscall => self.syscall(),
            Cause::Signal(signal, code, address) => {
                self.raise(signal, &fault_info(signal, code, address));
            }
        }
    }

    fn syscall(&mut self) {
        let state = &mut self.vcpu.core().state;
        let (number, args) = (G::syscall(state), G::args(state));
        let pc = G::pc(state);
        G::set_pc(state, pc.wrapping_add(G::SYSCALL_BYTES));
        match (self.dispatch)(self, number, args) {
            Ok(value) => G::set_result(self.state(), value),
            Err(Errno::NO_RESULT) => {}
            Err(Errno::RESTART) => G::set_pc(self.state(), pc),
            Err(e) => G::set_result(self.state(), e.result()),
        }
    }
}
