//! Running a process in user mode: vCPUs that come and go, and exceptions that end a run.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use arch::io::VcpuClock;

use crate::absent::NoDevices;
use crate::guest::Guest;
use crate::host::{NativeError, direct};
use crate::learnt::Learning;
use crate::machine::{Config, Machine, Mode};
use crate::mmu::user::UserMemory;
use crate::run::{Stop, Vcpu};
use crate::vcpu::Core;

/// What a process is made of.
pub struct UserConfig {
    /// How code is executed.
    pub mode: Mode,
    /// Bytes of host code kept at most.
    pub code_bytes: usize,
    /// Instructions that blocks that are hot execute in the interpreter nevertheless, before the
    /// first one is translated: a program that ends soon is done by then, and the translator would
    /// have taken longer to come into memory than it saves.
    pub patience: u32,
    /// Its address space.
    pub memory: Arc<dyn UserMemory>,
    /// Its time, for counters that it may read.
    pub clock: Arc<dyn VcpuClock>,
    /// By the guest's numbers of system calls, the host's of those that its kernel may get as they
    /// are; -1 for all others. Translated code makes them itself.
    pub host_calls: &'static [i16],
    /// Where what is learnt about code is kept, if it is to be.
    pub learning: Option<Learning>,
}

/// What translated code needs to know to make system calls of the host.
#[cfg_attr(not(translator), expect(dead_code, reason = "translators alone use it"))]
pub(crate) struct HostCalls {
    /// [`UserConfig::host_calls`].
    pub(crate) numbers: &'static [i16],
    /// Address of [`UserMemory::code_pages`].
    pub(crate) code_pages: u64,
}

impl HostCalls {
    /// `memory` must be there as long as code is run that is made with this.
    pub(crate) fn new(numbers: &'static [i16], memory: &dyn UserMemory) -> Self {
        Self { numbers, code_pages: std::ptr::from_ref(memory.code_pages()) as u64 }
    }
}

/// A process cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// No accessors for this host.
    #[error("programs of other architectures can be run on x86-64 hosts only, as yet")]
    Host,
    /// No translator.
    #[error(transparent)]
    Native(#[from] NativeError),
}

/// Where the host's program counter may be when a guest access faults. For signal handlers: plain
/// numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct CodeRange {
    start: u64,
    len: u64,
    fault: u64,
    /// From where to where a system call is about to be made, and where it is not.
    call: Labels,
    /// Where many elements are moved, and where that is broken off.
    bulk: Labels,
}

/// A part of the code, and where a thread goes on that is not to stay there.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Labels {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) restart: u64,
}

/// Where a host thread goes on after a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// Host program counter.
    pub pc: u64,
    /// Value of the host's first result register (rax).
    pub first: u64,
    /// Value of the host's second result register (rdx).
    pub second: u64,
}

impl Labels {
    fn leave(&self, pc: u64) -> Option<u64> {
        (self.start..self.end).contains(&pc).then_some(self.restart)
    }
}

impl CodeRange {
    /// Where to go on after a fault of a host instruction; `None` if the fault is not a guest's.
    /// `signal`, `code` and `address` are those of the host's signal. Safe in signal handlers.
    pub fn catch(&self, pc: u64, signal: i32, code: i32, address: u64) -> Option<Redirect> {
        if let Some(pc) = self.bulk.leave(pc) {
            return Some(Redirect { pc, first: 0, second: 0 });
        }
        if pc.wrapping_sub(self.start) < self.len {
            return Some(Redirect { pc: self.fault, first: pc, second: 0 });
        }
        let landing = direct::landing(pc)?;
        let fault = (signal as u64) << 32 | u64::from(code as u32);
        Some(Redirect { pc: landing, first: address, second: fault })
    }

    /// Where a thread goes on that was about to make a system call in translated code, so that it
    /// is not made. Safe in signal handlers.
    #[cfg_attr(not(translator), expect(dead_code, reason = "translators alone use it"))]
    pub(crate) fn restart(&self, pc: u64) -> Option<u64> {
        self.call.leave(pc)
    }
}

impl<G: Guest> Machine<G> {
    /// A process without threads.
    pub fn user(config: UserConfig) -> Result<Arc<Self>, UserError> {
        if !direct::AVAILABLE {
            return Err(UserError::Host);
        }
        let all = Config {
            vcpus: 0,
            mode: config.mode,
            code_bytes: config.code_bytes,
            io: Arc::new(NoDevices),
            clock: config.clock.clone(),
            firmware_calls: false,
            learning: config.learning.clone(),
        };
        Ok(Self::with_memory(all, Some(config))?)
    }

    /// A vCPU for one more thread; `None` if there are too many.
    pub fn add_vcpu(self: &Arc<Self>, state: G::State) -> Option<Vcpu<G>> {
        let mut core = self
            .cells
            .vacant(|tables, index| Core::new(self.clone(), tables, index, state.clone()))?;
        // The first is number 0, and before another begins nobody runs.
        if core.get().index != 0 {
            self.share_memory();
        }
        Some(Vcpu { core, machine: self.clone() })
    }

    /// Where faults of guest accesses come from.
    pub fn code_range(&self) -> CodeRange {
        let native = self.cache.native.as_ref();
        native.map_or_else(CodeRange::default, |n| {
            let (start, len, fault) = n.code_range();
            CodeRange { start, len, fault, call: n.call_labels(), bulk: n.bulk_labels() }
        })
    }
}

impl<G: Guest> Vcpu<G> {
    /// [`Vcpu::run`] in user mode. A system call is an exception out of here and the way back in,
    /// so both are kept short.
    pub(crate) fn run_user(&mut self) -> Stop<G::Exception> {
        self.core.signals().set_inside(true);
        // Before anything cached is used: a signal frame may have been restored.
        self.core.get().sync_mode();
        let stop = loop {
            if self.core.signals().request.load(Relaxed) != 0 && self.core.get().attend() {
                break Stop::Kicked;
            }
            if let Some(stop) = self.step() {
                break stop;
            }
            if let Some(e) = self.core.get().stopped.take() {
                break Stop::Exception(e);
            }
        };
        self.core.get().raise_fp_flags();
        self.core.signals().leave();
        stop
    }
}
