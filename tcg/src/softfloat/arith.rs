//! Sum, difference, product, quotient, square root.

use core::mem::swap;

use super::env::{Env, Flags};
use super::format::{Format, signed_infinity, zero};
use super::nan::{invalid, propagate};
use super::round::round_pack;
use super::significand::{Significand, Word};
use super::unpack::{Class, Unpacked, unpack};

/// a + b.
#[inline]
pub fn add<F: Format>(a: F::Bits, b: F::Bits, env: &mut Env) -> F::Bits {
    add_or_sub::<F>(a, b, false, env)
}

/// a - b.
#[inline]
pub fn sub<F: Format>(a: F::Bits, b: F::Bits, env: &mut Env) -> F::Bits {
    add_or_sub::<F>(a, b, true, env)
}

fn add_or_sub<F: Format>(a_bits: F::Bits, b_bits: F::Bits, sub: bool, env: &mut Env) -> F::Bits {
    let a = unpack::<F>(a_bits, env);
    let mut b = unpack::<F>(b_bits, env);
    if a.class == Class::Normal && b.class == Class::Normal {
        b.sign ^= sub;
        return add_finite::<F>(a, b, env);
    }
    if a.is_nan() || b.is_nan() {
        return propagate::<F, 2>([a_bits, b_bits], env);
    }
    b.sign ^= sub;
    add_special::<F>(a, b, env)
}

/// The sum where an operand is zero, subnormal or infinite.
fn add_special<F: Format>(a: Unpacked<F::Sig>, b: Unpacked<F::Sig>, env: &mut Env) -> F::Bits {
    if a.is_infinite() && b.is_infinite() && a.sign != b.sign {
        return invalid::<F>(env);
    }
    a.note(env);
    b.note(env);
    if a.is_infinite() || b.is_infinite() {
        return signed_infinity::<F>(if a.is_infinite() { a.sign } else { b.sign });
    }
    match (a.is_zero(), b.is_zero()) {
        (true, true) if a.sign == b.sign => zero::<F>(a.sign),
        (true, true) => zero::<F>(env.sign_of_exact_zero()),
        // Exact, but what is subnormal may be flushed.
        (true, false) => round_pack::<F>(b.sign, b.exp, b.sig, env),
        (false, true) => round_pack::<F>(a.sign, a.exp, a.sig, env),
        (false, false) => add_finite::<F>(a, b, env),
    }
}

#[inline]
fn add_finite<F: Format>(
    mut a: Unpacked<F::Sig>,
    mut b: Unpacked<F::Sig>,
    env: &mut Env,
) -> F::Bits {
    if (a.exp, a.sig) < (b.exp, b.sig) {
        swap(&mut a, &mut b);
    }
    // Jamming is exact enough for differences too: bits are lost only where the exponents differ
    // by more than the spare bits, and then the difference loses at most one leading bit.
    let aligned = b.sig.shr_jam((a.exp - b.exp) as u32);
    if a.sign == b.sign {
        let sum = a.sig + aligned;
        let carry = (sum >> (F::Sig::POINT + 1)).low_u32();
        return round_pack::<F>(a.sign, a.exp + carry as i32, sum.shr_jam(carry), env);
    }
    let difference = a.sig - aligned;
    if difference == F::Sig::ZERO {
        return zero::<F>(env.sign_of_exact_zero());
    }
    let shift = difference.leading_zeros() - (F::Sig::BITS - 1 - F::Sig::POINT);
    round_pack::<F>(a.sign, a.exp - shift as i32, difference << shift, env)
}

/// a · b.
pub fn mul<F: Format>(a_bits: F::Bits, b_bits: F::Bits, env: &mut Env) -> F::Bits {
    let a = unpack::<F>(a_bits, env);
    let b = unpack::<F>(b_bits, env);
    let sign = a.sign ^ b.sign;
    if a.class != Class::Normal || b.class != Class::Normal {
        if a.is_nan() || b.is_nan() {
            return propagate::<F, 2>([a_bits, b_bits], env);
        }
        if (a.is_infinite() && b.is_zero()) || (a.is_zero() && b.is_infinite()) {
            return invalid::<F>(env);
        }
        a.note(env);
        b.note(env);
        if a.is_infinite() || b.is_infinite() {
            return signed_infinity::<F>(sign);
        }
        if a.is_zero() || b.is_zero() {
            return zero::<F>(sign);
        }
    }
    let product = a.sig.mul_jam(b.sig);
    let carry = (product >> (F::Sig::POINT + 1)).low_u32();
    // Not `shr_jam`, which wants the top bit clear.
    let lost = F::Sig::from_bool(carry != 0) & product;
    round_pack::<F>(sign, a.exp + b.exp + carry as i32, product >> carry | lost, env)
}

/// a / b.
pub fn div<F: Format>(a_bits: F::Bits, b_bits: F::Bits, env: &mut Env) -> F::Bits {
    let a = unpack::<F>(a_bits, env);
    let b = unpack::<F>(b_bits, env);
    let sign = a.sign ^ b.sign;
    if a.class != Class::Normal || b.class != Class::Normal {
        if a.is_nan() || b.is_nan() {
            return propagate::<F, 2>([a_bits, b_bits], env);
        }
        if (a.is_infinite() && b.is_infinite()) || (a.is_zero() && b.is_zero()) {
            return invalid::<F>(env);
        }
        if b.is_zero() && a.is_nonzero() {
            env.raise(Flags::DIVIDE_BY_ZERO);
            return signed_infinity::<F>(sign);
        }
        a.note(env);
        b.note(env);
        if a.is_infinite() {
            return signed_infinity::<F>(sign);
        }
        if a.is_zero() || b.is_infinite() {
            return zero::<F>(sign);
        }
    }
    let below_one = a.sig < b.sig;
    let dividend = if below_one { a.sig << 1 } else { a.sig };
    let quotient = dividend.div_jam(b.sig, F::PRECISION);
    round_pack::<F>(sign, a.exp - b.exp - i32::from(below_one), quotient, env)
}

/// The square root of a.
pub fn sqrt<F: Format>(a_bits: F::Bits, env: &mut Env) -> F::Bits {
    let a = unpack::<F>(a_bits, env);
    if a.is_nan() {
        return propagate::<F, 1>([a_bits], env);
    }
    if a.is_zero() {
        return zero::<F>(a.sign);
    }
    if a.sign {
        return invalid::<F>(env);
    }
    a.note(env);
    if a.is_infinite() {
        return a_bits;
    }
    let root = a.sig.sqrt_jam(a.exp & 1 != 0, F::PRECISION);
    round_pack::<F>(false, a.exp >> 1, root, env)
}
