//! Floating point on the host's SSE unit, bit for bit what the guest would compute.
//!
//! Values are lazy as integers are: an operation is emitted when it is known which register its
//! result goes to. Guest registers live pinned or local, as integers do. The guest's sticky flags
//! are those of MXCSR, its dynamic rounding mode is MXCSR's; NaN results and whatever the host
//! answers differently are put right out of line. Singles of guests that box them are boxed in
//! their host registers at all times: scalar operations keep the upper half of their first
//! operand.

use super::asm::{self, D, Form, Mem, Q, cc, form};
use super::emit::{Emit, Node, V};
use super::layout;
use super::pool::{self, Constant};
use super::regs::*;
use crate::builder::{Fmt, Fp2, Fp3, FpOp, Rm, Sgn, Width, X1, X2, XImm};
use crate::guest::{FpMode, Guest};
use crate::jit::nans::AnyNans;
use crate::softfloat::NanRule;
use crate::vcpu::SPILL_VECTORS;

/// A floating-point value: an index into the instruction's nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct F(pub(super) u16);

/// What a floating-point value is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum FNode {
    /// A guest register as the instruction found it.
    Reg(u8),
    /// In a vector register until the end of the instruction.
    Host(Reg),
    Two(Fp2, Fmt, F, F),
    Three(Fp3, Fmt, F, F, F),
    Sqrt(Fmt, F),
    Sign(Sgn, Fmt, F, F),
    Convert(Fmt, Fmt, F),
    Bits(Fmt, V),
    /// Rounded as the immediate of `roundss` says.
    Round(u8, Fmt, F),
    /// In a spill slot.
    Spill(u8),
    Const(u128),
    X1(X1, Width, F),
    X2(X2, Width, F, F),
    Number(XImm, Width, F, F, u8),
    Select(F, F, F),
    Lanes(FpOp, Fmt, Rm, [F; 3]),
}

impl FNode {
    /// The values that it is computed from.
    fn operands(self) -> [Option<F>; 3] {
        match self {
            FNode::Reg(_) | FNode::Host(_) | FNode::Bits(..) | FNode::Spill(_) => [None; 3],
            FNode::Const(_) => [None; 3],
            FNode::Sqrt(_, a) | FNode::Convert(_, _, a) => [Some(a), None, None],
            FNode::Round(_, _, a) | FNode::X1(_, _, a) => [Some(a), None, None],
            FNode::Two(_, _, a, b) | FNode::Sign(_, _, a, b) => [Some(a), Some(b), None],
            FNode::X2(_, _, a, b) | FNode::Number(_, _, a, b, _) => [Some(a), Some(b), None],
            FNode::Three(_, _, a, b, c) | FNode::Select(a, b, c) => [Some(a), Some(b), Some(c)],
            FNode::Lanes(_, _, _, all) => all.map(Some),
        }
    }
}

/// What is known of the upper part of a vector register: zero above a number, or for a guest that
/// boxes singles the box.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Low {
    #[default]
    All,
    Double,
    Single,
}

impl From<Fmt> for Low {
    fn from(fmt: Fmt) -> Self {
        match fmt {
            Fmt::S => Low::Single,
            Fmt::D => Low::Double,
        }
    }
}

/// Lazy values are no deeper than this: computing them takes a register for each level.
const DEPTH: u32 = 3;
/// Spill slots that calls pass arguments in.
const ARGS: u8 = 4;

/// What a vector register holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct XLocal {
    pub(super) guest: Option<u8>,
    pub(super) dirty: bool,
    used: u32,
}

impl XLocal {
    /// A guest register, of which nothing more is known.
    pub(super) fn new(r: u8, dirty: bool) -> Self {
        Self { guest: Some(r), dirty, ..Self::default() }
    }
}

/// What the emitter knows of vector registers.
#[derive(Default)]
pub(super) struct Fp {
    pub(super) nodes: Vec<FNode>,
    /// Registers to be written, with the format of a number.
    pub(super) sets: Vec<(u8, Option<Fmt>, F)>,
    pub(super) locals: [XLocal; XLOCALS.len()],
    /// By host register.
    pub(super) low: [Low; 16],
    /// Guest registers that hold boxed singles as long as the loop runs.
    pub(super) singles: u64,
    temps: u16,
    spills: u8,
    pub(super) held: u16,
    clock: u32,
    /// Guest registers whose NaNs are still to be made the guest's.
    pub(super) any_nans: AnyNans,
    /// What rows say about them.
    pub(super) nan_lists: Vec<AnyNans>,
    /// Lists of dirty registers, for rows, which count them from one.
    pub(super) lists: Vec<Box<[(u8, u8)]>>,
}

impl Fp {
    pub(super) fn begin(&mut self) {
        self.nodes.clear();
        self.sets.clear();
        self.temps = 0;
        self.spills = 0;
        self.held = 0;
    }

    /// Keeps a local where it is until the end of the operation.
    pub(super) fn hold(&mut self, host: Reg) {
        if let Some(at) = XLOCALS.iter().position(|&l| l == host) {
            self.held |= 1 << at;
        }
    }

    /// A vector register is allocated.
    pub(super) fn in_use(&self) -> bool {
        self.temps != 0 || self.locals.iter().any(|l| l.guest.is_some())
    }
}

impl<G: Guest> Emit<'_, G> {
    pub(super) fn fpush(&mut self, node: FNode) -> F {
        self.fp.nodes.push(node);
        F(self.fp.nodes.len() as u16 - 1)
    }

    pub(super) fn fnode(&self, f: F) -> FNode {
        self.fp.nodes[usize::from(f.0)]
    }

    fn xpin(r: u8) -> Option<usize> {
        G::FP.pins.iter().take(XPINS.len()).position(|&p| p == r)
    }

    pub(super) fn xlocal_of(&self, r: u8) -> Option<usize> {
        self.fp.locals.iter().position(|l| l.guest == Some(r))
    }

    /// A host register that holds a guest register, loading it if need be.
    pub(super) fn xreg(&mut self, r: u8) -> Reg {
        if let Some(pin) = Self::xpin(r) {
            return XPINS[pin];
        }
        let at = match self.xlocal_of(r) {
            Some(at) => at,
            None => {
                let at = self.free_xlocal();
                super::load_vec::<G>(&mut self.asm, XLOCALS[at], layout::vec::<G>(r));
                self.fp.low[usize::from(XLOCALS[at])] = Low::All;
                self.fp.locals[at] = XLocal { guest: Some(r), ..XLocal::default() };
                at
            }
        };
        self.xtouch(at);
        XLOCALS[at]
    }

    /// The host's register of the one that the present instruction does nothing to but load it. It is
    /// as it was if the load faults.
    pub(super) fn loaded_register(&self) -> Option<Reg> {
        let u = &self.usage[self.index];
        let r = u.vectors_written.trailing_zeros() as u8;
        if u.vectors_written != 1 << r || (u.singles | u.doubles | u.bits) >> r & 1 != 0 {
            return None;
        }
        self.xresident(r)
    }

    /// The host register that holds a guest register now, if one does.
    pub(super) fn xresident(&self, r: u8) -> Option<Reg> {
        let local = || self.xlocal_of(r).map(|at| XLOCALS[at]);
        Self::xpin(r).map(|at| XPINS[at]).or_else(local)
    }

    fn xtouch(&mut self, at: usize) {
        self.fp.clock += 1;
        self.fp.locals[at].used = self.fp.clock;
        self.fp.held |= 1 << at;
    }

    fn free_xlocal(&mut self) -> usize {
        let taken = self.fp.temps | self.fp.held;
        let at = (0..XLOCALS.len()).filter(|at| taken >> at & 1 == 0).min_by_key(|&at| {
            let guest = self.fp.locals[at].guest;
            let any_nan = guest.is_some_and(|r| self.fp.any_nans.format(r).is_some());
            (any_nan, guest.is_some(), self.fp.locals[at].used)
        });
        let at = match at {
            Some(at) => at,
            None => self.spill_xtemp(),
        };
        self.xwrite_back(at);
        self.fp.locals[at] = XLocal::default();
        self.fp.low[usize::from(XLOCALS[at])] = Low::All;
        at
    }

    /// Moves a temporary to memory; gives the index of its local.
    fn spill_xtemp(&mut self) -> usize {
        let at = (0..XLOCALS.len())
            .find(|&at| self.fp.temps >> at & 1 != 0 && self.fp.held >> at & 1 == 0)
            .expect("no operation uses more vector registers at once than there are");
        let slot = ARGS + self.fp.spills;
        assert!(usize::from(slot) < SPILL_VECTORS, "an instruction keeps no more than slots");
        self.fp.spills += 1;
        let place = asm::Rm::Mem(layout::spill_vec::<G>(usize::from(slot)));
        form::MOVUPS_WX_VX.rm(&mut self.asm, Q, XLOCALS[at], place);
        for node in &mut self.fp.nodes {
            if *node == FNode::Host(XLOCALS[at]) {
                *node = FNode::Spill(slot);
            }
        }
        self.fp.temps &= !(1 << at);
        at
    }

    pub(super) fn xwrite_back(&mut self, at: usize) {
        let local = self.fp.locals[at];
        if let (Some(r), true) = (local.guest, local.dirty) {
            if let Some(fmt) = self.fp.any_nans.format(r) {
                self.check_nan(fmt, XLOCALS[at]);
                self.fp.any_nans.remove(r);
            }
            super::store_vec::<G>(&mut self.asm, XLOCALS[at], layout::vec::<G>(r));
            self.fp.locals[at].dirty = false;
        }
    }

    /// Brings the state's vector registers up to date, by moves only.
    pub(super) fn xflush(&mut self) {
        for at in 0..XLOCALS.len() {
            self.xwrite_back(at);
        }
    }

    /// The same in a slow path that leaves.
    pub(super) fn cold_xflush(&mut self) {
        for (host, local) in XLOCALS.iter().zip(self.fp.locals) {
            if let (Some(r), true) = (local.guest, local.dirty) {
                super::store_vec::<G>(&mut self.cold, *host, layout::vec::<G>(r));
            }
        }
    }

    /// Forgets what vector registers hold; they must be clean.
    pub(super) fn forget_xlocals(&mut self) {
        self.fp.locals = [XLocal::default(); XLOCALS.len()];
        self.fp.low = [Low::All; 16];
    }

    /// After a region that may or may not have run: keeps what is true either way.
    pub(super) fn xjoin(&mut self, before: &[XLocal; XLOCALS.len()]) {
        for (now, then) in self.fp.locals.iter_mut().zip(before) {
            if now.guest != then.guest {
                *now = XLocal::default();
            }
        }
        self.fp.low = [Low::All; 16];
    }

    pub(super) fn xtemp(&mut self) -> Reg {
        let at = self.free_xlocal();
        self.fp.temps |= 1 << at;
        XLOCALS[at]
    }

    /// The list of dirty vector registers, for a row.
    pub(super) fn xlist(&mut self) -> u16 {
        let dirty: Vec<(u8, u8)> = (0..XLOCALS.len())
            .filter_map(|at| {
                let local = self.fp.locals[at];
                local.guest.filter(|_| local.dirty).map(|r| (XLOCALS[at], r))
            })
            .collect();
        if dirty.is_empty() {
            return 0;
        }
        let at = self.fp.lists.iter().rposition(|l| **l == *dirty).unwrap_or_else(|| {
            self.fp.lists.push(dirty.into());
            self.fp.lists.len() - 1
        });
        at as u16 + 1
    }

    /// A guest register in a format. A register that is not known to hold a boxed single is
    /// checked; if it does not, which happens to hardly any program, the interpreter goes on.
    pub(super) fn fread(&mut self, r: u8, fmt: Fmt) -> F {
        let f = self.fpush(FNode::Reg(r));
        if let Some((_, _, v)) = self.fp.sets.iter().rev().find(|s| s.0 == r) {
            return *v;
        }
        if fmt == Fmt::D || !G::NAN_BOXED {
            return f;
        }
        let host = self.xreg(r);
        let known = self.fp.low[usize::from(host)] == Low::Single || self.fp.singles >> r & 1 != 0;
        if !known {
            self.check_box(host, self.at.pc);
        }
        f
    }

    /// A slow path that leaves the instruction at `pc` and what follows to the interpreter.
    pub(super) fn cold_interpret(&mut self, pc: u64) {
        self.cold_flush();
        self.cold.mov_imm(RAX, pc);
        let stub = self.stubs.interpret;
        self.cold_jmp(stub);
    }

    /// Does the register writes that were kept back.
    pub(super) fn fcommit(&mut self) {
        let sets = std::mem::take(&mut self.fp.sets);
        for (i, &(r, fmt, f)) in sets.iter().enumerate() {
            for &(_, _, later) in &sets[i + 1..] {
                if self.freads(later, FNode::Reg(r)) {
                    self.fmaterialize(later);
                }
            }
            if let node @ FNode::Host(_) = self.fnode(f)
                && sets[i + 1..].iter().any(|&(_, _, later)| self.freads(later, node))
            {
                // A temporary that others read stays where it is.
                let copy = self.xtemp();
                self.fp_into(f, copy);
                let copy = self.fpush(FNode::Host(copy));
                self.fassign(r, fmt, copy);
            } else {
                self.fassign(r, fmt, f);
            }
        }
        self.fp.sets = sets;
        self.fp.sets.clear();
    }

    fn fassign(&mut self, r: u8, fmt: Option<Fmt>, f: F) {
        if self.fnode(f) != FNode::Reg(r) {
            match (self.fnode(f), Self::xpin(r)) {
                (FNode::Host(host), None) => self.xadopt(host, r),
                (_, Some(pin)) => self.fp_into(f, XPINS[pin]),
                (_, None) => {
                    // The old value may be an operand: the register is loaded first.
                    if self.freads(f, FNode::Reg(r)) {
                        self.xreg(r);
                    }
                    let at = self.xlocal_of(r).unwrap_or_else(|| self.free_xlocal());
                    self.xtouch(at);
                    let to = XLOCALS[at];
                    self.fp.locals[at].guest = Some(r);
                    self.fp_into(f, to);
                    self.fp.locals[at].dirty = true;
                }
            }
        }
        self.fp.any_nans.remove(r);
        if let Some(fmt) = fmt {
            self.end_number(r, fmt);
            if self.usage[self.index].any_nan {
                self.fp.any_nans.add(r, fmt);
            }
        }
        self.fp.held = 0;
    }

    /// A number was written to a register: sees to the upper part.
    fn end_number(&mut self, r: u8, fmt: Fmt) {
        let host = self.xreg(r);
        let low = &mut self.fp.low[usize::from(host)];
        if G::NAN_BOXED {
            *low = if fmt == Fmt::S { Low::Single } else { Low::All };
        } else if *low < fmt.into() {
            *low = fmt.into();
            self.zero_above(fmt, host);
            if let Some(at) = self.xlocal_of(r) {
                self.fp.locals[at].dirty = true;
            }
        }
    }

    /// Zeroes what is above a number.
    fn zero_above(&mut self, fmt: Fmt, x: Reg) {
        match fmt {
            Fmt::D => form::VMOVQ_VX_WX.rm(&mut self.asm, Q, x, asm::Rm::Reg(x)),
            Fmt::S => form::VINSERTPS_VX_HX_WX_IB.vrmi(&mut self.asm, Q, x, x, asm::Rm::Reg(x), 14),
        }
    }

    fn xadopt(&mut self, host: Reg, r: u8) {
        let at = XLOCALS.iter().position(|&l| l == host).expect("temporaries are locals");
        self.fp.temps &= !(1 << at);
        if let Some(old) = self.xlocal_of(r).filter(|&old| old != at) {
            // Where a loop goes on registers have to be where they were.
            if self.loops() {
                let to = XLOCALS[old];
                form::MOVAPS_VX_WX.rm(&mut self.asm, Q, to, asm::Rm::Reg(host));
                self.set_low(to, self.low(host));
                self.fp.locals[old].dirty = true;
                return self.xtouch(old);
            }
            self.fp.locals[old] = XLocal::default();
        }
        self.fp.locals[at] = XLocal { guest: Some(r), dirty: true, ..XLocal::default() };
        self.xtouch(at);
    }

    /// Whether computing a value reads a register, of the guest or of the host.
    fn freads(&self, f: F, register: FNode) -> bool {
        let node = self.fnode(f);
        let mut operands = node.operands().into_iter().flatten();
        node == register || operands.any(|f| self.freads(f, register))
    }

    fn fdepth(&self, f: F) -> u32 {
        let operands = self.fnode(f).operands().into_iter().flatten();
        operands.map(|f| 1 + self.fdepth(f)).max().unwrap_or(0)
    }

    /// Keeps a lazy value, unless it is made of many: then those are computed now.
    pub(super) fn ftree(&mut self, node: FNode) -> F {
        for f in node.operands().into_iter().flatten() {
            if self.fdepth(f) >= DEPTH {
                self.fmaterialize(f);
            }
        }
        self.fpush(node)
    }

    /// Computes a value into a temporary.
    pub(super) fn fmaterialize(&mut self, f: F) {
        if !matches!(self.fnode(f), FNode::Host(_) | FNode::Spill(_) | FNode::Const(_)) {
            let held = self.fp.held;
            let to = self.xtemp();
            self.fp.hold(to);
            self.fp_into(f, to);
            self.fp.nodes[usize::from(f.0)] = FNode::Host(to);
            self.fp.held = held;
        }
    }

    /// A vector register that holds the value, not to be changed.
    pub(super) fn foperand(&mut self, f: F) -> Reg {
        match self.fnode(f) {
            FNode::Reg(r) => self.xreg(r),
            FNode::Host(host) => {
                self.fp.hold(host);
                host
            }
            _ => {
                let to = self.xtemp();
                self.fp.hold(to);
                self.fp_into(f, to);
                self.fp.nodes[usize::from(f.0)] = FNode::Host(to);
                to
            }
        }
    }

    /// Computes a value into a vector register.
    pub(super) fn fp_into(&mut self, f: F, to: Reg) {
        let held = self.fp.held;
        self.fp_compute(f, to);
        self.fp.held = held;
    }

    pub(super) fn low(&self, x: Reg) -> Low {
        self.fp.low[usize::from(x)]
    }

    pub(super) fn set_low(&mut self, x: Reg, low: Low) {
        self.fp.low[usize::from(x)] = low;
    }

    fn fp_compute(&mut self, f: F, to: Reg) {
        match self.fnode(f) {
            FNode::Reg(_) | FNode::Host(_) => {
                let from = self.foperand(f);
                if from != to {
                    form::MOVAPS_VX_WX.rm(&mut self.asm, Q, to, asm::Rm::Reg(from));
                    self.set_low(to, self.low(from));
                }
            }
            FNode::Spill(slot) => {
                let place = asm::Rm::Mem(layout::spill_vec::<G>(slot.into()));
                form::MOVUPS_VX_WX.rm(&mut self.asm, Q, to, place);
                self.set_low(to, Low::All);
            }
            FNode::Two(op, fmt, a, b) => self.two_into(op, fmt, a, b, to),
            FNode::Three(op, fmt, a, b, c) => self.three_into(op, fmt, a, b, c, to),
            FNode::Sqrt(fmt, a) => {
                let x = self.foperand(a);
                let sqrt = by(fmt, form::VSQRTSS_VX_HX_WX, form::VSQRTSD_VX_HX_WX);
                let low = self.low(x).min(fmt.into());
                let r = self.unless_read(to, &[x]);
                sqrt.vrm(&mut self.asm, Q, r, x, asm::Rm::Reg(x));
                self.nan_result(FpOp::Sqrt, fmt, r, &[x], to);
                self.set_low(to, low);
            }
            FNode::Sign(s, fmt, a, b) => self.sign_into(s, fmt, a, b, to),
            FNode::Convert(from, fmt, a) => {
                let x = self.foperand(a);
                let convert = by(from, form::VCVTSS2SD_VX_HX_WX, form::VCVTSD2SS_VX_HX_WX);
                let upper = self.ones_for(fmt);
                convert.vrm(&mut self.asm, Q, to, upper, asm::Rm::Reg(x));
                self.converted_nan(fmt, to);
                self.set_low(to, fmt.into());
            }
            FNode::Round(how, fmt, a) => {
                let x = self.foperand(a);
                let round = by(fmt, form::VROUNDSS_VX_HX_WX_IB, form::VROUNDSD_VX_HX_WX_IB);
                let low = self.low(x).min(fmt.into());
                round.vrmi(&mut self.asm, Q, to, x, asm::Rm::Reg(x), how.into());
                self.converted_nan(fmt, to);
                self.set_low(to, low);
            }
            FNode::Const(_)
            | FNode::X1(..)
            | FNode::X2(..)
            | FNode::Number(..)
            | FNode::Select(..)
            | FNode::Lanes(..) => self.vector_into(f, to),
            FNode::Bits(fmt, v) => {
                let held = self.fp.held;
                let from = self.operand(v);
                match fmt {
                    Fmt::D => form::MOVQ_VX_EQ.rm(&mut self.asm, Q, to, asm::Rm::Reg(from)),
                    Fmt::S if G::NAN_BOXED => {
                        let ones = self.ones_for(fmt);
                        form::VPINSRD_VX_HX_ED_IB.vrmi(
                            &mut self.asm,
                            D,
                            to,
                            ones,
                            asm::Rm::Reg(from),
                            0,
                        );
                    }
                    Fmt::S => form::MOVD_VX_ED.rm(&mut self.asm, D, to, asm::Rm::Reg(from)),
                }
                self.set_low(to, fmt.into());
                self.release();
                self.fp.held = held;
            }
        }
    }

    /// xmm1 with what belongs above a result of this format: ones around a boxed single.
    pub(super) fn ones_for(&mut self, fmt: Fmt) -> Reg {
        let ones = XSCRATCH[1];
        let form =
            if fmt == Fmt::S && G::NAN_BOXED { form::PCMPEQD_VX_WX } else { form::PXOR_VX_WX };
        form.rm(&mut self.asm, Q, ones, asm::Rm::Reg(ones));
        ones
    }

    /// The register, or a scratch register if it is one of the operands and the slow path will
    /// want them.
    pub(super) fn unless_read(&self, to: Reg, operands: &[Reg]) -> Reg {
        let again = G::fp_nan(self.mode) == NanRule::Arm;
        if again && operands.contains(&to) { XSCRATCH[0] } else { to }
    }

    /// If the result `r` is a NaN, makes it the guest's; in any case it goes to `to`.
    fn nan_result(&mut self, op: FpOp, fmt: Fmt, r: Reg, args: &[Reg], to: Reg) {
        let compare = by(fmt, form::UCOMISS_VX_WX, form::UCOMISD_VX_WX);
        match G::fp_nan(self.mode) {
            NanRule::X86 => {}
            NanRule::Canonical => self.canonical_nan(fmt, r),
            NanRule::Arm => {
                compare.rm(&mut self.asm, Q, r, asm::Rm::Reg(r));
                self.jcc_cold(cc::P);
                self.cold_soft(op, fmt, Rm::Dynamic, args);
                self.cold_result(fmt, r);
                self.cold_back();
            }
        }
        if r != to {
            form::MOVAPS_VX_WX.rm(&mut self.asm, Q, to, asm::Rm::Reg(r));
        }
    }

    /// After a conversion, which keeps the NaN that it gets unless there is but one.
    fn converted_nan(&mut self, fmt: Fmt, to: Reg) {
        if G::fp_nan(self.mode) == NanRule::Canonical {
            self.canonical_nan(fmt, to);
        }
    }

    /// An instruction of a slow path with a constant from the pool.
    pub(super) fn cold_constant(&mut self, form: Form, to: Reg, constant: Constant) {
        let place = self.buf.exec_address(self.stubs.pool + pool::offset(constant));
        let length = form_length(form, to);
        let rel = place.wrapping_sub(self.cold_here() + length) as i64;
        form.rm(&mut self.cold, Q, to, asm::Rm::Mem(Mem::rip(rel as i32)));
    }

    /// The same in line, for forms with a second source.
    fn with_constant(&mut self, form: Form, to: Reg, from: Reg, constant: Constant) {
        let place = self.buf.exec_address(self.stubs.pool + pool::offset(constant));
        let mut probe = asm::Asm::default();
        form.vrm(&mut probe, Q, to, from, asm::Rm::Mem(Mem::rip(0)));
        let rel = place.wrapping_sub(self.here() + probe.pos() as u64) as i64;
        form.vrm(&mut self.asm, Q, to, from, asm::Rm::Mem(Mem::rip(rel as i32)));
    }

    fn two_into(&mut self, op: Fp2, fmt: Fmt, a: F, b: F, to: Reg) {
        let (x, y) = (self.foperand(a), self.foperand(b));
        let form = match op {
            Fp2::Add => by(fmt, form::VADDSS_VX_HX_WX, form::VADDSD_VX_HX_WX),
            Fp2::Sub => by(fmt, form::VSUBSS_VX_HX_WX, form::VSUBSD_VX_HX_WX),
            Fp2::Mul => by(fmt, form::VMULSS_VX_HX_WX, form::VMULSD_VX_HX_WX),
            Fp2::Div => by(fmt, form::VDIVSS_VX_HX_WX, form::VDIVSD_VX_HX_WX),
            Fp2::Min | Fp2::Max | Fp2::MinNum | Fp2::MaxNum => {
                return self.min_max_into(op, fmt, x, y, to);
            }
        };
        let low = self.low(x).min(fmt.into());
        let r = self.unless_read(to, &[x, y]);
        form.vrm(&mut self.asm, Q, r, x, asm::Rm::Reg(y));
        self.nan_result(FpOp::Two(op), fmt, r, &[x, y], to);
        self.set_low(to, low);
    }

    /// Equal operands (zeros of either sign) and NaNs are left to software.
    fn min_max_into(&mut self, op: Fp2, fmt: Fmt, x: Reg, y: Reg, to: Reg) {
        let low = self.low(x).min(fmt.into());
        let hosts = G::fp_nan(self.mode) == NanRule::X86;
        if !hosts {
            let compare = by(fmt, form::UCOMISS_VX_WX, form::UCOMISD_VX_WX);
            compare.rm(&mut self.asm, Q, x, asm::Rm::Reg(y));
            // ZF is set for equal and for unordered operands.
            self.jcc_cold(cc::E);
        }
        let form = match op {
            Fp2::Min | Fp2::MinNum => by(fmt, form::VMINSS_VX_HX_WX, form::VMINSD_VX_HX_WX),
            _ => by(fmt, form::VMAXSS_VX_HX_WX, form::VMAXSD_VX_HX_WX),
        };
        form.vrm(&mut self.asm, Q, to, x, asm::Rm::Reg(y));
        self.set_low(to, low);
        if hosts {
            return;
        }
        self.cold_soft(FpOp::Two(op), fmt, Rm::Dynamic, &[x, y]);
        self.cold_result(fmt, to);
        self.cold_back();
    }

    /// The host keeps quiet about infinity times zero plus a NaN: NaNs are left to software.
    fn three_into(&mut self, op: Fp3, fmt: Fmt, a: F, b: F, c: F, to: Reg) {
        let (x, y, z) = (self.foperand(a), self.foperand(b), self.foperand(c));
        let form = match op {
            Fp3::Madd => by(fmt, form::VFMADD231SS_VX_HX_WX, form::VFMADD231SD_VX_HX_WX),
            Fp3::Msub => by(fmt, form::VFMSUB231SS_VX_HX_WX, form::VFMSUB231SD_VX_HX_WX),
            Fp3::Nmsub => by(fmt, form::VFNMADD231SS_VX_HX_WX, form::VFNMADD231SD_VX_HX_WX),
            Fp3::Nmadd => by(fmt, form::VFNMSUB231SS_VX_HX_WX, form::VFNMSUB231SD_VX_HX_WX),
        };
        let sum = XSCRATCH[0];
        form::MOVAPS_VX_WX.rm(&mut self.asm, Q, sum, asm::Rm::Reg(z));
        form.vrm(&mut self.asm, Q, sum, x, asm::Rm::Reg(y));
        let compare = by(fmt, form::UCOMISS_VX_WX, form::UCOMISD_VX_WX);
        compare.rm(&mut self.asm, Q, sum, asm::Rm::Reg(sum));
        self.jcc_cold(cc::P);
        form::MOVAPS_VX_WX.rm(&mut self.asm, Q, to, asm::Rm::Reg(sum));
        self.set_low(to, self.low(z).min(fmt.into()));
        self.cold_soft(FpOp::Three(op), fmt, Rm::Dynamic, &[x, y, z]);
        self.cold_result(fmt, to);
        self.cold_back();
    }

    fn sign_into(&mut self, s: Sgn, fmt: Fmt, a: F, b: F, to: Reg) {
        let (sign, rest) = match fmt {
            Fmt::S => (Constant::SignS, Constant::RestS),
            Fmt::D => (Constant::SignD, Constant::RestD),
        };
        let x = self.foperand(a);
        let low = self.low(x).min(fmt.into());
        if self.fnode(a) == self.fnode(b) {
            self.set_low(to, low);
            match s {
                Sgn::Neg => self.with_constant(form::VXORPS_VX_HX_WX, to, x, sign),
                Sgn::Xor => self.with_constant(form::VANDPS_VX_HX_WX, to, x, rest),
                Sgn::Copy => form::MOVAPS_VX_WX.rm(&mut self.asm, Q, to, asm::Rm::Reg(x)),
            }
            return;
        }
        let y = self.foperand(b);
        let from = XSCRATCH[0];
        self.with_constant(form::VANDPS_VX_HX_WX, from, y, sign);
        if s == Sgn::Neg {
            self.with_constant(form::VXORPS_VX_HX_WX, from, from, sign);
        }
        let first = if s == Sgn::Xor {
            x
        } else {
            self.with_constant(form::VANDPS_VX_HX_WX, XSCRATCH[1], x, rest);
            XSCRATCH[1]
        };
        let combine = if s == Sgn::Xor { form::VXORPS_VX_HX_WX } else { form::VORPS_VX_HX_WX };
        combine.vrm(&mut self.asm, Q, to, first, asm::Rm::Reg(from));
        self.set_low(to, low);
    }

    /// Slow path: an operation in software on vector registers; the result is in rax.
    pub(super) fn cold_soft(&mut self, op: FpOp, fmt: Fmt, rm: Rm, args: &[Reg]) {
        for (slot, &x) in args.iter().enumerate() {
            let to = asm::Rm::Mem(layout::spill::<G>(slot));
            if fmt == Fmt::S {
                form::MOVD_ED_VX.rm(&mut self.cold, D, x, asm::Rm::Reg(RAX));
                self.cold.store(Q, RAX, layout::spill::<G>(slot));
            } else {
                form::MOVSD_WX_VX.rm(&mut self.cold, Q, x, to);
            }
        }
        self.cold.mov_imm(RAX, super::fp_table::number(op, fmt, rm));
        let stub = self.calls().fp;
        self.cold_call(stub);
    }

    /// Slow path: the result in rax into a vector register.
    pub(super) fn cold_result(&mut self, fmt: Fmt, to: Reg) {
        if fmt == Fmt::S && G::NAN_BOXED {
            self.cold.mov_imm(RCX, 0xffff_ffff_0000_0000);
            self.cold.alu(asm::Alu::Or, Q, RAX, asm::Rm::Reg(RCX));
        }
        form::MOVQ_VX_EQ.rm(&mut self.cold, Q, to, asm::Rm::Reg(RAX));
    }

    /// Whether the host does an operation with this rounding mode.
    pub(super) fn host_rounds(&self, rm: Rm) -> bool {
        match (rm, G::fp_mode(self.mode)) {
            (Rm::Dynamic, FpMode::Soft) => false,
            (Rm::Dynamic, _) => true,
            (Rm::Static(rm), FpMode::Nearest) => G::fp_static(rm) == Some(0),
            (Rm::Static(_), _) => false,
        }
    }

    /// An operation in software, in line.
    pub(super) fn fp_soft(&mut self, op: FpOp, fmt: Fmt, rm: Rm, args: &[F]) -> V {
        for (slot, &f) in args.iter().enumerate() {
            let x = self.foperand(f);
            if fmt == Fmt::S {
                form::MOVD_ED_VX.rm(&mut self.asm, D, x, asm::Rm::Reg(RAX));
                self.asm.store(Q, RAX, layout::spill::<G>(slot));
            } else {
                let to = asm::Rm::Mem(layout::spill::<G>(slot));
                form::MOVSD_WX_VX.rm(&mut self.asm, Q, x, to);
            }
        }
        self.soft_call(op, fmt, rm)
    }

    /// Calls the software for an operation on the spill slots.
    pub(super) fn soft_call(&mut self, op: FpOp, fmt: Fmt, rm: Rm) -> V {
        self.asm.mov_imm(RAX, super::fp_table::number(op, fmt, rm));
        let stub = self.calls().fp;
        self.call_stub(stub);
        self.result_from(RAX)
    }

    /// A number that software computed, as a value.
    pub(super) fn soft_value(&mut self, fmt: Fmt, v: V) -> F {
        debug_assert!(matches!(self.node(v), Node::Host(_)));
        self.fpush(FNode::Bits(fmt, v))
    }
}

/// The form for a format.
pub(super) fn by(fmt: Fmt, single: Form, double: Form) -> Form {
    match fmt {
        Fmt::S => single,
        Fmt::D => double,
    }
}

/// Bytes of an instruction with a rip-relative operand.
fn form_length(form: Form, reg: Reg) -> u64 {
    let mut probe = asm::Asm::default();
    form.rm(&mut probe, Q, reg, asm::Rm::Mem(Mem::rip(0)));
    probe.pos() as u64
}
