//! Relations [IEEE-754 §5.11].

use super::env::{Env, Flags};
use super::format::{Format, is_nan, is_negative, is_signaling, magnitude};
use super::significand::Word;
use super::unpack::{flushed, is_subnormal};

/// How two numbers relate; exactly one of the four holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// a < b.
    Less,
    /// a = b; zeros are equal whatever their signs.
    Equal,
    /// a > b.
    Greater,
    /// One of them is a NaN.
    Unordered,
}

/// Compares. NaNs raise invalid if they are signalling, or if `signaling` says that any does.
#[inline]
pub fn compare<F: Format>(a: F::Bits, b: F::Bits, signaling: bool, env: &mut Env) -> Relation {
    let (a, b) = (flushed::<F>(a, env), flushed::<F>(b, env));
    if is_nan::<F>(a) || is_nan::<F>(b) {
        if signaling || is_signaling::<F>(a) || is_signaling::<F>(b) {
            env.raise(Flags::INVALID);
        }
        return Relation::Unordered;
    }
    note::<F>(a, b, env);
    if is_zero::<F>(a) && is_zero::<F>(b) {
        Relation::Equal
    } else if precedes::<F>(a, b) {
        Relation::Less
    } else if a == b {
        Relation::Equal
    } else {
        Relation::Greater
    }
}

/// a = b, quiet.
#[inline]
pub fn eq<F: Format>(a: F::Bits, b: F::Bits, env: &mut Env) -> bool {
    compare::<F>(a, b, false, env) == Relation::Equal
}

/// a < b, signalling.
#[inline]
pub fn lt<F: Format>(a: F::Bits, b: F::Bits, env: &mut Env) -> bool {
    compare::<F>(a, b, true, env) == Relation::Less
}

/// a <= b, signalling.
#[inline]
pub fn le<F: Format>(a: F::Bits, b: F::Bits, env: &mut Env) -> bool {
    matches!(compare::<F>(a, b, true, env), Relation::Less | Relation::Equal)
}

/// Whether a or b is a NaN, quiet.
#[inline]
pub fn unordered<F: Format>(a: F::Bits, b: F::Bits, env: &mut Env) -> bool {
    compare::<F>(a, b, false, env) == Relation::Unordered
}

/// Order of numbers that are not NaNs, with -0 before +0.
#[inline]
pub(super) fn precedes<F: Format>(a: F::Bits, b: F::Bits) -> bool {
    let (a_magnitude, b_magnitude) = (magnitude::<F>(a), magnitude::<F>(b));
    match (is_negative::<F>(a), is_negative::<F>(b)) {
        (false, false) => a_magnitude < b_magnitude,
        (true, true) => a_magnitude > b_magnitude,
        (negative, _) => negative,
    }
}

/// Whether the number is a zero.
#[inline]
pub(super) fn is_zero<F: Format>(bits: F::Bits) -> bool {
    magnitude::<F>(bits) == F::Sig::ZERO
}

/// Raises the flag for subnormal operands.
#[inline]
pub(super) fn note<F: Format>(a: F::Bits, b: F::Bits, env: &mut Env) {
    if is_subnormal::<F>(a) || is_subnormal::<F>(b) {
        env.raise(Flags::INPUT_SUBNORMAL);
    }
}
