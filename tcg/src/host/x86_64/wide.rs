//! Operations that need particular host registers, computed at once: high products, division,
//! rotation by a register, and what the host has no instruction for.

use super::asm::{Alu, D, Q, Rm, cc, form};
use super::emit::{Emit, Node, V};
use super::layout;
use super::regs::*;
use crate::builder::{Bin, Un, Width};
use crate::guest::Guest;

impl<G: Guest> Emit<'_, G> {
    pub(super) fn binary_now(&mut self, op: Bin, w: Width, a: V, b: V) -> V {
        let wide = matches!(w, Width::W32 | Width::W64);
        self.simplify(a);
        self.simplify(b);
        match op {
            Bin::MulHighS | Bin::MulHighU if w == Width::W64 => self.mul_high(op, a, b),
            Bin::DivS | Bin::DivU | Bin::RemS | Bin::RemU if wide => self.divide(op, w, a, b),
            Bin::Ror | Bin::Rol if wide => self.rotate(op, w, a, b),
            _ => self.soft(super::calls::soft_binary as *const () as u64, op as u64, w, a, Some(b)),
        }
    }

    pub(super) fn unary_now(&mut self, op: Un, w: Width, a: V) -> V {
        self.soft(super::calls::soft_unary as *const () as u64, op as u64, w, a, None)
    }

    fn mul_high(&mut self, op: Bin, a: V, b: V) -> V {
        self.claim(RAX);
        self.claim(RDX);
        self.into(a, RAX);
        let second = self.operand(b);
        let form = if op == Bin::MulHighS { form::IMUL_EV } else { form::MUL_EV };
        form.m(&mut self.asm, Q, Rm::Reg(second));
        self.result_from(RDX)
    }

    fn rotate(&mut self, op: Bin, w: Width, a: V, b: V) -> V {
        self.claim(RCX);
        self.claim(RAX);
        let s = if w == Width::W64 { Q } else { D };
        self.into(b, RCX);
        self.into(a, RAX);
        let form = if op == Bin::Ror { form::ROR_EV_CL } else { form::ROL_EV_CL };
        form.m(&mut self.asm, s, Rm::Reg(RAX));
        if s == D {
            // A rotation by zero leaves the upper half as it was.
            self.asm.mov(D, RAX, RAX);
        }
        self.result_from(RAX)
    }

    /// The host faults on division by zero and on MIN / -1: both are answered beside it.
    fn divide(&mut self, op: Bin, w: Width, a: V, b: V) -> V {
        let s = if w == Width::W64 { Q } else { D };
        let signed = matches!(op, Bin::DivS | Bin::RemS);
        let quotient = matches!(op, Bin::DivS | Bin::DivU);
        for r in SCRATCH {
            self.claim(r);
        }
        self.into(b, RCX);
        self.into(a, RAX);
        self.asm.test(s, RCX, RCX);
        let by_zero = self.asm.jcc_short(cc::E);
        let by_minus_one = signed.then(|| {
            self.asm.alu_imm(Alu::Cmp, s, Rm::Reg(RCX), -1);
            self.asm.jcc_short(cc::E)
        });
        if signed {
            if s == Q {
                form::CQO.n(&mut self.asm)
            } else {
                form::CDQ.n(&mut self.asm)
            }
            form::IDIV_EV.m(&mut self.asm, s, Rm::Reg(RCX));
        } else {
            self.asm.alu(Alu::Xor, D, RDX, Rm::Reg(RDX));
            form::DIV_EV.m(&mut self.asm, s, Rm::Reg(RCX));
        }
        if !quotient {
            self.asm.mov(s, RAX, RDX);
        }
        let done = self.asm.jmp_short();
        let after_minus_one = by_minus_one.map(|jump| {
            self.asm.bind(jump);
            if quotient {
                form::NEG_EV.m(&mut self.asm, s, Rm::Reg(RAX));
            } else {
                self.asm.alu(Alu::Xor, D, RAX, Rm::Reg(RAX));
            }
            self.asm.jmp_short()
        });
        self.asm.bind(by_zero);
        if quotient {
            self.asm.alu_imm(Alu::Or, s, Rm::Reg(RAX), -1);
        } else if s == D {
            self.asm.mov(D, RAX, RAX);
        }
        self.asm.bind(done);
        if let Some(jump) = after_minus_one {
            self.asm.bind(jump);
        }
        self.result_from(RAX)
    }

    /// A call to a pure function of (operation and width, a, b).
    fn soft(&mut self, function: u64, op: u64, w: Width, a: V, b: Option<V>) -> V {
        self.spill_arg(a, 1);
        if let Some(b) = b {
            self.spill_arg(b, 2);
        }
        self.asm.mov_imm(RAX, op | (w as u64) << 8);
        self.asm.store(Q, RAX, layout::spill::<G>(0));
        self.asm.mov_imm(RAX, function);
        let stub = self.calls().pure;
        self.call_stub(stub);
        self.result_from(RAX)
    }

    /// Stores a value to a spill slot, as an argument of a call.
    pub(super) fn spill_arg(&mut self, v: V, slot: usize) {
        let place = layout::spill::<G>(slot);
        match self.node(v) {
            Node::Imm(x) if i32::try_from(x as i64).is_ok() => {
                self.asm.store_imm(Q, place, x as i32);
            }
            _ => {
                let r = self.operand(v);
                self.asm.store(Q, r, place);
                self.release();
            }
        }
    }
}
