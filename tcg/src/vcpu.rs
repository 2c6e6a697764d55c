//! A virtual CPU: its state, and what the engine keeps beside it.
//!
//! [`Core`] belongs to the thread that runs the vCPU. [`Signals`] is what other threads may
//! touch: it lies in front of the core in one allocation ([`crate::jit::cell`]), so that
//! translated code reaches both from one register.

mod signals;

use std::sync::Arc;

pub(crate) use signals::{QueueGuard, Work};
pub use signals::{Signals, request};

use crate::cache::build::CodePages;
use crate::cache::jumps::{self, Jumps};
use crate::cache::{Block, Predecoded};
use crate::guest::Guest;
use crate::jit::cell::TablesPlace;
use crate::jit::groups;
use crate::machine::Machine;
use crate::mmu::ram::{self, Place, Slots};
use crate::mmu::tlb::{Fetches, Tlb};
use crate::mmu::user::Fault;

/// [`Hot::resync`]: interrupts, spaces and mode may have changed.
pub(crate) const RESYNC: u64 = 1;
/// [`Hot::resync`]: everything is up to date, but the next instruction's code may be elsewhere.
pub(crate) const LOOK_UP: u64 = 2;

/// Places for vectors that did not fit into host registers.
pub(crate) const SPILL_VECTORS: usize = 24;

/// Engine state that translated code reads and writes, at fixed places.
#[repr(C)]
pub struct Hot {
    /// Key of the data space, in the low bits of TLB tags.
    pub(crate) key: u64,
    /// The jump table of the fetch space.
    pub(crate) jumps: u64,
    /// A helper asked for a look at everything ([`RESYNC`]), or for a look-up of the next
    /// instruction ([`LOOK_UP`]).
    pub(crate) resync: u64,
    /// The SSE control word of the guest while translated code runs; its sticky flags are the
    /// guest's, not yet raised.
    pub(crate) guest_mxcsr: u32,
    /// Ours.
    pub(crate) host_mxcsr: u32,
    /// Host registers around calls: the scratch home of register-allocated values.
    pub(crate) saved: [u64; 16],
    /// The same for vector registers.
    pub(crate) saved_vec: [u128; 16],
    /// Values that did not fit into host registers, inside one instruction.
    pub(crate) spill: [u64; 16],
    /// The same for vector registers; also arguments and results of calls.
    pub(crate) spill_vec: [u128; SPILL_VECTORS],
    /// What groups of accesses share ([`crate::jit::groups`]).
    pub(crate) groups: [u64; groups::SLOTS],
    /// Details of the last exit (see [`crate::jit::Exit`]).
    pub(crate) exit: [u64; 2],
    /// Pinned guest registers while their host's register is another's.
    pub(crate) parked: [u64; 8],
}

/// A jump table and what it is for.
struct Table<G: Guest> {
    /// Fetch space and mode.
    of: (u64, u32),
    /// When it was turned to last.
    turn: u64,
    jumps: Jumps<G>,
}

/// A vCPU as its own thread sees it.
#[repr(C, align(64))]
pub struct Core<G: Guest> {
    /// The registers. First: translated code addresses them most.
    pub state: G::State,
    pub(crate) hot: Hot,
    pub(crate) tlb: Tlb,
    /// The guest's own extras.
    pub local: G::Local,
    /// Number of this vCPU.
    pub index: u32,
    /// The machine it belongs to.
    pub machine: Arc<Machine<G>>,
    pub(crate) data_space: u64,
    /// Fetch space and mode: what selects the jump table.
    pub(crate) fetch_space: (u64, u32),
    /// [`Guest::owner`].
    owner: u64,
    pub(crate) fetches: Fetches,
    /// Code as it was read last.
    pub(crate) pages: CodePages<G>,
    /// Where instructions of a new block are collected.
    pub(crate) insns: Vec<Predecoded<G::Insn>>,
    /// Shared spaces with something of the present owner alone.
    private: Vec<u64>,
    /// Jump tables.
    jumps: Vec<Table<G>>,
    /// Counts changes of the jump table.
    turns: u64,
    /// Index of the present one.
    table: usize,
    slots: Slots,
    slots_version: u64,
    /// An exception raised by a helper under translated code.
    pub(crate) raised: Option<G::Exception>,
    /// Code of the running block was dropped, or the mode may have changed: look again before
    /// going on.
    pub(crate) stale: bool,
    /// Fetches that failed in a row.
    pub(crate) failed_fetches: u32,
    /// The next block is interpreted, whether it has code or not.
    pub(crate) interpret: bool,
    /// The instruction there, and what follows, are to be run alone ([`crate::exclusive`]).
    pub(crate) alone: Option<u64>,
    /// User mode: guest addresses are host addresses.
    pub(crate) direct: bool,
    /// User mode: the exception that ends the run.
    pub(crate) stopped: Option<G::Exception>,
    /// User mode: the last access that faulted.
    pub(crate) fault: Option<Fault>,
}

/// The sticky flags of the SSE unit.
pub(crate) const MXCSR_FLAGS: u32 = 0x3f;
/// All exceptions masked.
const MXCSR_MASKS: u32 = 0x1f80;

impl<G: Guest> Core<G> {
    pub(crate) fn new(
        machine: Arc<Machine<G>>,
        tables: TablesPlace,
        index: u32,
        state: G::State,
    ) -> Self {
        let machine_is_user = machine.memory.is_some();
        Self {
            state,
            hot: Hot {
                key: 0,
                jumps: 0,
                resync: 0,
                guest_mxcsr: MXCSR_MASKS,
                host_mxcsr: MXCSR_MASKS,
                saved: [0; 16],
                saved_vec: [0; 16],
                spill: [0; 16],
                spill_vec: [0; SPILL_VECTORS],
                groups: [groups::NO_ADDEND; groups::SLOTS],
                exit: [0; 2],
                parked: [0; 8],
            },
            tlb: Tlb::new((!machine_is_user).then(|| tables.fill())),
            local: G::Local::default(),
            index,
            machine,
            data_space: u64::MAX,
            fetch_space: (u64::MAX, 0),
            owner: 0,
            fetches: Fetches::default(),
            pages: CodePages::default(),
            insns: Vec::new(),
            private: Vec::new(),
            jumps: Vec::new(),
            turns: 0,
            table: 0,
            slots: Arc::new([]),
            slots_version: 0,
            raised: None,
            stale: false,
            failed_fetches: 0,
            interpret: false,
            alone: None,
            direct: machine_is_user,
            stopped: None,
            fault: None,
        }
    }

    /// What other threads may touch of this vCPU.
    pub fn signals(&self) -> &Signals<G> {
        self.machine.signals(self.index)
    }

    /// Enters an exception, or leaves it to the caller of `run`.
    pub(crate) fn deliver(&mut self, e: G::Exception) {
        if self.direct {
            self.stopped = Some(e);
        } else {
            G::deliver(self, e);
        }
    }

    /// Brings key and jump table up to date with the state. To be called whenever the state may
    /// have changed in a way that [`Guest::data_space`] or [`Guest::fetch_space`] shows.
    pub(crate) fn sync_spaces(&mut self) {
        let owner = G::owner(&self.state);
        if owner != self.owner {
            self.change_owner(owner);
        }
        let data = G::data_space(&self.state);
        if data != self.data_space || self.hot.key == 0 {
            self.data_space = data;
            self.hot.key = self.tlb.key(data);
        }
        let fetch = (G::fetch_space(&self.state), G::mode(&self.state));
        if fetch != self.fetch_space || self.hot.jumps == 0 {
            self.fetch_space = fetch;
            self.table = match self.jumps.iter().position(|t| t.of == fetch) {
                Some(at) => at,
                None => self.new_table(fetch),
            };
            self.turns += 1;
            let table = &mut self.jumps[self.table];
            table.turn = self.turns;
            self.hot.jumps = table.jumps.address();
        }
    }

    /// A jump table for a fetch space and mode that has none; its place among the others.
    fn new_table(&mut self, of: (u64, u32)) -> usize {
        if self.jumps.len() < JUMP_TABLES {
            let entries = jumps::entries(self.direct);
            let jumps = Jumps::new(self.machine.cache.miss_code(), entries);
            self.jumps.push(Table { of, turn: 0, jumps });
            return self.jumps.len() - 1;
        }
        // The one that was not used for the longest time makes room.
        let oldest = (0..self.jumps.len()).min_by_key(|&at| self.jumps[at].turn).unwrap_or(0);
        let table = &mut self.jumps[oldest];
        table.jumps.clear();
        table.of = of;
        oldest
    }

    /// [`Self::sync_spaces`] where there is one space.
    pub(crate) fn sync_mode(&mut self) {
        if self.hot.jumps == 0 || G::mode(&self.state) != self.fetch_space.1 {
            self.sync_spaces();
        }
    }

    /// What was learnt from mappings of the old owner alone is forgotten in the spaces that the
    /// new one uses too.
    fn change_owner(&mut self, owner: u64) {
        self.owner = owner;
        let private = std::mem::take(&mut self.private);
        if !private.is_empty() {
            self.forget_spaces(|space| private.contains(&space));
        }
    }

    /// A mapping was learnt in a space.
    pub(crate) fn note_mapping(&mut self, space: u64, global: bool) {
        if !global && G::is_shared(space) && !self.private.contains(&space) {
            self.private.push(space);
        }
    }

    /// The jump table of the present fetch space and mode.
    pub(crate) fn jump_table(&mut self) -> &mut Jumps<G> {
        &mut self.jumps[self.table].jumps
    }

    /// Ends what [`Self::lend`] began in the given fetch space and mode.
    pub(crate) fn give_back(&mut self, space: (u64, u32), block: Arc<Block<G>>) {
        if space == self.fetch_space {
            self.jump_table().give_back(block);
        } else if let Some(table) = self.jumps.iter_mut().find(|t| t.of == space) {
            table.jumps.give_back(block);
        }
    }

    /// Enters a block into the present jump table. With the first of a page come those that tables of
    /// other spaces have there.
    pub(crate) fn enter_jump(&mut self, block: &Arc<Block<G>>) {
        let first = match block.code() {
            0 => self.jump_table().enter_cold(block),
            _ => self.jump_table().enter(block),
        };
        if !first {
            return;
        }
        let (before, rest) = self.jumps.split_at_mut(self.table);
        let Some((table, behind)) = rest.split_first_mut() else { return };
        for other in before.iter().chain(behind.iter()).filter(|t| t.of.1 == table.of.1) {
            table.jumps.inherit(&other.jumps, block.key.pc);
        }
    }

    /// The machine's memory slots.
    pub(crate) fn slots(&mut self) -> &Slots {
        if self.slots_version != self.machine.ram.version() {
            self.slots_version = self.machine.ram.version();
            self.slots = self.machine.ram.slots();
        }
        &self.slots
    }

    /// State and memory slots, for a page walk.
    pub(crate) fn state_and_slots(&mut self) -> (&G::State, &Slots) {
        self.slots();
        (&self.state, &self.slots)
    }

    /// What is at a guest-physical address.
    pub(crate) fn place(&mut self, gpa: u64) -> Option<Place> {
        ram::find(self.slots(), gpa)
    }

    /// To be called by a helper of an instruction that ends in
    /// [`Flow::ResyncIfAsked`](crate::builder::Flow).
    pub fn ask_resync(&mut self) {
        self.hot.resync = RESYNC;
    }

    /// The same for helpers that have seen to everything but where the next instruction's code is.
    pub(crate) fn ask_look_up(&mut self) {
        if self.hot.resync == 0 {
            self.hot.resync = LOOK_UP;
        }
    }

    pub(crate) fn resync_asked(&self) -> bool {
        self.hot.resync != 0
    }

    /// Forgets the translations of the spaces for which `which` holds, of data and code.
    pub fn flush_spaces(&mut self, which: impl Fn(u64) -> bool) {
        self.private.retain(|&space| !which(space));
        self.forget_spaces(which);
        self.sync_spaces();
    }

    /// Forgets the translations that are not global of the spaces for which `which` holds: shared
    /// spaces often have global ones only.
    pub fn flush_owned(&mut self, which: impl Fn(u64) -> bool) {
        let private = std::mem::take(&mut self.private);
        self.flush_spaces(|space| {
            which(space) && (!G::is_shared(space) || private.contains(&space))
        });
        self.private = private.into_iter().filter(|&space| !which(space)).collect();
    }

    fn forget_spaces(&mut self, which: impl Fn(u64) -> bool) {
        self.fetches.forget_spaces(&which);
        for table in self.jumps.iter_mut().filter(|table| which(table.of.0)) {
            table.jumps.clear();
        }
        self.tlb.flush(which);
        self.hot.key = 0;
    }

    /// Forgets the translation of one page, in all spaces; of everything, and gives false, if the
    /// page was part of a larger one.
    pub fn flush_page(&mut self, va: u64) -> bool {
        let alone = self.tlb.flush_page(va);
        if alone {
            self.fetches.forget_page(va);
            for table in &mut self.jumps {
                table.jumps.forget_page(va);
            }
        } else {
            self.flush_spaces(|_| true);
        }
        alone
    }

    /// Forgets where code is: the next jump looks it up anew.
    pub(crate) fn forget_code(&mut self) {
        for table in &mut self.jumps {
            table.jumps.clear();
        }
    }

    /// Raises the flags that translated code has collected.
    pub(crate) fn raise_fp_flags(&mut self) {
        let flags = self.hot.guest_mxcsr & MXCSR_FLAGS;
        if flags != 0 {
            self.hot.guest_mxcsr &= !MXCSR_FLAGS;
            G::fp_raise(&mut self.state, flags as u8);
        }
    }

    /// Sets the SSE control word that translated code will run with.
    pub(crate) fn sync_fp_control(&mut self) {
        let rounding = G::fp_rounding(&self.state).unwrap_or(0);
        let flags = self.hot.guest_mxcsr & MXCSR_FLAGS;
        let flushing = G::fp_flushing(&self.state);
        self.hot.guest_mxcsr = MXCSR_MASKS | flags | u32::from(rounding) << 13 | flushing;
    }

    /// Does the work that other threads have queued, and waits while one of them runs alone.
    pub(crate) fn do_work(&mut self) {
        self.take_work();
        let machine = self.machine.clone();
        let signals = machine.signals(self.index);
        while machine.alone.forbids(self.index) {
            signals.set_standing(true);
            while machine.alone.forbids(self.index) {
                self.take_work();
                std::thread::yield_now();
            }
            // Whoever is alone by now may have seen this one stand: look again.
            signals.set_standing(false);
        }
    }

    fn take_work(&mut self) {
        let machine = self.machine.clone();
        let signals = machine.signals(self.index);
        let (work, ticket) = signals.take_work();
        for item in work {
            match item {
                Work::Protect(host_page) => self.tlb.protect(host_page),
                Work::ForgetCode => {
                    self.forget_code();
                    self.stale = true;
                }
                Work::Remote(r) => G::remote(self, r),
            }
        }
        signals.work_is_done(ticket);
    }
}

/// Jump tables kept at a time, one per fetch space.
const JUMP_TABLES: usize = 12;
