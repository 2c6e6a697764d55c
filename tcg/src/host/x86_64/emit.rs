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

use super::asm::{Asm, Mem, form};
use super::flags::Flags;
use super::fp::Fp;
use super::loops::Head;
use super::places::Local;
use super::pool::Pool;
use super::regs::*;
use super::stubs::{Calls, Stubs};
use crate::builder::{At, Bin, Builder, Cond, FlagCond, Flow, Reserve, Un, Width};
use crate::guest::Guest;
use crate::jit::Row;
use crate::jit::codebuf::CodeBuf;
use crate::jit::demand::{self, Demand};
use crate::jit::groups::{self, Plan};
use crate::jit::probe::{self, Usage};
use crate::jit::rotate::{self, Fused};
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
