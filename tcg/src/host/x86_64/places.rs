//! Where guest registers are while a block runs.
//!
//! Pinned ones are in their host register in all code. Others are *local*: loaded into one of
//! [`LOCALS`] when first read, written back at the end of the block. In a *free* loop
//! ([`super::loops`]) the hosts of the pinned registers are allocated too: a pinned register
//! that is not in its own host's register then is in [`layout::parked`], and each way out brings
//! it home.

use super::asm::{Asm, Mem, Q, Rm, form};
use super::emit::{Emit, Node};
use super::layout;
use super::regs::*;
use crate::guest::Guest;
use crate::jit::demand::NOT_READ;

/// The next use of what is not used again.
const NEVER: u32 = u32::MAX;
/// Spill slots that calls pass arguments in.
const ARGS: u8 = 5;
/// Spill slots in all.
const SPILLS: usize = 16;

/// What one of [`PLACES`] holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Local {
    /// A guest register.
    pub(super) guest: Option<u8>,
    /// The state is out of date.
    pub(super) dirty: bool,
    /// When it was last used, to evict the oldest.
    used: u32,
}

impl Local {
    /// A guest register.
    pub(super) fn new(r: u8, dirty: bool) -> Self {
        Self { guest: Some(r), dirty, used: 0 }
    }
}

impl<G: Guest> Emit<'_, G> {
    /// When the register is read again behind the present instruction: the smaller the sooner.
    fn next_use(&self, r: u8) -> u32 {
        match self.demand.next_read(self.index + 1, r) {
            NOT_READ if self.is_dead_behind(r) => NEVER,
            // Around the loop.
            NOT_READ if self.loops() => {
                u32::from(NOT_READ) + u32::from(self.demand.next_read(0, r))
            }
            next => u32::from(next),
        }
    }

    /// What is emitted is run again and again.
    pub(super) fn loops(&self) -> bool {
        self.peeling || self.head.is_some()
    }

    /// Whether a register is worth a local: it is wanted sooner than another, and in this block.
    pub(super) fn worth_local(&self, r: u8) -> bool {
        let taken = self.temps | self.held | self.fixed;
        let at = (0..self.places).filter(|at| taken >> at & 1 == 0);
        let mut others = at.map(|at| self.locals[at].guest.map_or(NEVER, |g| self.next_use(g)));
        let mine = self.next_use(r);
        (mine < u32::from(NOT_READ) || self.loops()) && others.any(|other| mine < other)
    }

    /// The host register of a pinned guest register.
    pub(super) fn pin(&self, r: u8) -> Option<Reg> {
        if self.is_free() { None } else { Self::pin_of(r).map(|at| PINS[at]) }
    }

    /// The index of a guest register among the pinned ones.
    pub(super) fn pin_of(r: u8) -> Option<usize> {
        G::INT.pins.iter().take(PINS.len()).position(|&p| p == r)
    }

    /// The hosts of pinned registers are allocated too.
    pub(super) fn is_free(&self) -> bool {
        self.places > LOCALS.len()
    }

    /// The memory of a guest register that is in no host register.
    pub(super) fn memory(&self, r: u8) -> Mem {
        layout::field(self.memory_offset(r))
    }

    /// The same as an offset from the core.
    pub(super) fn memory_offset(&self, r: u8) -> usize {
        match Self::pin_of(r).filter(|_| self.is_free()) {
            Some(at) => layout::parked::<G>(at),
            None => G::INT.offset + usize::from(r) * G::INT.stride,
        }
    }

    pub(super) fn local_of(&self, r: u8) -> Option<usize> {
        self.locals.iter().position(|l| l.guest == Some(r))
    }

    /// The host register that holds a guest register now, if one does.
    pub(super) fn resident(&self, r: u8) -> Option<Reg> {
        self.pin(r).or_else(|| self.local_of(r).map(|at| PLACES[at]))
    }

    /// A host register that holds a guest register, loading it if need be.
    pub(super) fn reg(&mut self, r: u8) -> Reg {
        if let Some(host) = self.pin(r) {
            return host;
        }
        let at = match self.local_of(r) {
            Some(at) => at,
            None => {
                let at = self.free_local();
                self.asm.load(Q, PLACES[at], self.memory(r));
                self.locals[at] = Local::new(r, false);
                at
            }
        };
        self.touch(at);
        PLACES[at]
    }

    /// Whether a guest register that is in no host register should get one for this operation.
    pub(super) fn wants_local(&self, r: u8) -> bool {
        (self.temps | self.held | self.fixed) != (1 << self.places) - 1 && self.worth_local(r)
    }

    /// A host register for a new value of a guest register; what it held is gone.
    pub(super) fn reg_for_set(&mut self, r: u8) -> Reg {
        if let Some(host) = self.pin(r) {
            return host;
        }
        let at = self.local_of(r).unwrap_or_else(|| self.free_local());
        self.locals[at] = Local::new(r, true);
        self.touch(at);
        PLACES[at]
    }

    pub(super) fn touch(&mut self, at: usize) {
        self.clock += 1;
        self.locals[at].used = self.clock;
        self.held |= 1 << at;
    }

    /// The local that is wanted last of those that may be given to others.
    pub(super) fn farthest(&self) -> Option<usize> {
        let taken = self.temps | self.held | self.fixed;
        let usable = (0..self.places).filter(|at| taken >> at & 1 == 0);
        usable.max_by_key(|&at| {
            let local = self.locals[at];
            let next = local.guest.map_or(NEVER, |r| self.next_use(r));
            (local.guest.is_none(), next, !local.dirty, u32::MAX - local.used)
        })
    }

    /// Index of a local that holds nothing; the one wanted last is written back for it.
    fn free_local(&mut self) -> usize {
        let at = match self.farthest() {
            Some(at) => at,
            None => self.spill_temp(),
        };
        if self.locals[at].guest.is_some_and(|r| !self.is_dead(r)) {
            self.write_back(at);
        }
        self.locals[at] = Local::default();
        at
    }

    /// Whether nobody looks at what a register holds now.
    fn is_dead(&self, r: u8) -> bool {
        let written = self.written >> r & 1 != 0;
        if written { self.is_dead_behind(r) } else { self.demand.is_dead(self.index, r) }
    }

    /// Whether nobody looks at what the present instruction gives a register. Where it leaves
    /// somebody may.
    pub(super) fn is_dead_behind(&self, r: u8) -> bool {
        !self.usage[self.index].branches && self.demand.is_dead(self.index + 1, r)
    }

    /// Moves a temporary to memory; gives the index of its local.
    fn spill_temp(&mut self) -> usize {
        let at = (0..self.places)
            .find(|&at| self.temps >> at & 1 != 0 && self.held >> at & 1 == 0)
            .expect("no operation uses more registers at once than there are");
        let slot = ARGS + self.spills;
        assert!(usize::from(slot) < SPILLS, "an instruction keeps no more values than slots");
        self.spills += 1;
        self.asm.store(Q, PLACES[at], layout::spill::<G>(usize::from(slot)));
        for node in &mut self.nodes {
            if *node == Node::Host(PLACES[at]) {
                *node = Node::Spill(slot);
            }
        }
        self.temps &= !(1 << at);
        self.last = None;
        at
    }

    /// Moves all temporaries to memory, by moves only.
    pub(super) fn spill_temps(&mut self) {
        while self.temps != 0 {
            self.spill_temp();
        }
    }

    /// Which locals are temporaries, a mask for [`Self::keep_temps`].
    pub(super) fn temps(&self) -> u16 {
        self.temps
    }

    /// Temporaries that were none before hold nothing any more.
    pub(super) fn keep_temps(&mut self, before: u16) {
        self.temps &= before;
    }

    /// Writes a local back if the state is out of date.
    pub(super) fn write_back(&mut self, at: usize) {
        let local = self.locals[at];
        if let (Some(r), true) = (local.guest, local.dirty) {
            self.asm.store(Q, PLACES[at], self.memory(r));
            self.locals[at].dirty = false;
        }
    }

    /// Brings the state up to date, by moves only; the locals keep what they hold.
    pub(super) fn flush(&mut self) {
        self.by_moves(|e| {
            for at in 0..e.places {
                e.write_back(at);
            }
            e.xflush();
        });
    }

    /// The same at the end of a block, before it is left: what was allocated freely is again where
    /// other blocks expect it.
    pub(super) fn flush_out(&mut self) {
        let narrow = std::mem::take(&mut self.narrow);
        self.by_moves(|e| e.extend(narrow));
        if !self.fp.any_nans.is_empty() {
            self.check_nans();
        }
        if !self.is_free() {
            return self.flush();
        }
        self.by_moves(|e| {
            e.spill_temps();
            for at in 0..e.places {
                if !e.is_home(at) {
                    e.write_back(at);
                }
            }
            for (at, pin) in PINS.iter().enumerate() {
                if !e.is_home(LOCALS.len() + at) {
                    e.asm.load(Q, *pin, layout::field(layout::parked::<G>(at)));
                }
            }
            e.xflush();
            e.locals[LOCALS.len()..].fill(Local::default());
            (e.places, e.fixed) = (LOCALS.len(), 0);
        });
    }

    /// Whether a place is that of a pinned register, which is in it.
    fn is_home(&self, at: usize) -> bool {
        let pin = at.checked_sub(LOCALS.len()).and_then(|pin| G::INT.pins.get(pin));
        pin.is_some() && self.locals[at].guest == pin.copied()
    }

    /// The same in a slow path that leaves: here the places stay as they are.
    pub(super) fn cold_flush(&mut self) {
        self.cold_check_nans();
        self.cold_extend();
        for (at, &host) in PLACES.iter().enumerate().take(self.places) {
            let local = self.locals[at];
            if let (Some(r), true, false) = (local.guest, local.dirty, self.is_home(at)) {
                let memory = self.memory(r);
                self.cold.store(Q, host, memory);
            }
        }
        for (at, pin) in PINS.iter().enumerate().take(self.places - LOCALS.len()) {
            if !self.is_home(LOCALS.len() + at) {
                self.cold.load(Q, *pin, layout::field(layout::parked::<G>(at)));
            }
        }
        self.cold_xflush();
    }

    /// Whether [`Self::cold_flush`] has nothing to do.
    pub(super) fn is_up_to_date(&self) -> bool {
        let place = |at: usize| self.is_home(at) || !self.locals[at].dirty;
        let pin = |at: usize| at < LOCALS.len() || self.is_home(at);
        let vectors = self.fp.any_nans.is_empty() && self.fp.locals.iter().all(|l| !l.dirty);
        self.narrow == 0 && vectors && (0..self.places).all(|at| place(at) && pin(at))
    }

    /// Makes up for the extensions of some registers that were left out.
    pub(super) fn extend(&mut self, registers: u64) {
        for r in (0..64).filter(|r| registers >> r & 1 != 0) {
            let place = self.local_of(r);
            let host = self.pin(r).or(place.map(|at| PLACES[at]));
            if let Some(at) = place {
                self.locals[at].dirty = true;
            }
            let memory = self.memory(r);
            extend(&mut self.asm, host, memory);
        }
    }

    /// The same for all of them in a slow path that leaves: here the places stay as they are.
    fn cold_extend(&mut self) {
        for r in (0..64).filter(|r| self.narrow >> r & 1 != 0) {
            // What is in memory too counts there.
            let place = self.local_of(r).filter(|&at| self.locals[at].dirty || self.is_home(at));
            let host = self.pin(r).or(place.map(|at| PLACES[at]));
            let memory = self.memory(r);
            extend(&mut self.cold, host, memory);
        }
    }

    /// Forgets what the locals hold; they must be clean.
    pub(super) fn forget_locals(&mut self) {
        self.forget_xlocals();
        self.locals = [Local::default(); PLACES.len()];
    }

    /// A host register for a value that lives until the end of the instruction.
    pub(super) fn temp(&mut self) -> Reg {
        let at = self.free_local();
        self.temps |= 1 << at;
        self.held |= 1 << at;
        PLACES[at]
    }

    /// Keeps all locals where they are until the end of the operation.
    pub(super) fn hold_all(&mut self) {
        self.held = (1 << self.places) - 1;
    }

    /// Keeps a local where it is until the end of the operation.
    pub(super) fn hold(&mut self, host: Reg) {
        if let Some(at) = PLACES.iter().position(|&l| l == host) {
            self.held |= 1 << at;
        }
    }

    /// A temporary becomes the guest register it was made for.
    pub(super) fn adopt(&mut self, host: Reg, r: u8) {
        if let Some(old) = self.local_of(r) {
            self.locals[old] = Local::default();
        }
        let at = PLACES.iter().position(|&l| l == host).expect("temporaries are locals");
        self.temps &= !(1 << at);
        self.locals[at] = Local::new(r, true);
        self.touch(at);
    }

    /// A scratch register for the rest of the operation.
    pub(super) fn scratch(&mut self) -> Reg {
        match SCRATCH.iter().find(|&&r| self.scratch >> r & 1 == 0) {
            Some(&r) => {
                self.scratch |= 1 << r;
                r
            }
            None => self.temp(),
        }
    }

    /// Takes a particular scratch register for the rest of the operation.
    pub(super) fn claim(&mut self, r: Reg) {
        assert!(self.scratch >> r & 1 == 0, "scratch register {r} is in use");
        self.scratch |= 1 << r;
    }
}

/// Extends the low half of a register, which is in a host register or in memory.
fn extend(asm: &mut Asm, host: Option<Reg>, memory: Mem) {
    match host {
        Some(host) => form::MOVSXD_GV_EZ.rm(asm, Q, host, Rm::Reg(host)),
        None => {
            form::MOVSXD_GV_EZ.rm(asm, Q, RAX, Rm::Mem(memory));
            asm.store(Q, RAX, memory);
        }
    }
}
