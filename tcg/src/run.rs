//! The dispatcher: finds the code of the next program counter and runs it, interpreted or
//! translated, until somebody asks the vCPU to stop.

use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use crate::cache::Block;
use crate::guest::Guest;
use crate::interp::{self, Ended, fields};
use crate::jit::Exit;
use crate::jit::cell::CoreRef;
use crate::learnt::{KNOWN, KNOWN_RUNS};
use crate::machine::Machine;
use crate::vcpu::{Core, Work, request};

/// Why [`Vcpu::run`] returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop<E> {
    /// It was asked to.
    Kicked,
    /// User mode: the instruction at the program counter raised this, and was not begun.
    Exception(E),
    /// No instruction can be fetched, not even that of the trap handler; says where.
    Crashed(String),
}

/// Fetches that may fail in a row: a handler whose own first instruction cannot be fetched
/// never gets further.
const FAILED_FETCHES: u32 = 16;

/// A vCPU, to be run by one thread.
pub struct Vcpu<G: Guest> {
    pub(crate) core: CoreRef<G>,
    pub(crate) machine: Arc<Machine<G>>,
}

impl<G: Guest> Machine<G> {
    /// The vCPU of that number, in the given state; `None` if it is out already. `parked`: it
    /// stands still until another one starts it.
    pub fn vcpu(self: &Arc<Self>, index: u32, state: G::State, parked: bool) -> Option<Vcpu<G>> {
        let mut core =
            self.cell(index).take(|tables| Core::new(self.clone(), tables, index, state))?;
        if parked {
            G::park(core.get());
        }
        G::adopt(core.get());
        Some(Vcpu { core, machine: self.clone() })
    }
}

impl<G: Guest> Vcpu<G> {
    /// The registers and the rest.
    pub fn core(&mut self) -> &mut Core<G> {
        self.core.get()
    }

    /// The registers, and what other vCPUs asked of this one is done.
    pub fn state(&mut self) -> &G::State {
        let core = self.core.get();
        core.do_work();
        &core.state
    }

    /// Replaces the registers.
    pub fn set_state(&mut self, state: G::State) {
        let core = self.core.get();
        core.state = state;
        G::adopt(core);
    }

    /// It stands still until another one starts it.
    pub fn parked(&mut self) -> bool {
        G::parked(self.core.get())
    }

    /// Runs until [`request::KICK`] is raised, or the guest can only fault for ever.
    /// In user mode, also until an instruction raises an exception.
    pub fn run(&mut self) -> Stop<G::Exception> {
        if self.machine.memory.is_some() {
            return self.run_user();
        }
        let machine = self.machine.clone();
        let signals = machine.signals(self.core.get().index);
        signals.set_inside(true);
        self.core.get().enter_run();
        let stop = loop {
            if self.core.get().attend() {
                break Stop::Kicked;
            }
            if let Some(stop) = self.step() {
                break stop;
            }
        };
        self.core.get().raise_fp_flags();
        signals.set_inside(false);
        stop
    }

    /// Runs one block, or translated code until it comes back.
    #[inline]
    pub(crate) fn step(&mut self) -> Option<Stop<G::Exception>> {
        let core = self.core.get();
        let pc = fields::read::<G>(&core.state, G::PC);
        match core.jump_table().code(pc) {
            Some(code) if !core.interpret => {
                core.failed_fetches = 0;
                self.run_code(code);
                None
            }
            _ => self.step_cold(pc),
        }
    }

    /// The same for a block that seems to have no code, or is to be interpreted.
    fn step_cold(&mut self, pc: u64) -> Option<Stop<G::Exception>> {
        let core = self.core.get();
        if core.alone.take() == Some(pc) {
            core.interpret = false;
            self.run_alone();
            return None;
        }
        let space = core.fetch_space;
        let block = match core.lend(pc) {
            Ok(block) => block,
            Err(e) => {
                core.deliver(e);
                core.look_again();
                return core.fetch_failed(pc, e);
            }
        };
        core.failed_fetches = 0;
        let code = match block.code() {
            _ if std::mem::take(&mut core.interpret) => 0,
            0 => core.warm(&block),
            code => code,
        };
        if code != 0 {
            self.run_code(code);
            return None;
        }
        core.raise_fp_flags();
        if interp::run(core, &block) == Ended::Resync {
            core.look_again();
        }
        core.give_back(space, block);
        None
    }

    pub(crate) fn run_code(&mut self, code: u64) {
        let Some(native) = &self.machine.cache.native else {
            return;
        };
        self.core.get().sync_fp_control();
        let exit = native.enter(&mut self.core, code);
        let core = self.core.get();
        match exit {
            Exit::Jump | Exit::Request => {}
            Exit::Chain => self.chain(),
            Exit::Resync => core.look_again(),
            Exit::Interpret | Exit::Fault => core.interpret = true,
            Exit::Call => {
                core.raise_fp_flags();
                if let Err(e) = native.finish_call(core) {
                    core.deliver(e);
                }
            }
            Exit::Exception | Exit::Raised => {
                core.raise_fp_flags();
                if let Some(e) = core.raised.take() {
                    core.deliver(e);
                }
                if core.direct {
                    return;
                }
                core.look_again();
            }
        }
    }

    /// Translated code ended in a jump to a known address of its own page: makes it go straight
    /// to that code from now on, if there is some.
    fn chain(&mut self) {
        let core = self.core.get();
        let site = core.hot.exit[0];
        let pc = fields::read::<G>(&core.state, G::PC);
        if core.signals().request.load(Relaxed) != 0 {
            return;
        }
        let space = core.fetch_space;
        let Ok(block) = core.lend(pc) else {
            return;
        };
        let code = match block.code() {
            0 => core.warm(&block),
            code => code,
        };
        if let (Some(native), 1..) = (&self.machine.cache.native, code) {
            native.chain(site, code);
        }
        self.core.get().give_back(space, block);
    }
}

impl<G: Guest> Core<G> {
    /// Before the first block: whatever was done to the state meanwhile is taken in.
    fn enter_run(&mut self) {
        self.do_work();
        self.sync_spaces();
        self.signals().request.fetch_or(request::INTERRUPT, SeqCst);
    }

    /// Counts fetches that fail in a row.
    fn fetch_failed(&mut self, pc: u64, e: G::Exception) -> Option<Stop<G::Exception>> {
        self.failed_fetches += 1;
        (self.failed_fetches > FAILED_FETCHES).then(|| {
            Stop::Crashed(format!("vCPU {} cannot fetch code at {pc:#x}: {e:?}", self.index))
        })
    }

    /// Looks after requests; true if the vCPU was asked to return.
    pub(crate) fn attend(&mut self) -> bool {
        let machine = self.machine.clone();
        let signals = machine.signals(self.index);
        loop {
            let asked = match signals.request.load(Relaxed) {
                0 => 0,
                _ => signals.request.swap(0, SeqCst),
            };
            if asked & request::WORK != 0 {
                self.do_work();
            }
            if asked & request::INTERRUPT != 0 {
                self.look(true);
            }
            if asked & request::KICK != 0 {
                return true;
            }
            if asked == 0 && !G::halted(self) {
                return false;
            }
            if G::halted(self) {
                signals.set_inside(false);
                signals.wait();
                signals.set_inside(true);
                self.do_work();
            }
        }
    }

    /// The state may have changed in any way: interrupts, spaces, mode.
    pub(crate) fn look_again(&mut self) {
        self.look(false);
    }

    fn look(&mut self, signalled: bool) {
        self.stale = false;
        self.hot.resync = 0;
        G::interrupt(self, signalled);
        self.sync_spaces();
    }

    /// Counts a run of a block without code, and translates it when it is hot; gives its code,
    /// or 0.
    fn warm(&mut self, block: &Arc<Block<G>>) -> u64 {
        // Not as one operation, which would take longer than to run most blocks' instructions: what
        // others count at the same moment may be lost.
        let hits = block.hits.load(Relaxed);
        block.hits.store(hits.wrapping_add(1), Relaxed);
        let hot = match hits.checked_sub(KNOWN) {
            None => hits >= self.machine.threshold,
            Some(hits) => hits >= KNOWN_RUNS.min(self.machine.threshold),
        };
        if !hot || self.machine.waits(block.insns()) {
            return 0;
        }
        let machine = self.machine.clone();
        let Some(native) = &machine.cache.native else {
            return 0;
        };
        self.recall();
        let code = native.compile(&machine.cache, block, &mut || self.page_of_code(&block.key));
        if code == 0 && native.make_room(&machine.cache) {
            self.forget_code();
            machine.broadcast(self, Work::ForgetCode);
            native.settled();
        }
        if code != 0 {
            if let Some(learnt) = &machine.cache.learnt {
                learnt.translated(block);
            }
            self.enter_jump(block);
        }
        code
    }
}
