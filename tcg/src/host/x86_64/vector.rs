//! Vectors: where they are, and how they come and go.
//!
//! They live where floating-point numbers do, a number being the low part of a vector, and are
//! lazy as these are. What the host has one or few instructions for is in [`super::vector_int`]
//! and [`super::vector_fp`]; the rest is a call of [`super::vector_table`].

use super::asm::{self, D, Form, Mem, Q, form};
use super::emit::{Emit, Node, V};
use super::fp::{F, FNode, Low};
use super::layout;
use super::regs::*;
use super::vector_table::{self, Soft};
use crate::builder::{FlagCond, MemOp, Width};
use crate::guest::Guest;

/// The second source of an instruction.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    Reg(Reg),
    /// A constant, by its offset in the code buffer.
    Constant(usize),
}

/// Where a scratch value goes.
pub(super) const X0: Reg = XSCRATCH[0];
/// Another one.
pub(super) const X1: Reg = XSCRATCH[1];

impl<G: Guest> Emit<'_, G> {
    /// `form to, x, y`.
    pub(super) fn vvv(&mut self, form: Form, to: Reg, x: Reg, y: Reg) {
        form.vrm(&mut self.asm, Q, to, x, asm::Rm::Reg(y));
    }

    /// `form to, x, y, n`.
    pub(super) fn vvvi(&mut self, form: Form, to: Reg, x: Reg, y: Reg, n: u8) {
        form.vrmi(&mut self.asm, Q, to, x, asm::Rm::Reg(y), i64::from(n as i8));
    }

    /// `form to, x`.
    pub(super) fn vv(&mut self, form: Form, to: Reg, x: Reg) {
        form.rm(&mut self.asm, Q, to, asm::Rm::Reg(x));
    }

    /// `form to, x, n`, of forms that have the target in VEX.vvvv too.
    pub(super) fn vshift(&mut self, form: Form, to: Reg, x: Reg, n: u8) {
        form.vrmi(&mut self.asm, Q, 0, to, asm::Rm::Reg(x), i64::from(n as i8));
    }

    /// `form to, x, source`.
    pub(super) fn vvs(&mut self, form: Form, to: Reg, x: Reg, source: Source) {
        match source {
            Source::Reg(y) => self.vvv(form, to, x, y),
            Source::Constant(place) => {
                let m = self.constant(place, |m, out| form.vrm(out, Q, to, x, m));
                form.vrm(&mut self.asm, Q, to, x, m);
            }
        }
    }

    /// The operand for a constant, for an instruction that is tried out first.
    fn constant(&self, place: usize, emit: impl Fn(asm::Rm, &mut asm::Asm)) -> asm::Rm {
        let mut probe = asm::Asm::default();
        emit(asm::Rm::Mem(Mem::rip(0)), &mut probe);
        let rel = self.buf.exec_address(place).wrapping_sub(self.here() + probe.pos() as u64);
        asm::Rm::Mem(Mem::rip(rel as i32))
    }

    /// All zeros.
    pub(super) fn zero(&mut self, to: Reg) {
        self.vvv(form::VPXOR_VX_HX_WX, to, to, to);
    }

    /// All ones.
    pub(super) fn ones(&mut self, to: Reg) {
        self.vvv(form::VPCMPEQD_VX_HX_WX, to, to, to);
    }

    /// A constant into a register.
    pub(super) fn constant_into(&mut self, v: u128, to: Reg) {
        if v == 0 {
            self.zero(to);
        } else if v == u128::MAX {
            self.ones(to);
        } else if let Some(place) = self.pool.place(self.buf, v) {
            let load = form::VMOVDQA_VX_WX;
            let m = self.constant(place, |m, out| load.rm(out, Q, to, m));
            load.rm(&mut self.asm, Q, to, m);
        } else {
            self.asm.mov_imm(RAX, v as u64);
            form::VMOVQ_VX_EQ.rm(&mut self.asm, Q, to, asm::Rm::Reg(RAX));
            self.asm.mov_imm(RAX, (v >> 64) as u64);
            form::VPINSRQ_VX_HX_EQ_IB.vrmi(&mut self.asm, Q, to, to, asm::Rm::Reg(RAX), 1);
        }
        self.set_low(to, Self::low_of(v));
    }

    fn low_of(v: u128) -> Low {
        if v >> 32 == 0 {
            Low::Single
        } else if v >> 64 == 0 {
            Low::Double
        } else {
            Low::All
        }
    }

    /// A value as the second source.
    pub(super) fn source_of(&mut self, f: F) -> Source {
        match self.fnode(f) {
            FNode::Const(v) if v != 0 && v != u128::MAX => match self.pool.place(self.buf, v) {
                Some(place) => Source::Constant(place),
                None => Source::Reg(self.foperand(f)),
            },
            _ => Source::Reg(self.foperand(f)),
        }
    }

    /// What is known of the upper part of a source.
    pub(super) fn source_low(&self, f: F, source: Source) -> Low {
        match (source, self.fnode(f)) {
            (Source::Reg(x), _) => self.low(x),
            (_, FNode::Const(v)) => Self::low_of(v),
            _ => Low::All,
        }
    }

    /// The value of a constant.
    pub(super) fn constant_of(&self, f: F) -> Option<u128> {
        match self.fnode(f) {
            FNode::Const(v) => Some(v),
            _ => None,
        }
    }

    /// Computes a vector operation.
    pub(super) fn vector_into(&mut self, f: F, to: Reg) {
        match self.fnode(f) {
            FNode::Const(v) => self.constant_into(v, to),
            FNode::X1(op, w, a) => self.one_into(op, w, a, to),
            FNode::X2(op, w, a, b) => self.two_lanes_into(op, w, a, b, to),
            FNode::Number(op, w, a, b, n) => self.number_into(op, w, a, b, n, to),
            FNode::Select(m, a, b) => self.select_vector_into(m, a, b, to),
            FNode::Lanes(op, fmt, rm, args) => self.lanes_into(op, fmt, rm, args, to),
            node => unreachable!("{node:?} is no operation on vectors"),
        }
    }

    /// An operation in software, in line.
    pub(super) fn soft_vector(&mut self, op: Soft, args: &[Reg], to: Reg) {
        for (slot, &x) in args.iter().enumerate() {
            let place = asm::Rm::Mem(layout::spill_vec::<G>(slot));
            form::MOVUPS_WX_VX.rm(&mut self.asm, Q, x, place);
        }
        self.asm.mov_imm(RAX, vector_table::number(op));
        let stub = self.calls().vector;
        self.call_stub(stub);
        let place = asm::Rm::Mem(layout::spill_vec::<G>(0));
        form::MOVUPS_VX_WX.rm(&mut self.asm, Q, to, place);
        self.set_low(to, Low::All);
    }

    /// The same as a slow path, which goes back to the code.
    pub(super) fn cold_soft_vector(&mut self, op: Soft, args: &[Reg], to: Reg) {
        for (slot, &x) in args.iter().enumerate() {
            let place = asm::Rm::Mem(layout::spill_vec::<G>(slot));
            form::MOVUPS_WX_VX.rm(&mut self.cold, Q, x, place);
        }
        self.cold.mov_imm(RAX, vector_table::number(op));
        let stub = self.calls().vector;
        self.cold_call(stub);
        let place = asm::Rm::Mem(layout::spill_vec::<G>(0));
        form::MOVUPS_VX_WX.rm(&mut self.cold, Q, to, place);
    }

    /// A lane as an integer.
    pub(super) fn lane_value(&mut self, w: Width, a: F, i: u8) -> V {
        let x = self.foperand(a);
        let to = self.temp();
        let (out, r) = (&mut self.asm, asm::Rm::Reg(to));
        match (w, i) {
            (Width::W64, 0) => form::VMOVQ_EQ_VX.rm(out, Q, x, r),
            (Width::W64, _) => form::VPEXTRQ_EQ_VX_IB.rmi(out, Q, x, r, i64::from(i & 1)),
            (Width::W32, 0) => form::VMOVD_ED_VX.rm(out, D, x, r),
            (Width::W32, _) => form::VPEXTRD_ED_VX_IB.rmi(out, D, x, r, i64::from(i & 3)),
            (Width::W16, _) => {
                form::VPEXTRW_GD_UX_IB.rmi(out, D, to, asm::Rm::Reg(x), i64::from(i & 7));
            }
            (Width::W8, _) => form::VPEXTRB_RD_VX_IB.rmi(out, D, x, r, i64::from(i & 15)),
        }
        self.release();
        self.push(Node::Host(to))
    }

    /// The bits of an integer in reverse order: the halves of its bytes by tables, then its bytes.
    pub(super) fn reverse_bits(&mut self, w: Width, v: V) -> V {
        const HALVES: u128 = u128::from_le_bytes([15; 16]);
        let reversed: [u8; 16] = std::array::from_fn(|i| (i as u8).reverse_bits() >> 4);
        let low = u128::from_le_bytes(reversed);
        let table = self.xtemp();
        self.fp.hold(table);
        let r = self.operand(v);
        form::VMOVQ_VX_EQ.rm(&mut self.asm, Q, X0, asm::Rm::Reg(r));
        self.vshift(form::VPSRLW_HX_UX_IB, X1, X0, 4);
        self.constant_into(HALVES, table);
        self.vvv(form::VPAND_VX_HX_WX, X0, X0, table);
        self.vvv(form::VPAND_VX_HX_WX, X1, X1, table);
        self.constant_into(low, table);
        self.vvv(form::VPSHUFB_VX_HX_WX, X1, table, X1);
        self.constant_into(low << 4, table);
        self.vvv(form::VPSHUFB_VX_HX_WX, X0, table, X0);
        self.vvv(form::VPOR_VX_HX_WX, X0, X0, X1);
        self.release();
        let to = self.temp();
        form::VMOVQ_EQ_VX.rm(&mut self.asm, Q, X0, asm::Rm::Reg(to));
        let size = if w == Width::W64 { Q } else { D };
        form::BSWAP_ZV.o(&mut self.asm, size, to);
        self.release();
        self.push(Node::Host(to))
    }

    /// The top bits of the lanes.
    pub(super) fn mask_value(&mut self, w: Width, a: F) -> V {
        let x = self.foperand(a);
        let to = self.temp();
        let from = match w {
            Width::W16 => {
                self.zero(X1);
                self.vvv(form::VPACKSSWB_VX_HX_WX, X0, x, X1);
                X0
            }
            _ => x,
        };
        let form = match w {
            Width::W8 | Width::W16 => form::VPMOVMSKB_GD_UX,
            Width::W32 => form::VMOVMSKPS_GD_UX,
            Width::W64 => form::VMOVMSKPD_GD_UX,
        };
        form.rm(&mut self.asm, D, to, asm::Rm::Reg(from));
        self.release();
        self.push(Node::Host(to))
    }

    /// A comparison of texts: the elements found, and the flags above them.
    pub(super) fn text_value(&mut self, a: F, b: F, n: u8) -> V {
        self.finish_flags();
        self.keep_conditions();
        let (x, y) = (self.foperand(a), self.foperand(b));
        let to = self.temp();
        let out = &mut self.asm;
        // The result goes to xmm0.
        form::VPCMPISTRM_VX_WX_IB.rmi(out, Q, x, asm::Rm::Reg(y), i64::from(n as i8));
        form::LAHF.n(out);
        out.setcc(FlagCond::Overflow as u8, RAX);
        form::VMOVD_ED_VX.rm(out, D, X0, asm::Rm::Reg(to));
        form::SHL_EV_IB.mi(out, D, asm::Rm::Reg(RAX), 16);
        form::OR_GV_EV.rm(out, D, to, asm::Rm::Reg(RAX));
        self.release();
        self.push(Node::Host(to))
    }

    /// An integer into a lane.
    pub(super) fn insert_value(&mut self, w: Width, a: F, i: u8, v: V) -> F {
        let to = self.xtemp();
        self.fp.hold(to);
        let held = self.fp.held;
        let r = self.operand(v);
        self.fp.held |= held;
        let out = asm::Rm::Reg(r);
        let wide = matches!(w, Width::W32 | Width::W64);
        if wide && i == 0 && self.constant_of(a) == Some(0) {
            let (form, low) = match w {
                Width::W64 => (form::VMOVQ_VX_EQ, Low::Double),
                _ => (form::VMOVD_VX_ED, Low::Single),
            };
            form.rm(&mut self.asm, Q, to, out);
            self.set_low(to, low);
        } else {
            let x = self.foperand(a);
            let form = match w {
                Width::W8 => form::VPINSRB_VX_HX_RD_IB,
                Width::W16 => form::VPINSRW_VX_HX_RD_IB,
                Width::W32 => form::VPINSRD_VX_HX_ED_IB,
                Width::W64 => form::VPINSRQ_VX_HX_EQ_IB,
            };
            let n = u32::from(i) & (128 / w.bits() - 1);
            form.vrmi(&mut self.asm, D, to, x, out, n.into());
            let end = (n + 1) * w.bits();
            let low = match end {
                ..=32 => Low::Single,
                33..=64 => Low::Double,
                _ => Low::All,
            };
            self.set_low(to, low.min(self.low(x)));
        }
        self.release();
        self.fpush(FNode::Host(to))
    }

    /// An integer into all lanes.
    pub(super) fn splat_value(&mut self, w: Width, v: V) -> F {
        if let Some(v) = self.imm_of(v) {
            return self.fpush(FNode::Const(crate::ops::vector::splat(w, v)));
        }
        let to = self.xtemp();
        let r = self.operand(v);
        form::VMOVQ_VX_EQ.rm(&mut self.asm, Q, X0, asm::Rm::Reg(r));
        let form = match w {
            Width::W8 => form::VPBROADCASTB_VX_WX,
            Width::W16 => form::VPBROADCASTW_VX_WX,
            Width::W32 => form::VPBROADCASTD_VX_WX,
            Width::W64 => form::VPBROADCASTQ_VX_WX,
        };
        self.vv(form, to, X0);
        self.release();
        self.fpush(FNode::Host(to))
    }

    /// Loads up to 16 bytes.
    pub(super) fn vector_load(&mut self, va: V, m: MemOp) -> F {
        let to = self.xtemp();
        self.fp.hold(to);
        self.load_bytes(va, m, to);
        let low = match m.size {
            0..=2 => Low::Single,
            3 => Low::Double,
            _ => Low::All,
        };
        self.set_low(to, low);
        self.fpush(FNode::Host(to))
    }

    /// Stores the low bytes of a vector.
    pub(super) fn vector_store(&mut self, va: V, f: F, m: MemOp) {
        let x = self.foperand(f);
        self.store_bytes(va, m, x);
    }
}
