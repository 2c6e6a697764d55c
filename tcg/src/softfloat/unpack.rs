//! Numbers taken apart for computing.

use super::env::{Env, Flags};
use super::format::{Format, infinity, is_negative, magnitude, zero};
use super::significand::{Significand, Word};

/// What kind of number it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(super) enum Class {
    /// Finite, with an implied one.
    Normal,
    /// Finite, without; normalised by [`unpack`].
    Subnormal,
    /// Zero, or a subnormal that was flushed.
    Zero,
    /// Infinity.
    Infinite,
    /// NaN.
    Nan,
}

/// A number in parts. Exponent and significand mean something for finite numbers only.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unpacked<S> {
    /// Negative.
    pub(super) sign: bool,
    /// Kind.
    pub(super) class: Class,
    /// Exponent of two, without bias.
    pub(super) exp: i32,
    /// Significand in [1, 2), the one at [`Significand::POINT`]; 0 for a zero.
    pub(super) sig: S,
}

impl<S> Unpacked<S> {
    pub(super) fn is_nan(&self) -> bool {
        self.class == Class::Nan
    }

    pub(super) fn is_infinite(&self) -> bool {
        self.class == Class::Infinite
    }

    pub(super) fn is_zero(&self) -> bool {
        self.class == Class::Zero
    }

    /// Finite and not zero.
    pub(super) fn is_nonzero(&self) -> bool {
        self.class <= Class::Subnormal
    }

    /// Raises the flag for a subnormal operand if this is one.
    #[inline]
    pub(super) fn note(&self, env: &mut Env) {
        if self.class == Class::Subnormal {
            env.raise(Flags::INPUT_SUBNORMAL);
        }
    }
}

/// Takes a number apart; normalises a subnormal one, or flushes it as the environment says.
#[inline]
pub(super) fn unpack<F: Format>(bits: F::Bits, env: &mut Env) -> Unpacked<F::Sig> {
    let sign = is_negative::<F>(bits);
    let magnitude = magnitude::<F>(bits);
    let biased = (magnitude >> F::FRAC_BITS).low_u32() as i32;
    let frac = (magnitude & F::Sig::mask(F::FRAC_BITS)) << F::SPARE_BITS;
    if biased == 0 {
        return unpack_small(sign, frac, 1 - F::BIAS, env);
    }
    if biased == F::MAX_BIASED {
        let class = if magnitude > infinity::<F>() { Class::Nan } else { Class::Infinite };
        return Unpacked { sign, class, exp: 0, sig: F::Sig::ZERO };
    }
    let sig = frac | F::Sig::ONE << F::Sig::POINT;
    Unpacked { sign, class: Class::Normal, exp: biased - F::BIAS, sig }
}

/// A zero or a subnormal number `sig` · 2^`exp`.
fn unpack_small<S: Significand>(sign: bool, sig: S, exp: i32, env: &mut Env) -> Unpacked<S> {
    let zero = Unpacked { sign, class: Class::Zero, exp: 0, sig: S::ZERO };
    if sig == S::ZERO {
        return zero;
    }
    if env.flush_inputs {
        env.raise(Flags::INPUT_FLUSHED);
        return zero;
    }
    let shift = sig.leading_zeros() - (S::BITS - 1 - S::POINT);
    Unpacked { sign, class: Class::Subnormal, exp: exp - shift as i32, sig: sig << shift }
}

/// The operand as operations that do not compute see it: subnormals flushed if the environment
/// says so, everything else unchanged.
#[inline]
pub(super) fn flushed<F: Format>(bits: F::Bits, env: &mut Env) -> F::Bits {
    if env.flush_inputs && is_subnormal::<F>(bits) {
        env.raise(Flags::INPUT_FLUSHED);
        return zero::<F>(is_negative::<F>(bits));
    }
    bits
}

/// Whether the number is subnormal.
#[inline]
pub(super) fn is_subnormal<F: Format>(bits: F::Bits) -> bool {
    let magnitude = magnitude::<F>(bits);
    magnitude != F::Sig::ZERO && magnitude < F::Sig::ONE << F::FRAC_BITS
}
