//! Floating point to and from the integer side: comparisons, conversions, loads and stores.

use super::asm::{self, Alu, B, D, Q, cc, form};
use super::emit::{Emit, V};
use super::fp::{F, FNode};
use super::fp_arith::by;
use super::layout;
use super::regs::*;
use crate::builder::{FCond, Fmt, FpOp, IntTy, MemOp, Rm};
use crate::guest::Guest;
use crate::vcpu::MXCSR_FLAGS;

impl<G: Guest> Emit<'_, G> {
    /// 1 if the relation holds; the flags of an unordered comparison are the host's.
    pub(super) fn fp_compare(&mut self, c: FCond, fmt: Fmt, a: F, b: F) -> V {
        if !self.host_computes() {
            return self.fp_soft(FpOp::Cmp(c), fmt, Rm::Dynamic, &[a, b]);
        }
        let (x, y) = (self.foperand(a), self.foperand(b));
        match c {
            FCond::Eq => {
                let compare = by(fmt, form::UCOMISS_VX_WX, form::UCOMISD_VX_WX);
                compare.rm(&mut self.asm, Q, x, asm::Rm::Reg(y));
                self.asm.setcc(cc::E, RAX);
                self.asm.setcc(cc::NP, RCX);
                form::AND_GB_EB.rm(&mut self.asm, B, RAX, asm::Rm::Reg(RCX));
            }
            FCond::Lt | FCond::Le => {
                // b against a: "above" is false for unordered operands.
                if self.usage[self.index].quiet {
                    let compare = by(fmt, form::UCOMISS_VX_WX, form::UCOMISD_VX_WX);
                    compare.rm(&mut self.asm, Q, y, asm::Rm::Reg(x));
                    // NaNs may raise a flag.
                    self.jcc_cold(cc::P);
                    self.cold_interpret(self.at.pc);
                } else {
                    let compare = by(fmt, form::COMISS_VX_WX, form::COMISD_VX_WX);
                    compare.rm(&mut self.asm, Q, y, asm::Rm::Reg(x));
                }
                self.asm.setcc(if c == FCond::Lt { cc::A } else { cc::AE }, RAX);
            }
            FCond::Unordered => {
                let compare = by(fmt, form::UCOMISS_VX_WX, form::UCOMISD_VX_WX);
                compare.rm(&mut self.asm, Q, x, asm::Rm::Reg(y));
                self.asm.setcc(cc::P, RAX);
            }
        }
        form::MOVZX_GV_EB.rm(&mut self.asm, D, RAX, asm::Rm::Reg(RAX));
        self.result_from(RAX)
    }

    /// The host's conversion to a signed integer; what does not fit is left to software, before
    /// the host could raise the wrong flag.
    pub(super) fn fp_to_int(&mut self, fmt: Fmt, to: IntTy, rm: Rm, a: F) -> V {
        let truncate = matches!(rm, Rm::Static(rm) if G::fp_static(rm) == Some(3));
        let hosts = truncate && self.host_computes() || self.host_rounds(rm);
        let rounding = match rm {
            Rm::Static(_) if !hosts => self.host_rounding(rm, false),
            _ => None,
        };
        if !hosts && rounding.is_none() {
            return self.fp_soft(FpOp::ToInt(to), fmt, rm, &[a]);
        }
        let x = self.foperand(a);
        let result = self.temp();
        let form = match (fmt, truncate || rounding.is_some()) {
            (Fmt::S, true) => form::CVTTSS2SI_GY_WX,
            (Fmt::S, false) => form::CVTSS2SI_GY_WX,
            (Fmt::D, true) => form::CVTTSD2SI_GY_WX,
            (Fmt::D, false) => form::CVTSD2SI_GY_WX,
        };
        // Rounded first, in quiet.
        let from = match rounding {
            Some(how) => {
                let round = by(fmt, form::VROUNDSS_VX_HX_WX_IB, form::VROUNDSD_VX_HX_WX_IB);
                round.vrmi(&mut self.asm, Q, XSCRATCH[0], x, asm::Rm::Reg(x), how.into());
                XSCRATCH[0]
            }
            None => x,
        };
        match to {
            IntTy::I32 => {
                form.rm(&mut self.asm, D, RAX, asm::Rm::Reg(from));
                // The answer to what does not fit; also that to the smallest integer.
                self.asm.alu_imm(Alu::Cmp, D, asm::Rm::Reg(RAX), i32::MIN);
                self.jcc_cold(cc::E);
                form::MOVSXD_GV_EZ.rm(&mut self.asm, Q, result, asm::Rm::Reg(RAX));
            }
            IntTy::I64 => {
                form.rm(&mut self.asm, Q, RAX, asm::Rm::Reg(from));
                self.asm.mov_imm(RCX, i64::MIN as u64);
                self.asm.alu(Alu::Cmp, Q, RAX, asm::Rm::Reg(RCX));
                self.jcc_cold(cc::E);
                self.asm.mov(Q, result, RAX);
            }
            IntTy::U32 | IntTy::U64 => {
                self.unsigned_range(fmt, to, from);
                form.rm(&mut self.asm, Q, RAX, asm::Rm::Reg(from));
                if to == IntTy::U32 {
                    form::MOVSXD_GV_EZ.rm(&mut self.asm, Q, result, asm::Rm::Reg(RAX));
                } else {
                    self.asm.mov(Q, result, RAX);
                }
            }
        }
        if rounding.is_some() {
            // For the flag of what was lost: the truncated number fits if the rounded one does.
            form.rm(&mut self.asm, Q, RAX, asm::Rm::Reg(x));
        }
        self.cold_soft(FpOp::ToInt(to), fmt, rm, &[x]);
        self.cold.mov(Q, result, RAX);
        self.cold_back();
        self.release();
        self.push(super::emit::Node::Host(result))
    }

    /// Leaves what is negative or too large for a signed conversion to the slow path, by its
    /// bits. The largest number below 2^32 might round up: the bound is one binade lower.
    fn unsigned_range(&mut self, fmt: Fmt, to: IntTy, x: Reg) {
        let bits = if to == IntTy::U32 { 31 } else { 63 };
        match fmt {
            Fmt::S => {
                form::MOVD_ED_VX.rm(&mut self.asm, D, x, asm::Rm::Reg(RAX));
                self.asm.alu_imm(Alu::Cmp, D, asm::Rm::Reg(RAX), (127 + bits) << 23);
            }
            Fmt::D => {
                form::MOVQ_EQ_VX.rm(&mut self.asm, Q, x, asm::Rm::Reg(RAX));
                self.asm.mov_imm(RCX, (1023 + bits as u64) << 52);
                self.asm.alu(Alu::Cmp, Q, RAX, asm::Rm::Reg(RCX));
            }
        }
        self.jcc_cold(cc::AE);
    }

    /// From an integer; unsigned doublewords of 2^63 and more are left to software.
    pub(super) fn fp_from_int(&mut self, fmt: Fmt, from: IntTy, rm: Rm, a: V) -> F {
        let exact = fmt == Fmt::D && matches!(from, IntTy::I32 | IntTy::U32);
        if !exact && !self.host_rounds(rm) {
            self.spill_arg(a, 0);
            let v = self.soft_call(FpOp::FromInt(from), fmt, rm);
            return self.soft_value(fmt, v);
        }
        let to = self.xtemp();
        self.fp.hold(to);
        let upper = self.ones_for(fmt);
        self.set_low(to, fmt.into());
        let form = by(fmt, form::VCVTSI2SS_VX_HX_EY, form::VCVTSI2SD_VX_HX_EY);
        match from {
            IntTy::I32 => {
                let r = self.operand(a);
                form.vrm(&mut self.asm, D, to, upper, asm::Rm::Reg(r));
            }
            IntTy::I64 => {
                let r = self.operand(a);
                form.vrm(&mut self.asm, Q, to, upper, asm::Rm::Reg(r));
            }
            IntTy::U32 => {
                let r = self.operand(a);
                let wide = self.scratch();
                self.asm.mov(D, wide, r);
                form.vrm(&mut self.asm, Q, to, upper, asm::Rm::Reg(wide));
            }
            IntTy::U64 => {
                let r = self.operand(a);
                self.asm.test(Q, r, r);
                self.jcc_cold(cc::S);
                form.vrm(&mut self.asm, Q, to, upper, asm::Rm::Reg(r));
                self.cold.store(Q, r, super::layout::spill::<G>(0));
                self.cold.mov_imm(RAX, super::fp_table::number(FpOp::FromInt(from), fmt, rm));
                let stub = self.calls().fp;
                self.cold_call(stub);
                self.cold_result(fmt, to);
                self.cold_back();
            }
        }
        self.release();
        self.fpush(FNode::Host(to))
    }

    /// Loads a number.
    pub(super) fn fp_load(&mut self, va: V, fmt: Fmt) -> F {
        let m = if fmt == Fmt::S { MemOp::LWU } else { MemOp::LD };
        let to = match self.loaded_register() {
            Some(host) => host,
            None => self.xtemp(),
        };
        self.fp.hold(to);
        self.load_vector(va, m, fmt, to);
        self.set_low(to, fmt.into());
        self.fpush(FNode::Host(to))
    }

    /// Stores the low part of a register.
    pub(super) fn fp_store(&mut self, va: V, f: F, fmt: Fmt) {
        let m = if fmt == Fmt::S { MemOp::SW } else { MemOp::SD };
        let from = self.foperand(f);
        self.store_vector(va, m, fmt, from);
    }

    /// The bits of a value.
    pub(super) fn fp_bits(&mut self, fmt: Fmt, f: F) -> V {
        let x = self.foperand(f);
        let to = self.temp();
        match fmt {
            Fmt::S => form::MOVD_ED_VX.rm(&mut self.asm, D, x, asm::Rm::Reg(to)),
            Fmt::D => form::MOVQ_EQ_VX.rm(&mut self.asm, Q, x, asm::Rm::Reg(to)),
        }
        self.release();
        self.push(super::emit::Node::Host(to))
    }

    /// The sticky flags of the control word.
    pub(super) fn flags_raised(&mut self) -> V {
        let word = asm::Rm::Mem(layout::guest_mxcsr::<G>());
        let to = self.temp();
        form::STMXCSR_MD.m(&mut self.asm, D, word);
        form::MOV_GV_EV.rm(&mut self.asm, D, to, word);
        self.asm.alu_imm(Alu::And, D, asm::Rm::Reg(to), MXCSR_FLAGS as i32);
        self.release();
        self.push(super::emit::Node::Host(to))
    }

    /// Clears them.
    pub(super) fn forget_raised(&mut self) {
        // All but the flags is in memory as it is in the unit.
        let word = asm::Rm::Mem(layout::guest_mxcsr::<G>());
        self.asm.alu_imm(Alu::And, D, word, !MXCSR_FLAGS as i32);
        form::LDMXCSR_MD.m(&mut self.asm, D, word);
        self.forget_host_flags();
    }
}
