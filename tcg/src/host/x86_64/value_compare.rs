//! Instruction selection for relations and what depends on them.

use super::asm::{Alu, D, Q, Rm, cc, form};
use super::emit::{Emit, Node, V};
use super::regs::*;
use super::value::{size, small};
use crate::builder::{Cond, Width};
use crate::guest::Guest;

/// The condition code of a relation after `cmp`.
fn code_of(c: Cond) -> u8 {
    match c {
        Cond::Eq => cc::E,
        Cond::Ne => cc::NE,
        Cond::Lt => cc::L,
        Cond::Ge => cc::GE,
        Cond::Le => cc::LE,
        Cond::Gt => cc::G,
        Cond::Ltu => cc::B,
        Cond::Geu => cc::AE,
        Cond::Leu => cc::BE,
        Cond::Gtu => cc::A,
    }
}

/// The relation of b to a that is `c` of a to b.
fn swapped(c: Cond) -> Cond {
    match c {
        Cond::Eq | Cond::Ne => c,
        Cond::Lt => Cond::Gt,
        Cond::Ge => Cond::Le,
        Cond::Le => Cond::Ge,
        Cond::Gt => Cond::Lt,
        Cond::Ltu => Cond::Gtu,
        Cond::Geu => Cond::Leu,
        Cond::Leu => Cond::Geu,
        Cond::Gtu => Cond::Ltu,
    }
}

impl<G: Guest> Emit<'_, G> {
    /// Sets the host's flags for a relation; gives the condition code under which it holds.
    pub(super) fn compare(&mut self, c: Cond, w: Width, a: V, b: V) -> u8 {
        if self.imm_of(a).is_some() && self.imm_of(b).is_none() {
            return self.compare(swapped(c), w, b, a);
        }
        let narrow = matches!(w, Width::W8 | Width::W16);
        if narrow {
            return self.compare_narrow(c, w, a, b);
        }
        let s = size(w);
        let first = self.operand(a);
        match self.imm_of(b).and_then(|x| small(x, s)) {
            Some(0) if matches!(c, Cond::Eq | Cond::Ne | Cond::Lt | Cond::Ge) => {
                self.asm.test(s, first, first);
            }
            Some(x) => self.asm.alu_imm(Alu::Cmp, s, Rm::Reg(first), x),
            None => {
                let second = self.operand_rm(b);
                self.asm.alu(Alu::Cmp, s, first, second);
            }
        }
        code_of(c)
    }

    /// Both operands at the top of a register: signed and unsigned relations stay as they are.
    fn compare_narrow(&mut self, c: Cond, w: Width, a: V, b: V) -> u8 {
        let up = i64::from(32 - w.bits());
        let (x, y) = (self.scratch(), self.scratch());
        self.into(a, x);
        self.into(b, y);
        for r in [x, y] {
            form::SHL_EV_IB.mi(&mut self.asm, D, Rm::Reg(r), up);
        }
        self.asm.alu(Alu::Cmp, D, x, Rm::Reg(y));
        code_of(c)
    }

    pub(super) fn cmp_into(&mut self, c: Cond, w: Width, a: V, b: V, to: Reg) {
        if self.reads(a, to) || self.reads(b, to) {
            let code = self.compare(c, w, a, b);
            self.asm.setcc(code, to);
            form::MOVZX_GV_EB.rm(&mut self.asm, D, to, Rm::Reg(to));
        } else {
            // Operands that need loading are loaded before, so that nothing touches `to` again.
            let code = self.compare(c, w, a, b);
            self.asm.mov_imm(to, 0);
            self.asm.setcc(code, to);
        }
    }

    /// Sets the host's flags for "is not zero"; gives the condition code.
    pub(super) fn truth(&mut self, v: V) -> u8 {
        match self.node(v) {
            Node::Cmp(c, w, a, b) => self.compare(c, w, a, b),
            Node::Flag(c) => self.condition(c),
            _ => {
                let r = self.operand(v);
                self.asm.test(Q, r, r);
                cc::NE
            }
        }
    }

    pub(super) fn select_into(&mut self, c: V, a: V, b: V, to: Reg) {
        // What has to be computed comes before the comparison: behind it there are only moves.
        let [x, y] = [a, b].map(|v| (!self.is_leaf(v)).then(|| self.operand(v)));
        let (scratch, held) = (self.scratch, self.held);
        let code = self.truth(c);
        (self.scratch, self.held) = (scratch, held);
        self.hold(to);
        let x = x.unwrap_or_else(|| self.move_only(a));
        let y = y.unwrap_or_else(|| self.move_only(b));
        if to == x {
            self.asm.cmov(code ^ 1, to, y);
        } else {
            if to != y {
                self.asm.mov(Q, to, y);
            }
            self.asm.cmov(code, to, x);
        }
    }
}
