//! The builder whose values are operation numbers: describing an instruction to it makes a list.

use std::convert::Infallible;

use super::list::{F, List, Op, V};
use crate::builder::*;
use crate::guest::{Guest, Helper};

/// Keeps the calls.
pub struct Record<G: Guest> {
    ops: Vec<Op>,
    helpers: Vec<&'static Helper<G>>,
    vectors: Vec<u128>,
}

impl<G: Guest> Default for Record<G> {
    fn default() -> Self {
        Self { ops: Vec::new(), helpers: Vec::new(), vectors: Vec::new() }
    }
}

impl<G: Guest> Record<G> {
    /// The list of what was called, ending in `flow`.
    pub fn finish(self, flow: Flow<V>) -> List<G> {
        List { ops: self.ops, helpers: self.helpers, vectors: self.vectors, flow }
    }

    /// Appends an operation; gives its number.
    fn push(&mut self, op: Op) -> u16 {
        let at = u16::try_from(self.ops.len()).expect("one instruction takes few operations");
        self.ops.push(op);
        at
    }

    fn int(&mut self, op: Op) -> V {
        V(self.push(op))
    }

    fn float(&mut self, op: Op) -> F {
        F(self.push(op))
    }

    fn helper(&mut self, h: &'static Helper<G>) -> u8 {
        let known = self.helpers.iter().position(|k| std::ptr::eq(*k, h));
        let place = known.unwrap_or_else(|| {
            self.helpers.push(h);
            self.helpers.len() - 1
        });
        u8::try_from(place).expect("one instruction calls few helpers")
    }
}

fn offset(field: usize) -> u32 {
    u32::try_from(field).expect("states are smaller than 4 GiB")
}

type Never<T> = Result<T, Infallible>;

impl<G: Guest> Builder<G> for Record<G> {
    type V = V;
    type F = F;
    type Trap = Infallible;

    fn imm(&mut self, value: u64) -> V {
        self.int(Op::Imm(value))
    }

    fn get(&mut self, r: u8) -> V {
        self.int(Op::Get(r))
    }

    fn set(&mut self, r: u8, v: V) {
        self.push(Op::Set(r, v));
    }

    fn field(&mut self, field: usize) -> V {
        self.int(Op::Field(offset(field)))
    }

    fn set_field(&mut self, field: usize, v: V) {
        self.push(Op::SetField(offset(field), v));
    }

    fn share(&mut self, v: V) -> V {
        self.int(Op::Share(v))
    }

    fn bin(&mut self, op: Bin, w: Width, a: V, b: V) -> V {
        self.int(Op::Bin(op, w, a, b))
    }

    fn un(&mut self, op: Un, w: Width, a: V) -> V {
        self.int(Op::Un(op, w, a))
    }

    fn cmp(&mut self, c: Cond, w: Width, a: V, b: V) -> V {
        self.int(Op::Cmp(c, w, a, b))
    }

    fn select(&mut self, c: V, a: V, b: V) -> V {
        self.int(Op::Select(c, a, b))
    }

    fn load(&mut self, va: V, m: MemOp) -> Never<V> {
        Ok(self.int(Op::Load(va, m)))
    }

    fn store(&mut self, va: V, v: V, m: MemOp) -> Never<()> {
        self.push(Op::Store(va, v, m));
        Ok(())
    }

    fn rmw(&mut self, op: Rmw, va: V, v: V, m: MemOp) -> Never<V> {
        Ok(self.int(Op::Rmw(op, va, v, m)))
    }

    fn cas(&mut self, va: V, old: V, new: V, m: MemOp) -> Never<V> {
        Ok(self.int(Op::Cas(va, old, new, m)))
    }

    fn fence(&mut self, f: Fence) {
        self.push(Op::Fence(f));
    }

    fn when(&mut self, c: V, f: impl FnOnce(&mut Self) -> Never<()>) -> Never<()> {
        let at = self.push(Op::When(c, 0));
        f(self)?;
        let inside = self.ops.len() - usize::from(at) - 1;
        let inside = u16::try_from(inside).expect("one instruction takes few operations");
        self.ops[usize::from(at)] = Op::When(c, inside);
        Ok(())
    }

    fn call(&mut self, h: &'static Helper<G>, args: &[V]) -> Never<V> {
        let helper = self.helper(h);
        let mut all = [V(0); 3];
        all[..args.len()].copy_from_slice(args);
        Ok(self.int(Op::Call(helper, args.len() as u8, all)))
    }

    fn flags(&mut self, op: FlagOp, w: Width, a: V, b: V, r: V) {
        self.push(Op::Flags(op, w, a, b, r));
    }

    fn flag(&mut self, c: FlagCond) -> V {
        self.int(Op::Flag(c))
    }

    fn fget(&mut self, r: u8, fmt: Fmt) -> F {
        self.float(Op::Fget(r, fmt))
    }

    fn fset(&mut self, r: u8, fmt: Fmt, v: F) {
        self.push(Op::Fset(r, fmt, v));
    }

    fn fload(&mut self, va: V, fmt: Fmt) -> Never<F> {
        Ok(self.float(Op::Fload(va, fmt)))
    }

    fn fstore(&mut self, va: V, v: F, fmt: Fmt) -> Never<()> {
        self.push(Op::Fstore(va, v, fmt));
        Ok(())
    }

    fn fp2(&mut self, op: Fp2, fmt: Fmt, rm: Rm, a: F, b: F) -> F {
        self.float(Op::Fp2(op, fmt, rm, a, b))
    }

    fn fp3(&mut self, op: Fp3, fmt: Fmt, rm: Rm, a: F, b: F, c: F) -> F {
        self.float(Op::Fp3(op, fmt, rm, a, b, c))
    }

    fn fsqrt(&mut self, fmt: Fmt, rm: Rm, a: F) -> F {
        self.float(Op::Fsqrt(fmt, rm, a))
    }

    fn fsgnj(&mut self, s: Sgn, fmt: Fmt, a: F, b: F) -> F {
        self.float(Op::Fsgnj(s, fmt, a, b))
    }

    fn fcmp(&mut self, c: FCond, fmt: Fmt, a: F, b: F) -> V {
        self.int(Op::Fcmp(c, fmt, a, b))
    }

    fn fcvt_int(&mut self, fmt: Fmt, to: IntTy, rm: Rm, a: F) -> V {
        self.int(Op::FcvtInt(fmt, to, rm, a))
    }

    fn fcvt_from_int(&mut self, fmt: Fmt, from: IntTy, rm: Rm, a: V) -> F {
        self.float(Op::FcvtFromInt(fmt, from, rm, a))
    }

    fn fcvt(&mut self, from: Fmt, to: Fmt, rm: Rm, a: F) -> F {
        self.float(Op::Fcvt(from, to, rm, a))
    }

    fn fclass(&mut self, fmt: Fmt, a: F) -> V {
        self.int(Op::Fclass(fmt, a))
    }

    fn fp_raised(&mut self) -> V {
        self.int(Op::FpRaised)
    }

    fn fp_forget(&mut self) {
        self.push(Op::FpForget);
    }

    fn fbits(&mut self, fmt: Fmt, a: F) -> V {
        self.int(Op::Fbits(fmt, a))
    }

    fn fraw(&mut self, fmt: Fmt, a: V) -> F {
        self.float(Op::Fraw(fmt, a))
    }

    fn fround(&mut self, fmt: Fmt, rm: Rm, inexact: bool, a: F) -> F {
        self.float(Op::Fround(fmt, rm, inexact, a))
    }

    fn fcmp_flags(&mut self, how: FpFlags, signaling: bool, fmt: Fmt, a: F, b: F) {
        self.push(Op::FcmpFlags(how, signaling, fmt, a, b));
    }

    fn xget(&mut self, r: u8) -> F {
        self.float(Op::Xget(r))
    }

    fn xset(&mut self, r: u8, v: F) {
        self.push(Op::Xset(r, v));
    }

    fn ximm(&mut self, value: u128) -> F {
        let known = self.vectors.iter().position(|&v| v == value);
        let place = known.unwrap_or_else(|| {
            self.vectors.push(value);
            self.vectors.len() - 1
        });
        self.float(Op::Ximm(u8::try_from(place).expect("one instruction has few constants")))
    }

    fn xload(&mut self, va: V, m: MemOp) -> Never<F> {
        Ok(self.float(Op::Xload(va, m)))
    }

    fn xstore(&mut self, va: V, v: F, m: MemOp) -> Never<()> {
        self.push(Op::Xstore(va, v, m));
        Ok(())
    }

    fn x1(&mut self, op: X1, w: Width, a: F) -> F {
        self.float(Op::X1(op, w, a))
    }

    fn x2(&mut self, op: X2, w: Width, a: F, b: F) -> F {
        self.float(Op::X2(op, w, a, b))
    }

    fn xnum(&mut self, op: XImm, w: Width, a: F, b: F, n: u8) -> F {
        self.float(Op::Xnum(op, w, a, b, n))
    }

    fn xselect(&mut self, m: F, a: F, b: F) -> F {
        self.float(Op::Xselect(m, a, b))
    }

    fn xlane(&mut self, w: Width, a: F, i: u8) -> V {
        self.int(Op::Xlane(w, a, i))
    }

    fn xinsert(&mut self, w: Width, a: F, i: u8, v: V) -> F {
        self.float(Op::Xinsert(w, a, i, v))
    }

    fn xsplat(&mut self, w: Width, v: V) -> F {
        self.float(Op::Xsplat(w, v))
    }

    fn xmask(&mut self, w: Width, a: F) -> V {
        self.int(Op::Xmask(w, a))
    }

    fn xtext(&mut self, a: F, b: F, n: u8) -> V {
        self.int(Op::Xtext(a, b, n))
    }

    fn xfp(&mut self, op: FpOp, fmt: Fmt, rm: Rm, args: [F; 3]) -> F {
        self.float(Op::Xfp(op, fmt, rm, args))
    }
}
