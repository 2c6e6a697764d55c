//! Instruction selection: from lazy values to host instructions, when it is known where the value
//! goes.

use super::asm::{self, Alu, D, Mem, Q, Rm, cc, form};
use super::emit::{Emit, LastDef, Node, V, folds};
use super::layout;
use super::regs::*;
use crate::builder::{Bin, Cond, Un, Width};
use crate::guest::Guest;
use crate::ops;

/// The host's operand size: smaller than 32 bits is computed in 32.
fn size(w: Width) -> asm::Width {
    if w == Width::W64 { Q } else { D }
}

/// A constant that fits into a sign-extended 32-bit field, for an operation of that size.
fn small(v: u64, w: asm::Width) -> Option<i32> {
    if w == D { Some(v as i32) } else { i32::try_from(v as i64).ok() }
}

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

/// Operations that are computed where they are used; the others are computed at once.
fn is_lazy(op: Bin, w: Width) -> bool {
    match op {
        Bin::Add | Bin::Sub | Bin::And | Bin::Or | Bin::Xor | Bin::Mul | Bin::Shl => {
            matches!(w, Width::W32 | Width::W64) || op != Bin::Shl
        }
        Bin::Shr | Bin::Sar => matches!(w, Width::W32 | Width::W64),
        _ => false,
    }
}

impl<G: Guest> Emit<'_, G> {
    /// An operation of two operands.
    pub(super) fn binary(&mut self, op: Bin, w: Width, a: V, b: V) -> V {
        if let (Node::Imm(x), Node::Imm(y)) = (self.node(a), self.node(b)) {
            return self.push(Node::Imm(ops::bin(op, w, x, y)));
        }
        if let (Node::Imm(0), Bin::Add | Bin::Or | Bin::Xor, Width::W64) = (self.node(a), op, w) {
            return b;
        }
        if let Node::Imm(y) = self.node(b) {
            let neutral = y & w.mask() == 0
                && matches!(op, Bin::Add | Bin::Sub | Bin::Or | Bin::Xor | Bin::Shl | Bin::Shr);
            if neutral && w == Width::W64 {
                return a;
            }
            // Two additions in a row are one.
            if let (Bin::Add, Width::W64, Node::Bin(Bin::Add, Width::W64, base, x)) =
                (op, w, self.node(a))
                && let Node::Imm(x) = self.node(x)
            {
                let sum = self.push(Node::Imm(x.wrapping_add(y)));
                return self.tree(Node::Bin(Bin::Add, w, base, sum));
            }
        }
        let rotate_by_constant =
            matches!(op, Bin::Ror | Bin::Rol) && matches!(self.node(b), Node::Imm(_));
        if is_lazy(op, w) || rotate_by_constant && matches!(w, Width::W32 | Width::W64) {
            return self.tree(Node::Bin(op, w, a, b));
        }
        self.binary_now(op, w, a, b)
    }

    /// An operation of one operand.
    pub(super) fn unary(&mut self, op: Un, w: Width, a: V) -> V {
        if let Node::Imm(x) = self.node(a) {
            return self.push(Node::Imm(ops::un(op, w, x)));
        }
        // Results are zero-extended already.
        match (op, self.node(a)) {
            (Un::Zext8, Node::Bin(_, Width::W8, ..))
            | (Un::Zext16, Node::Bin(_, Width::W16, ..))
            | (Un::Zext32, Node::Bin(_, Width::W32, ..))
            | (Un::Zext8 | Un::Zext16 | Un::Zext32, Node::Cmp(..) | Node::Flag(_)) => return a,
            (Un::Zext8 | Un::Zext16 | Un::Zext32, Node::Host(_) | Node::Spill(_)) => {
                let bits = match op {
                    Un::Zext8 => 8,
                    Un::Zext16 => 16,
                    _ => 32,
                };
                if self.loaded.iter().any(|l| l.0 == a && l.1 <= bits) {
                    return a;
                }
            }
            // `sext.w`
            (Un::Sext32, Node::Bin(Bin::Add, Width::W32, x, zero))
                if w == Width::W64 && self.imm_of(zero) == Some(0) =>
            {
                return self.unary(op, w, x);
            }
            _ => {}
        }
        match (op, w) {
            (Un::Rbit, Width::W32 | Width::W64) => self.reverse_bits(w, a),
            (Un::OrcB | Un::Rbit, _) => self.unary_now(op, w, a),
            (Un::Clz | Un::Ctz | Un::Popcnt | Un::Bswap, Width::W8 | Width::W16) => {
                self.unary_now(op, w, a)
            }
            _ => self.tree(Node::Un(op, w, a)),
        }
    }

    /// Keeps a lazy value, unless it takes more registers to compute than there are: then part
    /// of it is computed now.
    pub(super) fn tree(&mut self, node: Node) -> V {
        const MOST: u32 = 3;
        let (Node::Bin(_, _, a, b) | Node::Cmp(_, _, a, b)) = node else {
            if let Node::Select(c, a, b) = node {
                for v in [a, b, c] {
                    if self.select_weight(c, a, b) > MOST {
                        self.materialize(v);
                    }
                }
            }
            return self.push(node);
        };
        if self.weight(b) + 1 > MOST {
            self.materialize(b);
        }
        if self.weight(a) > MOST {
            self.materialize(a);
        }
        self.push(node)
    }

    /// Registers that it takes to compute a value.
    fn weight(&self, v: V) -> u32 {
        match self.node(v) {
            Node::Un(_, _, a) => self.weight(a),
            Node::Bin(_, _, a, b) | Node::Cmp(_, _, a, b) => self.weight(a).max(self.weight(b) + 1),
            Node::Select(c, a, b) => self.select_weight(c, a, b),
            Node::Imm(x) if i32::try_from(x as i64).is_ok() => 0,
            _ => 1,
        }
    }

    /// What has to be computed is, then the condition is looked at, then all else is moves.
    fn select_weight(&self, c: V, a: V, b: V) -> u32 {
        let (first, second) = (u32::from(!self.is_leaf(a)), u32::from(!self.is_leaf(b)));
        let values = self.weight(a).max(self.weight(b) + first);
        values.max(self.weight(c) + first + second).max(2)
    }

    /// Computes a value that takes more than one register, before particular ones are claimed.
    pub(super) fn simplify(&mut self, v: V) {
        if self.weight(v) > 1 {
            self.materialize(v);
        }
    }

    /// A register that holds the value, not to be changed: where it lives, or a scratch register.
    pub(super) fn operand(&mut self, v: V) -> Reg {
        match self.node(v) {
            Node::Reg(r) if self.resident(r).is_some() || self.wants_local(r) => self.reg(r),
            Node::Host(host) => {
                self.hold(host);
                host
            }
            _ => {
                let to = self.scratch();
                self.into(v, to);
                to
            }
        }
    }

    /// The same, but a value in memory may stay there.
    pub(super) fn operand_rm(&mut self, v: V) -> Rm {
        match self.node(v) {
            Node::Field(offset) => Rm::Mem(layout::field(offset)),
            Node::Reg(r) if self.resident(r).is_none() && !self.wants_local(r) => {
                Rm::Mem(self.memory(r))
            }
            Node::Spill(slot) => Rm::Mem(layout::spill::<G>(usize::from(slot))),
            _ => Rm::Reg(self.operand(v)),
        }
    }

    /// An operand for an instruction that writes `to`, in which it is computed if it has to be.
    fn in_place(&mut self, v: V, to: Reg) -> Rm {
        if self.is_leaf(v) {
            return self.operand_rm(v);
        }
        self.into(v, to);
        Rm::Reg(to)
    }

    pub(super) fn imm_of(&self, v: V) -> Option<u64> {
        match self.node(v) {
            Node::Imm(x) => Some(x),
            _ => None,
        }
    }

    fn is_leaf(&self, v: V) -> bool {
        !matches!(
            self.node(v),
            Node::Bin(..) | Node::Un(..) | Node::Cmp(..) | Node::Select(..) | Node::Flag(_)
        )
    }

    /// Computes a value into a register; what else it takes is free again behind it.
    pub(super) fn into(&mut self, v: V, to: Reg) {
        let (scratch, held, temps) = (self.scratch, self.held, self.temps());
        self.compute(v, to);
        (self.scratch, self.held) = (scratch, held);
        self.keep_temps(temps);
    }

    fn compute(&mut self, v: V, to: Reg) {
        match self.node(v) {
            Node::Imm(0) => self.asm.alu(Alu::Xor, D, to, Rm::Reg(to)),
            Node::Imm(x) => self.asm.mov_imm(to, x),
            Node::Reg(r) => match self.resident(r) {
                Some(from) => {
                    if from != to {
                        self.asm.mov(Q, to, from);
                    }
                }
                // Used once here: if it is used again it will be loaded then.
                None => self.asm.load(Q, to, self.memory(r)),
            },
            Node::Host(from) => {
                if from != to {
                    self.asm.mov(Q, to, from);
                }
            }
            Node::Field(offset) => self.asm.load(Q, to, layout::field(offset)),
            Node::Spill(slot) => {
                self.asm.load(Q, to, layout::spill::<G>(usize::from(slot)));
            }
            Node::Bin(op, w, a, b) => {
                if let Some((part, low)) = self.merged(v, to) {
                    return self.merge_into(part, low, to);
                }
                self.bin_into(op, w, a, b, to);
            }
            Node::Un(op, w, a) => self.un_into(op, w, a, to),
            Node::Cmp(c, w, a, b) => self.cmp_into(c, w, a, b, to),
            Node::Select(c, a, b) => self.select_into(c, a, b, to),
            Node::Flag(c) => {
                let code = self.condition(c);
                self.asm.mov_imm(to, 0);
                self.asm.setcc(code, to);
            }
        }
    }

    /// If a value is what is in `to` but for its low 8 or 16 bits: how many they are, and they.
    fn merged(&self, v: V, to: Reg) -> Option<(Width, V)> {
        let (rest, w, low) = self.merge_of(v)?;
        matches!(self.node(rest), Node::Reg(r) if self.resident(r) == Some(to)).then_some((w, low))
    }

    /// The parts of a value whose low 8 or 16 bits come from elsewhere: where the upper ones are
    /// from, how many the low ones are, and where they are from.
    pub(super) fn merge_of(&self, v: V) -> Option<(V, Width, V)> {
        let Node::Bin(Bin::Or, Width::W64, upper, low) = self.node(v) else { return None };
        let Node::Bin(Bin::And, Width::W64, rest, mask) = self.node(upper) else { return None };
        let w = match self.imm_of(mask)? {
            0xffff_ffff_ffff_ff00 => Width::W8,
            0xffff_ffff_ffff_0000 => Width::W16,
            _ => return None,
        };
        let low = match (self.node(low), w) {
            (Node::Un(Un::Zext8, _, low), Width::W8)
            | (Node::Un(Un::Zext16, _, low), Width::W16) => low,
            (Node::Bin(_, v, ..), _) if v == w => low,
            (Node::Imm(x), _) if x <= w.mask() => low,
            (Node::Cmp(..) | Node::Flag(_), _) => low,
            _ if self.loaded.iter().any(|l| l.0 == low && l.1 <= w.bits()) => low,
            _ => return None,
        };
        Some((rest, w, low))
    }

    /// Replaces the low bits of a register.
    fn merge_into(&mut self, w: Width, low: V, to: Reg) {
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

    fn bin_into(&mut self, op: Bin, w: Width, a: V, b: V, to: Reg) {
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

    /// `x << 1..3`, as an index of an address.
    pub(super) fn scaled(&self, v: V) -> Option<(V, u8)> {
        match self.node(v) {
            Node::Bin(Bin::Shl, Width::W64, x, by) => match self.node(by) {
                Node::Imm(by @ 1..=3) => Some((x, by as u8)),
                _ => None,
            },
            _ => None,
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
    fn source(&mut self, v: V, to: Reg) -> Reg {
        match self.node(v) {
            Node::Reg(r) if self.resident(r).is_some() || self.wants_local(r) => self.reg(r),
            Node::Host(host) => {
                self.hold(host);
                host
            }
            _ => {
                self.into(v, to);
                to
            }
        }
    }

    /// Gets `a` into `to`, which `b` may read; gives the operand for `b`.
    fn two_address(&mut self, a: V, b: V, to: Reg) -> Rm {
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

    fn un_into(&mut self, op: Un, w: Width, a: V, to: Reg) {
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

    fn cmp_into(&mut self, c: Cond, w: Width, a: V, b: V, to: Reg) {
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

    fn select_into(&mut self, c: V, a: V, b: V, to: Reg) {
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

    /// A register that holds a leaf, without touching the host's flags.
    fn move_only(&mut self, v: V) -> Reg {
        match self.node(v) {
            Node::Imm(x) => {
                let to = self.scratch();
                self.asm.mov_imm(to, x);
                to
            }
            _ => self.operand(v),
        }
    }

    /// A result that is in a scratch register and goes to a temporary.
    pub(super) fn result_from(&mut self, from: Reg) -> V {
        let to = self.temp();
        let start = self.asm.pos();
        self.asm.mov(Q, to, from);
        self.last = Some((to, start, self.asm.pos(), LastDef::Mov { from }));
        self.release();
        self.push(Node::Host(to))
    }
}
