//! Instruction selection: from lazy values to host instructions, when it is known where the value
//! goes.

use super::asm::{self, Alu, D, Q, Rm};
use super::emit::{Emit, LastDef, Node, V};
use super::layout;
use super::regs::*;
use crate::builder::{Bin, Un, Width};
use crate::guest::Guest;
use crate::ops;

/// The host's operand size: smaller than 32 bits is computed in 32.
pub(super) fn size(w: Width) -> asm::Width {
    if w == Width::W64 { Q } else { D }
}

/// A constant that fits into a sign-extended 32-bit field, for an operation of that size.
pub(super) fn small(v: u64, w: asm::Width) -> Option<i32> {
    if w == D { Some(v as i32) } else { i32::try_from(v as i64).ok() }
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
        if let Some(at) = self.at_hand(v) {
            return at;
        }
        let to = self.scratch();
        self.into(v, to);
        to
    }

    /// The register that has the value, or gets it because the value is to stay there.
    pub(super) fn at_hand(&mut self, v: V) -> Option<Reg> {
        match self.node(v) {
            Node::Reg(r) if self.resident(r).is_some() || self.wants_local(r) => Some(self.reg(r)),
            Node::Host(host) => {
                self.hold(host);
                Some(host)
            }
            _ => None,
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
    pub(super) fn in_place(&mut self, v: V, to: Reg) -> Rm {
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

    pub(super) fn is_leaf(&self, v: V) -> bool {
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

    /// A register that holds a leaf, without touching the host's flags.
    pub(super) fn move_only(&mut self, v: V) -> Reg {
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

    /// A register with the value that is none of the scratch registers.
    pub(super) fn operand_kept(&mut self, v: V) -> Reg {
        match self.node(v) {
            Node::Reg(r) => self.reg(r),
            Node::Host(host) => {
                self.hold(host);
                host
            }
            _ => {
                let to = self.temp();
                self.into(v, to);
                // What it was computed from may go.
                self.release();
                self.hold(to);
                to
            }
        }
    }
}
