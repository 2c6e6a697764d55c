//! Operations between lanes and lanes twice as wide, and shifts by constants
//! `[ARM-ARM C3.5]`.

use super::super::soft::{Shape, Soft, What};
use super::lanes::{
    double, in_all, in_rust, lane, lane_operand, note_saturation, put, right, saturate_smallest,
    shape, shifted, trim,
};
use super::{Aarch64, R};
use crate::builder::*;
use crate::isa::aarch64::{S2, S3, Sby, Sshift, V2, V3, Vby, Vshift, fields};

use Width::{W8, W16, W32, W64};

/// Lanes of one half of a vector, widened.
fn widened<B: Builder<Aarch64>>(b: &mut B, w: Width, v: B::F, high: bool, signed: bool) -> B::F {
    let op = match (high, signed) {
        (false, true) => X1::WidenLowS,
        (false, false) => X1::WidenLowU,
        (true, true) => X1::WidenHighS,
        (true, false) => X1::WidenHighU,
    };
    b.x1(op, w, v)
}

/// Products of lanes of one half of two vectors.
fn products<B: Builder<Aarch64>>(
    b: &mut B,
    w: Width,
    [x, y]: [B::F; 2],
    high: bool,
    signed: bool,
) -> B::F {
    match (w, signed) {
        // Of each pair of halfwords the upper one is zero.
        (W16, true) => {
            let (x, y) = (widened(b, w, x, high, false), widened(b, w, y, high, false));
            b.x2(X2::MulPairsS, W32, x, y)
        }
        (W32, _) => {
            let (x, y) = (widened(b, w, x, high, false), widened(b, w, y, high, false));
            b.x2(if signed { X2::MulWideS } else { X2::MulWideU }, W64, x, y)
        }
        _ => {
            let (x, y) = (widened(b, w, x, high, signed), widened(b, w, y, high, signed));
            b.x2(X2::Mul, double(w), x, y)
        }
    }
}

/// Operations that give lanes twice as wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Long {
    Add,
    Sub,
    Mul,
    MulAdd,
    MulSub,
    Distance,
    AddDistance,
}

fn compute<B: Builder<Aarch64>>(
    b: &mut B,
    op: Long,
    w: Width,
    [d, x, y]: [B::F; 3],
    (high, signed): (bool, bool),
) -> B::F {
    let wide = double(w);
    match op {
        Long::Mul => products(b, w, [x, y], high, signed),
        Long::MulAdd | Long::MulSub => {
            let product = products(b, w, [x, y], high, signed);
            b.x2(if op == Long::MulAdd { X2::Add } else { X2::Sub }, wide, d, product)
        }
        Long::Add | Long::Sub => {
            let (x, y) = (widened(b, w, x, high, signed), widened(b, w, y, high, signed));
            b.x2(if op == Long::Add { X2::Add } else { X2::Sub }, wide, x, y)
        }
        Long::Distance | Long::AddDistance => {
            let (max, min) = if signed { (X2::MaxS, X2::MinS) } else { (X2::MaxU, X2::MinU) };
            let (max, min) = (b.x2(max, w, x, y), b.x2(min, w, x, y));
            let distance = b.x2(X2::Sub, w, max, min);
            let distance = widened(b, w, distance, high, false);
            match op {
                Long::Distance => distance,
                _ => b.x2(X2::Add, wide, d, distance),
            }
        }
    }
}

pub(in super::super) fn long<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: V3,
    op: Long,
    signed: bool,
) -> R<B> {
    let all = [b.xget(a.rd), b.xget(a.rn), b.xget(a.rm)];
    let v = compute(b, op, lane(a.size), all, (a.q, signed));
    b.xset(a.rd, v);
    Ok(Flow::Next)
}

pub(in super::super) fn long_by_lane<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Vby,
    size: u8,
    op: Long,
    signed: bool,
) -> R<B> {
    let y = lane_operand(b, lane(size), a.rm, a.index);
    let all = [b.xget(a.rd), b.xget(a.rn), y];
    let v = compute(b, op, lane(size), all, (a.q, signed));
    b.xset(a.rd, v);
    Ok(Flow::Next)
}

pub(in super::super) fn wide<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: V3,
    op: X2,
    signed: bool,
) -> R<B> {
    let w = lane(a.size);
    let (x, y) = (b.xget(a.rn), b.xget(a.rm));
    let y = widened(b, w, y, a.q, signed);
    let v = b.x2(op, double(w), x, y);
    b.xset(a.rd, v);
    Ok(Flow::Next)
}

/// Narrow lanes go to the low half of a register, or keep it and go to the high one.
fn put_narrow<B: Builder<Aarch64>>(b: &mut B, rd: u8, high: bool, v: B::F) {
    if high {
        let d = b.xget(rd);
        let v = b.x2(X2::ZipLow, W64, d, v);
        b.xset(rd, v);
    } else {
        put(b, rd, Shape::Half, W64, v);
    }
}

/// The high halves of sums or differences.
pub(in super::super) fn high_narrow<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: V3,
    op: X2,
    rounds: bool,
) -> R<B> {
    let w = lane(a.size);
    let wide = double(w);
    let (x, y) = (b.xget(a.rn), b.xget(a.rm));
    let mut v = b.x2(op, wide, x, y);
    if rounds {
        let half = in_all(b, wide, 1 << (w.bits() - 1));
        v = b.x2(X2::Add, wide, v, half);
    }
    let v = shifted(b, XImm::Shr, wide, v, w.bits() as u8);
    let v = b.x1(X1::Narrow, wide, v);
    put_narrow(b, a.rd, a.q, v);
    Ok(Flow::Next)
}

/// What becomes of a doubled product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Accumulate {
    None,
    Add,
    Sub,
}

/// Doubled products, saturated, perhaps added to or taken from the target, saturated again.
fn doubled<B: Builder<Aarch64>>(
    b: &mut B,
    (shape, w): (Shape, Width),
    [d, x, y]: [B::F; 3],
    high: bool,
    how: Accumulate,
) -> B::F {
    let wide = double(w);
    let product = products(b, w, [x, y], high, true);
    let product = b.x2(X2::Add, wide, product, product);
    // The doubled square of the smallest number is the only one that becomes the smallest number.
    let product = saturate_smallest(b, (shape, wide), product);
    let (op, plain) = match how {
        Accumulate::None => return product,
        Accumulate::Add => (X2::AddSatS, X2::Add),
        Accumulate::Sub => (X2::SubSatS, X2::Sub),
    };
    let v = b.x2(op, wide, d, product);
    let plain = b.x2(plain, wide, d, product);
    let differences = b.x2(X2::Xor, wide, v, plain);
    note_saturation(b, shape, wide, differences);
    v
}

pub(in super::super) fn double_long<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: V3,
    how: Accumulate,
) -> R<B> {
    let all = [b.xget(a.rd), b.xget(a.rn), b.xget(a.rm)];
    let v = doubled(b, (Shape::Full, lane(a.size)), all, a.q, how);
    b.xset(a.rd, v);
    Ok(Flow::Next)
}

pub(in super::super) fn double_long_by_lane<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Vby,
    size: u8,
    how: Accumulate,
) -> R<B> {
    let y = lane_operand(b, lane(size), a.rm, a.index);
    let all = [b.xget(a.rd), b.xget(a.rn), y];
    let v = doubled(b, (Shape::Full, lane(size)), all, a.q, how);
    b.xset(a.rd, v);
    Ok(Flow::Next)
}

pub(in super::super) fn scalar_double_long<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: S3,
    how: Accumulate,
) -> R<B> {
    let w = lane(a.size);
    let all = [b.xget(a.rd), b.xget(a.rn), b.xget(a.rm)];
    let v = doubled(b, (Shape::Lane, w), all, false, how);
    put(b, a.rd, Shape::Lane, double(w), v);
    Ok(Flow::Next)
}

pub(in super::super) fn scalar_double_long_by_lane<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Sby,
    size: u8,
    how: Accumulate,
) -> R<B> {
    let w = lane(size);
    let y = lane_operand(b, w, a.rm, a.index);
    let all = [b.xget(a.rd), b.xget(a.rn), y];
    let v = doubled(b, (Shape::Lane, w), all, false, how);
    put(b, a.rd, Shape::Lane, double(w), v);
    Ok(Flow::Next)
}

/// Of bytes, or of doublewords to a quadword.
pub(in super::super) fn carryless_long<B: Builder<Aarch64>>(b: &mut B, _: At, a: V3) -> R<B> {
    let (mut x, mut y) = (b.xget(a.rn), b.xget(a.rm));
    let v = if a.size == 0 {
        let (x, y) = (widened(b, W8, x, a.q, false), widened(b, W8, y, a.q, false));
        b.x2(X2::MulPolyWide, W16, x, y)
    } else {
        if a.q {
            (x, y) = (b.x1(X1::HighHalf, W64, x), b.x1(X1::HighHalf, W64, y));
        }
        b.x2(X2::MulPolyWide, W64, x, y)
    };
    b.xset(a.rd, v);
    Ok(Flow::Next)
}

/// How wide lanes become narrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Narrow {
    Truncate,
    Signed,
    SignedToUnsigned,
    Unsigned,
}

/// Lanes of `wide` to half of that, in the low half.
fn narrowed<B: Builder<Aarch64>>(
    b: &mut B,
    how: Narrow,
    shape: Shape,
    wide: Width,
    v: B::F,
) -> B::F {
    let (op, widen) = match how {
        Narrow::Truncate => return b.x1(X1::Narrow, wide, v),
        Narrow::Signed => (X2::PackSS, X1::WidenLowS),
        Narrow::SignedToUnsigned => (X2::PackSU, X1::WidenLowU),
        Narrow::Unsigned => (X2::PackUU, X1::WidenLowU),
    };
    // One lane alone: the others must not saturate.
    let v = if shape == Shape::Lane { trim(b, shape, wide, v) } else { v };
    let zero = b.ximm(0);
    let result = b.x2(op, wide, v, zero);
    let half = match wide {
        W64 => W32,
        W32 => W16,
        _ => W8,
    };
    let again = b.x1(widen, half, result);
    let differences = b.x2(X2::Xor, wide, again, v);
    note_saturation(b, Shape::Full, wide, differences);
    result
}

pub(in super::super) fn narrow<B: Builder<Aarch64>>(b: &mut B, _: At, a: V2, how: Narrow) -> R<B> {
    let x = b.xget(a.rn);
    let v = narrowed(b, how, Shape::Full, double(lane(a.size)), x);
    put_narrow(b, a.rd, a.q, v);
    Ok(Flow::Next)
}

pub(in super::super) fn scalar_narrow<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: S2,
    how: Narrow,
) -> R<B> {
    let w = lane(a.size);
    let x = b.xget(a.rn);
    let v = narrowed(b, how, Shape::Lane, double(w), x);
    put(b, a.rd, Shape::Lane, w, v);
    Ok(Flow::Next)
}

pub(in super::super) fn shift_left_long<B: Builder<Aarch64>>(b: &mut B, _: At, a: V2) -> R<B> {
    let w = lane(a.size);
    let x = b.xget(a.rn);
    let v = widened(b, w, x, a.q, false);
    let v = shifted(b, XImm::Shl, double(w), v, w.bits() as u8);
    b.xset(a.rd, v);
    Ok(Flow::Next)
}

/// What becomes of lanes shifted to the right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Shift {
    Right,
    RightAdd,
    RoundRight,
    RoundRightAdd,
    RightInsert,
}

/// Shifted to the right, rounded by the last bit that is lost.
fn rounded<B: Builder<Aarch64>>(b: &mut B, op: XImm, w: Width, x: B::F, n: u8) -> B::F {
    let v = shifted(b, op, w, x, n);
    let last = shifted(b, XImm::Shr, w, x, n - 1);
    let one = in_all(b, w, 1);
    let last = b.x2(X2::And, w, last, one);
    b.x2(X2::Add, w, v, last)
}

fn shift_lanes<B: Builder<Aarch64>>(
    b: &mut B,
    how: Shift,
    signed: bool,
    w: Width,
    [d, x]: [B::F; 2],
    n: u8,
) -> B::F {
    let op = right(signed);
    match how {
        Shift::Right => shifted(b, op, w, x, n),
        Shift::RoundRight => rounded(b, op, w, x, n),
        Shift::RightAdd => {
            let v = shifted(b, op, w, x, n);
            b.x2(X2::Add, w, d, v)
        }
        Shift::RoundRightAdd => {
            let v = rounded(b, op, w, x, n);
            b.x2(X2::Add, w, d, v)
        }
        Shift::RightInsert => {
            let v = shifted(b, op, w, x, n);
            let replaced = w.mask().checked_shr(n.into()).unwrap_or(0);
            let kept = in_all(b, w, !replaced);
            let old = b.x2(X2::And, w, d, kept);
            b.x2(X2::Or, w, old, v)
        }
    }
}

pub(in super::super) fn shift_right<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Vshift,
    how: Shift,
    signed: bool,
) -> R<B> {
    let w = lane(fields::shift_size(a.immhb));
    let all = [b.xget(a.rd), b.xget(a.rn)];
    let v = shift_lanes(b, how, signed, w, all, fields::shift_right(a.immhb));
    put(b, a.rd, shape(a.q), w, v);
    Ok(Flow::Next)
}

pub(in super::super) fn scalar_shift_right<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Sshift,
    how: Shift,
    signed: bool,
) -> R<B> {
    let all = [b.xget(a.rd), b.xget(a.rn)];
    let v = shift_lanes(b, how, signed, W64, all, fields::shift_right(a.immhb));
    put(b, a.rd, Shape::Lane, W64, v);
    Ok(Flow::Next)
}

fn left_lanes<B: Builder<Aarch64>>(
    b: &mut B,
    w: Width,
    [d, x]: [B::F; 2],
    n: u8,
    inserts: bool,
) -> B::F {
    let v = shifted(b, XImm::Shl, w, x, n);
    if !inserts {
        return v;
    }
    let kept = in_all(b, w, (1 << n) - 1);
    let old = b.x2(X2::And, w, d, kept);
    b.x2(X2::Or, w, old, v)
}

pub(in super::super) fn shift_left<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Vshift,
    inserts: bool,
) -> R<B> {
    let w = lane(fields::shift_size(a.immhb));
    let all = [b.xget(a.rd), b.xget(a.rn)];
    let v = left_lanes(b, w, all, fields::shift_left(a.immhb), inserts);
    put(b, a.rd, shape(a.q), w, v);
    Ok(Flow::Next)
}

pub(in super::super) fn scalar_shift_left<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Sshift,
    inserts: bool,
) -> R<B> {
    let all = [b.xget(a.rd), b.xget(a.rn)];
    let v = left_lanes(b, W64, all, fields::shift_left(a.immhb), inserts);
    put(b, a.rd, Shape::Lane, W64, v);
    Ok(Flow::Next)
}

fn shifted_narrow<B: Builder<Aarch64>>(
    b: &mut B,
    (how, rounds): (Narrow, bool),
    (shape, wide): (Shape, Width),
    x: B::F,
    n: u8,
) -> B::F {
    let op = right(matches!(how, Narrow::Signed | Narrow::SignedToUnsigned));
    let v = if rounds { rounded(b, op, wide, x, n) } else { shifted(b, op, wide, x, n) };
    narrowed(b, how, shape, wide, v)
}

pub(in super::super) fn shift_narrow<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Vshift,
    how: Narrow,
    rounds: bool,
) -> R<B> {
    let wide = double(lane(fields::shift_size(a.immhb)));
    let x = b.xget(a.rn);
    let n = fields::shift_right(a.immhb);
    let v = shifted_narrow(b, (how, rounds), (Shape::Full, wide), x, n);
    put_narrow(b, a.rd, a.q, v);
    Ok(Flow::Next)
}

pub(in super::super) fn scalar_shift_narrow<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Sshift,
    how: Narrow,
    rounds: bool,
) -> R<B> {
    let w = lane(fields::shift_size(a.immhb));
    let x = b.xget(a.rn);
    let n = fields::shift_right(a.immhb);
    let v = shifted_narrow(b, (how, rounds), (Shape::Lane, double(w)), x, n);
    put(b, a.rd, Shape::Lane, w, v);
    Ok(Flow::Next)
}

pub(in super::super) fn shift_long<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Vshift,
    signed: bool,
) -> R<B> {
    let w = lane(fields::shift_size(a.immhb));
    let x = b.xget(a.rn);
    let v = widened(b, w, x, a.q, signed);
    let v = shifted(b, XImm::Shl, double(w), v, fields::shift_left(a.immhb));
    b.xset(a.rd, v);
    Ok(Flow::Next)
}

/// The count that an instruction in plain Rust gets: of a shift to the left plus one, or the bits
/// behind the point.
fn number(op: Soft, immhb: u8) -> u8 {
    match op {
        Soft::FixedToFloatS | Soft::FixedToFloatU | Soft::FloatToFixedS | Soft::FloatToFixedU => {
            fields::shift_right(immhb)
        }
        _ => fields::shift_left(immhb) + 1,
    }
}

pub(in super::super) fn shift_soft<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Vshift,
    op: Soft,
) -> R<B> {
    let w = lane(fields::shift_size(a.immhb));
    let n = number(op, a.immhb);
    in_rust(b, What { op, w, shape: shape(a.q), rd: a.rd, rn: a.rn, rm: 0, n })
}

pub(in super::super) fn scalar_shift_soft<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Sshift,
    op: Soft,
) -> R<B> {
    let w = lane(fields::shift_size(a.immhb));
    let n = number(op, a.immhb);
    in_rust(b, What { op, w, shape: Shape::Lane, rd: a.rd, rn: a.rn, rm: 0, n })
}
