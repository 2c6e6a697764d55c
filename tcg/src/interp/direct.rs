//! The builder whose values are numbers: describing an instruction to it executes it.

use super::{fields, vector};
use crate::builder::*;
use crate::guest::{Guest, Helper, Touches};
use crate::ops;
use crate::vcpu::Core;

/// Executes.
pub(crate) struct Direct<'a, G: Guest> {
    core: &'a mut Core<G>,
    at: At,
}

impl<'a, G: Guest> Direct<'a, G> {
    /// For the instruction at `at`.
    pub(crate) fn new(core: &'a mut Core<G>, at: At) -> Self {
        Self { core, at }
    }

    fn fp_field(r: u8) -> usize {
        debug_assert!(usize::from(r) < G::FP.count);
        G::FP.offset + usize::from(r) * G::FP.stride
    }

    fn fp(&mut self, op: FpOp, fmt: Fmt, rm: Rm, args: [u128; 3]) -> u64 {
        G::fp(&mut self.core.state, op, fmt, rm, args.map(|a| a as u64))
    }

    fn number(&mut self, op: FpOp, fmt: Fmt, rm: Rm, args: [u128; 3]) -> u128 {
        self.fp(op, fmt, rm, args).into()
    }
}

const BOX: u64 = 0xffff_ffff_0000_0000;
const CANONICAL_NAN_S: u64 = 0x7fc0_0000;

fn sign_bit(fmt: Fmt) -> u64 {
    match fmt {
        Fmt::S => 1 << 31,
        Fmt::D => 1 << 63,
    }
}

impl<G: Guest> Builder<G> for Direct<'_, G> {
    type V = u64;
    type F = u128;
    type Trap = G::Exception;

    #[inline]
    fn imm(&mut self, value: u64) -> u64 {
        value
    }

    #[inline]
    fn get(&mut self, r: u8) -> u64 {
        fields::read::<G>(&self.core.state, G::INT.offset + usize::from(r) * G::INT.stride)
    }

    #[inline]
    fn set(&mut self, r: u8, v: u64) {
        fields::write::<G>(&mut self.core.state, G::INT.offset + usize::from(r) * G::INT.stride, v);
    }

    #[inline]
    fn field(&mut self, field: usize) -> u64 {
        fields::read::<G>(&self.core.state, field)
    }

    #[inline]
    fn set_field(&mut self, field: usize, v: u64) {
        fields::write::<G>(&mut self.core.state, field, v);
    }

    #[inline]
    fn share(&mut self, v: u64) -> u64 {
        v
    }

    #[inline]
    fn bin(&mut self, op: Bin, w: Width, a: u64, b: u64) -> u64 {
        ops::bin(op, w, a, b)
    }

    #[inline]
    fn un(&mut self, op: Un, w: Width, a: u64) -> u64 {
        ops::un(op, w, a)
    }

    #[inline]
    fn cmp(&mut self, c: Cond, w: Width, a: u64, b: u64) -> u64 {
        u64::from(ops::cmp(c, w, a, b))
    }

    #[inline]
    fn select(&mut self, c: u64, a: u64, b: u64) -> u64 {
        if c != 0 { a } else { b }
    }

    #[inline(always)]
    fn load(&mut self, va: u64, m: MemOp) -> Result<u64, G::Exception> {
        self.core.load_op(va, m)
    }

    #[inline(always)]
    fn store(&mut self, va: u64, v: u64, m: MemOp) -> Result<(), G::Exception> {
        self.core.store_op(va, v, m)
    }

    fn rmw(&mut self, op: Rmw, va: u64, v: u64, m: MemOp) -> Result<u64, G::Exception> {
        self.core.rmw(op, va, v, m)
    }

    fn cas(&mut self, va: u64, old: u64, new: u64, m: MemOp) -> Result<u64, G::Exception> {
        self.core.cas(va, old, new, m)
    }

    fn fence(&mut self, f: Fence) {
        use std::sync::atomic::{Ordering::*, fence};
        fence(match f {
            Fence::Acquire => Acquire,
            Fence::Release => Release,
            Fence::Full => SeqCst,
        });
    }

    fn when(
        &mut self,
        c: u64,
        f: impl FnOnce(&mut Self) -> Result<(), G::Exception>,
    ) -> Result<(), G::Exception> {
        if c != 0 { f(self) } else { Ok(()) }
    }

    fn call(&mut self, h: &'static Helper<G>, args: &[u64]) -> Result<u64, G::Exception> {
        if h.touches != Touches::Fields {
            fields::write::<G>(&mut self.core.state, G::PC, self.at.pc);
        }
        let mut all = [0; 3];
        all[..args.len()].copy_from_slice(args);
        (h.run)(self.core, all)
    }

    #[inline]
    fn flags(&mut self, op: FlagOp, w: Width, a: u64, b: u64, r: u64) {
        let old = fields::read::<G>(&self.core.state, G::FLAGS);
        fields::write::<G>(&mut self.core.state, G::FLAGS, ops::flags_of(op, w, a, b, r, old));
    }

    #[inline]
    fn flag(&mut self, c: FlagCond) -> u64 {
        u64::from(ops::flag(c, fields::read::<G>(&self.core.state, G::FLAGS)))
    }

    fn fget(&mut self, r: u8, fmt: Fmt) -> u128 {
        let raw = fields::read::<G>(&self.core.state, Self::fp_field(r));
        u128::from(match fmt {
            Fmt::D => raw,
            Fmt::S if G::NAN_BOXED && raw & BOX != BOX => CANONICAL_NAN_S,
            Fmt::S => raw & !BOX,
        })
    }

    fn fset(&mut self, r: u8, fmt: Fmt, v: u128) {
        let v = low(fmt, v);
        let raw = if fmt == Fmt::S && G::NAN_BOXED { v | BOX } else { v };
        fields::write::<G>(&mut self.core.state, Self::fp_field(r), raw);
        for upper in (8..G::FP.stride).step_by(8) {
            fields::write::<G>(&mut self.core.state, Self::fp_field(r) + upper, 0);
        }
    }

    fn fload(&mut self, va: u64, fmt: Fmt) -> Result<u128, G::Exception> {
        self.core.load(va, if fmt == Fmt::S { 2 } else { 3 }).map(u128::from)
    }

    fn fstore(&mut self, va: u64, v: u128, fmt: Fmt) -> Result<(), G::Exception> {
        self.core.store(va, v as u64, if fmt == Fmt::S { 2 } else { 3 })
    }

    fn fp2(&mut self, op: Fp2, fmt: Fmt, rm: Rm, a: u128, b: u128) -> u128 {
        self.number(FpOp::Two(op), fmt, rm, [a, b, 0])
    }

    fn fp3(&mut self, op: Fp3, fmt: Fmt, rm: Rm, a: u128, b: u128, c: u128) -> u128 {
        self.number(FpOp::Three(op), fmt, rm, [a, b, c])
    }

    fn fsqrt(&mut self, fmt: Fmt, rm: Rm, a: u128) -> u128 {
        self.number(FpOp::Sqrt, fmt, rm, [a, 0, 0])
    }

    fn fsgnj(&mut self, s: Sgn, fmt: Fmt, a: u128, b: u128) -> u128 {
        let bit = u128::from(sign_bit(fmt));
        let sign = match s {
            Sgn::Copy => b,
            Sgn::Neg => !b,
            Sgn::Xor => a ^ b,
        };
        a & !bit | sign & bit
    }

    fn fcmp(&mut self, c: FCond, fmt: Fmt, a: u128, b: u128) -> u64 {
        self.fp(FpOp::Cmp(c), fmt, Rm::Dynamic, [a, b, 0])
    }

    fn fcvt_int(&mut self, fmt: Fmt, to: IntTy, rm: Rm, a: u128) -> u64 {
        self.fp(FpOp::ToInt(to), fmt, rm, [a, 0, 0])
    }

    fn fcvt_from_int(&mut self, fmt: Fmt, from: IntTy, rm: Rm, a: u64) -> u128 {
        self.number(FpOp::FromInt(from), fmt, rm, [a.into(), 0, 0])
    }

    fn fcvt(&mut self, from: Fmt, to: Fmt, rm: Rm, a: u128) -> u128 {
        self.number(FpOp::To(to), from, rm, [a, 0, 0])
    }

    fn fclass(&mut self, fmt: Fmt, a: u128) -> u64 {
        self.fp(FpOp::Class, fmt, Rm::Dynamic, [a, 0, 0])
    }

    /// What the interpreter raises is in the state at once.
    fn fp_raised(&mut self) -> u64 {
        0
    }

    fn fp_forget(&mut self) {}

    fn fbits(&mut self, fmt: Fmt, a: u128) -> u64 {
        low(fmt, a)
    }

    fn fraw(&mut self, fmt: Fmt, a: u64) -> u128 {
        low(fmt, a.into()).into()
    }

    fn fround(&mut self, fmt: Fmt, rm: Rm, inexact: bool, a: u128) -> u128 {
        self.number(FpOp::Round(inexact), fmt, rm, [a, 0, 0])
    }

    fn fcmp_flags(&mut self, how: FpFlags, signaling: bool, fmt: Fmt, a: u128, b: u128) {
        let image = vector::compare::<G>(&mut self.core.state, how, signaling, fmt, [a, b]);
        fields::write::<G>(&mut self.core.state, G::FLAGS, image);
    }

    fn xget(&mut self, r: u8) -> u128 {
        let at = Self::fp_field(r);
        let low = u128::from(fields::read::<G>(&self.core.state, at));
        low | u128::from(fields::read::<G>(&self.core.state, at + 8)) << 64
    }

    fn xset(&mut self, r: u8, v: u128) {
        let at = Self::fp_field(r);
        fields::write::<G>(&mut self.core.state, at, v as u64);
        fields::write::<G>(&mut self.core.state, at + 8, (v >> 64) as u64);
    }

    fn ximm(&mut self, value: u128) -> u128 {
        value
    }

    fn xload(&mut self, va: u64, m: MemOp) -> Result<u128, G::Exception> {
        self.core.load_vector(va, m)
    }

    fn xstore(&mut self, va: u64, v: u128, m: MemOp) -> Result<(), G::Exception> {
        self.core.store_vector(va, v, m)
    }

    fn x1(&mut self, op: X1, w: Width, a: u128) -> u128 {
        ops::vector::one(op, w, a)
    }

    fn x2(&mut self, op: X2, w: Width, a: u128, b: u128) -> u128 {
        ops::vector::two(op, w, a, b)
    }

    fn xnum(&mut self, op: XImm, w: Width, a: u128, b: u128, n: u8) -> u128 {
        ops::vector::with_number(op, w, a, b, n)
    }

    fn xselect(&mut self, m: u128, a: u128, b: u128) -> u128 {
        ops::vector::select(m, a, b)
    }

    fn xlane(&mut self, w: Width, a: u128, i: u8) -> u64 {
        ops::vector::lane(w, a, i.into())
    }

    fn xinsert(&mut self, w: Width, a: u128, i: u8, v: u64) -> u128 {
        ops::vector::with_lane(w, a, i.into(), v)
    }

    fn xsplat(&mut self, w: Width, v: u64) -> u128 {
        ops::vector::splat(w, v)
    }

    fn xmask(&mut self, w: Width, a: u128) -> u64 {
        ops::vector::mask(w, a)
    }

    fn xtext(&mut self, a: u128, b: u128, n: u8) -> u64 {
        ops::text::packed(a, b, n)
    }

    fn xfp(&mut self, op: FpOp, fmt: Fmt, rm: Rm, args: [u128; 3]) -> u128 {
        vector::fp_lanes::<G>(&mut self.core.state, op, fmt, rm, args)
    }
}

/// The number in the low part of a value.
fn low(fmt: Fmt, v: u128) -> u64 {
    match fmt {
        Fmt::S => u64::from(v as u32),
        Fmt::D => v as u64,
    }
}
