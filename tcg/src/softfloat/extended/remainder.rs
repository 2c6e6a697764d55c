//! Exact operations on exponents: remainder, scale, extract.

use super::{BIAS, Class, Control, Extended, ONE, note, parts, round, special_nan};
use crate::softfloat::env::Flags;

/// What a step of a remainder gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remainder {
    /// The remainder, or what is left of the dividend.
    pub value: Extended,
    /// The low bits of the quotient; `None` if there is more to do.
    pub quotient: Option<u64>,
}

/// Exponents that one step takes off at most, and off when it is not the last [SDM-2A FPREM].
const STEP: i32 = 63;

/// A step of a - b · q: q the integer nearest to a / b if `nearest`, else that toward zero.
pub fn remainder(a: Extended, b: Extended, nearest: bool, control: &mut Control) -> Remainder {
    let done = |value| Remainder { value, quotient: Some(0) };
    if let Some(nan) = special_nan([a, b], control) {
        return done(nan);
    }
    if a.class() == Class::Infinite || b.class() == Class::Zero {
        return done(control.invalid());
    }
    note([a, b], control);
    if a.class() == Class::Zero || b.class() == Class::Infinite {
        return done(a.normalized());
    }
    let (x, y) = (parts(a), parts(b));
    let difference = x.exp - y.exp;
    if difference < -1 {
        return done(a.normalized());
    }
    if difference > STEP {
        // Takes between 32 and 63 off.
        let by = 32 + difference % 32;
        let (_, rest) = divide(x.sig, y.sig, by as u32);
        let exp = x.exp - by;
        return Remainder { value: pack(x.sign, exp, u128::from(rest), control), quotient: None };
    }
    // Everything in units of the divisor's last place, halved where the dividend is smaller.
    let (mut quotient, mut rest, unit, divisor) = if difference < 0 {
        (0, u128::from(x.sig), x.exp, u128::from(y.sig) << 1)
    } else {
        let (q, rest) = divide(x.sig, y.sig, difference as u32);
        (q, u128::from(rest), y.exp, u128::from(y.sig))
    };
    let mut sign = x.sign;
    let twice = rest << 1;
    if nearest && (twice > divisor || twice == divisor && quotient & 1 != 0) {
        rest = divisor - rest;
        sign = !sign;
        quotient = quotient.wrapping_add(1);
    }
    if rest == 0 {
        return Remainder { value: Extended::zero(x.sign), quotient: Some(quotient) };
    }
    Remainder { value: pack(sign, unit, rest, control), quotient: Some(quotient) }
}

/// ±`sig` · 2^(`exp` - 63), which needs no rounding.
fn pack(sign: bool, exp: i32, sig: u128, control: &mut Control) -> Extended {
    if sig == 0 {
        return Extended::zero(sign);
    }
    let shift = sig.leading_zeros();
    let mut exact = Control { flags: control.flags, ..Control::new() };
    let value = round(sign, exp + 64 - shift as i32, sig << shift, &mut exact);
    control.flags = exact.flags;
    value
}

/// Low bits of the quotient, and the rest, of `a` · 2^`by` / `b`, `by` at most 64.
fn divide(a: u64, b: u64, by: u32) -> (u64, u64) {
    let wide = u128::from(a) << by.min(64);
    let b = u128::from(b);
    ((wide / b) as u64, (wide % b) as u64)
}

/// a · 2^b, b cut to an integer.
pub fn scale(a: Extended, b: Extended, control: &mut Control) -> Extended {
    if let Some(nan) = special_nan([a, b], control) {
        return nan;
    }
    match (a.class(), b.class(), b.sign()) {
        (Class::Zero, Class::Infinite, false) | (Class::Infinite, Class::Infinite, true) => {
            return control.invalid();
        }
        (Class::Zero | Class::Infinite, ..) => {
            note([b], control);
            return a;
        }
        (_, Class::Infinite, false) => {
            note([a], control);
            return Extended::infinity(a.sign());
        }
        (_, Class::Infinite, true) => {
            note([a], control);
            return Extended::zero(a.sign());
        }
        _ => {}
    }
    note([a, b], control);
    if b.class() == Class::Zero {
        return a.normalized();
    }
    // Beyond this every result overflows or vanishes.
    const FAR: i32 = 0x1_0000;
    let b = parts(b);
    let by = match b.exp {
        ..0 => 0,
        0..17 => (b.sig >> (63 - b.exp)) as i32,
        _ => FAR,
    };
    let by = if b.sign { -by } else { by };
    let a = parts(a);
    let full = Control { precision: 64, ..*control };
    let mut whole = full;
    let value = round(a.sign, a.exp + by, u128::from(a.sig) << 64, &mut whole);
    *control = Control { precision: control.precision, ..whole };
    value
}

/// The exponent as a number, and the significand in [1, 2).
pub fn extract(a: Extended, control: &mut Control) -> (Extended, Extended) {
    if let Some(nan) = special_nan([a], control) {
        return (nan, nan);
    }
    match a.class() {
        Class::Infinite => (Extended::infinity(false), a),
        Class::Zero => {
            control.flags |= Flags::DIVIDE_BY_ZERO;
            (Extended::infinity(true), a)
        }
        _ => {
            note([a], control);
            let p = parts(a);
            let sig = Extended { high: BIAS as u16, sig: p.sig }.with_sign(p.sign);
            debug_assert!(sig.sig & ONE != 0);
            (super::from_int(i64::from(p.exp)), sig)
        }
    }
}
