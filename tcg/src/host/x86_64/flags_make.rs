//! Host instructions that make the guest's arithmetic flags ([`super::flags`]).

use super::asm::{self, B, D, Form, Q, Rm, W, form};
use super::emit::{Emit, Node, V};
use super::flags::Pending;
use super::flags_image::image;
use super::layout;
use super::regs::*;
use crate::builder::{Bin, FlagCond, FlagOp, Un, Width};
use crate::guest::Guest;
use crate::jit::probe;
use crate::ops;

/// The host instruction that makes the flags.
#[derive(Clone, Copy, Debug)]
pub(super) enum Make {
    /// `op a, b`
    Alu(Bin, V, V),
    /// `adc` or `sbb`, with a carry-in of 0 or 1.
    WithCarry(Bin, V, V, V),
    /// `neg`
    Neg(V),
    /// `imul` with two operands
    Mul(V, V),
    /// `test v, v`
    Test(V),
    /// A shift or rotation.
    Shift(FlagOp, V, V),
    /// `inc` or `dec`; the carry is to be kept.
    Step(FlagOp, V),
}

pub(super) fn size(w: Width) -> asm::Width {
    [B, W, D, Q][w as usize]
}

/// Forms of `op Gv, Ev` and `op Gb, Eb`, and of `op Ev, Iz` and `op Eb, Ib`.
fn forms(op: Bin) -> [Form; 4] {
    match op {
        Bin::Add => [form::ADD_GV_EV, form::ADD_GB_EB, form::ADD_EV_IZ, form::ADD_EB_IB],
        Bin::Sub => [form::SUB_GV_EV, form::SUB_GB_EB, form::SUB_EV_IZ, form::SUB_EB_IB],
        Bin::And => [form::AND_GV_EV, form::AND_GB_EB, form::AND_EV_IZ, form::AND_EB_IB],
        Bin::Or => [form::OR_GV_EV, form::OR_GB_EB, form::OR_EV_IZ, form::OR_EB_IB],
        _ => [form::XOR_GV_EV, form::XOR_GB_EB, form::XOR_EV_IZ, form::XOR_EB_IB],
    }
}

const COMPARE: [Form; 4] = [form::CMP_GV_EV, form::CMP_GB_EB, form::CMP_EV_IZ, form::CMP_EB_IB];
/// `test` takes its operands in the other order, which is all the same to it.
const TEST: [Form; 4] = [form::TEST_EV_GV, form::TEST_EB_GB, form::TEST_EV_IZ, form::TEST_EB_IB];
const ADC: [Form; 4] = [form::ADC_GV_EV, form::ADC_GB_EB, form::ADC_EV_IZ, form::ADC_EB_IB];
const SBB: [Form; 4] = [form::SBB_GV_EV, form::SBB_GB_EB, form::SBB_EV_IZ, form::SBB_EB_IB];

/// The second operand of an instruction.
#[derive(Clone, Copy)]
enum Second {
    Rm(Rm),
    Imm(i32),
}

impl<G: Guest> Emit<'_, G> {
    /// Whether the instruction that makes the flags also gives register `r` its value: a result of
    /// 8 or 16 bits does if it replaces the first operand's.
    pub(super) fn is_result(&self, r: u8, v: V, p: Pending, make: Make) -> bool {
        let first = match make {
            Make::Test(_) => return false,
            Make::Alu(_, a, _)
            | Make::WithCarry(_, a, ..)
            | Make::Neg(a)
            | Make::Mul(a, _)
            | Make::Shift(_, a, _)
            | Make::Step(_, a) => a,
        };
        if matches!(p.w, Width::W32 | Width::W64) {
            return v == p.r;
        }
        let Some((rest, w, low)) = self.merge_of(v) else { return false };
        let reg = Node::Reg(r);
        w == p.w && low == p.r && self.node(rest) == reg && self.node(first) == reg
    }

    /// How the host makes the flags of the operation; `None` if not by one instruction.
    pub(super) fn recognize(&self, p: Pending) -> Option<Make> {
        let Pending { op, w, a, b, r } = p;
        Some(match op {
            FlagOp::Add | FlagOp::AddInverted => return self.recognize_sum(Bin::Add, p),
            FlagOp::Sub => return self.recognize_sum(Bin::Sub, p),
            FlagOp::Logic | FlagOp::LogicInverted => match self.node(r) {
                Node::Bin(op @ (Bin::And | Bin::Or | Bin::Xor), v, x, y) if v == w => {
                    Make::Alu(op, x, y)
                }
                _ => Make::Test(r),
            },
            FlagOp::Inc | FlagOp::Dec if self.wanted_flags() & ops::flags::C == 0 => {
                Make::Alu(if op == FlagOp::Inc { Bin::Add } else { Bin::Sub }, a, b)
            }
            FlagOp::Inc | FlagOp::Dec => Make::Step(op, a),
            FlagOp::Shl => return self.recognize_shift(Bin::Shl, p),
            FlagOp::Shr => return self.recognize_shift(Bin::Shr, p),
            FlagOp::Sar => return self.recognize_shift(Bin::Sar, p),
            // They look at nothing of the result but bits that the rotation has moved.
            FlagOp::Rol | FlagOp::Ror => Make::Shift(op, a, b),
            FlagOp::MulS if w != Width::W8 => Make::Mul(a, b),
            FlagOp::MulS | FlagOp::MulU | FlagOp::Carry => return None,
        })
    }

    /// A shift of `a`, perhaps extended; not what brings in bits from elsewhere.
    fn recognize_shift(&self, op: Bin, p: Pending) -> Option<Make> {
        let Node::Bin(o, _, x, count) = self.node(p.r) else { return None };
        let extended = matches!(self.node(x), Node::Un(_, _, inner) if inner == p.a);
        let shifts = o == op && count == p.b && (x == p.a || extended);
        shifts.then_some(Make::Shift(p.op, p.a, p.b))
    }

    /// a + b or a - b, or that and a carry.
    fn recognize_sum(&self, op: Bin, p: Pending) -> Option<Make> {
        let Pending { w, a, b, r, .. } = p;
        let plain = |v: V| {
            let nothing = self.imm_of(b) == Some(0);
            self.node(v) == Node::Bin(op, w, a, b) || nothing && v == a
        };
        if op == Bin::Sub && self.imm_of(a) == Some(0) && self.node(r) == Node::Un(Un::Neg, w, b) {
            return Some(Make::Neg(b));
        }
        if plain(r) {
            return Some(Make::Alu(op, a, b));
        }
        match self.node(r) {
            Node::Bin(o, v, inner, carry) if (o, v) == (op, w) && plain(inner) => {
                Some(Make::WithCarry(op, a, b, carry))
            }
            _ => None,
        }
    }

    /// Makes the flags, but no result.
    pub(super) fn make_flags(&mut self, p: Pending) {
        if p.op == FlagOp::Carry {
            self.forget_host_flags();
        }
        let s = size(p.w);
        if let Some(constant) = self.constant_flags(p) {
            self.forget_host_flags();
            self.asm.store_imm(Q, image::<G>(), constant as i32);
        } else if p.op == FlagOp::Carry {
            self.set_carry(p.a);
        } else if let Some(make) = self.recognize(p) {
            match make {
                Make::Alu(Bin::Sub, a, b) => self.judge(COMPARE, s, a, b),
                Make::Alu(Bin::And, a, b) => self.judge(TEST, s, a, b),
                Make::Test(v) => {
                    let r = self.operand(v);
                    TEST[usize::from(s == B)].rm(&mut self.asm, s, r, Rm::Reg(r));
                }
                _ => {
                    self.claim(RDX);
                    self.make(make, s, RDX);
                }
            }
            self.save_flags(p.op);
        } else {
            let image = self.flags_image(p);
            self.forget_host_flags();
            self.store_field(G::FLAGS, image);
        }
        self.release();
    }

    /// The image, if the operation is one of constants.
    fn constant_flags(&self, p: Pending) -> Option<u64> {
        let keeps = probe::changed_flags(p.op, self.imm_of(p.b)) != probe::ALL_FLAGS;
        let (a, b, r) = (self.imm_of(p.a)?, self.imm_of(p.b)?, self.imm_of(p.r)?);
        (!keeps).then(|| ops::flags_of(p.op, p.w, a, b, r, 0))
    }

    /// `cmp` or `test`.
    fn judge(&mut self, forms: [Form; 4], s: asm::Width, a: V, b: V) {
        let first = self.operand(a);
        let second = self.second(b, s);
        self.two_operands(forms, s, first, second);
    }

    fn second(&mut self, v: V, s: asm::Width) -> Second {
        match self.imm_of(v) {
            Some(x) if s != Q => Second::Imm(x as i32),
            Some(x) if i32::try_from(x as i64).is_ok() => Second::Imm(x as i32),
            _ => Second::Rm(self.operand_rm(v)),
        }
    }

    fn two_operands(&mut self, forms: [Form; 4], s: asm::Width, first: Reg, second: Second) {
        let [wide, byte, wide_imm, byte_imm] = forms;
        match (second, s) {
            (Second::Rm(second), B) => byte.rm(&mut self.asm, B, first, second),
            (Second::Rm(second), _) => wide.rm(&mut self.asm, s, first, second),
            (Second::Imm(x), B) => {
                byte_imm.mi(&mut self.asm, B, Rm::Reg(first), i64::from(x as i8));
            }
            (Second::Imm(x), W) => {
                wide_imm.mi(&mut self.asm, W, Rm::Reg(first), i64::from(x as i16));
            }
            (Second::Imm(x), _) => wide_imm.mi(&mut self.asm, s, Rm::Reg(first), i64::from(x)),
        }
    }

    /// `a` in `to` and the second operand, which may read `to`.
    fn both(&mut self, a: V, b: V, s: asm::Width, to: Reg) -> Second {
        if self.imm_of(b).is_none() && self.reads(b, to) {
            let second = self.scratch();
            self.into(b, second);
            self.into(a, to);
            return Second::Rm(Rm::Reg(second));
        }
        self.into(a, to);
        self.second(b, s)
    }

    /// The result in `to`, and the host's flags.
    pub(super) fn make(&mut self, make: Make, s: asm::Width, to: Reg) {
        match make {
            Make::Alu(op, a, b) => {
                // What is in the target already comes first.
                let swaps = op != Bin::Sub && self.reads(b, to) && !self.reads(a, to);
                let constant = self.imm_of(a).is_some() && op != Bin::Sub;
                let (a, b) = if swaps || constant { (b, a) } else { (a, b) };
                let second = self.both(a, b, s, to);
                self.two_operands(forms(op), s, to, second);
            }
            Make::WithCarry(op, a, b, carry) => {
                let second = self.both(a, b, s, to);
                self.carry_in(carry);
                self.two_operands(if op == Bin::Add { ADC } else { SBB }, s, to, second);
            }
            Make::Neg(v) => {
                self.into(v, to);
                let form = if s == B { form::NEG_EB } else { form::NEG_EV };
                form.m(&mut self.asm, s, Rm::Reg(to));
            }
            Make::Mul(a, b) => {
                let (a, b) = if self.imm_of(a).is_some() { (b, a) } else { (a, b) };
                match self.both(a, b, s, to) {
                    Second::Rm(second) => form::IMUL_GV_EV.rm(&mut self.asm, s, to, second),
                    Second::Imm(x) => {
                        let x = if s == W { i64::from(x as i16) } else { i64::from(x) };
                        form::IMUL_GV_EV_IZ.rmi(&mut self.asm, s, to, Rm::Reg(to), x);
                    }
                }
            }
            Make::Test(v) => {
                self.into(v, to);
                TEST[usize::from(s == B)].rm(&mut self.asm, s, to, Rm::Reg(to));
            }
            Make::Shift(op, a, b) => self.make_shift(op, a, b, s, to),
            Make::Step(op, a) => {
                self.into(a, to);
                self.image_carry();
                let forms = match op {
                    FlagOp::Inc => [form::INC_EV, form::INC_EB],
                    _ => [form::DEC_EV, form::DEC_EB],
                };
                forms[usize::from(s == B)].m(&mut self.asm, s, Rm::Reg(to));
            }
        }
    }

    fn make_shift(&mut self, op: FlagOp, a: V, b: V, s: asm::Width, to: Reg) {
        use form::*;
        let (by_constant, by_register) = match op {
            FlagOp::Shl => ([SHL_EV_IB, SHL_EB_IB], [SHL_EV_CL, SHL_EB_CL]),
            FlagOp::Shr => ([SHR_EV_IB, SHR_EB_IB], [SHR_EV_CL, SHR_EB_CL]),
            FlagOp::Sar => ([SAR_EV_IB, SAR_EB_IB], [SAR_EV_CL, SAR_EB_CL]),
            FlagOp::Rol => ([ROL_EV_IB, ROL_EB_IB], [ROL_EV_CL, ROL_EB_CL]),
            _ => ([ROR_EV_IB, ROR_EB_IB], [ROR_EV_CL, ROR_EB_CL]),
        };
        let byte = usize::from(s == B);
        let keeps = ops::flags::Z | ops::flags::S | ops::flags::P | ops::flags::A;
        let rotates = matches!(op, FlagOp::Rol | FlagOp::Ror);
        if let Some(by) = self.imm_of(b) {
            self.into(a, to);
            if rotates && self.wanted_flags() & keeps != 0 {
                self.restore_flags();
            }
            by_constant[byte].mi(&mut self.asm, s, Rm::Reg(to), i64::from(by as u8));
            return;
        }
        self.claim(RCX);
        self.into(b, RCX);
        self.into(a, to);
        // A count of zero keeps all.
        self.restore_flags();
        by_register[byte].m(&mut self.asm, s, Rm::Reg(to));
    }

    /// The host's carry becomes a value that is 0 or 1.
    fn carry_in(&mut self, carry: V) {
        match self.node(carry) {
            Node::Flag(c @ (FlagCond::Carry | FlagCond::NoCarry)) => {
                self.image_carry();
                if c == FlagCond::NoCarry {
                    form::CMC.n(&mut self.asm);
                }
            }
            _ => {
                let value = self.scratch();
                self.into(carry, value);
                form::NEG_EV.m(&mut self.asm, Q, Rm::Reg(value));
            }
        }
    }

    /// The image of an operation that the host has no instruction for.
    fn flags_image(&mut self, p: Pending) -> V {
        self.spill_arg(p.a, 1);
        self.spill_arg(p.b, 2);
        self.spill_arg(p.r, 3);
        let old = self.push(Node::Field(G::FLAGS));
        self.spill_arg(old, 4);
        self.asm.mov_imm(RAX, p.op as u64 | (p.w as u64) << 8);
        self.asm.store(Q, RAX, layout::spill::<G>(0));
        self.asm.mov_imm(RAX, super::calls::soft_flags as *const () as u64);
        let stub = self.calls().pure;
        self.call_stub(stub);
        self.result_from(RAX)
    }
}
