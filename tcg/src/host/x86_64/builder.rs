//! The emitter as a [`Builder`].

use super::asm::{self, Alu, Q, form};
use super::emit::{Emit, Node, V};
use super::fp::{F, FNode};
use super::layout;
use super::regs::*;
use crate::builder::*;
use crate::guest::{Guest, Helper, Touches};
use crate::jit::Exit;
use crate::ops;

/// Nothing can go wrong while translating.
pub(super) enum Never {}

impl<G: Guest> Emit<'_, G> {
    /// Writes a field of the state.
    pub(super) fn store_field(&mut self, field: usize, v: V) {
        let place = layout::field(field);
        match self.node(v) {
            Node::Imm(x) if i32::try_from(x as i64).is_ok() => {
                self.asm.store_imm(Q, place, x as i32);
            }
            Node::Bin(op @ (Bin::Or | Bin::And | Bin::Xor | Bin::Add), Width::W64, a, b)
                if self.node(a) == Node::Field(field)
                    && matches!(self.node(b), Node::Imm(x) if i32::try_from(x as i64).is_ok()) =>
            {
                let Node::Imm(x) = self.node(b) else { return };
                let alu = match op {
                    Bin::Or => Alu::Or,
                    Bin::And => Alu::And,
                    Bin::Xor => Alu::Xor,
                    _ => Alu::Add,
                };
                self.asm.alu_imm(alu, Q, asm::Rm::Mem(place), x as i32);
            }
            _ => {
                let from = self.operand(v);
                self.asm.store(Q, from, place);
            }
        }
        self.release();
    }
}

impl<G: Guest> Builder<G> for Emit<'_, G> {
    type V = V;
    type F = F;
    type Trap = Never;

    fn imm(&mut self, value: u64) -> V {
        self.push(Node::Imm(value))
    }

    fn get(&mut self, r: u8) -> V {
        if let Some(&(_, v)) = self.sets.iter().rev().find(|s| s.0 == r) {
            return v;
        }
        match self.known.iter().find(|known| known.0 == r) {
            Some(&(_, x)) => self.push(Node::Imm(x as u64)),
            None => self.push(Node::Reg(r)),
        }
    }

    fn set(&mut self, r: u8, v: V) {
        self.sets.retain(|s| s.0 != r);
        self.sets.push((r, v));
    }

    fn field(&mut self, field: usize) -> V {
        if field == G::FLAGS {
            self.finish_flags();
            self.keep_image();
        }
        self.push(Node::Field(field))
    }

    fn set_field(&mut self, field: usize, v: V) {
        if field == G::FLAGS {
            self.finish_flags();
            if self.wanted_flags() == 0 {
                return;
            }
            self.keep_conditions();
            self.forget_host_flags();
        }
        self.store_field(field, v);
    }

    fn share(&mut self, v: V) -> V {
        if !matches!(self.node(v), Node::Reg(_)) {
            self.materialize(v);
        }
        v
    }

    fn bin(&mut self, op: Bin, w: Width, a: V, b: V) -> V {
        self.binary(op, w, a, b)
    }

    fn un(&mut self, op: Un, w: Width, a: V) -> V {
        self.unary(op, w, a)
    }

    fn cmp(&mut self, c: Cond, w: Width, a: V, b: V) -> V {
        if let (Node::Imm(x), Node::Imm(y)) = (self.node(a), self.node(b)) {
            return self.push(Node::Imm(u64::from(crate::ops::cmp(c, w, x, y))));
        }
        self.tree(Node::Cmp(c, w, a, b))
    }

    fn select(&mut self, c: V, a: V, b: V) -> V {
        if let Node::Imm(c) = self.node(c) {
            return if c != 0 { a } else { b };
        }
        self.tree(Node::Select(c, a, b))
    }

    fn load(&mut self, va: V, m: MemOp) -> Result<V, Never> {
        Ok(self.load_value(va, m, false))
    }

    fn load_reserved(&mut self, va: V, m: MemOp) -> Result<V, Never> {
        Ok(self.load_value(va, m, true))
    }

    fn store(&mut self, va: V, v: V, m: MemOp) -> Result<(), Never> {
        self.store_value(va, v, m);
        Ok(())
    }

    fn rmw(&mut self, op: Rmw, va: V, v: V, m: MemOp) -> Result<V, Never> {
        Ok(self.rmw_value(op, va, v, m))
    }

    fn update(&mut self, op: Rmw, va: V, v: V, m: MemOp) -> Result<(), Never> {
        self.update_value(op, va, v, m);
        Ok(())
    }

    fn cas(&mut self, va: V, old: V, new: V, m: MemOp) -> Result<V, Never> {
        Ok(self.cas_value(va, old, new, m))
    }

    /// The host orders everything but stores before later loads.
    fn fence(&mut self, f: Fence) {
        if f == Fence::Full && !self.ordered {
            // A locked operation orders as MFENCE does, in half its time.
            let top = asm::Rm::Mem(asm::Mem::base(RSP, 0));
            form::OR_EV_IB.locked().mi(&mut self.asm, asm::D, top, 0);
            self.ordered = true;
        }
    }

    fn when(&mut self, c: V, f: impl FnOnce(&mut Self) -> Result<(), Never>) -> Result<(), Never> {
        self.commit(&[c]);
        self.flush();
        // Temporaries are in memory then, whichever way is taken.
        self.spill_temps();
        let code = self.truth(c);
        self.release();
        let before = self.locals;
        let nodes = self.nodes.clone();
        let known = self.known.clone();
        let before_fp = self.fp.locals;
        self.last = None;
        let over = self.asm.jcc_near(code ^ 1);
        let ordered = self.ordered;
        f(self)?;
        self.commit(&[]);
        self.flush();
        self.ordered &= ordered;
        self.asm.bind_near(over);
        self.forget_host_flags();
        self.last = None;
        // What was written may have been or not.
        self.known.retain(|k| known.contains(k));
        self.nodes[..nodes.len()].copy_from_slice(&nodes);
        self.keep_temps(0);
        self.xjoin(&before_fp);
        // What both ways agree on stays.
        for (now, then) in self.locals.iter_mut().zip(before) {
            if now.guest != then.guest {
                *now = Default::default();
            }
        }
        Ok(())
    }

    fn call(&mut self, h: &'static Helper<G>, args: &[V]) -> Result<V, Never> {
        self.finish_flags();
        self.keep_conditions();
        for (slot, &v) in args.iter().enumerate() {
            self.spill_arg(v, slot);
        }
        let all = h.touches != Touches::Fields;
        if all {
            self.commit(&[]);
            self.flush();
            self.asm.mov_imm(RAX, self.at.pc);
            self.asm.store(Q, RAX, layout::field(G::PC));
        }
        self.asm.mov_imm(RAX, std::ptr::from_ref(h) as u64);
        if self.direct && matches!(h.touches, Touches::Leaves | Touches::Asks) {
            self.asm.store(Q, RAX, layout::exit::<G>(0));
            match self.stubs.system_call {
                Some(stub) if h.touches == Touches::Asks => self.jmp_stub(stub.entry),
                _ => {
                    self.asm.mov_imm(RAX, Exit::Call as u64);
                    let stub = self.stubs.exit;
                    self.jmp_stub(stub);
                }
            }
            // What follows is not reached.
            self.forget_locals();
            return Ok(self.push(Node::Imm(0)));
        }
        let stub = match h.touches {
            Touches::Fields => self.calls().call_fields,
            Touches::Bulk(bulk) => self.bulk_stub(bulk),
            _ => self.stubs.call_registers,
        };
        self.call_stub(stub);
        let back = self.here();
        self.row(back);
        if all {
            self.forget_locals();
            self.known.clear();
        }
        Ok(self.result_from(RAX))
    }

    fn wants_flags(&self) -> bool {
        self.wanted_flags() != 0
    }

    fn flags(&mut self, op: FlagOp, w: Width, a: V, b: V, r: V) {
        self.set_flags(op, w, a, b, r);
    }

    fn flag(&mut self, c: FlagCond) -> V {
        self.finish_flags();
        self.push(Node::Flag(c))
    }

    fn fget(&mut self, r: u8, fmt: Fmt) -> F {
        self.fread(r, fmt)
    }

    fn fset(&mut self, r: u8, fmt: Fmt, v: F) {
        self.fp.sets.retain(|s| s.0 != r);
        self.fp.sets.push((r, Some(fmt), v));
    }

    fn fload(&mut self, va: V, fmt: Fmt) -> Result<F, Never> {
        Ok(self.fp_load(va, fmt))
    }

    fn fstore(&mut self, va: V, v: F, fmt: Fmt) -> Result<(), Never> {
        self.fp_store(va, v, fmt);
        Ok(())
    }

    fn fp2(&mut self, op: Fp2, fmt: Fmt, rm: Rm, a: F, b: F) -> F {
        let picks = matches!(op, Fp2::Min | Fp2::Max | Fp2::MinNum | Fp2::MaxNum);
        if picks && self.host_computes() || self.host_rounds(rm) {
            return self.ftree(FNode::Two(op, fmt, a, b));
        }
        let v = self.fp_soft(FpOp::Two(op), fmt, rm, &[a, b]);
        self.soft_value(fmt, v)
    }

    fn fp3(&mut self, op: Fp3, fmt: Fmt, rm: Rm, a: F, b: F, c: F) -> F {
        if self.host_rounds(rm) {
            return self.ftree(FNode::Three(op, fmt, a, b, c));
        }
        let v = self.fp_soft(FpOp::Three(op), fmt, rm, &[a, b, c]);
        self.soft_value(fmt, v)
    }

    fn fsqrt(&mut self, fmt: Fmt, rm: Rm, a: F) -> F {
        if self.host_rounds(rm) {
            return self.ftree(FNode::Sqrt(fmt, a));
        }
        let v = self.fp_soft(FpOp::Sqrt, fmt, rm, &[a]);
        self.soft_value(fmt, v)
    }

    fn fsgnj(&mut self, s: Sgn, fmt: Fmt, a: F, b: F) -> F {
        self.ftree(FNode::Sign(s, fmt, a, b))
    }

    fn fcmp(&mut self, c: FCond, fmt: Fmt, a: F, b: F) -> V {
        self.fp_compare(c, fmt, a, b)
    }

    fn fcvt_int(&mut self, fmt: Fmt, to: IntTy, rm: Rm, a: F) -> V {
        self.fp_to_int(fmt, to, rm, a)
    }

    fn fcvt_from_int(&mut self, fmt: Fmt, from: IntTy, rm: Rm, a: V) -> F {
        self.fp_from_int(fmt, from, rm, a)
    }

    fn fcvt(&mut self, from: Fmt, to: Fmt, rm: Rm, a: F) -> F {
        if to == Fmt::D && self.host_computes() || self.host_rounds(rm) {
            return self.ftree(FNode::Convert(from, to, a));
        }
        let v = self.fp_soft(FpOp::To(to), from, rm, &[a]);
        self.soft_value(to, v)
    }

    fn fclass(&mut self, fmt: Fmt, a: F) -> V {
        self.fp_soft(FpOp::Class, fmt, Rm::Dynamic, &[a])
    }

    fn fp_raised(&mut self) -> V {
        self.flags_raised()
    }

    fn fp_forget(&mut self) {
        self.forget_raised();
    }

    fn fbits(&mut self, fmt: Fmt, a: F) -> V {
        self.fp_bits(fmt, a)
    }

    fn fraw(&mut self, fmt: Fmt, a: V) -> F {
        self.fpush(FNode::Bits(fmt, a))
    }

    fn fround(&mut self, fmt: Fmt, rm: Rm, inexact: bool, a: F) -> F {
        if let Some(how) = self.host_rounding(rm, inexact) {
            return self.ftree(FNode::Round(how, fmt, a));
        }
        let v = self.fp_soft(FpOp::Round(inexact), fmt, rm, &[a]);
        self.soft_value(fmt, v)
    }

    fn fcmp_flags(&mut self, how: FpFlags, signaling: bool, fmt: Fmt, a: F, b: F) {
        self.fp_flags(how, signaling, fmt, a, b);
    }

    fn xget(&mut self, r: u8) -> F {
        if let Some(&(_, _, v)) = self.fp.sets.iter().rev().find(|s| s.0 == r) {
            return v;
        }
        self.fpush(FNode::Reg(r))
    }

    fn xset(&mut self, r: u8, v: F) {
        self.fp.sets.retain(|s| s.0 != r);
        self.fp.sets.push((r, None, v));
    }

    fn ximm(&mut self, value: u128) -> F {
        self.fpush(FNode::Const(value))
    }

    fn xload(&mut self, va: V, m: MemOp) -> Result<F, Never> {
        Ok(self.vector_load(va, m))
    }

    fn xstore(&mut self, va: V, v: F, m: MemOp) -> Result<(), Never> {
        self.vector_store(va, v, m);
        Ok(())
    }

    fn x1(&mut self, op: X1, w: Width, a: F) -> F {
        match self.constant_of(a) {
            Some(a) => self.fpush(FNode::Const(ops::vector::one(op, w, a))),
            None => self.ftree(FNode::X1(op, w, a)),
        }
    }

    fn x2(&mut self, op: X2, w: Width, a: F, b: F) -> F {
        match (self.constant_of(a), self.constant_of(b)) {
            (Some(a), Some(b)) => self.fpush(FNode::Const(ops::vector::two(op, w, a, b))),
            (Some(_), None) if op.commutes() => self.ftree(FNode::X2(op, w, b, a)),
            _ => self.ftree(FNode::X2(op, w, a, b)),
        }
    }

    fn xnum(&mut self, op: XImm, w: Width, a: F, b: F, n: u8) -> F {
        self.ftree(FNode::Number(op, w, a, b, n))
    }

    fn xselect(&mut self, m: F, a: F, b: F) -> F {
        self.ftree(FNode::Select(m, a, b))
    }

    fn xlane(&mut self, w: Width, a: F, i: u8) -> V {
        self.lane_value(w, a, i)
    }

    fn xinsert(&mut self, w: Width, a: F, i: u8, v: V) -> F {
        self.insert_value(w, a, i, v)
    }

    fn xsplat(&mut self, w: Width, v: V) -> F {
        self.splat_value(w, v)
    }

    fn xmask(&mut self, w: Width, a: F) -> V {
        self.mask_value(w, a)
    }

    fn xtext(&mut self, a: F, b: F, n: u8) -> V {
        self.text_value(a, b, n)
    }

    fn xfp(&mut self, op: FpOp, fmt: Fmt, rm: Rm, args: [F; 3]) -> F {
        self.ftree(FNode::Lanes(op, fmt, rm, args))
    }
}
