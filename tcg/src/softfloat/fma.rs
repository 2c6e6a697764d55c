//! Fused multiply-add: one rounding.

use super::env::{Env, Flags, NanRule};
use super::format::{Format, is_signaling, signed_infinity, zero};
use super::nan::{default_nan, invalid, propagate};
use super::round::round_pack;
use super::significand::{Significand, Word};
use super::unpack::{Unpacked, unpack};

/// Which parts of a fused multiply-add are negated before they are added. NaNs keep their sign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Negate {
    /// The product.
    pub product: bool,
    /// The addend.
    pub addend: bool,
}

/// ±(a · b) ± c.
///
/// Arm's negated forms invert the sign of NaN operands as well: invert the operands instead of
/// asking for `negate` there.
pub fn fma<F: Format>(
    a_bits: F::Bits,
    b_bits: F::Bits,
    c_bits: F::Bits,
    negate: Negate,
    env: &mut Env,
) -> F::Bits {
    let a = unpack::<F>(a_bits, env);
    let b = unpack::<F>(b_bits, env);
    let mut c = unpack::<F>(c_bits, env);
    let meaningless = (a.is_infinite() && b.is_zero()) || (a.is_zero() && b.is_infinite());
    if a.is_nan() || b.is_nan() || c.is_nan() {
        return fma_nan::<F>(a_bits, b_bits, c_bits, meaningless, env);
    }
    let sign = a.sign ^ b.sign ^ negate.product;
    c.sign ^= negate.addend;
    let infinite = a.is_infinite() || b.is_infinite();
    if meaningless || (infinite && c.is_infinite() && sign != c.sign) {
        return invalid::<F>(env);
    }
    a.note(env);
    b.note(env);
    c.note(env);
    if infinite {
        return signed_infinity::<F>(sign);
    }
    if c.is_infinite() {
        return signed_infinity::<F>(c.sign);
    }
    if a.is_zero() || b.is_zero() {
        return match c.is_zero() {
            true if sign == c.sign => zero::<F>(sign),
            true => zero::<F>(env.sign_of_exact_zero()),
            false => round_pack::<F>(c.sign, c.exp, c.sig, env),
        };
    }
    let product = a.sig.mul_wide(b.sig);
    add_to_product::<F>(sign, a.exp + b.exp, product, c, env)
}

/// The result with a NaN among the operands; `meaningless` is a product of zero and infinity.
#[cold]
fn fma_nan<F: Format>(
    a: F::Bits,
    b: F::Bits,
    c: F::Bits,
    meaningless: bool,
    env: &mut Env,
) -> F::Bits {
    match env.nan {
        NanRule::Canonical => {
            if meaningless {
                env.raise(Flags::INVALID);
            }
            propagate::<F, 3>([a, b, c], env)
        }
        NanRule::Arm if meaningless && !is_signaling::<F>(c) => {
            env.raise(Flags::INVALID);
            default_nan::<F>(env)
        }
        NanRule::Arm => propagate::<F, 3>([c, a, b], env),
        NanRule::X86 => propagate::<F, 3>([a, b, c], env),
    }
}

/// Adds c to a product in [1, 4) · 2^`exp` with its one at twice the point.
fn add_to_product<F: Format>(
    sign: bool,
    exp: i32,
    product: <F::Sig as Significand>::Wide,
    c: Unpacked<F::Sig>,
    env: &mut Env,
) -> F::Bits {
    type Wide<F> = <<F as Format>::Sig as Significand>::Wide;
    let addend = c.sig.widen();
    let (exp, product, addend) = if c.is_zero() {
        (exp, product, addend)
    } else if exp >= c.exp {
        // As in a plain sum, bits are lost only at distances where no more than a bit cancels.
        (exp, product, addend.shr_jam((exp - c.exp) as u32))
    } else {
        (c.exp, product.shr_jam((c.exp - exp) as u32), addend)
    };
    let (sign, sum) = if sign == c.sign || c.is_zero() {
        (sign, product + addend)
    } else if product >= addend {
        (sign, product - addend)
    } else {
        (c.sign, addend - product)
    };
    if sum == Wide::<F>::ZERO {
        return zero::<F>(env.sign_of_exact_zero());
    }
    // The one belongs two below the top, and is two lower yet at twice the point.
    let zeros = sum.leading_zeros();
    let sig = F::Sig::narrow_jam(sum << (zeros - 1));
    round_pack::<F>(sign, exp + 3 - zeros as i32, sig, env)
}
