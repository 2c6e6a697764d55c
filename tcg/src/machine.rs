//! A machine: what its virtual CPUs share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use arch::io::{GuestIo, VcpuClock};

use crate::cache::Cache;
use crate::exclusive::Alone;
use crate::guest::Guest;
use crate::host::{HOST, Native, NativeError};
use crate::jit::Translated;
use crate::jit::cell::{Cell, Cells};
use crate::learnt::{Learning, Learnt};
use crate::mmu::pages::{CODE, WATCH, WRITERS};
use crate::mmu::ram::{Place, Ram, Slot, SlotError};
use crate::mmu::user::UserMemory;
use crate::user::{HostCalls, UserConfig};
use crate::vcpu::{Core, Signals, Work};

/// How guest code is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Interpreted until it is hot, then translated to host code.
    Jit {
        /// Runs of a block before it is translated.
        threshold: u32,
    },
    /// Interpreted always.
    Interpreter,
    /// Every instruction is turned into its list of operations, and that is executed: slow, the
    /// judge of the other two.
    Eval,
}

impl Mode {
    /// Translate what has run this often: code that runs less is cheaper to interpret.
    pub const DEFAULT_THRESHOLD: u32 = 12;
}

/// What a machine is made of.
pub struct Config {
    /// Number of vCPUs.
    pub vcpus: u32,
    /// How code is executed. On hosts without a translator everything is interpreted.
    pub mode: Mode,
    /// Bytes of host code kept at most.
    pub code_bytes: usize,
    /// What the vCPUs reach outside themselves.
    pub io: Arc<dyn GuestIo>,
    /// Guest time.
    pub clock: Arc<dyn VcpuClock>,
    /// The engine answers the guest's calls to its firmware.
    pub firmware_calls: bool,
    /// Where what is learnt about code is kept, if it is to be.
    pub learning: Option<Learning>,
}

/// Threads of a process in user mode at most: as many as Linux numbers by default.
const MAX_THREADS: u32 = 32768;

/// See the module.
pub struct Machine<G: Guest> {
    pub(crate) cells: Cells<G>,
    pub(crate) ram: Ram,
    /// User mode: the process's memory.
    pub(crate) memory: Option<Arc<dyn UserMemory>>,
    pub(crate) cache: Cache<G>,
    pub(crate) alone: Alone,
    /// Runs of a block before it is translated; `u32::MAX` never.
    pub(crate) threshold: u32,
    /// What is left of [`UserConfig::patience`].
    patience: AtomicU32,
    /// [`Mode::Eval`].
    pub(crate) eval: bool,
    /// What the vCPUs reach outside themselves.
    pub io: Arc<dyn GuestIo>,
    /// Guest time.
    pub clock: Arc<dyn VcpuClock>,
    /// The engine answers the guest's calls to its firmware.
    pub firmware_calls: bool,
    /// The guest's own.
    pub shared: G::Shared,
}

impl<G: Guest> Machine<G> {
    /// A machine without memory; its vCPUs exist, and run once [`Machine::vcpu`] gives them out.
    pub fn new(config: Config) -> Result<Arc<Self>, NativeError> {
        Self::with_memory(config, None)
    }

    pub(crate) fn with_memory(
        config: Config,
        process: Option<UserConfig>,
    ) -> Result<Arc<Self>, NativeError> {
        let calls = process.as_ref().map(|p| HostCalls::new(p.host_calls, &*p.memory));
        let patience = process.as_ref().map_or(0, |p| p.patience);
        let memory = process.map(|p| p.memory);
        let (native, threshold) = match config.mode {
            Mode::Jit { threshold } => (Native::new(config.code_bytes, calls.as_ref())?, threshold),
            Mode::Interpreter | Mode::Eval => (None, u32::MAX),
        };
        if let Some(native) = native.as_ref().filter(|_| config.vcpus > 1) {
            native.lock();
        }
        let threshold = if native.is_some() { threshold } else { u32::MAX };
        let kind = if memory.is_some() { "program" } else { "machine" };
        let learning = config.learning.filter(|_| native.is_some());
        let learnt = learning.map(|learning| Learnt::new::<G>(learning, kind, HOST));
        Ok(Arc::new(Self {
            cells: Cells::new(
                config.vcpus,
                if memory.is_some() { MAX_THREADS } else { config.vcpus },
            ),
            ram: Ram::default(),
            memory,
            cache: Cache::new(native, learnt),
            alone: Alone::default(),
            threshold,
            patience: AtomicU32::new(patience),
            eval: config.mode == Mode::Eval,
            io: config.io,
            clock: config.clock,
            firmware_calls: config.firmware_calls,
            shared: G::Shared::default(),
        }))
    }

    /// From now on others may access the same memory while a vCPU executes an instruction: another
    /// process, if it is shared. Until then, and as long as there is one vCPU, translated code leaves out
    /// what keeps them apart. No vCPU is inside `run`.
    pub fn share_memory(&self) {
        if let Some(native) = &self.cache.native {
            native.lock();
        }
    }

    /// Whether a hot block of so many instructions is not to be translated yet. Threads that ask at
    /// the same time may be counted as one.
    #[inline]
    pub(crate) fn waits(&self, insns: u32) -> bool {
        let left = self.patience.load(Relaxed);
        if left != 0 {
            self.patience.store(left.saturating_sub(insns), Relaxed);
        }
        left != 0
    }

    /// Number of vCPUs.
    pub fn vcpus(&self) -> u32 {
        self.cells.len()
    }

    /// Adds memory.
    pub fn map(&self, slot: Slot) -> Result<(), SlotError> {
        self.ram.map(slot)
    }

    /// Keeps what was learnt about code, if there is enough that is new. To be called at the end:
    /// it takes a millisecond.
    pub fn keep_learnt(&self) {
        self.cache.keep_learnt();
    }

    /// What was translated so far; nothing if nothing can be.
    pub fn translated(&self) -> Translated {
        self.cache.native.as_ref().map_or_else(Translated::default, Native::translated)
    }

    /// What any thread may touch of a vCPU.
    pub fn signals(&self, vcpu: u32) -> &Signals<G> {
        self.cells.get(vcpu).signals()
    }

    pub(crate) fn cell(&self, vcpu: u32) -> &Arc<Cell<G>> {
        self.cells.get(vcpu)
    }

    /// Somebody other than a vCPU (a device) wrote `len` bytes of guest memory at `gpa`: code
    /// made from them is dropped.
    pub fn written(&self, gpa: u64, len: usize) {
        if self.memory.is_some() {
            return self.cache.invalidate_pages(gpa, len as u64);
        }
        let mut at = gpa;
        let end = gpa.saturating_add(len as u64);
        while at < end {
            let next = ((at | crate::mmu::PAGE_MASK) + 1).min(end);
            if let Some(place) = self.ram.find(at)
                && place.pages.get(place.offset) & CODE != 0
            {
                self.stored_to_code(at, next - at, &place);
            }
            at = next;
        }
    }

    /// Reports every store to the page of `gpa` to [`GuestIo::watched`]. To be called before the
    /// vCPUs run; false if there is no memory at `gpa`.
    #[must_use]
    pub fn watch(&self, gpa: u64) -> bool {
        self.ram.find(gpa).is_some_and(|place| {
            let before = place.pages.add(place.offset, WATCH);
            debug_assert_eq!(before & WRITERS, 0, "watched before the vCPUs run");
            true
        })
    }

    /// Has all other vCPUs do `work`, and waits until each has, or is where it will do so before
    /// it uses anything cached.
    pub(crate) fn broadcast(&self, from: &mut Core<G>, work: Work<G>) {
        self.send(from, |_| true, &work);
    }

    /// Sends a request of the guest's to the vCPUs in `mask`, waiting as [`Self::broadcast`].
    pub fn remote(&self, from: &mut Core<G>, mask: u64, request: G::Remote) {
        let asked = |v| mask.checked_shr(v).is_some_and(|rest| rest & 1 != 0);
        self.send(from, asked, &Work::Remote(request.clone()));
        if asked(from.index) {
            G::remote(from, request);
        }
    }

    fn send(&self, from: &mut Core<G>, asked: impl Fn(u32) -> bool, work: &Work<G>) {
        let targets = (0..self.vcpus()).filter(|&v| v != from.index && asked(v));
        let tickets: Vec<_> = targets.map(|v| (v, self.signals(v).post(work.clone()))).collect();
        for (vcpu, ticket) in tickets {
            while !self.signals(vcpu).settled(ticket) {
                // It may be waiting for us in turn.
                from.do_work();
                std::thread::yield_now();
            }
        }
    }

    /// After a store to memory that code was made from.
    pub(crate) fn stored_to_code(&self, gpa: u64, len: u64, place: &Place) -> bool {
        let clear = || {
            place.pages.remove(place.offset, CODE);
        };
        self.cache.invalidate(gpa, len, clear)
    }
}
