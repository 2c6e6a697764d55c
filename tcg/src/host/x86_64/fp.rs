//! Floating point on the host's SSE unit, bit for bit what the guest would compute.
//!
//! Values are lazy as integers are: an operation is emitted when it is known which register its
//! result goes to. Guest registers live pinned or local, as integers do. The guest's sticky flags
//! are those of MXCSR, its dynamic rounding mode is MXCSR's; NaN results and whatever the host
//! answers differently are put right out of line. Singles of guests that box them are boxed in
//! their host registers at all times: scalar operations keep the upper half of their first
//! operand.

use super::asm::{self, D, Q, form};
use super::emit::{Emit, V};
use super::fp_arith::by;
use super::fp_registers::XLocal;
use super::layout;
use super::regs::*;
use crate::builder::{Fmt, Fp2, Fp3, FpOp, Rm, Sgn, Width, X1, X2, XImm};
use crate::guest::Guest;
use crate::jit::nans::AnyNans;
use crate::softfloat::NanRule;

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
    pub(super) temps: u16,
    pub(super) spills: u8,
    pub(super) held: u16,
    pub(super) clock: u32,
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
}
