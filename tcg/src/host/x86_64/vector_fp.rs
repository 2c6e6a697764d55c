//! Instruction selection for floating-point lanes, roundings to integral numbers, and comparisons
//! that leave flags. What the host answers differently goes to software, all lanes together.

use super::asm::{self, Form, Q, cc, form::*};
use super::emit::Emit;
use super::flags::Compared;
use super::fp::{F, Low};
use super::fp_arith::by;
use super::layout;
use super::regs::*;
use super::vector::{X0, X1};
use super::vector_table::{self, Soft};
use crate::builder::{FCond, Fmt, Fp2, Fp3, FpFlags, FpOp, IntTy, Rm};
use crate::guest::Guest;
use crate::softfloat::NanRule;

/// Predicates of `cmpps` and `cmppd`.
mod predicate {
    pub(super) const EQUAL: u8 = 0;
    pub(super) const LESS: u8 = 1;
    pub(super) const LESS_OR_EQUAL: u8 = 2;
    pub(super) const UNORDERED: u8 = 3;
}

impl<G: Guest> Emit<'_, G> {
    /// The immediate of `roundss` for a rounding mode, if the host has it.
    pub(super) fn host_rounding(&self, rm: Rm, inexact: bool) -> Option<u8> {
        const DYNAMIC: u8 = 4;
        const QUIET: u8 = 8;
        let quiet = if inexact { 0 } else { QUIET };
        match rm {
            Rm::Dynamic => self.host_rounds(rm).then_some(DYNAMIC | quiet),
            Rm::Static(rm) if self.host_computes() => Some(G::fp_static(rm)? | quiet),
            Rm::Static(_) => None,
        }
    }

    /// The host's unit may be used at all.
    pub(super) fn host_computes(&self) -> bool {
        G::fp_mode(self.mode) != crate::guest::FpMode::Soft
    }

    /// An operation on all lanes.
    pub(super) fn lanes_into(&mut self, op: FpOp, fmt: Fmt, rm: Rm, args: [F; 3], to: Reg) {
        let [a, b, c] = args;
        let soft = Soft::Fp(op, fmt, rm);
        let x = self.foperand(a);
        let done = self.host_computes()
            && match op {
                FpOp::Two(op) if self.host_rounds(rm) => {
                    let y = self.foperand(b);
                    self.two_floats(op, fmt, soft, x, y, to)
                }
                FpOp::Three(op) if self.host_rounds(rm) => {
                    let (y, z) = (self.foperand(b), self.foperand(c));
                    self.three_floats(op, fmt, soft, [x, y, z], to)
                }
                FpOp::Sqrt if self.host_rounds(rm) => {
                    // Software wants the operand again.
                    let r = if to == x { X0 } else { to };
                    self.vv(by(fmt, VSQRTPS_VX_WX, VSQRTPD_VX_WX), r, x);
                    self.nan_lanes(fmt, soft, r, &[x], to);
                    true
                }
                FpOp::Cmp(c) => {
                    let y = self.foperand(b);
                    let n = match c {
                        FCond::Eq => predicate::EQUAL,
                        FCond::Lt => predicate::LESS,
                        FCond::Le => predicate::LESS_OR_EQUAL,
                        FCond::Unordered => predicate::UNORDERED,
                    };
                    self.vvvi(by(fmt, VCMPPS_VX_HX_WX_IB, VCMPPD_VX_HX_WX_IB), to, x, y, n);
                    true
                }
                FpOp::Round(inexact) => self.round_lanes(fmt, soft, (rm, inexact), x, to),
                FpOp::ToInt(ty) => self.lanes_to_int(fmt, ty, rm, soft, x, to),
                FpOp::FromInt(ty) => self.lanes_from_int(fmt, ty, rm, x, to),
                FpOp::To(other) if other == Fmt::D || self.host_rounds(rm) => {
                    let convert = by(fmt, VCVTPS2PD_VX_WX, VCVTPD2PS_VX_WX);
                    if other == fmt || G::fp_nan(self.mode) == NanRule::Canonical {
                        false
                    } else {
                        self.vv(convert, to, x);
                        true
                    }
                }
                _ => false,
            };
        if done {
            return self.set_low(to, Low::All);
        }
        let count = match op {
            FpOp::Three(_) => 3,
            FpOp::Two(_) | FpOp::Cmp(_) => 2,
            _ => 1,
        };
        let mut all = vec![x];
        for &f in &args[1..count] {
            all.push(self.foperand(f));
        }
        self.soft_vector(soft, &all, to);
    }

    /// Goes to the slow path if a lane of `x` or `y` is a NaN; xmm1 is lost.
    fn nan_check(&mut self, fmt: Fmt, x: Reg, y: Reg) {
        let compare = by(fmt, VCMPPS_VX_HX_WX_IB, VCMPPD_VX_HX_WX_IB);
        self.vvvi(compare, X1, x, y, predicate::UNORDERED);
        self.vv(VPTEST_VX_WX, X1, X1);
        self.jcc_cold(cc::NE);
    }

    /// Software does all lanes again if one of the result `r` is a NaN; `to` gets the result.
    fn nan_lanes(&mut self, fmt: Fmt, soft: Soft, r: Reg, args: &[Reg], to: Reg) {
        if G::fp_nan(self.mode) != NanRule::X86 {
            self.nan_check(fmt, r, r);
            self.cold_soft_vector(soft, args, r);
            self.cold_back();
        }
        if r != to {
            self.vv(VMOVAPS_VX_WX, to, r);
        }
    }

    fn two_floats(&mut self, op: Fp2, fmt: Fmt, soft: Soft, x: Reg, y: Reg, to: Reg) -> bool {
        let form = match op {
            Fp2::Add => by(fmt, VADDPS_VX_HX_WX, VADDPD_VX_HX_WX),
            Fp2::Sub => by(fmt, VSUBPS_VX_HX_WX, VSUBPD_VX_HX_WX),
            Fp2::Mul => by(fmt, VMULPS_VX_HX_WX, VMULPD_VX_HX_WX),
            Fp2::Div => by(fmt, VDIVPS_VX_HX_WX, VDIVPD_VX_HX_WX),
            Fp2::Min | Fp2::MinNum => by(fmt, VMINPS_VX_HX_WX, VMINPD_VX_HX_WX),
            Fp2::Max | Fp2::MaxNum => by(fmt, VMAXPS_VX_HX_WX, VMAXPD_VX_HX_WX),
        };
        let plain = matches!(op, Fp2::Add | Fp2::Sub | Fp2::Mul | Fp2::Div);
        if plain {
            // Software wants the operands again.
            let r = if to == x || to == y { X0 } else { to };
            self.vvv(form, r, x, y);
            self.nan_lanes(fmt, soft, r, &[x, y], to);
        } else if G::fp_nan(self.mode) == NanRule::X86 {
            self.vvv(form, to, x, y);
        } else {
            self.min_max_lanes(form, matches!(op, Fp2::Min | Fp2::MinNum), fmt, soft, (x, y), to);
        }
        true
    }

    /// The host gives the second of two zeros: both orders, and their signs together.
    fn min_max_lanes(
        &mut self,
        form: Form,
        min: bool,
        fmt: Fmt,
        soft: Soft,
        (x, y): (Reg, Reg),
        to: Reg,
    ) {
        self.nan_check(fmt, x, y);
        self.vvv(form, X0, x, y);
        self.vvv(form, X1, y, x);
        self.vvv(if min { VPOR_VX_HX_WX } else { VPAND_VX_HX_WX }, to, X0, X1);
        self.cold_soft_vector(soft, &[x, y], to);
        self.cold_back();
    }

    fn three_floats(&mut self, op: Fp3, fmt: Fmt, soft: Soft, args: [Reg; 3], to: Reg) -> bool {
        let form = match op {
            Fp3::Madd => by(fmt, VFMADD231PS_VX_HX_WX, VFMADD231PD_VX_HX_WX),
            Fp3::Msub => by(fmt, VFMSUB231PS_VX_HX_WX, VFMSUB231PD_VX_HX_WX),
            Fp3::Nmsub => by(fmt, VFNMADD231PS_VX_HX_WX, VFNMADD231PD_VX_HX_WX),
            Fp3::Nmadd => by(fmt, VFNMSUB231PS_VX_HX_WX, VFNMSUB231PD_VX_HX_WX),
        };
        let [x, y, z] = args;
        self.vv(VMOVAPS_VX_WX, X0, z);
        self.vvv(form, X0, x, y);
        self.nan_lanes(fmt, soft, X0, &[x, y, z], to);
        true
    }

    fn round_lanes(
        &mut self,
        fmt: Fmt,
        soft: Soft,
        (rm, inexact): (Rm, bool),
        x: Reg,
        to: Reg,
    ) -> bool {
        let Some(how) = self.host_rounding(rm, inexact) else { return false };
        let form = by(fmt, VROUNDPS_VX_WX_IB, VROUNDPD_VX_WX_IB);
        let r = if to == x { X0 } else { to };
        form.rmi(&mut self.asm, Q, r, asm::Rm::Reg(x), how.into());
        if G::fp_nan(self.mode) == NanRule::Canonical {
            self.nan_lanes(fmt, soft, r, &[x], to);
        } else if r != to {
            self.vv(VMOVAPS_VX_WX, to, r);
        }
        true
    }

    /// Singles to words; the rest has no instruction.
    fn lanes_to_int(&mut self, fmt: Fmt, ty: IntTy, rm: Rm, soft: Soft, x: Reg, to: Reg) -> bool {
        let truncates = matches!(rm, Rm::Static(rm) if G::fp_static(rm) == Some(3));
        if !truncates && !self.host_rounds(rm) {
            return false;
        }
        let host = G::fp_nan(self.mode) == NanRule::X86;
        let form = match (fmt, truncates) {
            (Fmt::S, true) => VCVTTPS2DQ_VX_WX,
            (Fmt::S, false) => VCVTPS2DQ_VX_WX,
            (Fmt::D, true) if host => VCVTTPD2DQ_VX_WX,
            (Fmt::D, false) if host => VCVTPD2DQ_VX_WX,
            _ => return false,
        };
        match ty {
            IntTy::I32 if host => self.vv(form, to, x),
            IntTy::I32 => {
                let r = if to == x { X0 } else { to };
                self.vv(form, r, x);
                // The answer to what does not fit; also that to the smallest integer.
                self.ones(X1);
                self.vshift(VPSLLD_HX_UX_IB, X1, X1, 31);
                self.vvv(VPCMPEQD_VX_HX_WX, X1, X1, r);
                self.vv(VPTEST_VX_WX, X1, X1);
                self.jcc_cold(cc::NE);
                self.cold_soft_vector(soft, &[x], r);
                self.cold_back();
                if r != to {
                    self.vv(VMOVAPS_VX_WX, to, r);
                }
            }
            IntTy::U32 if !host => {
                // Negative ones, and those from 2^31 on, before the host raises a flag for them.
                const LIMIT: u64 = 0x4eff_ffff;
                self.constant_into(
                    crate::ops::vector::splat(crate::builder::Width::W32, LIMIT),
                    X1,
                );
                self.vvv(VPCMPGTD_VX_HX_WX, X1, x, X1);
                self.vvv(VPOR_VX_HX_WX, X1, X1, x);
                VMOVMSKPS_GD_UX.rm(&mut self.asm, asm::D, RAX, asm::Rm::Reg(X1));
                self.asm.test(asm::D, RAX, RAX);
                self.jcc_cold(cc::NE);
                self.vv(form, to, x);
                self.cold_soft_vector(soft, &[x], to);
                self.cold_back();
            }
            _ => return false,
        }
        true
    }

    fn lanes_from_int(&mut self, fmt: Fmt, ty: IntTy, rm: Rm, x: Reg, to: Reg) -> bool {
        match (fmt, ty) {
            (Fmt::D, IntTy::I32) => self.vv(VCVTDQ2PD_VX_WX, to, x),
            (Fmt::S, IntTy::I32) if self.host_rounds(rm) => self.vv(VCVTDQ2PS_VX_WX, to, x),
            _ => return false,
        }
        true
    }

    /// A comparison that leaves flags.
    pub(super) fn fp_flags(&mut self, how: FpFlags, signaling: bool, fmt: Fmt, a: F, b: F) {
        self.finish_flags();
        self.keep_conditions();
        let (x, y) = (self.foperand(a), self.foperand(b));
        if !self.host_computes() {
            let image = self.soft_flags_of(Soft::Compare(how, signaling, fmt), x, y);
            self.store_field(G::FLAGS, image);
            return;
        }
        let compare = if signaling {
            by(fmt, COMISS_VX_WX, COMISD_VX_WX)
        } else {
            by(fmt, UCOMISS_VX_WX, UCOMISD_VX_WX)
        };
        compare.rm(&mut self.asm, Q, x, asm::Rm::Reg(y));
        if self.wanted_flags() != 0 {
            self.save_compared(how, Compared { form: compare, x, y });
        }
        self.release();
    }

    fn soft_flags_of(&mut self, soft: Soft, x: Reg, y: Reg) -> super::emit::V {
        for (slot, x) in [x, y].into_iter().enumerate() {
            let place = asm::Rm::Mem(layout::spill_vec::<G>(slot));
            MOVUPS_WX_VX.rm(&mut self.asm, Q, x, place);
        }
        self.asm.mov_imm(RAX, vector_table::number(soft));
        let stub = self.calls().vector;
        self.call_stub(stub);
        self.result_from(RAX)
    }
}
