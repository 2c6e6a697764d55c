//! Integer operations on lanes of one width `[ARM-ARM C3.5]`: of whole vectors, of their low
//! halves, and of one lane.

use std::mem::offset_of;

use arch::aarch64::Cpu;
use arch::aarch64::state::fpsr;

use super::super::soft::{SOFT, Shape, Soft, What};
use super::{Aarch64, R, with};
use crate::builder::*;
use crate::isa::aarch64::{S2, S3, Sby, V2, V3, Vby};

use Width::{W8, W16, W32, W64};

/// The lanes of a size.
pub(super) fn lane(size: u8) -> Width {
    Width::ALL[usize::from(size & 3)]
}

/// Lanes twice as wide.
pub(super) fn double(w: Width) -> Width {
    match w {
        W8 => W16,
        W16 => W32,
        W32 | W64 => W64,
    }
}

/// What of a vector takes part.
pub(super) fn shape(q: bool) -> Shape {
    if q { Shape::Full } else { Shape::Half }
}

/// The part of a result that the instruction gives; zero above it.
pub(super) fn trim<B: Builder<Aarch64>>(b: &mut B, shape: Shape, w: Width, v: B::F) -> B::F {
    match shape {
        Shape::Full => v,
        Shape::Half => b.x1(X1::LowHalf, W64, v),
        Shape::Lane if w == W64 => b.x1(X1::LowHalf, W64, v),
        Shape::Lane => {
            let zero = b.ximm(0);
            b.xnum(XImm::Lane, w, zero, v, 0)
        }
    }
}

/// Writes the part of a result that the instruction gives.
pub(super) fn put<B: Builder<Aarch64>>(b: &mut B, rd: u8, shape: Shape, w: Width, v: B::F) {
    let v = trim(b, shape, w, v);
    b.xset(rd, v);
}

/// The complement of the lanes.
pub(super) fn not<B: Builder<Aarch64>>(b: &mut B, v: B::F) -> B::F {
    b.x1(X1::Not, W8, v)
}

/// A number in all lanes.
pub(super) fn in_all<B: Builder<Aarch64>>(b: &mut B, w: Width, v: u64) -> B::F {
    b.ximm(crate::ops::vector::splat(w, v))
}

/// Lanes shifted by a constant.
pub(super) fn shifted<B: Builder<Aarch64>>(b: &mut B, op: XImm, w: Width, v: B::F, n: u8) -> B::F {
    b.xnum(op, w, v, v, n)
}

/// To the right with signs or with zeros.
pub(super) fn right(signed: bool) -> XImm {
    if signed { XImm::Sar } else { XImm::Shr }
}

/// Notes a saturation if there are ones among the bits of a vector that take part.
pub(super) fn note_saturation<B: Builder<Aarch64>>(
    b: &mut B,
    shape: Shape,
    w: Width,
    differences: B::F,
) {
    let v = trim(b, shape, w, differences);
    let low = b.xlane(W64, v, 0);
    let any = if shape == Shape::Full {
        let high = b.xlane(W64, v, 1);
        b.bin(Bin::Or, W64, low, high)
    } else {
        low
    };
    let zero = b.imm(0);
    let saturated = b.cmp(Cond::Ne, W64, any, zero);
    let bit = with(b, Bin::Shl, saturated, u64::from(fpsr::SATURATED.trailing_zeros()));
    let old = b.field(offset_of!(Cpu, fpsr));
    let new = b.bin(Bin::Or, W64, old, bit);
    b.set_field(offset_of!(Cpu, fpsr), new);
}

/// Operations on two vectors, some of which take the target as a third.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Three {
    Plain(X2),
    /// The half of the sum; signed.
    Halve(bool),
    /// The same, rounded up.
    HalveUp(bool),
    /// The half of the difference.
    HalveDiff(bool),
    /// The first one, and what it is as long as nothing saturates.
    Saturate(X2, X2),
    OrNot,
    /// By the bits of the target.
    Select,
    /// Where the second operand has ones.
    Insert,
    /// Where it has zeros.
    InsertNot,
    AtLeastS,
    AtLeastU,
    /// By the low bytes of the second operand's lanes, to the right if negative; signed.
    Shift(bool),
    Distance(bool),
    AddDistance(bool),
    Test,
    MulAdd,
    MulSub,
    /// The high half of the doubled product; rounded.
    DoubleHigh(bool),
}

/// The result of an operation; the lanes beyond the shape are whatever comes out.
fn compute<B: Builder<Aarch64>>(
    b: &mut B,
    op: Three,
    (shape, w): (Shape, Width),
    [d, x, y]: [B::F; 3],
) -> B::F {
    match op {
        Three::Plain(op) => b.x2(op, w, x, y),
        Three::Halve(signed) => {
            let common = b.x2(X2::And, w, x, y);
            let other = b.x2(X2::Xor, w, x, y);
            let half = shifted(b, right(signed), w, other, 1);
            b.x2(X2::Add, w, common, half)
        }
        Three::HalveUp(false) if matches!(w, W8 | W16) => b.x2(X2::AvgU, w, x, y),
        Three::HalveUp(signed) => {
            let any = b.x2(X2::Or, w, x, y);
            let other = b.x2(X2::Xor, w, x, y);
            let half = shifted(b, right(signed), w, other, 1);
            b.x2(X2::Sub, w, any, half)
        }
        Three::HalveDiff(signed) => {
            let own = b.x2(X2::AndNot, w, y, x);
            let other = b.x2(X2::Xor, w, x, y);
            let half = shifted(b, right(signed), w, other, 1);
            b.x2(X2::Sub, w, half, own)
        }
        Three::Saturate(op, wraps) => {
            let v = b.x2(op, w, x, y);
            let plain = b.x2(wraps, w, x, y);
            let differences = b.x2(X2::Xor, w, v, plain);
            note_saturation(b, shape, w, differences);
            v
        }
        Three::OrNot => {
            let y = not(b, y);
            b.x2(X2::Or, w, x, y)
        }
        Three::Select => b.xselect(d, x, y),
        Three::Insert => b.xselect(y, x, d),
        Three::InsertNot => b.xselect(y, d, x),
        Three::AtLeastS if w != W64 => {
            let max = b.x2(X2::MaxS, w, x, y);
            b.x2(X2::Eq, w, max, x)
        }
        Three::AtLeastS => {
            let less = b.x2(X2::GtS, w, y, x);
            not(b, less)
        }
        Three::AtLeastU if w != W64 => {
            let max = b.x2(X2::MaxU, w, x, y);
            b.x2(X2::Eq, w, max, x)
        }
        Three::AtLeastU => {
            let less = b.x2(X2::GtU, w, y, x);
            not(b, less)
        }
        Three::Shift(signed) => shift_by_lanes(b, w, x, y, signed),
        Three::Distance(signed) => distance(b, w, x, y, signed),
        Three::AddDistance(signed) => {
            let v = distance(b, w, x, y, signed);
            b.x2(X2::Add, w, d, v)
        }
        Three::Test => {
            let common = b.x2(X2::And, w, x, y);
            let zero = b.ximm(0);
            let none = b.x2(X2::Eq, w, common, zero);
            not(b, none)
        }
        Three::MulAdd => {
            let product = b.x2(X2::Mul, w, x, y);
            b.x2(X2::Add, w, d, product)
        }
        Three::MulSub => {
            let product = b.x2(X2::Mul, w, x, y);
            b.x2(X2::Sub, w, d, product)
        }
        Three::DoubleHigh(rounds) => double_high(b, (shape, w), x, y, rounds),
    }
}

fn distance<B: Builder<Aarch64>>(b: &mut B, w: Width, x: B::F, y: B::F, signed: bool) -> B::F {
    let (max, min) = if signed { (X2::MaxS, X2::MinS) } else { (X2::MaxU, X2::MinU) };
    let (max, min) = (b.x2(max, w, x, y), b.x2(min, w, x, y));
    b.x2(X2::Sub, w, max, min)
}

/// Counts are signed bytes. One of both directions is out of range and gives zero, but for signs.
fn shift_by_lanes<B: Builder<Aarch64>>(
    b: &mut B,
    w: Width,
    x: B::F,
    y: B::F,
    signed: bool,
) -> B::F {
    let spare = (w.bits() - 8) as u8;
    let count = if spare == 0 {
        y
    } else {
        let up = shifted(b, XImm::Shl, w, y, spare);
        shifted(b, XImm::Sar, w, up, spare)
    };
    let back = b.x1(X1::Neg, w, count);
    let left = b.x2(X2::Shl, w, x, count);
    if !signed {
        let right = b.x2(X2::Shr, w, x, back);
        return b.x2(X2::Or, w, left, right);
    }
    let right = b.x2(X2::Sar, w, x, back);
    let zero = b.ximm(0);
    let negative = b.x2(X2::GtS, w, zero, count);
    b.xselect(negative, right, left)
}

/// The doubled products of the low words of doublewords, with half of a word's unit added.
fn doubled_product<B: Builder<Aarch64>>(b: &mut B, x: B::F, y: B::F, rounds: bool) -> B::F {
    let product = b.x2(X2::MulWideS, W64, x, y);
    let product = b.x2(X2::Add, W64, product, product);
    if !rounds {
        return product;
    }
    let half = in_all(b, W64, 1 << 31);
    b.x2(X2::Add, W64, product, half)
}

/// Only the square of the smallest number, doubled, is too large.
fn double_high<B: Builder<Aarch64>>(
    b: &mut B,
    (shape, w): (Shape, Width),
    x: B::F,
    y: B::F,
    rounds: bool,
) -> B::F {
    let v = if w == W16 {
        let high = b.x2(X2::MulHighS, w, x, y);
        let low = b.x2(X2::Mul, w, x, y);
        let high = shifted(b, XImm::Shl, w, high, 1);
        let low = if rounds {
            let low = shifted(b, XImm::Shr, w, low, 14);
            let one = in_all(b, w, 1);
            let low = b.x2(X2::Add, w, low, one);
            shifted(b, XImm::Shr, w, low, 1)
        } else {
            shifted(b, XImm::Shr, w, low, 15)
        };
        b.x2(X2::Add, w, high, low)
    } else {
        let even = doubled_product(b, x, y, rounds);
        let (x, y) = (shifted(b, XImm::Shr, W64, x, 32), shifted(b, XImm::Shr, W64, y, 32));
        let odd = doubled_product(b, x, y, rounds);
        let even = shifted(b, XImm::Shr, W64, even, 32);
        let upper = b.ximm(u128::from(u32::MAX) << 32 | u128::from(u32::MAX) << 96);
        let odd = b.x2(X2::And, W64, odd, upper);
        b.x2(X2::Or, W64, even, odd)
    };
    saturate_smallest(b, (shape, w), v)
}

/// Where the smallest number stands for one that does not fit: the greatest takes its place.
pub(super) fn saturate_smallest<B: Builder<Aarch64>>(
    b: &mut B,
    (shape, w): (Shape, Width),
    v: B::F,
) -> B::F {
    let smallest = in_all(b, w, 1 << (w.bits() - 1));
    let too_large = b.x2(X2::Eq, w, v, smallest);
    note_saturation(b, shape, w, too_large);
    b.x2(X2::Xor, w, v, too_large)
}

pub(in super::super) fn three<B: Builder<Aarch64>>(b: &mut B, _: At, a: V3, op: Three) -> R<B> {
    let (shape, w) = (shape(a.q), lane(a.size));
    let all = [b.xget(a.rd), b.xget(a.rn), b.xget(a.rm)];
    let v = compute(b, op, (shape, w), all);
    put(b, a.rd, shape, w, v);
    Ok(Flow::Next)
}

pub(in super::super) fn scalar_three<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: S3,
    op: Three,
) -> R<B> {
    let w = lane(a.size);
    let all = [b.xget(a.rd), b.xget(a.rn), b.xget(a.rm)];
    let v = compute(b, op, (Shape::Lane, w), all);
    put(b, a.rd, Shape::Lane, w, v);
    Ok(Flow::Next)
}

/// The second operand is one lane, in all lanes.
pub(super) fn lane_operand<B: Builder<Aarch64>>(b: &mut B, w: Width, rm: u8, index: u8) -> B::F {
    let v = b.xget(rm);
    b.xnum(XImm::Splat, w, v, v, index)
}

pub(in super::super) fn by_lane<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Vby,
    size: u8,
    op: Three,
) -> R<B> {
    let (shape, w) = (shape(a.q), lane(size));
    let y = lane_operand(b, w, a.rm, a.index);
    let all = [b.xget(a.rd), b.xget(a.rn), y];
    let v = compute(b, op, (shape, w), all);
    put(b, a.rd, shape, w, v);
    Ok(Flow::Next)
}

pub(in super::super) fn scalar_by_lane<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Sby,
    size: u8,
    op: Three,
) -> R<B> {
    let w = lane(size);
    let y = lane_operand(b, w, a.rm, a.index);
    let all = [b.xget(a.rd), b.xget(a.rn), y];
    let v = compute(b, op, (Shape::Lane, w), all);
    put(b, a.rd, Shape::Lane, w, v);
    Ok(Flow::Next)
}

/// Operations on one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Two {
    Plain(X1),
    SaturateAbs,
    SaturateNeg,
    GreaterZero,
    AtLeastZero,
    EqualZero,
    AtMostZero,
    LessZero,
}

fn compute_one<B: Builder<Aarch64>>(
    b: &mut B,
    op: Two,
    (shape, w): (Shape, Width),
    x: B::F,
) -> B::F {
    let zero = b.ximm(0);
    match op {
        Two::Plain(op) => b.x1(op, w, x),
        // The smallest number stays itself.
        Two::SaturateAbs => {
            let v = b.x1(X1::Abs, w, x);
            saturate_smallest(b, (shape, w), v)
        }
        Two::SaturateNeg => {
            let v = b.x1(X1::Neg, w, x);
            saturate_smallest(b, (shape, w), v)
        }
        Two::GreaterZero => b.x2(X2::GtS, w, x, zero),
        Two::EqualZero => b.x2(X2::Eq, w, x, zero),
        Two::LessZero => b.x2(X2::GtS, w, zero, x),
        Two::AtLeastZero => {
            let v = b.x2(X2::GtS, w, zero, x);
            not(b, v)
        }
        Two::AtMostZero => {
            let v = b.x2(X2::GtS, w, x, zero);
            not(b, v)
        }
    }
}

pub(in super::super) fn two<B: Builder<Aarch64>>(b: &mut B, _: At, a: V2, op: Two) -> R<B> {
    let (shape, w) = (shape(a.q), lane(a.size));
    let x = b.xget(a.rn);
    let v = compute_one(b, op, (shape, w), x);
    put(b, a.rd, shape, w, v);
    Ok(Flow::Next)
}

pub(in super::super) fn scalar_two<B: Builder<Aarch64>>(b: &mut B, _: At, a: S2, op: Two) -> R<B> {
    let w = lane(a.size);
    let x = b.xget(a.rn);
    let v = compute_one(b, op, (Shape::Lane, w), x);
    put(b, a.rd, Shape::Lane, w, v);
    Ok(Flow::Next)
}

/// Leaves an instruction to plain Rust.
pub(super) fn in_rust<B: Builder<Aarch64>>(b: &mut B, what: What) -> R<B> {
    let [what, registers] = what.pack();
    let (what, registers) = (b.imm(what), b.imm(registers));
    b.call(&SOFT, &[what, registers])?;
    Ok(Flow::Next)
}

pub(in super::super) fn three_soft<B: Builder<Aarch64>>(b: &mut B, _: At, a: V3, op: Soft) -> R<B> {
    let V3 { q, size, rd, rn, rm } = a;
    in_rust(b, What { op, w: lane(size), shape: shape(q), rd, rn, rm, n: 0 })
}

pub(in super::super) fn scalar_three_soft<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: S3,
    op: Soft,
) -> R<B> {
    let S3 { size, rd, rn, rm } = a;
    in_rust(b, What { op, w: lane(size), shape: Shape::Lane, rd, rn, rm, n: 0 })
}

pub(in super::super) fn two_soft<B: Builder<Aarch64>>(b: &mut B, _: At, a: V2, op: Soft) -> R<B> {
    let V2 { q, size, rd, rn } = a;
    in_rust(b, What { op, w: lane(size), shape: shape(q), rd, rn, rm: 0, n: 0 })
}

pub(in super::super) fn scalar_two_soft<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: S2,
    op: Soft,
) -> R<B> {
    let S2 { size, rd, rn } = a;
    in_rust(b, What { op, w: lane(size), shape: Shape::Lane, rd, rn, rm: 0, n: 0 })
}

/// The low halves of two vectors, together.
pub(super) fn low_halves<B: Builder<Aarch64>>(b: &mut B, x: B::F, y: B::F) -> B::F {
    b.x2(X2::ZipLow, W64, x, y)
}

/// Neighbours: the lanes with even and those with odd numbers, of the operands that take part.
pub(super) fn neighbours<B: Builder<Aarch64>>(
    b: &mut B,
    (shape, w): (Shape, Width),
    x: B::F,
    y: B::F,
) -> (B::F, B::F) {
    let (x, y) = if shape == Shape::Full {
        (x, y)
    } else {
        let both = low_halves(b, x, y);
        (both, both)
    };
    (b.x2(X2::UnzipEven, w, x, y), b.x2(X2::UnzipOdd, w, x, y))
}

pub(in super::super) fn pairwise<B: Builder<Aarch64>>(b: &mut B, _: At, a: V3, op: X2) -> R<B> {
    let (shape, w) = (shape(a.q), lane(a.size));
    let (x, y) = (b.xget(a.rn), b.xget(a.rm));
    let (even, odd) = neighbours(b, (shape, w), x, y);
    let v = b.x2(op, w, even, odd);
    put(b, a.rd, shape, w, v);
    Ok(Flow::Next)
}

pub(in super::super) fn scalar_add_pair<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: crate::isa::aarch64::VRr,
) -> R<B> {
    let x = b.xget(a.rn);
    let high = b.x1(X1::HighHalf, W64, x);
    let v = b.x2(X2::Add, W64, x, high);
    put(b, a.rd, Shape::Lane, W64, v);
    Ok(Flow::Next)
}

/// An operation over all lanes that take part, in lane 0.
fn folded<B: Builder<Aarch64>>(b: &mut B, op: X2, (shape, w): (Shape, Width), x: B::F) -> B::F {
    let mut v = x;
    if shape == Shape::Full {
        let high = b.x1(X1::HighHalf, W64, v);
        v = b.x2(op, w, v, high);
    }
    let mut by = 32;
    while by >= w.bits() {
        let high = shifted(b, XImm::Shr, W64, v, by as u8);
        v = b.x2(op, w, v, high);
        by /= 2;
    }
    v
}

pub(in super::super) fn across<B: Builder<Aarch64>>(b: &mut B, _: At, a: V2, op: X2) -> R<B> {
    let (shape, w) = (shape(a.q), lane(a.size));
    let x = b.xget(a.rn);
    let v = folded(b, op, (shape, w), x);
    put(b, a.rd, Shape::Lane, w, v);
    Ok(Flow::Next)
}

/// Sums of neighbours in lanes twice as wide.
fn pair_sums<B: Builder<Aarch64>>(b: &mut B, w: Width, x: B::F, signed: bool) -> B::F {
    let (wide, by) = (double(w), w.bits() as u8);
    let odd = shifted(b, right(signed), wide, x, by);
    let even = if signed {
        let up = shifted(b, XImm::Shl, wide, x, by);
        shifted(b, XImm::Sar, wide, up, by)
    } else {
        let low = in_all(b, wide, w.mask());
        b.x2(X2::And, wide, x, low)
    };
    b.x2(X2::Add, wide, even, odd)
}

pub(in super::super) fn add_pairs<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: V2,
    signed: bool,
    accumulates: bool,
) -> R<B> {
    let (shape, w) = (shape(a.q), lane(a.size));
    let x = b.xget(a.rn);
    let mut v = pair_sums(b, w, x, signed);
    if accumulates {
        let d = b.xget(a.rd);
        v = b.x2(X2::Add, double(w), d, v);
    }
    put(b, a.rd, shape, w, v);
    Ok(Flow::Next)
}

pub(in super::super) fn across_long<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: V2,
    signed: bool,
) -> R<B> {
    let (shape, w) = (shape(a.q), lane(a.size));
    let x = b.xget(a.rn);
    let v = pair_sums(b, w, x, signed);
    let v = folded(b, X2::Add, (shape, double(w)), v);
    put(b, a.rd, Shape::Lane, double(w), v);
    Ok(Flow::Next)
}

/// Lanes in reverse order inside containers of some bytes.
pub(in super::super) fn reverse<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: V2,
    container: usize,
) -> R<B> {
    let bytes = 1usize << (a.size & 3);
    let table: [u8; 16] = std::array::from_fn(|i| {
        let (whole, inside) = (i / container * container, i % container);
        (whole + container - bytes - inside / bytes * bytes + inside % bytes) as u8
    });
    let (x, table) = (b.xget(a.rn), b.ximm(u128::from_le_bytes(table)));
    let v = b.x2(X2::Shuffle, W8, x, table);
    put(b, a.rd, shape(a.q), W8, v);
    Ok(Flow::Next)
}
