//! What the vector operations of the [`Builder`](crate::builder::Builder) compute.

use super::sext;
use crate::builder::{Width, X1, X2, XImm};

/// Bits of a vector.
const BITS: u32 = 128;

/// Lane `i`, zero-extended.
pub fn lane(w: Width, a: u128, i: u32) -> u64 {
    let at = i * w.bits();
    if at >= BITS { 0 } else { (a >> at) as u64 & w.mask() }
}

/// The vector with lane `i` replaced by the low bits of `v`.
pub fn with_lane(w: Width, a: u128, i: u32, v: u64) -> u128 {
    let at = i * w.bits();
    if at >= BITS {
        return a;
    }
    a & !(u128::from(w.mask()) << at) | u128::from(v & w.mask()) << at
}

/// The vector of lanes that a function gives; bits beyond the lane are ignored.
pub fn lanes(w: Width, mut of: impl FnMut(u32) -> u64) -> u128 {
    (0..BITS / w.bits()).fold(0, |all, i| all | u128::from(of(i) & w.mask()) << (i * w.bits()))
}

/// The same value in all lanes.
pub fn splat(w: Width, v: u64) -> u128 {
    lanes(w, |_| v)
}

/// The top bits of the lanes, lane 0's lowest.
pub fn mask(w: Width, a: u128) -> u64 {
    let signs = (0..BITS / w.bits()).map(|i| (lane(w, a, i) >> (w.bits() - 1)) << i);
    signs.sum()
}

/// The bits of `a` where `m` has ones, of `b` elsewhere.
pub const fn select(m: u128, a: u128, b: u128) -> u128 {
    a & m | b & !m
}

fn half(w: Width) -> Width {
    match w {
        Width::W8 | Width::W16 => Width::W8,
        Width::W32 => Width::W16,
        Width::W64 => Width::W32,
    }
}

fn signed(w: Width, v: u64) -> i64 {
    sext(v, w.bits()) as i64
}

/// An operation on one vector.
pub fn one(op: X1, w: Width, a: u128) -> u128 {
    let bits = w.bits();
    let each = |f: fn(u64, u32) -> u64| lanes(w, |i| f(lane(w, a, i), bits));
    // Lanes of the result are twice as wide.
    let widen = |from: u32, sign: bool| {
        let count = BITS / bits / 2;
        (0..count).fold(0, |all, i| {
            let v = lane(w, a, from * count + i);
            let v = if sign { sext(v, bits) } else { v };
            let wide = if bits == 64 {
                if sign { i128::from(v as i64) as u128 } else { u128::from(v) }
            } else {
                u128::from(v & (u64::MAX >> (64 - 2 * bits)))
            };
            all | wide << (2 * bits * i)
        })
    };
    match op {
        X1::Not => !a,
        X1::Neg => each(|v, _| v.wrapping_neg()),
        X1::Abs => lanes(w, |i| signed(w, lane(w, a, i)).unsigned_abs()),
        X1::Popcnt => each(|v, _| v.count_ones().into()),
        X1::Clz => each(|v, bits| (v.leading_zeros() - (64 - bits)).into()),
        X1::Cls => each(|v, bits| {
            let s = sext(v, bits);
            let same = if s >> 63 == 0 { s.leading_zeros() } else { s.leading_ones() };
            (same - (64 - bits) - 1).into()
        }),
        X1::Rbit => each(|v, bits| v.reverse_bits() >> (64 - bits)),
        X1::Bswap => each(|v, bits| v.swap_bytes() >> (64 - bits)),
        X1::WidenLowS => widen(0, true),
        X1::WidenLowU => widen(0, false),
        X1::WidenHighS => widen(1, true),
        X1::WidenHighU => widen(1, false),
        X1::Narrow => {
            let h = half(w);
            (0..BITS / bits)
                .fold(0, |all, i| all | u128::from(lane(w, a, i) & h.mask()) << (i * h.bits()))
        }
        X1::LowHalf => a & u128::from(u64::MAX),
        X1::HighHalf => a >> 64,
        X1::AesMix => super::aes::mix(a, false),
        X1::AesMixInverse => super::aes::mix(a, true),
    }
}

/// An operation on two vectors.
pub fn two(op: X2, w: Width, a: u128, b: u128) -> u128 {
    let bits = w.bits();
    let each = |f: &dyn Fn(u64, u64) -> u64| lanes(w, |i| f(lane(w, a, i), lane(w, b, i)));
    let truth = |f: &dyn Fn(u64, u64) -> bool| {
        lanes(w, |i| if f(lane(w, a, i), lane(w, b, i)) { u64::MAX } else { 0 })
    };
    let s = |v| signed(w, v);
    let count = BITS / bits;
    let h = half(w);
    match op {
        X2::Add => each(&u64::wrapping_add),
        X2::Sub => each(&u64::wrapping_sub),
        X2::Mul => each(&u64::wrapping_mul),
        X2::MulHighS => each(&|x, y| ((i128::from(s(x)) * i128::from(s(y))) >> bits) as u64),
        X2::MulHighU => each(&|x, y| ((u128::from(x) * u128::from(y)) >> bits) as u64),
        X2::MulWideS => each(&|x, y| signed(h, x).wrapping_mul(signed(h, y)) as u64),
        X2::MulWideU => each(&|x, y| (x & h.mask()).wrapping_mul(y & h.mask())),
        X2::MulPairsS => each(&|x, y| {
            let product = |by| signed(h, x >> by).wrapping_mul(signed(h, y >> by));
            product(0).wrapping_add(product(h.bits())) as u64
        }),
        X2::MulPoly => each(&|x, y| carryless(x, y) as u64),
        X2::MulPolyWide if w == Width::W64 => carryless(a as u64, b as u64),
        X2::MulPolyWide => each(&|x, y| carryless(x & h.mask(), y & h.mask()) as u64),
        X2::SumDiffU => each(&|x, y| {
            let byte = |v: u64, i: u32| (v >> (8 * i)) as u8;
            (0..bits / 8).map(|i| u64::from(byte(x, i).abs_diff(byte(y, i)))).sum()
        }),
        X2::And => a & b,
        X2::AndNot => a & !b,
        X2::Or => a | b,
        X2::Xor => a ^ b,
        X2::Eq => truth(&|x, y| x == y),
        X2::GtS => truth(&|x, y| s(x) > s(y)),
        X2::GtU => truth(&|x, y| x > y),
        X2::MinS => each(&|x, y| s(x).min(s(y)) as u64),
        X2::MinU => each(&u64::min),
        X2::MaxS => each(&|x, y| s(x).max(s(y)) as u64),
        X2::MaxU => each(&u64::max),
        X2::AddSatS => each(&|x, y| saturate(w, i128::from(s(x)) + i128::from(s(y)))),
        X2::AddSatU => each(&|x, y| (u128::from(x) + u128::from(y)).min(w.mask().into()) as u64),
        X2::SubSatS => each(&|x, y| saturate(w, i128::from(s(x)) - i128::from(s(y)))),
        X2::SubSatU => each(&u64::saturating_sub),
        X2::AvgU => each(&|x, y| ((u128::from(x) + u128::from(y) + 1) >> 1) as u64),
        X2::Shl => each(&|x, n| if n < bits.into() { x << n } else { 0 }),
        X2::Shr => each(&|x, n| if n < bits.into() { x >> n } else { 0 }),
        X2::Sar => each(&|x, n| (s(x) >> n.min(63)) as u64),
        X2::ZipLow | X2::ZipHigh => lanes(w, |i| {
            let at = i / 2 + if op == X2::ZipHigh { count / 2 } else { 0 };
            lane(w, if i % 2 == 0 { a } else { b }, at)
        }),
        X2::UnzipEven | X2::UnzipOdd => lanes(w, |i| {
            let at = i % (count / 2) * 2 + u32::from(op == X2::UnzipOdd);
            lane(w, if i < count / 2 { a } else { b }, at)
        }),
        X2::PackSS | X2::PackSU | X2::PackUU => lanes(h, |i| {
            let v = lane(w, if i < count { a } else { b }, i % count);
            match op {
                X2::PackSS => saturate(h, s(v).into()),
                X2::PackSU => s(v).clamp(0, h.mask() as i64) as u64,
                _ => v.min(h.mask()),
            }
        }),
        X2::Shuffle => lanes(Width::W8, |i| {
            let from = lane(Width::W8, b, i) as u32;
            if from >= 0x80 { 0 } else { lane(Width::W8, a, from & 15) }
        }),
        X2::AesEncryptLast => super::aes::substitute(a, false) ^ b,
        X2::AesDecryptLast => super::aes::substitute(a, true) ^ b,
    }
}

/// An operation with a number.
pub fn with_number(op: XImm, w: Width, a: u128, b: u128, n: u8) -> u128 {
    let by = u32::from(n);
    match op {
        XImm::Shl => lanes(w, |i| if by < w.bits() { lane(w, a, i) << by } else { 0 }),
        XImm::Shr => lanes(w, |i| if by < w.bits() { lane(w, a, i) >> by } else { 0 }),
        XImm::Sar => lanes(w, |i| (signed(w, lane(w, a, i)) >> by.min(63)) as u64),
        XImm::Splat => splat(w, lane(w, a, by)),
        XImm::Lane => with_lane(w, a, by & 15, lane(w, b, by >> 4)),
        XImm::Extract => match by * 8 {
            0 => a,
            at @ ..BITS => a >> at | b << (BITS - at),
            at => b.checked_shr(at - BITS).unwrap_or(0),
        },
        XImm::Choose => {
            lanes(Width::W32, |i| lane(Width::W32, if i < 2 { a } else { b }, by >> (2 * i) & 3))
        }
    }
}

/// The nearest number that a signed lane holds.
fn saturate(w: Width, v: i128) -> u64 {
    let max = i128::from(w.mask() >> 1);
    v.clamp(-max - 1, max) as u64
}

/// The product of polynomials over the field of two elements.
fn carryless(a: u64, b: u64) -> u128 {
    (0..64).filter(|i| b >> i & 1 != 0).fold(0, |sum, i| sum ^ u128::from(a) << i)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Width::*;

    const A: u128 = 0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0180;
    const B: u128 = 0x1f1e_1d1c_1b1a_1918_1716_1514_1312_11ff;

    #[test]
    fn lanes_are_numbered_from_the_lowest() {
        assert_eq!(lane(W8, A, 0), 0x80);
        assert_eq!(lane(W16, A, 7), 0x0f0e);
        assert_eq!(with_lane(W64, 0, 1, 5), 5 << 64);
        assert_eq!(splat(W32, 7), 0x7_0000_0007_0000_0007_0000_0007);
        assert_eq!(mask(W8, A), 1);
    }

    #[test]
    fn moves() {
        assert_eq!(two(X2::ZipLow, W64, A, B), A & u128::from(u64::MAX) | B << 64);
        assert_eq!(two(X2::ZipHigh, W64, A, B), A >> 64 | B >> 64 << 64);
        assert_eq!(two(X2::UnzipEven, W8, A, B) as u16, 0x0280);
        assert_eq!(two(X2::UnzipOdd, W8, A, B) as u16, 0x0301);
        assert_eq!(one(X1::WidenLowS, W8, A) as u32, 0x0001_ff80);
        assert_eq!(one(X1::WidenHighU, W32, A), 0x0f0e_0d0c_0000_0000_0b0a_0908);
        assert_eq!(one(X1::Narrow, W16, A), 0x0e0c_0a08_0604_0280);
        assert_eq!(two(X2::Shuffle, W8, A, 0x8f02), 0x8080_8080_8080_8080_8080_8080_8080_0002);
        assert_eq!(with_number(XImm::Extract, W8, A, B, 4) >> 96, B & 0xffff_ffff);
        assert_eq!(with_number(XImm::Extract, W8, A, B, 20), B >> 32);
        assert_eq!(with_number(XImm::Choose, W32, A, B, 0xe4) as u64, A as u64);
        assert_eq!(with_number(XImm::Lane, W8, A, B, 0x10) as u8, 0x11);
        assert_eq!(with_number(XImm::Splat, W8, A, 0, 15), splat(W8, 0x0f));
    }

    #[test]
    fn arithmetic() {
        assert_eq!(two(X2::AddSatS, W8, 0x7f, 1), 0x7f);
        assert_eq!(two(X2::SubSatU, W8, 1, 2), 0);
        assert_eq!(two(X2::PackSU, W16, 0xffff_0100, 0), 0xff);
        assert_eq!(two(X2::PackUU, W16, 0xffff, 0), 0xff);
        assert_eq!(two(X2::Sar, W8, 0x80, 200), 0xff);
        assert_eq!(two(X2::Shl, W64, 1, 64), 0);
        assert_eq!(two(X2::AvgU, W8, 1, 2), 2);
        assert_eq!(two(X2::MulPolyWide, W64, 3, 3), 5);
        assert_eq!(two(X2::MulPairsS, W32, 0x2_0003, 0x4_ffff), 5);
        assert_eq!(two(X2::SumDiffU, W64, 0x0105, 0x0307), 4);
        assert_eq!(one(X1::Cls, W8, 0xf0) as u8, 3);
        assert_eq!(one(X1::Abs, W8, 0x80) as u8, 0x80);
    }
}
