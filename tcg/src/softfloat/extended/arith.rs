//! Sum, difference, product, quotient, square root.

use core::mem::swap;

use super::{Class, Control, Extended, note, parts, round, shift_jam, special_nan};
use crate::softfloat::env::{Flags, Rounding};

/// a + b.
pub fn add(a: Extended, b: Extended, control: &mut Control) -> Extended {
    if let Some(nan) = special_nan([a, b], control) {
        return nan;
    }
    add_numbers(a, b, control)
}

/// a - b.
pub fn sub(a: Extended, b: Extended, control: &mut Control) -> Extended {
    if let Some(nan) = special_nan([a, b], control) {
        return nan;
    }
    add_numbers(a, b.with_sign(!b.sign()), control)
}

fn add_numbers(a: Extended, b: Extended, control: &mut Control) -> Extended {
    let infinite = |x: Extended| x.class() == Class::Infinite;
    if infinite(a) && infinite(b) && a.sign() != b.sign() {
        return control.invalid();
    }
    note([a, b], control);
    if infinite(a) || infinite(b) {
        return if infinite(a) { a } else { b };
    }
    let exact_zero = control.rounding == Rounding::Down;
    match (a.class() == Class::Zero, b.class() == Class::Zero) {
        (true, true) if a.sign() == b.sign() => return a,
        (true, true) => return Extended::zero(exact_zero),
        // Rounded all the same: the precision may be less than that of the operand.
        (true, false) => {
            let b = parts(b);
            return round(b.sign, b.exp, u128::from(b.sig) << 64, control);
        }
        (false, true) => {
            let a = parts(a);
            return round(a.sign, a.exp, u128::from(a.sig) << 64, control);
        }
        (false, false) => {}
    }
    let (mut a, mut b) = (parts(a), parts(b));
    if (a.exp, a.sig) < (b.exp, b.sig) {
        swap(&mut a, &mut b);
    }
    // One bit of room for the carry.
    let x = u128::from(a.sig) << 63;
    let y = shift_jam(u128::from(b.sig) << 63, (a.exp - b.exp) as u32);
    let sum = if a.sign == b.sign { x + y } else { x - y };
    if sum == 0 {
        return Extended::zero(exact_zero);
    }
    let shift = sum.leading_zeros();
    round(a.sign, a.exp + 1 - shift as i32, sum << shift, control)
}

/// a · b.
pub fn mul(a: Extended, b: Extended, control: &mut Control) -> Extended {
    if let Some(nan) = special_nan([a, b], control) {
        return nan;
    }
    let sign = a.sign() ^ b.sign();
    let is = |class: Class| (a.class() == class, b.class() == class);
    if matches!(
        (is(Class::Infinite), is(Class::Zero)),
        ((true, _), (_, true)) | ((_, true), (true, _))
    ) {
        return control.invalid();
    }
    note([a, b], control);
    if is(Class::Infinite) != (false, false) {
        return Extended::infinity(sign);
    }
    if is(Class::Zero) != (false, false) {
        return Extended::zero(sign);
    }
    let (a, b) = (parts(a), parts(b));
    let product = u128::from(a.sig) * u128::from(b.sig);
    let shift = product.leading_zeros();
    round(sign, a.exp + b.exp + 1 - shift as i32, product << shift, control)
}

/// a / b.
pub fn div(a: Extended, b: Extended, control: &mut Control) -> Extended {
    if let Some(nan) = special_nan([a, b], control) {
        return nan;
    }
    let sign = a.sign() ^ b.sign();
    match (a.class(), b.class()) {
        (Class::Infinite, Class::Infinite) | (Class::Zero, Class::Zero) => {
            return control.invalid();
        }
        (Class::Normal | Class::Denormal, Class::Zero) => {
            control.forget_denormal();
            control.flags |= Flags::DIVIDE_BY_ZERO;
            return Extended::infinity(sign);
        }
        _ => {}
    }
    note([a, b], control);
    match (a.class(), b.class()) {
        (Class::Infinite, _) => return Extended::infinity(sign),
        (Class::Zero, _) | (_, Class::Infinite) => return Extended::zero(sign),
        _ => {}
    }
    let (a, b) = (parts(a), parts(b));
    // 64 bits, then 62 more of the rest.
    let (dividend, divisor) = (u128::from(a.sig), u128::from(b.sig));
    let high = (dividend << 63) / divisor;
    let rest = (dividend << 63) % divisor;
    let low = (rest << 62) / divisor;
    let exact = (rest << 62) % divisor == 0;
    let quotient = high << 62 | low;
    let shift = quotient.leading_zeros();
    let quotient = quotient << shift | u128::from(!exact);
    // The one of a quotient of equal significands is at bit 125.
    round(sign, a.exp - b.exp + 2 - shift as i32, quotient, control)
}

/// The square root of a.
pub fn sqrt(a: Extended, control: &mut Control) -> Extended {
    if let Some(nan) = special_nan([a], control) {
        return nan;
    }
    if a.class() == Class::Zero {
        return a;
    }
    if a.sign() {
        return control.invalid();
    }
    note([a], control);
    if a.class() == Class::Infinite {
        return a;
    }
    let a = parts(a);
    // A radicand of 2^126 or more with an even exponent; its root has 64 bits.
    let odd = a.exp & 1 != 0;
    let radicand = u128::from(a.sig) << if odd { 64 } else { 63 };
    let root = radicand.isqrt();
    let rest = radicand - root * root;
    let exact = rest == 0;
    // About 62 bits more, never past a half that is not reached.
    let digit = if exact { 0 } else { (((rest << 61) - 1) / root).min((1 << 62) - 1) };
    let wide = root << 62 | digit;
    let shift = wide.leading_zeros();
    round(false, a.exp >> 1, wide << shift | u128::from(!exact), control)
}
