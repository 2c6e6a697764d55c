//! Floating point on lanes `[ARM-ARM C3.5]`. Where only half of a register takes part, the lanes
//! above it are zero, which raises no flags.

use super::super::soft::{Shape, Soft, What};
use super::float::{format, integer, lane_width};
use super::lanes::{in_all, in_rust, lane_operand, neighbours, put, shape, shifted, trim};
use super::{Aarch64, R};
use crate::builder::*;
use crate::isa::aarch64::{Sby, Sf2, Sf3, V2, VRr, Vby, Vf2, Vf3};

use Width::{W32, W64};

/// Operations on two vectors, one of which takes the target as a third.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Float {
    Two(Fp2),
    /// The target is the addend.
    Three(Fp3),
    /// Equal; less and less or equal are of the swapped operands.
    Compare(FCond),
    /// Of the magnitudes.
    CompareAbs(FCond),
    /// The magnitude of the difference.
    Distance,
}

/// A vector without its signs.
fn magnitudes<B: Builder<Aarch64>>(b: &mut B, fmt: Fmt, v: B::F) -> B::F {
    let w = lane_width(fmt);
    let rest = in_all(b, w, w.mask() >> 1);
    b.x2(X2::And, w, v, rest)
}

fn compute<B: Builder<Aarch64>>(
    b: &mut B,
    op: Float,
    (shape, fmt): (Shape, Fmt),
    [d, x, y]: [B::F; 3],
) -> B::F {
    let w = lane_width(fmt);
    let (x, mut y) = (trim(b, shape, w, x), trim(b, shape, w, y));
    let compare = |b: &mut B, c: FCond, x: B::F, y: B::F| {
        let args = if c == FCond::Eq { [x, y, y] } else { [y, x, x] };
        b.xfp(FpOp::Cmp(c), fmt, Rm::Dynamic, args)
    };
    match op {
        Float::Two(op) => {
            if op == Fp2::Div && shape == Shape::Half {
                // Nothing may be divided by zero above.
                let ones = b.ximm(0x3f80_0000_3f80_0000 << 64);
                y = b.x2(X2::Or, w, y, ones);
            }
            b.xfp(FpOp::Two(op), fmt, Rm::Dynamic, [x, y, y])
        }
        Float::Three(op) => {
            let d = trim(b, shape, w, d);
            b.xfp(FpOp::Three(op), fmt, Rm::Dynamic, [x, y, d])
        }
        Float::Compare(c) => compare(b, c, x, y),
        Float::CompareAbs(c) => {
            let (x, y) = (magnitudes(b, fmt, x), magnitudes(b, fmt, y));
            compare(b, c, x, y)
        }
        Float::Distance => {
            let v = b.xfp(FpOp::Two(Fp2::Sub), fmt, Rm::Dynamic, [x, y, y]);
            magnitudes(b, fmt, v)
        }
    }
}

pub(in super::super) fn float_three<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Vf3,
    op: Float,
) -> R<B> {
    let (shape, fmt) = (shape(a.q), format(a.double));
    let all = [b.xget(a.rd), b.xget(a.rn), b.xget(a.rm)];
    let v = compute(b, op, (shape, fmt), all);
    put(b, a.rd, shape, W64, v);
    Ok(Flow::Next)
}

pub(in super::super) fn float_by_lane<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Vby,
    is_double: bool,
    op: Float,
) -> R<B> {
    let (shape, fmt) = (shape(a.q), format(is_double));
    let y = lane_operand(b, lane_width(fmt), a.rm, a.index);
    let all = [b.xget(a.rd), b.xget(a.rn), y];
    let v = compute(b, op, (shape, fmt), all);
    put(b, a.rd, shape, W64, v);
    Ok(Flow::Next)
}

pub(in super::super) fn scalar_float_by_lane<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Sby,
    fmt: Fmt,
    op: Float,
) -> R<B> {
    let x = b.fget(a.rn, fmt);
    let y = lane_operand(b, lane_width(fmt), a.rm, a.index);
    let v = match op {
        Float::Three(op) => {
            let d = b.fget(a.rd, fmt);
            b.fp3(op, fmt, Rm::Dynamic, x, y, d)
        }
        Float::Two(op) => b.fp2(op, fmt, Rm::Dynamic, x, y),
        _ => x,
    };
    b.fset(a.rd, fmt, v);
    Ok(Flow::Next)
}

pub(in super::super) fn float_pairwise<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Vf3,
    op: Fp2,
) -> R<B> {
    let (shape, fmt) = (shape(a.q), format(a.double));
    let (x, y) = (b.xget(a.rn), b.xget(a.rm));
    let (even, odd) = neighbours(b, (shape, lane_width(fmt)), x, y);
    let v = b.xfp(FpOp::Two(op), fmt, Rm::Dynamic, [even, odd, odd]);
    put(b, a.rd, shape, W64, v);
    Ok(Flow::Next)
}

/// Neighbours, then neighbours of these.
pub(in super::super) fn float_across<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Vf2,
    op: Fp2,
) -> R<B> {
    let mut v = b.xget(a.rn);
    for _ in 0..2 {
        let (even, odd) = neighbours(b, (Shape::Full, W32), v, v);
        v = b.xfp(FpOp::Two(op), Fmt::S, Rm::Dynamic, [even, odd, odd]);
    }
    b.fset(a.rd, Fmt::S, v);
    Ok(Flow::Next)
}

pub(in super::super) fn scalar_float_pair<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Sf2,
    op: Fp2,
) -> R<B> {
    let fmt = format(a.double);
    let x = b.xget(a.rn);
    let y = if a.double { b.x1(X1::HighHalf, W64, x) } else { shifted(b, XImm::Shr, W64, x, 32) };
    let v = b.fp2(op, fmt, Rm::Dynamic, x, y);
    b.fset(a.rd, fmt, v);
    Ok(Flow::Next)
}

/// An operation on one vector.
fn each<B: Builder<Aarch64>>(b: &mut B, a: Vf2, op: FpOp, rm: Rm) -> R<B> {
    let (shape, fmt) = (shape(a.q), format(a.double));
    let x = b.xget(a.rn);
    let x = trim(b, shape, W64, x);
    let v = b.xfp(op, fmt, rm, [x, x, x]);
    put(b, a.rd, shape, W64, v);
    Ok(Flow::Next)
}

pub(in super::super) fn float_sqrt<B: Builder<Aarch64>>(b: &mut B, _: At, a: Vf2) -> R<B> {
    each(b, a, FpOp::Sqrt, Rm::Dynamic)
}

pub(in super::super) fn float_round<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Vf2,
    rm: Rm,
    inexact: bool,
) -> R<B> {
    each(b, a, FpOp::Round(inexact), rm)
}

pub(in super::super) fn float_sign<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Vf2,
    how: Sgn,
) -> R<B> {
    let fmt = format(a.double);
    let w = lane_width(fmt);
    let x = b.xget(a.rn);
    let v = if how == Sgn::Neg {
        let signs = in_all(b, w, 1 << (w.bits() - 1));
        b.x2(X2::Xor, w, x, signs)
    } else {
        magnitudes(b, fmt, x)
    };
    put(b, a.rd, shape(a.q), w, v);
    Ok(Flow::Next)
}

/// Doublewords go by way of general-purpose registers, one after the other.
fn by_doubles<B: Builder<Aarch64>>(
    b: &mut B,
    rd: u8,
    x: B::F,
    convert: impl Fn(&mut B, B::F) -> B::V,
) -> R<B> {
    let low = convert(b, x);
    let low = b.share(low);
    let high = b.x1(X1::HighHalf, W64, x);
    let high = convert(b, high);
    let zero = b.ximm(0);
    let v = b.xinsert(W64, zero, 0, low);
    let v = b.xinsert(W64, v, 1, high);
    b.xset(rd, v);
    Ok(Flow::Next)
}

pub(in super::super) fn float_to_int<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Vf2,
    rm: u8,
    signed: bool,
) -> R<B> {
    let (rm, ty) = (Rm::Static(rm), integer(a.double, signed));
    if !a.double {
        return each(b, a, FpOp::ToInt(ty), rm);
    }
    let x = b.xget(a.rn);
    by_doubles(b, a.rd, x, |b, v| b.fcvt_int(Fmt::D, ty, rm, v))
}

pub(in super::super) fn float_from_int<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Vf2,
    signed: bool,
) -> R<B> {
    let ty = integer(a.double, signed);
    let x = b.xget(a.rn);
    if a.double {
        return by_doubles(b, a.rd, x, |b, v| {
            let v = b.xlane(W64, v, 0);
            let v = b.fcvt_from_int(Fmt::D, ty, Rm::Dynamic, v);
            b.fbits(Fmt::D, v)
        });
    }
    let x = trim(b, shape(a.q), W64, x);
    let v = if signed {
        b.xfp(FpOp::FromInt(IntTy::I32), Fmt::S, Rm::Dynamic, [x, x, x])
    } else {
        // Both halves are exact, and so is the upper one in its place: one rounding.
        let from =
            |b: &mut B, v: B::F| b.xfp(FpOp::FromInt(IntTy::I32), Fmt::S, Rm::Dynamic, [v, v, v]);
        let high = shifted(b, XImm::Shr, W32, x, 16);
        let high = from(b, high);
        let low = in_all(b, W32, 0xffff);
        let low = b.x2(X2::And, W32, x, low);
        let low = from(b, low);
        let scale = in_all(b, W32, 0x4780_0000);
        let high = b.xfp(FpOp::Two(Fp2::Mul), Fmt::S, Rm::Dynamic, [high, scale, scale]);
        b.xfp(FpOp::Two(Fp2::Add), Fmt::S, Rm::Dynamic, [high, low, low])
    };
    put(b, a.rd, shape(a.q), W32, v);
    Ok(Flow::Next)
}

/// Relations to zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Zero {
    Greater,
    AtLeast,
    Equal,
    AtMost,
    Less,
}

impl Zero {
    /// The relation, and whether zero is its first operand.
    fn relation(self) -> (FCond, bool) {
        match self {
            Zero::Greater => (FCond::Lt, true),
            Zero::AtLeast => (FCond::Le, true),
            Zero::Equal => (FCond::Eq, false),
            Zero::AtMost => (FCond::Le, false),
            Zero::Less => (FCond::Lt, false),
        }
    }
}

pub(in super::super) fn float_compare_zero<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Vf2,
    how: Zero,
) -> R<B> {
    let (shape, fmt) = (shape(a.q), format(a.double));
    let (x, zero) = (b.xget(a.rn), b.ximm(0));
    let x = trim(b, shape, W64, x);
    let (c, swapped) = how.relation();
    let args = if swapped { [zero, x, x] } else { [x, zero, zero] };
    let v = b.xfp(FpOp::Cmp(c), fmt, Rm::Dynamic, args);
    put(b, a.rd, shape, W64, v);
    Ok(Flow::Next)
}

/// A truth as a lane of ones or zeros.
fn put_truth<B: Builder<Aarch64>>(b: &mut B, rd: u8, fmt: Fmt, truth: B::V) {
    let zero = b.imm(0);
    let lane = b.bin(Bin::Sub, W64, zero, truth);
    let nothing = b.ximm(0);
    let v = b.xinsert(lane_width(fmt), nothing, 0, lane);
    b.xset(rd, v);
}

pub(in super::super) fn scalar_float_compare_zero<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Sf2,
    how: Zero,
) -> R<B> {
    let fmt = format(a.double);
    let (x, zero) = (b.fget(a.rn, fmt), b.ximm(0));
    let (c, swapped) = how.relation();
    let truth = if swapped { b.fcmp(c, fmt, zero, x) } else { b.fcmp(c, fmt, x, zero) };
    put_truth(b, a.rd, fmt, truth);
    Ok(Flow::Next)
}

pub(in super::super) fn scalar_float_compare<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Sf3,
    c: FCond,
    absolute: bool,
) -> R<B> {
    let fmt = format(a.double);
    let (mut x, mut y) = (b.fget(a.rn, fmt), b.fget(a.rm, fmt));
    if absolute {
        x = b.fsgnj(Sgn::Xor, fmt, x, x);
        y = b.fsgnj(Sgn::Xor, fmt, y, y);
    }
    let truth = if c == FCond::Eq { b.fcmp(c, fmt, x, y) } else { b.fcmp(c, fmt, y, x) };
    put_truth(b, a.rd, fmt, truth);
    Ok(Flow::Next)
}

pub(in super::super) fn scalar_float_distance<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Sf3,
) -> R<B> {
    let fmt = format(a.double);
    let (x, y) = (b.fget(a.rn, fmt), b.fget(a.rm, fmt));
    let v = b.fp2(Fp2::Sub, fmt, Rm::Dynamic, x, y);
    let v = b.fsgnj(Sgn::Xor, fmt, v, v);
    b.fset(a.rd, fmt, v);
    Ok(Flow::Next)
}

pub(in super::super) fn scalar_float_to_int<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Sf2,
    rm: u8,
    signed: bool,
) -> R<B> {
    let fmt = format(a.double);
    let x = b.fget(a.rn, fmt);
    let v = b.fcvt_int(fmt, integer(a.double, signed), Rm::Static(rm), x);
    let v = b.fraw(fmt, v);
    b.fset(a.rd, fmt, v);
    Ok(Flow::Next)
}

pub(in super::super) fn scalar_float_from_int<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Sf2,
    signed: bool,
) -> R<B> {
    let fmt = format(a.double);
    let x = b.fget(a.rn, fmt);
    let x = b.fbits(fmt, x);
    let v = b.fcvt_from_int(fmt, integer(a.double, signed), Rm::Dynamic, x);
    b.fset(a.rd, fmt, v);
    Ok(Flow::Next)
}

/// Singles become doubles.
pub(in super::super) fn float_widen<B: Builder<Aarch64>>(b: &mut B, _: At, a: V2) -> R<B> {
    let mut x = b.xget(a.rn);
    if a.q {
        x = b.x1(X1::HighHalf, W64, x);
    }
    let v = b.xfp(FpOp::To(Fmt::D), Fmt::S, Rm::Dynamic, [x, x, x]);
    b.xset(a.rd, v);
    Ok(Flow::Next)
}

/// Doubles become singles.
pub(in super::super) fn float_narrow<B: Builder<Aarch64>>(b: &mut B, _: At, a: V2) -> R<B> {
    let x = b.xget(a.rn);
    let v = b.xfp(FpOp::To(Fmt::S), Fmt::D, Rm::Dynamic, [x, x, x]);
    let v = if a.q {
        let d = b.xget(a.rd);
        b.x2(X2::ZipLow, W64, d, v)
    } else {
        b.x1(X1::LowHalf, W64, v)
    };
    b.xset(a.rd, v);
    Ok(Flow::Next)
}

fn convert_soft<B: Builder<Aarch64>>(b: &mut B, a: V2, op: Soft) -> R<B> {
    in_rust(b, What { op, w: W64, shape: shape(a.q), rd: a.rd, rn: a.rn, rm: 0, n: 0 })
}

pub(in super::super) fn half_narrow<B: Builder<Aarch64>>(b: &mut B, _: At, a: V2) -> R<B> {
    convert_soft(b, a, Soft::HalfNarrow)
}

pub(in super::super) fn half_widen<B: Builder<Aarch64>>(b: &mut B, _: At, a: V2) -> R<B> {
    convert_soft(b, a, Soft::HalfWiden)
}

pub(in super::super) fn float_narrow_odd<B: Builder<Aarch64>>(b: &mut B, _: At, a: V2) -> R<B> {
    convert_soft(b, a, Soft::FloatNarrowOdd)
}

pub(in super::super) fn scalar_narrow_odd<B: Builder<Aarch64>>(b: &mut B, _: At, a: VRr) -> R<B> {
    let op = Soft::FloatNarrowOdd;
    in_rust(b, What { op, w: W64, shape: Shape::Lane, rd: a.rd, rn: a.rn, rm: 0, n: 0 })
}

pub(in super::super) fn float_soft<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Vf3,
    op: Soft,
) -> R<B> {
    let Vf3 { q, double, rd, rn, rm } = a;
    in_rust(b, What { op, w: lane_width(format(double)), shape: shape(q), rd, rn, rm, n: 0 })
}

pub(in super::super) fn float_soft_by_lane<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Vby,
    double: bool,
    op: Soft,
) -> R<B> {
    let Vby { q, rd, rn, rm, index } = a;
    let w = lane_width(format(double));
    in_rust(b, What { op, w, shape: shape(q), rd, rn, rm, n: index + 1 })
}

pub(in super::super) fn float_soft_one<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Vf2,
    op: Soft,
) -> R<B> {
    let Vf2 { q, double, rd, rn } = a;
    in_rust(b, What { op, w: lane_width(format(double)), shape: shape(q), rd, rn, rm: 0, n: 0 })
}

pub(in super::super) fn scalar_float_soft<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Sf3,
    op: Soft,
) -> R<B> {
    let Sf3 { double, rd, rn, rm } = a;
    in_rust(b, What { op, w: lane_width(format(double)), shape: Shape::Lane, rd, rn, rm, n: 0 })
}

pub(in super::super) fn scalar_float_soft_by_lane<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Sby,
    fmt: Fmt,
    op: Soft,
) -> R<B> {
    let Sby { rd, rn, rm, index } = a;
    in_rust(b, What { op, w: lane_width(fmt), shape: Shape::Lane, rd, rn, rm, n: index + 1 })
}

pub(in super::super) fn scalar_float_soft_one<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Sf2,
    op: Soft,
) -> R<B> {
    let Sf2 { double, rd, rn } = a;
    in_rust(b, What { op, w: lane_width(format(double)), shape: Shape::Lane, rd, rn, rm: 0, n: 0 })
}
