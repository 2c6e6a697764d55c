//! What has to be looked at around floating point: NaNs, which are to be the guest's where they are
//! seen ([`crate::jit::nans`]), and the boxes of singles.

use super::asm::{Alu, D, Q, Rm, cc, form};
use super::emit::Emit;
use super::fp::Low;
use super::fp_arith::by;
use super::pool::Constant;
use super::regs::*;
use crate::builder::Fmt;
use crate::guest::Guest;
use crate::jit::nans;

impl<G: Guest> Emit<'_, G> {
    /// If a register does not hold a boxed single, the interpreter goes on at `pc`.
    pub(super) fn check_box(&mut self, host: Reg, pc: u64) {
        form::MOVQ_EQ_VX.rm(&mut self.asm, Q, host, Rm::Reg(RAX));
        form::SHR_EV_IB.mi(&mut self.asm, Q, Rm::Reg(RAX), 32);
        self.asm.alu_imm(Alu::Cmp, D, Rm::Reg(RAX), -1);
        self.jcc_cold(cc::NE);
        self.cold_interpret(pc);
        self.set_low(host, Low::Single);
    }

    /// Before a loop: what it may leave as any NaN to its next run is a number, or the guest's NaN.
    pub(super) fn check_loop_nans(&mut self) {
        let mut nans = nans::left_by_loop(&self.usage);
        for (r, fmt) in nans.registers() {
            let Some(host) = self.xresident(r) else {
                // It is put right when it goes to memory.
                nans.remove(r);
                continue;
            };
            // Which NaN it is the interpreter finds out. It may be a signaling one, of which a
            // comparison would raise a flag.
            self.compare_with_infinity(fmt, host);
            self.jcc_cold(cc::A);
            self.cold_interpret(self.pc);
        }
        self.fp.any_nans = nans;
    }

    /// Compares a number without its sign with infinity, by their bits: NaNs are above.
    fn compare_with_infinity(&mut self, fmt: Fmt, host: Reg) {
        match fmt {
            Fmt::S => {
                form::MOVD_ED_VX.rm(&mut self.asm, D, host, Rm::Reg(RAX));
                self.asm.alu(Alu::Add, D, RAX, Rm::Reg(RAX));
                self.asm.alu_imm(Alu::Cmp, D, Rm::Reg(RAX), 0xff00_0000_u32 as i32);
            }
            Fmt::D => {
                form::MOVQ_EQ_VX.rm(&mut self.asm, Q, host, Rm::Reg(RAX));
                self.asm.alu(Alu::Add, Q, RAX, Rm::Reg(RAX));
                self.asm.mov_imm(RCX, 0xffe0_0000_0000_0000);
                self.asm.alu(Alu::Cmp, Q, RAX, Rm::Reg(RCX));
            }
        }
    }

    /// Before a loop: registers that it first reads as singles, and writes as nothing else, are
    /// checked once.
    pub(super) fn check_loop_singles(&mut self) {
        let (mut seen, mut read, mut others) = (0, 0, 0);
        for u in &self.usage {
            read |= u.singles & !seen;
            seen |= u.vectors;
            others |= u.no_singles;
        }
        for r in (0..64).filter(|r| G::NAN_BOXED && (read & !others) >> r & 1 != 0) {
            if let Some(host) = self.xresident(r) {
                if self.low(host) != Low::Single {
                    self.check_box(host, self.pc);
                }
                self.fp.singles |= 1 << r;
            }
        }
    }

    /// If the result of the present instruction is a NaN, makes it the canonical one, now or later.
    pub(super) fn canonical_nan(&mut self, fmt: Fmt, to: Reg) {
        if !self.usage[self.index].any_nan {
            self.check_nan(fmt, to);
        }
    }

    /// If a register holds a NaN, makes it the canonical one.
    pub(super) fn check_nan(&mut self, fmt: Fmt, to: Reg) {
        let compare = by(fmt, form::UCOMISS_VX_WX, form::UCOMISD_VX_WX);
        compare.rm(&mut self.asm, Q, to, Rm::Reg(to));
        self.jcc_cold(cc::P);
        self.cold_nan(fmt, to);
        self.cold_back();
    }

    /// Makes the NaNs the guest's that have been left for later.
    pub(super) fn check_nans(&mut self) {
        for (r, fmt) in self.fp.any_nans.registers() {
            let host = self.xreg(r);
            self.check_nan(fmt, host);
            self.fp.any_nans.remove(r);
        }
    }

    /// The same in a slow path that leaves.
    pub(super) fn cold_check_nans(&mut self) {
        for (r, fmt) in self.fp.any_nans.registers() {
            let Some(host) = self.xresident(r) else { continue };
            let compare = by(fmt, form::UCOMISS_VX_WX, form::UCOMISD_VX_WX);
            compare.rm(&mut self.cold, Q, host, Rm::Reg(host));
            let number = self.cold.jcc_short(cc::NP);
            self.cold_nan(fmt, host);
            self.cold.bind(number);
        }
    }

    /// In a slow path: the guest's NaN.
    fn cold_nan(&mut self, fmt: Fmt, to: Reg) {
        let nan = match fmt {
            Fmt::S if G::NAN_BOXED => Constant::NanS,
            Fmt::S => Constant::NanSingle,
            Fmt::D => Constant::NanD,
        };
        let form = if G::NAN_BOXED { form::MOVSD_VX_WX } else { form::MOVAPS_VX_WX };
        self.cold_constant(form, to, nan);
    }
}
