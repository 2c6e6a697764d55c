//! The one-pass translator: what it knows while it emits a block.
//!
//! Guest registers live in three places. Pinned ones are in their host register in all code.
//! Others are *local*: loaded into one of three host registers when first read, written back at
//! the end of the block. Between, the state in memory is out of date; [`Row`]s say how for every
//! place where an exception can come from.
//!
//! Inside one instruction, values are lazy ([`Node`]): nothing is emitted for an addition until
//! it is known where the sum goes. Register writes are kept back to the end of the instruction,
//! so that lazy values see the registers as the instruction found them.

use std::marker::PhantomData;

use super::asm::{Asm, Mem, Q, Rm, form};
use super::flags::Flags;
use super::fp::Fp;
use super::layout;
use super::loops::Head;
use super::pool::Pool;
use super::regs::*;
use super::stubs::{Calls, Stubs};
use crate::builder::{At, Bin, Builder, Cond, FlagCond, Flow, Un, Width};
use crate::guest::Guest;
use crate::jit::codebuf::CodeBuf;
use crate::jit::demand::{self, Demand, NOT_READ, Wanted};
use crate::jit::groups::{self, Plan};
use crate::jit::rotate::{self, Fused};
use crate::jit::{ACCESS, Row, probe::Usage};

/// A value: an index into the instruction's nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct V(pub(super) u16);

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Imm(u64),
    /// A guest register as the instruction found it.
    Reg(u8),
    /// A field of the state.
    Field(usize),
    /// In a host register that holds it until the end of the instruction.
    Host(Reg),
    /// In a spill slot.
    Spill(u8),
    Bin(Bin, Width, V, V),
    Un(Un, Width, V),
    Cmp(Cond, Width, V, V),
    Select(V, V, V),
    /// A condition over the arithmetic flags, as the instruction found them.
    Flag(FlagCond),
}

/// The next use of what is not used again.
const NEVER: u32 = u32::MAX;
/// Spill slots that calls pass arguments in.
const ARGS: u8 = 5;
/// Spill slots in all.
const SPILLS: usize = 16;

/// What one of [`LOCALS`] holds.
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

/// The last instruction written gave a value to a temporary: it can be written again with the
/// register that the value is for.
pub(super) enum LastDef {
    /// `mov` from a scratch register.
    Mov { from: Reg },
    /// The load of a memory access; its slow path, if there is one, ends in `cold_mov`.
    Load { form: super::asm::Form, width: super::asm::Width, mem: Mem, cold_mov: Option<usize> },
}

/// See the module.
pub(super) struct Emit<'a, G: Guest> {
    pub(super) asm: Asm,
    pub(super) cold: Asm,
    /// Where the code will execute.
    pub(super) base: u64,
    /// Where the slow paths will execute.
    pub(super) cold_base: u64,
    pub(super) buf: &'a CodeBuf,
    pub(super) stubs: &'a Stubs,
    pub(super) pool: &'a Pool,
    /// Guest address of the block.
    pub(super) pc: u64,
    pub(super) at: At,
    pub(super) nodes: Vec<Node>,
    pub(super) sets: Vec<(u8, V)>,
    pub(super) locals: [Local; LOCALS.len()],
    /// Locals that hold values of this instruction, by index.
    temps: u8,
    /// Locals that the operation being emitted uses.
    pub(super) held: u8,
    /// Scratch registers that the operation being emitted uses.
    pub(super) scratch: u8,
    spills: u8,
    clock: u32,
    pub(super) rows: Vec<Row>,
    pub(super) last: Option<(Reg, usize, usize, LastDef)>,
    /// What each instruction of the block reads and writes.
    pub(super) usage: Vec<Usage>,
    /// What is wanted of each instruction's results.
    demand: Demand,
    /// Guest registers that the present instruction has written.
    written: u64,
    /// Guest registers that lack the copies of bit 31 above it.
    pub(super) narrow: u64,
    /// What rows say about [`Self::narrow`].
    pub(super) narrow_lists: Vec<u64>,
    /// What becomes of each instruction of the block, if some are made one.
    fused: Option<Vec<Fused>>,
    /// How the accesses of each instruction of the block find their pages.
    pub(super) plans: Vec<Plan>,
    /// The loop that the block is.
    pub(super) head: Option<Head>,
    /// Number of the present instruction.
    pub(super) index: usize,
    pub(super) flags: Flags,
    /// Every store is known to be visible to others before the next load.
    pub(super) ordered: bool,
    /// The guest's mode.
    pub(super) mode: u32,
    pub(super) fp: Fp,
    /// Guest addresses are host addresses.
    pub(super) direct: bool,
    guest: PhantomData<G>,
}

impl<'a, G: Guest> Emit<'a, G> {
    pub(super) fn new(
        (buf, stubs, pool): (&'a CodeBuf, &'a Stubs, &'a Pool),
        base: u64,
        cold_base: u64,
        pc: u64,
        mode: u32,
        mut usage: Vec<Usage>,
    ) -> Self {
        let mut demand = demand::analyze(&usage, G::INT.count);
        let fused = rotate::fuse(&mut usage, &demand);
        if fused.is_some() {
            demand = demand::analyze(&usage, G::INT.count);
        }
        Self {
            asm: Asm::default(),
            cold: Asm::default(),
            base,
            cold_base,
            buf,
            stubs,
            pool,
            pc,
            at: At { pc, len: 0 },
            nodes: Vec::with_capacity(16),
            sets: Vec::with_capacity(4),
            locals: [Local::default(); LOCALS.len()],
            temps: 0,
            held: 0,
            scratch: 0,
            spills: 0,
            clock: 0,
            rows: Vec::new(),
            last: None,
            flags: Flags::new(&usage),
            plans: groups::plan(&usage, G::INT.count),
            demand,
            fused,
            head: None,
            written: 0,
            narrow: 0,
            narrow_lists: Vec::new(),
            usage,
            index: 0,
            ordered: false,
            mode,
            fp: Fp::default(),
            direct: false,
            guest: PhantomData,
        }
    }

    /// The entry: in front of it, what a dead block does; then bytes that are replaced when it
    /// dies.
    pub(super) fn entry(&mut self) {
        self.asm.mov_imm(RAX, self.pc);
        let stub = self.stubs.jump;
        self.jmp_stub(stub);
        let padding = super::DEAD_BYTES - self.asm.pos();
        self.asm.nops(padding);
        self.asm.nops(super::ENTRY_BYTES);
    }

    /// Begins instruction number `index`.
    pub(super) fn begin(&mut self, index: usize, at: At) {
        self.index = index;
        self.at = at;
        self.written = 0;
        self.nodes.clear();
        self.sets.clear();
        self.temps = 0;
        self.spills = 0;
        self.last = None;
        self.fp.begin();
        self.release();
    }

    /// Translates the present instruction if it is one of several that are done as one.
    pub(super) fn fused(&mut self) -> Option<Flow<V>> {
        match self.fused.as_ref()?[self.index] {
            Fused::No => return None,
            Fused::LeftOut => {}
            Fused::Copy { to, from } => {
                let v = self.get(from);
                self.set(to, v);
            }
            Fused::Rotate { to, from, by, w } => {
                let from = self.get(from);
                let by = self.imm(by.into());
                let mut v = self.bin(Bin::Rol, w, from, by);
                if w == Width::W32 {
                    v = self.un(Un::Sext32, Width::W64, v);
                }
                self.set(to, v);
            }
        }
        Some(Flow::Next)
    }

    /// When the register is read again behind the present instruction: the smaller the sooner.
    fn next_use(&self, r: u8) -> u32 {
        match self.demand.next_read(self.index + 1, r) {
            NOT_READ if self.demand.is_dead(self.index + 1, r) => NEVER,
            next => u32::from(next),
        }
    }

    /// Whether a register is worth a local: it is wanted soon, or one stands empty.
    fn worth_local(&self, r: u8) -> bool {
        let taken = self.temps | self.held;
        let at = (0..LOCALS.len()).filter(|at| taken >> at & 1 == 0);
        let mut others = at.map(|at| self.locals[at].guest.map_or(NEVER, |g| self.next_use(g)));
        let mine = self.next_use(r);
        others.any(|other| mine < other)
    }

    /// Ends an operation: its scratch registers are free again.
    pub(super) fn release(&mut self) {
        self.scratch = 0;
        self.held = 0;
        self.fp.held = 0;
    }

    pub(super) fn push(&mut self, node: Node) -> V {
        self.nodes.push(node);
        V(self.nodes.len() as u16 - 1)
    }

    pub(super) fn node(&self, v: V) -> Node {
        self.nodes[usize::from(v.0)]
    }

    /// The host register of a pinned guest register.
    pub(super) fn pin(r: u8) -> Option<Reg> {
        G::INT.pins.iter().take(PINS.len()).position(|&p| p == r).map(|at| PINS[at])
    }

    fn local_of(&self, r: u8) -> Option<usize> {
        self.locals.iter().position(|l| l.guest == Some(r))
    }

    /// The host register that holds a guest register now, if one does.
    pub(super) fn resident(&self, r: u8) -> Option<Reg> {
        Self::pin(r).or_else(|| self.local_of(r).map(|at| LOCALS[at]))
    }

    /// A host register that holds a guest register, loading it if need be.
    pub(super) fn reg(&mut self, r: u8) -> Reg {
        if let Some(host) = Self::pin(r) {
            return host;
        }
        let at = match self.local_of(r) {
            Some(at) => at,
            None => {
                let at = self.free_local();
                self.asm.load(Q, LOCALS[at], layout::int::<G>(r));
                self.locals[at] = Local { guest: Some(r), dirty: false, used: 0 };
                at
            }
        };
        self.touch(at);
        LOCALS[at]
    }

    /// Whether a guest register that is in no host register should get one for this operation.
    pub(super) fn wants_local(&self, r: u8) -> bool {
        (self.temps | self.held) != (1 << LOCALS.len()) - 1 && self.worth_local(r)
    }

    /// A host register for a new value of a guest register; what it held is gone.
    pub(super) fn reg_for_set(&mut self, r: u8) -> Reg {
        if let Some(host) = Self::pin(r) {
            return host;
        }
        let at = self.local_of(r).unwrap_or_else(|| self.free_local());
        self.locals[at] = Local { guest: Some(r), dirty: true, used: 0 };
        self.touch(at);
        LOCALS[at]
    }

    fn touch(&mut self, at: usize) {
        self.clock += 1;
        self.locals[at].used = self.clock;
        self.held |= 1 << at;
    }

    /// The local that is wanted last of those that may be given to others.
    fn farthest(&self) -> Option<usize> {
        let taken = self.temps | self.held;
        let usable = (0..LOCALS.len()).filter(|at| taken >> at & 1 == 0);
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
        self.demand.is_dead(self.index + usize::from(written), r)
    }

    /// Moves a temporary to memory; gives the index of its local.
    fn spill_temp(&mut self) -> usize {
        let at = (0..LOCALS.len())
            .find(|&at| self.temps >> at & 1 != 0 && self.held >> at & 1 == 0)
            .expect("no operation uses more registers at once than there are");
        let slot = ARGS + self.spills;
        assert!(usize::from(slot) < SPILLS, "an instruction keeps no more values than slots");
        self.spills += 1;
        self.asm.store(Q, LOCALS[at], layout::spill::<G>(usize::from(slot)));
        for node in &mut self.nodes {
            if *node == Node::Host(LOCALS[at]) {
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
    pub(super) fn temps(&self) -> u8 {
        self.temps
    }

    /// Temporaries that were none before hold nothing any more.
    pub(super) fn keep_temps(&mut self, before: u8) {
        self.temps &= before;
    }

    /// Writes a local back if the state is out of date.
    pub(super) fn write_back(&mut self, at: usize) {
        let local = self.locals[at];
        if let (Some(r), true) = (local.guest, local.dirty) {
            self.asm.store(Q, LOCALS[at], layout::int::<G>(r));
            self.locals[at].dirty = false;
        }
    }

    /// Brings the state up to date, by moves only; the locals keep what they hold.
    pub(super) fn flush(&mut self) {
        self.by_moves(|e| {
            for at in 0..LOCALS.len() {
                e.write_back(at);
            }
            e.xflush();
        });
    }

    /// The same in a slow path that leaves: here the locals stay as they are.
    pub(super) fn cold_flush(&mut self) {
        self.cold_extend();
        for (at, local) in self.locals.iter().enumerate() {
            if let (Some(r), true) = (local.guest, local.dirty) {
                self.cold.store(Q, LOCALS[at], layout::int::<G>(r));
            }
        }
        self.cold_xflush();
    }

    /// In a slow path that leaves: makes up for the extensions that were left out.
    fn cold_extend(&mut self) {
        let mut rest = self.narrow;
        while rest != 0 {
            let r = rest.trailing_zeros() as u8;
            rest &= rest - 1;
            let dirty = self.local_of(r).filter(|&at| self.locals[at].dirty);
            match Self::pin(r).or(dirty.map(|at| LOCALS[at])) {
                Some(host) => form::MOVSXD_GV_EZ.rm(&mut self.cold, Q, host, Rm::Reg(host)),
                None => {
                    let place = layout::int::<G>(r);
                    form::MOVSXD_GV_EZ.rm(&mut self.cold, Q, RAX, Rm::Mem(place));
                    self.cold.store(Q, RAX, place);
                }
            }
        }
    }

    /// Forgets what the locals hold; they must be clean.
    pub(super) fn forget_locals(&mut self) {
        self.forget_xlocals();
        self.locals = [Local::default(); LOCALS.len()];
    }

    /// A host register for a value that lives until the end of the instruction.
    pub(super) fn temp(&mut self) -> Reg {
        let at = self.free_local();
        self.temps |= 1 << at;
        self.held |= 1 << at;
        LOCALS[at]
    }

    /// Keeps all locals where they are until the end of the operation.
    pub(super) fn hold_all(&mut self) {
        self.held = (1 << LOCALS.len()) - 1;
    }

    /// Keeps a local where it is until the end of the operation.
    pub(super) fn hold(&mut self, host: Reg) {
        if let Some(at) = LOCALS.iter().position(|&l| l == host) {
            self.held |= 1 << at;
        }
    }

    /// A temporary becomes the guest register it was made for.
    fn adopt(&mut self, host: Reg, r: u8) {
        if let Some(old) = self.local_of(r) {
            self.locals[old] = Local::default();
        }
        let at = LOCALS.iter().position(|&l| l == host).expect("temporaries are locals");
        self.temps &= !(1 << at);
        self.locals[at] = Local { guest: Some(r), dirty: true, used: 0 };
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

    /// Whether computing `v` reads the host register.
    pub(super) fn reads(&self, v: V, host: Reg) -> bool {
        match self.node(v) {
            Node::Imm(_) | Node::Field(_) | Node::Spill(_) | Node::Flag(_) => false,
            Node::Reg(r) => self.resident(r) == Some(host),
            Node::Host(h) => h == host,
            Node::Un(_, _, a) => self.reads(a, host),
            Node::Bin(_, _, a, b) | Node::Cmp(_, _, a, b) => {
                self.reads(a, host) || self.reads(b, host)
            }
            Node::Select(a, b, c) => {
                self.reads(a, host) || self.reads(b, host) || self.reads(c, host)
            }
        }
    }

    /// Whether computing `v` reads the guest register.
    pub(super) fn depends(&self, v: V, guest: u8) -> bool {
        match self.node(v) {
            Node::Imm(_) | Node::Field(_) | Node::Spill(_) | Node::Host(_) | Node::Flag(_) => false,
            Node::Reg(r) => r == guest,
            Node::Un(_, _, a) => self.depends(a, guest),
            Node::Bin(_, _, a, b) | Node::Cmp(_, _, a, b) => {
                self.depends(a, guest) || self.depends(b, guest)
            }
            Node::Select(a, b, c) => {
                self.depends(a, guest) || self.depends(b, guest) || self.depends(c, guest)
            }
        }
    }

    /// Does the register writes that were kept back. `later` are values still to be used.
    pub(super) fn commit(&mut self, later: &[V]) {
        let mut sets = std::mem::take(&mut self.sets);
        if self.commit_flags(&sets, later) {
            sets.clear();
        }
        for (i, &(r, _)) in sets.iter().enumerate() {
            let after = sets[i + 1..].iter().map(|s| s.1).chain(later.iter().copied());
            for v in after.collect::<Vec<_>>() {
                if self.depends(v, r) {
                    self.materialize(v);
                }
            }
        }
        for (i, &(r, v)) in sets.iter().enumerate() {
            if let Node::Host(host) = self.node(v) {
                // A temporary that others read stays where it is.
                let mut others = sets[i + 1..].iter().map(|s| s.1).chain(later.iter().copied());
                if others.any(|other| self.reads(other, host)) {
                    self.shorten(r, v);
                    self.hold(host);
                    self.last = None;
                    let to = self.reg_for_set(r);
                    self.asm.mov(Q, to, host);
                    self.release();
                    continue;
                }
            }
            let last = i + 1 == sets.len() && later.is_empty();
            self.assign(r, v, last);
            self.release();
        }
        self.sets = sets;
        self.sets.clear();
        self.fcommit();
    }

    /// Computes a value into a temporary.
    pub(super) fn materialize(&mut self, v: V) {
        if matches!(self.node(v), Node::Imm(_) | Node::Host(_) | Node::Spill(_)) {
            return;
        }
        let to = self.temp();
        self.into(v, to);
        self.nodes[usize::from(v.0)] = Node::Host(to);
        self.release();
    }

    /// A register gets a new value.
    pub(super) fn overwrite(&mut self, r: u8) {
        self.narrow &= !(1 << r);
        self.written |= 1 << r;
    }

    /// Leaves the extension out of what register `r` gets if the upper half is not wanted.
    fn shorten(&mut self, r: u8, v: V) -> V {
        self.overwrite(r);
        let wanted = self.demand.wanted(self.index);
        let Some((_, value)) = self.usage[self.index].def.filter(|d| d.0 == r) else { return v };
        // What is loaded comes as it should be.
        if wanted == Wanted::Whole || value.all() == 0 {
            return v;
        }
        if wanted == Wanted::Narrow {
            self.narrow |= 1 << r;
        }
        match self.node(v) {
            Node::Un(Un::Sext32, Width::W64, low) => low,
            _ => v,
        }
    }

    /// Writes a register; `last`: nothing else of the instruction is still to be computed.
    fn assign(&mut self, r: u8, v: V, last: bool) {
        let v = self.shorten(r, v);
        if let Node::Host(host) = self.node(v) {
            match Self::pin(r) {
                None => return self.adopt(host, r),
                Some(pin) => {
                    if self.redefine(host, pin) {
                        return;
                    }
                }
            }
        }
        if self.node(v) == Node::Reg(r) {
            return;
        }
        // A register that is not wanted soon goes straight to the state.
        if Self::pin(r).is_none() && self.local_of(r).is_none() && !self.worth_local(r) {
            let at = layout::int::<G>(r);
            if let Some(x) = self.small_imm(v) {
                self.asm.store_imm(Q, at, x);
            } else {
                let from = self.operand(v);
                self.asm.store(Q, from, at);
            }
            return;
        }
        // Registers that the value reads are loaded before the target may take their place.
        let reads_itself = Self::pin(r).is_none() && self.depends(v, r);
        if reads_itself {
            self.reg(r);
        }
        if last && Self::pin(r).is_none() && self.local_of(r).is_none() {
            self.make_way(v);
        }
        let to = self.reg_for_set(r);
        self.into(v, to);
    }

    /// Frees a local for a value that is all that is left to compute: what it finds in there it
    /// uses in its place.
    fn make_way(&mut self, v: V) {
        let at = self.farthest();
        let Some(old) = at.and_then(|at| self.locals[at].guest) else { return };
        let Some(at) = at.filter(|_| self.depends(v, old)) else { return };
        let written = self.written >> old & 1 != 0;
        if written || !self.demand.is_dead(self.index + 1, old) {
            self.write_back(at);
        }
        self.locals[at] = Local::default();
        for node in self.nodes.iter_mut().filter(|n| **n == Node::Reg(old)) {
            *node = Node::Host(LOCALS[at]);
        }
    }

    /// A constant that fits into a sign-extended field of 32 bits.
    fn small_imm(&self, v: V) -> Option<i32> {
        match self.node(v) {
            Node::Imm(x) => i32::try_from(x as i64).ok(),
            _ => None,
        }
    }

    /// Writes the last instruction again with `to` as its destination instead of `host`.
    fn redefine(&mut self, host: Reg, to: Reg) -> bool {
        let Some((temp, start, end, def)) = self.last.take() else {
            return false;
        };
        if temp != host || end != self.asm.pos() {
            return false;
        }
        self.asm.code.truncate(start);
        match def {
            LastDef::Mov { from } => self.asm.mov(Q, to, from),
            LastDef::Load { form, width, mem, cold_mov } => {
                form.rm(&mut self.asm, width, to, Rm::Mem(mem));
                if let Some(cold_mov) = cold_mov {
                    self.cold.code.truncate(cold_mov);
                    self.end_slow_load(form, width, to);
                }
            }
        }
        // The local is free again.
        if let Some(at) = LOCALS.iter().position(|&l| l == host) {
            self.temps &= !(1 << at);
        }
        true
    }

    /// Remembers that exceptions can come from the call that was just written.
    pub(super) fn row(&mut self, return_address: u64) {
        self.row_at(return_address, 0);
    }

    /// Says that the instruction written next is a guest's access: in user mode it may fault.
    pub(super) fn access(&mut self) {
        if self.direct {
            let here = self.here();
            self.row_at(here, ACCESS);
        }
    }

    fn row_at(&mut self, place: u64, kind: u32) {
        let mut int = [0xff; LOCALS.len()];
        for (at, local) in self.locals.iter().enumerate() {
            if let (Some(r), true) = (local.guest, local.dirty) {
                int[at] = r;
            }
        }
        let vec = self.xlist();
        let narrow = self.narrow_list();
        self.rows.push(Row {
            host: self.buf.offset_of(place) as u32 | kind,
            pc: self.at.pc.wrapping_sub(self.pc) as u16,
            int,
            vec,
            narrow,
        });
    }

    /// What a row says about [`Self::narrow`].
    fn narrow_list(&mut self) -> u16 {
        if self.narrow == 0 {
            return 0;
        }
        if self.narrow_lists.last() != Some(&self.narrow) {
            self.narrow_lists.push(self.narrow);
        }
        self.narrow_lists.len() as u16
    }

    /// Address that the next byte will execute at.
    pub(super) fn here(&self) -> u64 {
        self.base + self.asm.pos() as u64
    }

    /// The same for the slow paths.
    pub(super) fn cold_here(&self) -> u64 {
        self.cold_base + self.cold.pos() as u64
    }

    /// Jumps to the next slow path if the condition holds.
    pub(super) fn jcc_cold(&mut self, cond: u8) {
        let rel = self.cold_here().wrapping_sub(self.here() + 6) as i64;
        form::JCC_JZ.with_cc(cond).j(&mut self.asm, rel as i32);
    }

    /// From a slow path back to the code.
    pub(super) fn cold_back(&mut self) {
        let rel = self.here().wrapping_sub(self.cold_here() + 5) as i64;
        form::JMP_JZ.j(&mut self.cold, rel as i32);
    }

    /// The ways into Rust that keep what is in use here.
    pub(super) fn calls(&self) -> &'a Calls {
        &self.stubs.calls[usize::from(!self.fp.in_use())]
    }

    /// From a slow path to a stub.
    pub(super) fn cold_call(&mut self, stub: usize) {
        let target = self.buf.exec_address(stub);
        let rel = target.wrapping_sub(self.cold_here() + 5) as i64;
        form::CALL_JZ.j(&mut self.cold, rel as i32);
    }

    /// From a slow path to a stub, for good.
    pub(super) fn cold_jmp(&mut self, stub: usize) {
        let target = self.buf.exec_address(stub);
        let rel = target.wrapping_sub(self.cold_here() + 5) as i64;
        form::JMP_JZ.j(&mut self.cold, rel as i32);
    }

    /// From the code to a stub.
    pub(super) fn call_stub(&mut self, stub: usize) {
        let target = self.buf.exec_address(stub);
        let rel = target.wrapping_sub(self.here() + 5) as i64;
        form::CALL_JZ.j(&mut self.asm, rel as i32);
    }

    /// From the code to a stub, for good.
    pub(super) fn jmp_stub(&mut self, stub: usize) {
        let target = self.buf.exec_address(stub);
        let rel = target.wrapping_sub(self.here() + 5) as i64;
        form::JMP_JZ.j(&mut self.asm, rel as i32);
    }
}
