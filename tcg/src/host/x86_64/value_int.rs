//! Instruction selection for integer operations whose result's register is known.

use super::asm::{self, Alu, D, Mem, Q, Rm, form};
use super::emit::{Emit, Node, V, folds};
use super::regs::*;
use super::value::{size, small};
use crate::builder::{Bin, Un, Width};
use crate::guest::Guest;

impl<G: Guest> Emit<'_, G> {
    /// Replaces the low bits of a register.
    pub(super) fn merge_into(&mut self, w: Width, low: V, to: Reg) {
        let s = if w == Width::W8 { asm::B } else { asm::W };
        let low = match (self.node(low), w) {
            (Node::Imm(x), Width::W8) => {
                return form::MOV_EB_IB.mi(&mut self.asm, s, Rm::Reg(to), x as i64);
            }
            (Node::Flag(_) | Node::Cmp(..), Width::W8) => {
                let code = self.truth(low);
                return self.asm.setcc(code, to);
            }
            // What a narrow operation leaves above its result is not looked at.
            (
                Node::Bin(
                    op @ (Bin::Add | Bin::Sub | Bin::And | Bin::Or | Bin::Xor | Bin::Mul),
                    _,
                    a,
                    b,
                ),
                _,
            ) => self.push(Node::Bin(op, Width::W32, a, b)),
            _ => low,
        };
        let from = self.operand(low);
        let form = if s == asm::B { form::MOV_EB_GB } else { form::MOV_EV_GV };
        form.rm(&mut self.asm, s, from, Rm::Reg(to));
    }

    pub(super) fn bin_into(&mut self, op: Bin, w: Width, a: V, b: V, to: Reg) {
        match op {
            Bin::Add => self.add_into(w, a, b, to),
            Bin::Sub => {
                match self.imm_of(b).filter(|&x| small(x.wrapping_neg(), size(w)).is_some()) {
                    Some(x) => {
                        let negated = self.push(Node::Imm(x.wrapping_neg()));
                        self.add_into(w, a, negated, to);
                    }
                    None => self.sub_into(w, a, b, to),
                }
            }
            Bin::And => self.and_into(w, a, b, to),
            Bin::Or => self.commutative_into(Alu::Or, w, a, b, to),
            Bin::Xor => self.commutative_into(Alu::Xor, w, a, b, to),
            Bin::Mul => self.mul_into(w, a, b, to),
            _ => self.shift_into(op, w, a, b, to),
        }
        match w {
            Width::W8 => form::MOVZX_GV_EB.rm(&mut self.asm, D, to, Rm::Reg(to)),
            Width::W16 => form::MOVZX_GV_EW.rm(&mut self.asm, D, to, Rm::Reg(to)),
            _ => {}
        }
    }

    fn add_into(&mut self, w: Width, a: V, b: V, to: Reg) {
        let (a, b) = if self.imm_of(a).is_some() { (b, a) } else { (a, b) };
        let s = size(w);
        if let Some(x) = self.imm_of(b).and_then(|x| small(x, s)) {
            let from = self.source(a, to);
            if from == to {
                self.asm.alu_imm(Alu::Add, s, Rm::Reg(to), x);
            } else {
                self.asm.lea(s, to, Mem::base(from, x));
            }
            return;
        }
        for (x, y) in [(a, b), (b, a)] {
            if let (Width::W64, Some((index, scale))) = (w, self.scaled(x)) {
                let index = self.operand(index);
                let base = self.operand(y);
                self.asm.lea(Q, to, Mem::indexed(base, index, scale, 0));
                return;
            }
        }
        let (a, b) = if self.is_leaf(a) && !self.is_leaf(b) { (b, a) } else { (a, b) };
        // The operand that is in the target already comes first.
        let there = self.is_leaf(b) && self.reads(b, to) && !self.reads(a, to);
        let (a, b) = if there { (b, a) } else { (a, b) };
        let first = if self.reads(b, to) { self.operand(a) } else { self.source(a, to) };
        match self.operand_rm(b) {
            second if first == to => self.asm.alu(Alu::Add, s, to, second),
            Rm::Reg(second) if second == to => self.asm.alu(Alu::Add, s, to, Rm::Reg(first)),
            Rm::Reg(second) => self.asm.lea(s, to, Mem::indexed(first, second, 0, 0)),
            second => {
                self.asm.mov(Q, to, first);
                self.asm.alu(Alu::Add, s, to, second);
            }
        }
    }

    /// A register with the value; one that has to be computed is computed in `to`.
    pub(super) fn source(&mut self, v: V, to: Reg) -> Reg {
        if let Some(at) = self.at_hand(v) {
            return at;
        }
        self.into(v, to);
        to
    }

    /// Gets `a` into `to`, which `b` may read; gives the operand for `b`.
    pub(super) fn two_address(&mut self, a: V, b: V, to: Reg) -> Rm {
        if self.reads(b, to) {
            let second = self.scratch();
            self.into(b, second);
            self.into(a, to);
            return Rm::Reg(second);
        }
        self.into(a, to);
        self.operand_rm(b)
    }

    fn sub_into(&mut self, w: Width, a: V, b: V, to: Reg) {
        let s = size(w);
        if self.imm_of(a) == Some(0) {
            self.into(b, to);
            form::NEG_EV.m(&mut self.asm, s, Rm::Reg(to));
            return;
        }
        let second = self.two_address(a, b, to);
        self.asm.alu(Alu::Sub, s, to, second);
    }

    fn commutative_into(&mut self, op: Alu, w: Width, a: V, b: V, to: Reg) {
        let (a, b) = if self.imm_of(a).is_some() { (b, a) } else { (a, b) };
        let s = size(w);
        if let Some(x) = self.imm_of(b).and_then(|x| small(x, s)) {
            self.into(a, to);
            match (op, x) {
                (Alu::Xor, -1) => form::NOT_EV.m(&mut self.asm, s, Rm::Reg(to)),
                _ => self.asm.alu_imm(op, s, Rm::Reg(to), x),
            }
            // A 64-bit move before a 32-bit operation leaves nothing above: the operation clears.
            return;
        }
        // Conditions over the flags are best asked for before anything else.
        if self.asks_flags(a) != self.asks_flags(b) {
            let (first, then) = if self.asks_flags(a) { (a, b) } else { (b, a) };
            let second = self.scratch();
            self.into(first, second);
            self.into(then, to);
            self.asm.alu(op, s, to, Rm::Reg(second));
            return;
        }
        // The operand that is in the target already comes first.
        let (a, b) = if self.reads(b, to) && self.is_leaf(b) && !self.reads(a, to) {
            (b, a)
        } else {
            (a, b)
        };
        let second = self.two_address(a, b, to);
        self.asm.alu(op, s, to, second);
    }

    fn and_into(&mut self, w: Width, a: V, b: V, to: Reg) {
        let (a, b) = if self.imm_of(a).is_some() { (b, a) } else { (a, b) };
        match self.imm_of(b) {
            Some(0xff) => {
                let from = self.in_place(a, to);
                form::MOVZX_GV_EB.rm(&mut self.asm, D, to, from);
            }
            Some(0xffff) => {
                let from = self.in_place(a, to);
                form::MOVZX_GV_EW.rm(&mut self.asm, D, to, from);
            }
            Some(0xffff_ffff) => {
                let from = self.in_place(a, to);
                form::MOV_GV_EV.rm(&mut self.asm, D, to, from);
            }
            // The upper half comes out zero: 32 bits are enough.
            Some(x) if x <= 0xffff_ffff => {
                self.into(a, to);
                self.asm.alu_imm(Alu::And, D, Rm::Reg(to), x as i32);
            }
            _ => {
                for (x, y) in [(a, b), (b, a)] {
                    if let Node::Un(Un::Not, Width::W64, inverted) = self.node(x) {
                        let inverted = self.operand(inverted);
                        let other = self.operand(y);
                        form::ANDN_GY_BY_EY.vrm(
                            &mut self.asm,
                            size(w),
                            to,
                            inverted,
                            Rm::Reg(other),
                        );
                        return;
                    }
                }
                self.commutative_into(Alu::And, w, a, b, to);
            }
        }
    }

    fn mul_into(&mut self, w: Width, a: V, b: V, to: Reg) {
        let (a, b) = if self.imm_of(a).is_some() { (b, a) } else { (a, b) };
        let s = size(w);
        if let Some(x) = self.imm_of(b).and_then(|x| small(x, s)) {
            let from = self.in_place(a, to);
            form::IMUL_GV_EV_IZ.rmi(&mut self.asm, s, to, from, i64::from(x));
            return;
        }
        let second = self.two_address(a, b, to);
        form::IMUL_GV_EV.rm(&mut self.asm, s, to, second);
    }

    fn shift_into(&mut self, op: Bin, w: Width, a: V, b: V, to: Reg) {
        let s = size(w);
        if let Some(by) = self.imm_of(b) {
            let by = (by & u64::from(w.bits() - 1)) as i64;
            let rotate = match op {
                Bin::Ror => Some(by),
                Bin::Rol => Some((i64::from(w.bits()) - by) & i64::from(w.bits() - 1)),
                _ => None,
            };
            if let Some(by) = rotate {
                let from = self.in_place(a, to);
                form::RORX_GY_EY_IB.rmi(&mut self.asm, s, to, from, by);
                return;
            }
            let once = folds::<G>() && (op, by, s) == (Bin::Shl, 1, Q);
            if once && self.is_leaf(a) && !self.reads(a, to) {
                let from = self.source(a, to);
                self.asm.lea(Q, to, Mem::indexed(from, from, 0, 0));
                return;
            }
            self.into(a, to);
            let form = match op {
                Bin::Shl => form::SHL_EV_IB,
                Bin::Shr => form::SHR_EV_IB,
                _ => form::SAR_EV_IB,
            };
            if by != 0 {
                form.mi(&mut self.asm, s, Rm::Reg(to), by);
            } else if s == D {
                form::MOV_GV_EV.rm(&mut self.asm, D, to, Rm::Reg(to));
            }
            return;
        }
        let form = match op {
            Bin::Shl => form::SHLX_GY_EY_BY,
            Bin::Shr => form::SHRX_GY_EY_BY,
            _ => form::SARX_GY_EY_BY,
        };
        if self.is_leaf(a) {
            let from = self.operand_rm(a);
            let by = self.operand(b);
            form.vrm(&mut self.asm, s, to, by, from);
        } else {
            let by = if self.reads(b, to) {
                let by = self.scratch();
                self.into(b, by);
                self.into(a, to);
                by
            } else {
                self.into(a, to);
                self.operand(b)
            };
            form.vrm(&mut self.asm, s, to, by, Rm::Reg(to));
        }
    }

    pub(super) fn un_into(&mut self, op: Un, w: Width, a: V, to: Reg) {
        let s = size(w);
        match op {
            Un::Not | Un::Neg => {
                self.into(a, to);
                let form = if op == Un::Not { form::NOT_EV } else { form::NEG_EV };
                form.m(&mut self.asm, s, Rm::Reg(to));
                match w {
                    Width::W8 => form::MOVZX_GV_EB.rm(&mut self.asm, D, to, Rm::Reg(to)),
                    Width::W16 => form::MOVZX_GV_EW.rm(&mut self.asm, D, to, Rm::Reg(to)),
                    _ => {}
                }
            }
            Un::Bswap => {
                self.into(a, to);
                form::BSWAP_ZV.o(&mut self.asm, s, to);
            }
            Un::Sext32 => match self.node(a) {
                // Computed in place, then extended.
                Node::Bin(..) | Node::Un(..) => {
                    self.into(a, to);
                    form::MOVSXD_GV_EZ.rm(&mut self.asm, s, to, Rm::Reg(to));
                }
                _ => {
                    let from = self.in_place(a, to);
                    form::MOVSXD_GV_EZ.rm(&mut self.asm, s, to, from);
                }
            },
            _ => {
                let from = self.in_place(a, to);
                let (form, s) = match op {
                    Un::Clz => (form::LZCNT_GV_EV, s),
                    Un::Ctz => (form::TZCNT_GV_EV, s),
                    Un::Popcnt => (form::POPCNT_GV_EV, s),
                    Un::Sext8 => (form::MOVSX_GV_EB, s),
                    Un::Sext16 => (form::MOVSX_GV_EW, s),
                    Un::Zext8 => (form::MOVZX_GV_EB, D),
                    Un::Zext16 => (form::MOVZX_GV_EW, D),
                    _ => (form::MOV_GV_EV, D),
                };
                form.rm(&mut self.asm, s, to, from);
                if matches!((op, w), (Un::Sext8 | Un::Sext16, Width::W16)) {
                    form::MOVZX_GV_EW.rm(&mut self.asm, D, to, Rm::Reg(to));
                }
            }
        }
    }
}
