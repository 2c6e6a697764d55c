//! Instructions for floating-point arithmetic, and what is out of line of them.

use super::asm::{self, D, Form, Mem, Q, cc, form};
use super::emit::{Emit, Node, V};
use super::fp::{F, FNode};
use super::layout;
use super::pool::{self, Constant};
use super::regs::*;
use crate::builder::{Fmt, Fp2, Fp3, FpOp, Rm, Sgn};
use crate::guest::{FpMode, Guest};
use crate::softfloat::NanRule;

impl<G: Guest> Emit<'_, G> {
    /// If the result `r` is a NaN, makes it the guest's; in any case it goes to `to`.
    pub(super) fn nan_result(&mut self, op: FpOp, fmt: Fmt, r: Reg, args: &[Reg], to: Reg) {
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
    pub(super) fn converted_nan(&mut self, fmt: Fmt, to: Reg) {
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

    pub(super) fn two_into(&mut self, op: Fp2, fmt: Fmt, a: F, b: F, to: Reg) {
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
    pub(super) fn three_into(&mut self, op: Fp3, fmt: Fmt, a: F, b: F, c: F, to: Reg) {
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

    pub(super) fn sign_into(&mut self, s: Sgn, fmt: Fmt, a: F, b: F, to: Reg) {
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
