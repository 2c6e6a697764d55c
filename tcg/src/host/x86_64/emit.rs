//! The one-pass translator: what it knows while it emits a block.
//!
//! Guest registers are pinned to host registers or allocated ([`super::places`]). While a block
//! runs the state in memory is out of date; [`Row`]s say how for every place where an exception
//! can come from.
//!
//! Inside one instruction, values are lazy ([`Node`]): nothing is emitted for an addition until
//! it is known where the sum goes. Register writes are kept back to the end of the instruction,
//! so that lazy values see the registers as the instruction found them.

use std::marker::PhantomData;

use super::asm::{Asm, Mem, Q, Rm, form};
use super::flags::Flags;
use super::fp::Fp;
use super::loops::Head;
use super::places::Local;
use super::pool::Pool;
use super::regs::*;
use super::stubs::{Calls, Stubs};
use crate::builder::{At, Bin, Builder, Cond, FlagCond, Flow, Reserve, Un, Width};
use crate::guest::Guest;
use crate::jit::codebuf::CodeBuf;
use crate::jit::demand::{self, Demand, Wanted};
use crate::jit::groups::{self, Plan};
use crate::jit::probe::{self, Usage};
use crate::jit::rotate::{self, Fused};
use crate::jit::{ACCESS, Row};
use crate::softfloat::NanRule;

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

/// The last instruction written gave a value to a temporary: it can be written again with the
/// register that the value is for.
pub(super) enum LastDef {
    /// `mov` from a scratch register.
    Mov { from: Reg },
    /// The load of a memory access; its slow path, if there is one, ends in `cold_mov`.
    Load { form: super::asm::Form, width: super::asm::Width, mem: Mem, cold_mov: Option<usize> },
}

/// Whether registers with known values are taken for constants. Not of guests with flags: there an
/// operation is recognised by its registers.
pub(super) const fn folds<G: Guest>() -> bool {
    G::FLAGS == usize::MAX
}

/// Whether NaNs that only arithmetic reads are left as they are ([`crate::jit::nans`]): of guests
/// with one NaN that box singles.
pub(super) fn defers_nans<G: Guest>(mode: u32) -> bool {
    G::NAN_BOXED && G::fp_nan(mode) == NanRule::Canonical
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
    /// What was loaded, and the bits of it that are not zero.
    pub(super) loaded: Vec<(V, u32)>,
    pub(super) sets: Vec<(u8, V)>,
    pub(super) locals: [Local; PLACES.len()],
    /// How many of [`PLACES`] are allocated.
    pub(super) places: usize,
    /// Places whose registers stay in them.
    pub(super) fixed: u16,
    /// Locals that hold values of this instruction, by index.
    pub(super) temps: u16,
    /// Locals that the operation being emitted uses.
    pub(super) held: u16,
    /// Scratch registers that the operation being emitted uses.
    pub(super) scratch: u8,
    pub(super) spills: u8,
    pub(super) clock: u32,
    pub(super) rows: Vec<Row>,
    pub(super) last: Option<(Reg, usize, usize, LastDef)>,
    /// What each instruction of the block reads and writes.
    pub(super) usage: Vec<Usage>,
    /// What is wanted of each instruction's results.
    pub(super) demand: Demand,
    /// Guest registers that the present instruction has written.
    pub(super) written: u64,
    /// Guest registers that lack the copies of bit 31 above it.
    pub(super) narrow: u64,
    /// Guest registers whose values are known, small enough for an instruction's operand. At
    /// least those that [`probe::fold`] knows.
    pub(super) known: Vec<(u8, i32)>,
    /// What rows say about [`Self::narrow`].
    pub(super) narrow_lists: Vec<u64>,
    /// What rows say about the hosts of pinned registers.
    pub(super) home_lists: Vec<[u8; PINS.len()]>,
    /// What becomes of each instruction of the block, if some are made one.
    fused: Option<Vec<Fused>>,
    /// How the accesses of each instruction of the block find their pages.
    pub(super) plans: Vec<Plan>,
    /// The loop that the block is.
    pub(super) head: Option<Head>,
    /// The loop's first run is being emitted, in front of the loop.
    pub(super) peeling: bool,
    /// Requests were looked for on the way from the entry.
    pub(super) checked: bool,
    /// Number of the present instruction.
    pub(super) index: usize,
    pub(super) flags: Flags,
    /// Every store is known to be visible to others before the next load.
    pub(super) ordered: bool,
    /// Nobody else accesses the memory yet: locked instructions order nothing.
    pub(super) alone: bool,
    /// Where LOCK prefixes are.
    pub(super) locks: Vec<usize>,
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
        if folds::<G>() {
            probe::fold(&mut usage);
        }
        let mut demand = demand::analyze(&usage, G::INT.count);
        let fused = rotate::fuse(&mut usage, &demand);
        if fused.is_some() {
            demand = demand::analyze(&usage, G::INT.count);
        }
        let peeled = super::loops::peeled(&usage, G::INT.count, pc);
        let peeling = peeled.is_some();
        if let Some(around) = peeled {
            demand = around;
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
            at: At { pc, len: 0, reserve: Reserve::UNKNOWN },
            nodes: Vec::with_capacity(16),
            loaded: Vec::with_capacity(4),
            sets: Vec::with_capacity(4),
            locals: [Local::default(); PLACES.len()],
            places: LOCALS.len(),
            fixed: 0,
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
            peeling,
            checked: false,
            written: 0,
            narrow: 0,
            known: Vec::new(),
            narrow_lists: Vec::new(),
            home_lists: Vec::new(),
            usage,
            index: 0,
            ordered: false,
            alone: false,
            locks: Vec::new(),
            mode,
            fp: Fp::default(),
            direct: false,
            guest: PhantomData,
        }
    }

    /// The entry: in front of it, what a dead block does. The first two bytes are replaced when
    /// the block dies: a prefix sees to it that the first instruction is no shorter.
    pub(super) fn entry(&mut self) {
        self.asm.mov_imm(RAX, self.pc);
        let stub = self.stubs.jump;
        self.jmp_stub(stub);
        let padding = super::DEAD_BYTES - self.asm.pos();
        self.asm.nops(padding);
        self.asm.prefixes(1);
    }

    /// Begins instruction number `index`.
    pub(super) fn begin(&mut self, index: usize, at: At) {
        self.index = index;
        self.at = at;
        self.written = 0;
        self.nodes.clear();
        self.loaded.clear();
        self.sets.clear();
        self.temps = 0;
        self.spills = 0;
        self.last = None;
        self.fp.begin();
        self.release();
    }

    /// The present instruction restores flags that the one before it has not touched.
    pub(super) fn left_out(&self) -> Option<Flow<V>> {
        let before = self.index.checked_sub(1)?;
        self.usage[before].quiet.then_some(Flow::Next)
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
            Fused::Extract { to, from, bits, left } => {
                let from = self.get(from);
                let op = [Un::Zext8, Un::Zext16, Un::Zext32][usize::from(bits / 16)];
                let v = self.un(op, Width::W64, from);
                let left = self.imm(left.into());
                let v = self.bin(Bin::Shl, Width::W64, v, left);
                self.set(to, v);
            }
            Fused::Element { to, base, index, left } => {
                let base = self.get(base);
                let index = self.get(index);
                let left = self.imm(left.into());
                let index = self.bin(Bin::Shl, Width::W64, index, left);
                let v = self.bin(Bin::Add, Width::W64, base, index);
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
            if let (Some(x), true) = (self.small_imm(v), folds::<G>()) {
                self.known.push((r, x));
            }
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
        self.known.retain(|known| known.0 != r);
    }

    /// Leaves the extension out of what register `r` gets if the upper half is not wanted.
    pub(super) fn shorten(&mut self, r: u8, v: V) -> V {
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
        if self.is_dead_behind(r) {
            if let Some(at) = self.local_of(r) {
                self.locals[at] = Local::default();
            }
            return;
        }
        if let Node::Host(host) = self.node(v) {
            match self.pin(r) {
                None => {
                    if let Some(at) = self.local_of(r)
                        && self.head.is_some()
                        && self.redefine(host, PLACES[at])
                    {
                        self.locals[at] = Local::new(r, true);
                        return self.touch(at);
                    }
                    return self.adopt(host, r);
                }
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
        if self.pin(r).is_none() && self.local_of(r).is_none() && !self.worth_local(r) {
            let at = self.memory(r);
            if let Some(x) = self.small_imm(v) {
                self.asm.store_imm(Q, at, x);
            } else {
                let from = self.operand(v);
                self.asm.store(Q, from, at);
            }
            return;
        }
        let absent = self.resident(r).is_none();
        let reads_itself = self.pin(r).is_none() && self.depends(v, r);
        if last && absent && self.make_way(v) {
            // What it held itself is read where it is.
            let memory = Node::Field(self.memory_offset(r));
            for node in self.nodes.iter_mut().filter(|n| **n == Node::Reg(r)) {
                *node = memory;
            }
        } else if reads_itself {
            // Loaded before others may take the place.
            self.reg(r);
        }
        let to = self.reg_for_set(r);
        self.into(v, to);
    }

    /// Frees a local for a value that is all that is left to compute, if that reads it: what it
    /// finds in there it uses in its place.
    fn make_way(&mut self, v: V) -> bool {
        let at = self.farthest();
        let Some(old) = at.and_then(|at| self.locals[at].guest) else { return false };
        let Some(at) = at.filter(|_| self.depends(v, old)) else { return false };
        let written = self.written >> old & 1 != 0;
        if written || !self.is_dead_behind(old) {
            self.write_back(at);
        }
        self.locals[at] = Local::default();
        for node in self.nodes.iter_mut().filter(|n| **n == Node::Reg(old)) {
            *node = Node::Host(PLACES[at]);
        }
        true
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
        if let Some(at) = PLACES.iter().position(|&l| l == host) {
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
        let dirty = self.locals.map(|l| l.guest.filter(|_| l.dirty).unwrap_or(0xff));
        let (int, homes) = dirty.split_at(LOCALS.len());
        let int = std::array::from_fn(|at| int[at]);
        let homes = if self.is_free() { self.home_list(homes) } else { 0 };
        let vec = self.xlist();
        let narrow = self.narrow_list();
        let nans = self.nan_list();
        self.rows.push(Row {
            host: self.buf.offset_of(place) as u32 | kind,
            pc: self.at.pc.wrapping_sub(self.pc) as i16,
            int,
            homes,
            vec,
            narrow,
            nans,
        });
    }

    /// What a row says about the hosts of pinned registers.
    fn home_list(&mut self, places: &[u8]) -> u16 {
        number_of(&mut self.home_lists, std::array::from_fn(|at| places[at]))
    }

    /// What a row says about the NaNs of vector registers.
    fn nan_list(&mut self) -> u16 {
        let nans = self.fp.any_nans;
        if nans.is_empty() { 0 } else { number_of(&mut self.fp.nan_lists, nans) }
    }

    /// What a row says about [`Self::narrow`].
    fn narrow_list(&mut self) -> u16 {
        if self.narrow == 0 { 0 } else { number_of(&mut self.narrow_lists, self.narrow) }
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

/// The number of a list that rows name, counted from one; the last is there already if it is equal.
fn number_of<T: PartialEq>(lists: &mut Vec<T>, list: T) -> u16 {
    if lists.last() != Some(&list) {
        lists.push(list);
    }
    lists.len() as u16
}
