//! Logarithm, power of two, and the trigonometric functions, to a little less than the last bit.
//!
//! They are computed in pairs of doubles (some 104 bits), and rounded once; processors differ from
//! one another in the last bit too.

use super::{BIAS, Class, Control, Extended, Parts, mul, note, parts, round, special_nan};
use crate::softfloat::env::{Flags, Rounding};
use core::ops::{Add, Div, Mul, Neg, Sub};

/// A sum of two doubles, the second below the last bit of the first.
#[derive(Clone, Copy, Debug)]
struct Pair(f64, f64);

const LN2: Pair = Pair(core::f64::consts::LN_2, 2.319_046_813_846_299_6e-17);
const PI: Pair = Pair(core::f64::consts::PI, 1.224_646_799_147_353_2e-16);

impl Pair {
    /// The pair of a sum whose first term is the larger one.
    fn sum(a: f64, b: f64) -> Self {
        let s = a + b;
        Pair(s, b - (s - a))
    }

    /// ±`sig` · 2^(`exp` - 63), exact.
    fn from_parts(p: Parts) -> Self {
        let low = (p.sig & 0x7ff) as f64;
        let high = (p.sig & !0x7ff) as f64;
        let unit = power(p.exp - 63) * if p.sign { -1.0 } else { 1.0 };
        Pair::sum(high * unit, low * unit)
    }

    fn sqrt(self) -> Self {
        let root = self.0.sqrt();
        // One step of Newton's.
        let rest = self - Pair(root, 0.0) * Pair(root, 0.0);
        Pair(root, 0.0) + Pair(rest.0 / (2.0 * root), 0.0)
    }

    /// As a number with its one at bit 127: sign, exponent, significand; `None` for zero.
    fn wide(self) -> Option<(bool, i32, u128)> {
        if self.0 == 0.0 {
            return None;
        }
        let sign = self.0 < 0.0;
        let (high, low) = if sign { (-self.0, -self.1) } else { (self.0, self.1) };
        let (exp, significand) = split(high);
        let mut sig = u128::from(significand) << 74;
        if low != 0.0 {
            let (low_exp, low_significand) = split(low.abs());
            let shift = (exp - low_exp) as u32;
            let part = super::shift_jam(u128::from(low_significand) << 74, shift);
            sig = if low < 0.0 { sig - part } else { sig + part };
        }
        // One bit of room was left for a carry.
        let shift = sig.leading_zeros();
        Some((sign, exp + 1 - shift as i32, sig << shift))
    }
}

/// Exponent and 53-bit significand of a positive normal double.
fn split(x: f64) -> (i32, u64) {
    let bits = x.to_bits();
    ((bits >> 52) as i32 - 1023, bits & ((1 << 52) - 1) | 1 << 52)
}

/// 2^`n`, of a normal double.
fn power(n: i32) -> f64 {
    f64::from_bits(((n + 1023).clamp(1, 2046) as u64) << 52)
}

impl Add for Pair {
    type Output = Pair;
    fn add(self, b: Pair) -> Pair {
        let s = self.0 + b.0;
        let v = s - self.0;
        let e = (self.0 - (s - v)) + (b.0 - v);
        Pair::sum(s, e + self.1 + b.1)
    }
}

impl Neg for Pair {
    type Output = Pair;
    fn neg(self) -> Pair {
        Pair(-self.0, -self.1)
    }
}

impl Sub for Pair {
    type Output = Pair;
    fn sub(self, b: Pair) -> Pair {
        self + -b
    }
}

impl Mul for Pair {
    type Output = Pair;
    fn mul(self, b: Pair) -> Pair {
        let p = self.0 * b.0;
        let e = self.0.mul_add(b.0, -p);
        Pair::sum(p, e + (self.0 * b.1 + self.1 * b.0))
    }
}

impl Div for Pair {
    type Output = Pair;
    fn div(self, b: Pair) -> Pair {
        let q = self.0 / b.0;
        let rest = self - b * Pair(q, 0.0);
        let r = rest.0 / b.0;
        let rest = rest - b * Pair(r, 0.0);
        Pair::sum(q, r) + Pair(rest.0 / b.0, 0.0)
    }
}

/// Rounds a pair times 2^`scale`, inexact.
fn finish(value: Pair, scale: i32, sign_of_zero: bool, control: &mut Control) -> Extended {
    match value.wide() {
        Some((sign, exp, sig)) => round(sign, exp + scale, sig | 1, control),
        None => Extended::zero(sign_of_zero),
    }
}

/// Numbers below this power of two are their own first approximation.
const TINY: i32 = -400;

/// The sine of smaller numbers is between them and the next number towards zero, further than a pair
/// of doubles can tell; the cosine is as close to 1.
const TINY_ANGLE: i32 = -33;

/// x + x³ · `series`(x²): odd functions near zero.
fn odd_series(x: Pair, terms: u32, term: impl Fn(u32, Pair) -> Pair) -> Pair {
    let square = x * x;
    let mut sum = Pair(0.0, 0.0);
    for n in (1..=terms).rev() {
        sum = square * term(n, sum);
    }
    x + x * sum
}

/// 2·artanh(s) for |s| below 0.18.
fn twice_artanh(s: Pair) -> Pair {
    // s + s³/3 + s⁵/5 ...; the sum inside is that of the terms behind.
    let square = s * s;
    let mut sum = Pair(0.0, 0.0);
    for n in (1..=26u32).rev() {
        sum = square * (sum + Pair(1.0, 0.0) / Pair(f64::from(2 * n + 1), 0.0));
    }
    let value = s + s * sum;
    value + value
}

/// 2^x - 1 for |x| up to 1; beyond that there is no defined result.
pub fn exp2_minus_1(x: Extended, control: &mut Control) -> Extended {
    if let Some(nan) = special_nan([x], control) {
        return nan;
    }
    note([x], control);
    match x.class() {
        Class::Zero => return x,
        Class::Infinite if x.sign() => return Extended::ONE.with_sign(true),
        Class::Infinite => return x,
        _ => {}
    }
    let p = parts(x);
    if p.exp >= 1 {
        return x;
    }
    if p.exp < TINY {
        let ln2 = Extended { high: BIAS as u16 - 1, sig: 0xb172_17f7_d1cf_79ac };
        return mul(x, ln2, control);
    }
    // e^t - 1 by its series, for a quarter of t; then (1 + r)² - 1 = r·(2 + r), twice.
    let t = Pair::from_parts(p) * LN2 * Pair(0.25, 0.0);
    let mut sum = Pair(0.0, 0.0);
    for n in (2..=24u32).rev() {
        sum = t / Pair(f64::from(n), 0.0) * (Pair(1.0, 0.0) + sum);
    }
    let mut r = t + t * sum;
    for _ in 0..2 {
        r = r * (Pair(2.0, 0.0) + r);
    }
    finish(r, 0, p.sign, control)
}

/// The logarithm to base 2 of 1 + `above` for numbers between half a binade below and above 1,
/// given `above` / (2 + `above`).
fn log2_of(s: Pair) -> Pair {
    twice_artanh(s) / LN2
}

/// y · log2(x), or y · log2(1 + x) if `plus_1`.
pub fn log2_times(x: Extended, y: Extended, plus_1: bool, control: &mut Control) -> Extended {
    if let Some(nan) = special_nan([x, y], control) {
        return nan;
    }
    let logarithm_sign = if plus_1 { x.sign() } else { x.sign() || below_one(x) };
    let zero_logarithm = if plus_1 { x.class() == Class::Zero } else { x == Extended::ONE };
    let infinite_logarithm = x.class() == Class::Infinite || !plus_1 && x.class() == Class::Zero;
    let negative = if plus_1 {
        x.sign() && (x.class() == Class::Infinite || x.class() != Class::Zero && parts(x).exp >= 0)
    } else {
        x.sign() && x.class() != Class::Zero
    };
    if negative
        || zero_logarithm && y.class() == Class::Infinite
        || infinite_logarithm && y.class() == Class::Zero
    {
        return control.invalid();
    }
    let sign = y.sign() ^ logarithm_sign;
    if infinite_logarithm {
        if !plus_1 && x.class() == Class::Zero && y.class() != Class::Infinite {
            control.flags |= Flags::DIVIDE_BY_ZERO;
        }
        return Extended::infinity(sign);
    }
    note([x, y], control);
    if y.class() == Class::Infinite {
        return Extended::infinity(sign);
    }
    if zero_logarithm || y.class() == Class::Zero {
        return Extended::zero(sign);
    }
    let p = parts(x);
    let logarithm = match plus_1 {
        true if p.exp < TINY => {
            let log2_e = Extended { high: BIAS as u16, sig: 0xb8aa_3b29_5c17_f0bc };
            let mut exact = Control::new();
            let near = mul(y, log2_e, &mut exact);
            return mul(near, x, control);
        }
        true => {
            let above = Pair::from_parts(p);
            log2_of(above / (Pair(2.0, 0.0) + above))
        }
        false => {
            // The significand between 0.7 and 1.4.
            let down = i32::from(p.sig > 0xb504_f333_f9de_6484);
            let m = Pair::from_parts(Parts { exp: -down, ..p });
            let above = m - Pair(1.0, 0.0);
            log2_of(above / (m + Pair(1.0, 0.0))) + Pair(f64::from(p.exp + down), 0.0)
        }
    };
    let Some((sign, exp, sig)) = logarithm.wide() else {
        return Extended::zero(sign);
    };
    let y = parts(y);
    // 128 bits by 64: the upper 128 of the product.
    let low = (sig & u128::from(u64::MAX)) * u128::from(y.sig);
    let product = (sig >> 64) * u128::from(y.sig) + (low >> 64);
    let shift = product.leading_zeros();
    let exp = exp + y.exp + 1 - shift as i32;
    round(sign ^ y.sign, exp, product << shift | 1, control)
}

fn below_one(x: Extended) -> bool {
    x.high & 0x7fff < BIAS as u16
}

/// The angle of the point (x, y).
pub fn arctangent(y: Extended, x: Extended, control: &mut Control) -> Extended {
    if let Some(nan) = special_nan([y, x], control) {
        return nan;
    }
    note([y, x], control);
    let quarter = |quarters: f64, control: &mut Control| {
        finish(PI * Pair(quarters * 0.25, 0.0), 0, false, control)
    };
    let signed = |value: Extended| value.with_sign(y.sign());
    // Angles below the axis are rounded as those above, the other way.
    let rounding = control.rounding;
    if y.sign() {
        control.rounding = match rounding {
            Rounding::Down => Rounding::Up,
            Rounding::Up => Rounding::Down,
            other => other,
        };
    }
    let value = match (y.class(), x.class()) {
        (Class::Infinite, Class::Infinite) => quarter(if x.sign() { 3.0 } else { 1.0 }, control),
        (Class::Infinite, _) => quarter(2.0, control),
        (Class::Zero, _) | (_, Class::Infinite) if x.sign() => quarter(4.0, control),
        (Class::Zero, _) | (_, Class::Infinite) => Extended::ZERO,
        (_, Class::Zero) => quarter(2.0, control),
        _ => angle(parts(y), parts(x), control),
    };
    control.rounding = rounding;
    signed(value)
}

/// The same of two finite numbers other than zero, without the sign of y.
fn angle(y: Parts, x: Parts, control: &mut Control) -> Extended {
    let difference = y.exp - x.exp;
    let unit = |p: Parts, exp: i32| Pair::from_parts(Parts { sign: false, exp, ..p });
    if difference < TINY && !x.sign {
        let ratio = unit(y, 0) / unit(x, 0);
        return finish(ratio, difference, false, control);
    }
    let difference = difference.clamp(TINY, -TINY);
    let (a, b) = (unit(y, difference.min(0)), unit(x, (-difference).min(0)));
    let steep = a.0 > b.0;
    let mut t = if steep { b / a } else { a / b };
    for _ in 0..2 {
        let one = Pair(1.0, 0.0);
        t = t / (one + (one + t * t).sqrt());
    }
    let small = odd_series(t, 24, |n, behind| {
        // t - t³/3 + t⁵/5 ...
        let sign = if n % 2 == 0 { 1.0 } else { -1.0 };
        behind + Pair(sign, 0.0) / Pair(f64::from(2 * n + 1), 0.0)
    });
    let mut value = small * Pair(4.0, 0.0);
    if steep {
        value = PI * Pair(0.5, 0.0) - value;
    }
    if x.sign {
        value = PI - value;
    }
    finish(value, 0, false, control)
}

/// The number of quarter turns, modulo 4, and what is left, within an eighth of a turn; `None` if
/// the angle is too large.
fn reduce(p: Parts) -> Option<(u32, Pair)> {
    // A quarter turn as the unit has it, in units of 2^-65.
    const QUARTER: u128 = 0x3_243f_6a88_85a3_08d3;
    const UNIT: i32 = -65;
    if p.exp >= 63 {
        return None;
    }
    if p.exp < -1 {
        return Some((0, Pair::from_parts(p)));
    }
    // One bit of the angle after the other, from what it is with the exponent -1.
    let mut rest = u128::from(p.sig) << 1;
    let mut quarters = 0u32;
    let mut exp = -1;
    loop {
        quarters = quarters << 1 | u32::from(rest >= QUARTER);
        if rest >= QUARTER {
            rest -= QUARTER;
        }
        if exp == p.exp {
            break;
        }
        rest <<= 1;
        exp += 1;
    }
    let negative = rest > QUARTER / 2;
    if negative {
        rest = QUARTER - rest;
        quarters = quarters.wrapping_add(1);
    }
    let high = (rest >> 32) as f64;
    let low = (rest & 0xffff_ffff) as f64;
    let left = Pair::sum(high * power(32 + UNIT), low * power(UNIT));
    let left = if negative != p.sign { -left } else { left };
    let quarters = if p.sign { quarters.wrapping_neg() } else { quarters };
    Some((quarters & 3, left))
}

fn sine(x: Pair) -> Pair {
    odd_series(x, 15, |n, behind| {
        let n = f64::from(n);
        (behind + Pair(1.0, 0.0)) / Pair(-(2.0 * n) * (2.0 * n + 1.0), 0.0)
    })
}

fn cosine(x: Pair) -> Pair {
    let square = x * x;
    let mut sum = Pair(0.0, 0.0);
    for n in (1..=15u32).rev() {
        let n = f64::from(n);
        sum = square * (sum + Pair(1.0, 0.0)) / Pair(-(2.0 * n - 1.0) * (2.0 * n), 0.0);
    }
    Pair(1.0, 0.0) + sum
}

/// Sine and cosine; `None` if the angle is 2^63 or more.
pub fn sine_cosine(x: Extended, control: &mut Control) -> Option<(Extended, Extended)> {
    if let Some(nan) = special_nan([x], control) {
        return Some((nan, nan));
    }
    note([x], control);
    match x.class() {
        Class::Infinite => {
            let nan = control.invalid();
            return Some((nan, nan));
        }
        Class::Zero => return Some((x, Extended::ONE)),
        _ => {}
    }
    let p = parts(x);
    if p.exp < TINY_ANGLE {
        let just_below = (u128::from(p.sig) << 64) - 1;
        let shift = just_below.leading_zeros();
        let sine = round(p.sign, p.exp - shift as i32, just_below << shift, control);
        let cosine = round(false, -1, u128::MAX, control);
        return Some((sine, cosine));
    }
    let (quarters, left) = reduce(p)?;
    let (s, c) = (sine(left), cosine(left));
    let (s, c) = match quarters {
        0 => (s, c),
        1 => (c, -s),
        2 => (-s, -c),
        _ => (-c, s),
    };
    Some((finish(s, 0, p.sign, control), finish(c, 0, false, control)))
}

/// The tangent; `None` if the angle is 2^63 or more.
pub fn tangent(x: Extended, control: &mut Control) -> Option<Extended> {
    if matches!(x.class(), Class::Zero | Class::Nan | Class::Unsupported | Class::Infinite)
        || parts(x).exp < TINY
    {
        return sine_cosine(x, control).map(|(sine, _)| sine);
    }
    note([x], control);
    let p = parts(x);
    let (quarters, left) = reduce(p)?;
    let (s, c) = (sine(left), cosine(left));
    let value = if quarters & 1 == 0 { s / c } else { -(c / s) };
    Some(finish(value, 0, p.sign, control))
}
