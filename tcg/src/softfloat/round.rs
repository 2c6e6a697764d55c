//! Rounding: the one place where a result loses bits.

use core::cmp::Ordering;

use super::env::{Env, Flags, Rounding, Tininess};
use super::format::{Format, from_magnitude, infinity, signed_infinity, zero};
use super::significand::{Significand, Word};

/// Whether a magnitude is rounded up, given what lies below its last bit: nothing, or something
/// that compares to one half of it as `half`.
#[inline]
pub(super) fn rounds_up(
    rounding: Rounding,
    sign: bool,
    odd: bool,
    exact: bool,
    half: Ordering,
) -> bool {
    match rounding {
        Rounding::NearestEven => half == Ordering::Greater || (half == Ordering::Equal && odd),
        Rounding::NearestMaxMagnitude => half != Ordering::Less,
        Rounding::TowardZero => false,
        Rounding::Down => sign && !exact,
        Rounding::Up => !sign && !exact,
        Rounding::Odd => !odd && !exact,
    }
}

/// Drops the spare bits of a significand: gives what is kept, possibly with a carry, and whether
/// it is exact.
#[inline]
fn round_significand<F: Format>(rounding: Rounding, sign: bool, sig: F::Sig) -> (F::Sig, bool) {
    let rest = sig & F::Sig::mask(F::SPARE_BITS);
    let kept = sig >> F::SPARE_BITS;
    let exact = rest == F::Sig::ZERO;
    let odd = kept & F::Sig::ONE != F::Sig::ZERO;
    let half = rest.cmp(&(F::Sig::ONE << (F::SPARE_BITS - 1)));
    (kept + F::Sig::from_bool(rounds_up(rounding, sign, odd, exact, half)), exact)
}

/// Rounds `sig` · 2^`exp`, `sig` in [1, 2), to the format, and raises what that calls for.
#[inline]
pub(super) fn round_pack<F: Format>(sign: bool, exp: i32, sig: F::Sig, env: &mut Env) -> F::Bits {
    debug_assert!(sig >> F::Sig::POINT == F::Sig::ONE, "significand not normalised");
    let biased = exp + F::BIAS;
    if biased <= 0 {
        return round_small::<F>(sign, biased, sig, env);
    }
    if biased >= F::MAX_BIASED {
        return overflow::<F>(sign, env);
    }
    let (kept, exact) = round_significand::<F>(env.rounding, sign, sig);
    // The kept one, and a carry even more, add to the exponent.
    let magnitude = (F::Sig::from_u32(biased as u32 - 1) << F::FRAC_BITS) + kept;
    if magnitude >= infinity::<F>() {
        return overflow::<F>(sign, env);
    }
    if !exact {
        env.raise(Flags::INEXACT);
    }
    from_magnitude::<F>(sign, magnitude)
}

/// Rounds a number whose exponent is below the least of normal numbers: `biased` is 0 or less.
#[cold]
fn round_small<F: Format>(sign: bool, biased: i32, sig: F::Sig, env: &mut Env) -> F::Bits {
    let tiny = match env.tininess {
        Tininess::BeforeRounding => true,
        // It can round up to the least normal number from the binade below that one only.
        Tininess::AfterRounding => {
            biased < 0 || {
                let (kept, _) = round_significand::<F>(env.rounding, sign, sig);
                kept >> F::PRECISION == F::Sig::ZERO
            }
        }
    };
    if tiny && env.flush_outputs {
        env.raise(Flags::UNDERFLOW);
        if env.tininess == Tininess::AfterRounding {
            env.raise(Flags::INEXACT);
        }
        return zero::<F>(sign);
    }
    let sig = sig.shr_jam((1 - biased) as u32);
    // A carry into the place of the implied one makes the least normal number.
    let (magnitude, exact) = round_significand::<F>(env.rounding, sign, sig);
    if !exact {
        env.raise(Flags::INEXACT);
        if tiny {
            env.raise(Flags::UNDERFLOW);
        }
    }
    from_magnitude::<F>(sign, magnitude)
}

/// The result beyond the largest finite number.
#[cold]
fn overflow<F: Format>(sign: bool, env: &mut Env) -> F::Bits {
    env.raise(Flags::OVERFLOW | Flags::INEXACT);
    let infinite = match env.rounding {
        Rounding::NearestEven | Rounding::NearestMaxMagnitude => true,
        Rounding::TowardZero | Rounding::Odd => false,
        Rounding::Down => sign,
        Rounding::Up => !sign,
    };
    if infinite {
        signed_infinity::<F>(sign)
    } else {
        from_magnitude::<F>(sign, infinity::<F>() - F::Sig::ONE)
    }
}
