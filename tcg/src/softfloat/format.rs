//! The interchange formats: their widths, and what can be read off their bits.

use core::fmt::Debug;

use super::significand::{Significand, Word};

/// A binary interchange format: a sign, a biased exponent, a fraction with an implied one.
pub trait Format: Copy + Debug + 'static {
    /// The raw bits of a number.
    type Bits: Copy + Eq + Debug;
    /// What its significand is computed in.
    type Sig: Significand;
    /// Width of the exponent field.
    const EXP_BITS: u32;
    /// Width of the fraction field.
    const FRAC_BITS: u32;
    /// Bits of the significand, the implied one included.
    const PRECISION: u32 = Self::FRAC_BITS + 1;
    /// What is added to an exponent to store it.
    const BIAS: i32 = (1 << (Self::EXP_BITS - 1)) - 1;
    /// The exponent field of infinities and NaNs.
    const MAX_BIASED: i32 = (1 << Self::EXP_BITS) - 1;
    /// Distance from the last bit of a fraction to the last bit of [`Format::Sig`].
    const SPARE_BITS: u32 = Self::Sig::POINT - Self::FRAC_BITS;

    /// The bits, zero-extended.
    fn to_word(bits: Self::Bits) -> Self::Sig;
    /// The bits of a word that has no others set.
    fn from_word(word: Self::Sig) -> Self::Bits;
}

macro_rules! format {
    ($(#[$doc:meta])* $name:ident, $bits:ty, $sig:ty, $exp:literal, $frac:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name;

        impl Format for $name {
            type Bits = $bits;
            type Sig = $sig;
            const EXP_BITS: u32 = $exp;
            const FRAC_BITS: u32 = $frac;

            #[inline]
            fn to_word(bits: $bits) -> $sig {
                <$sig>::from(bits)
            }

            #[inline]
            fn from_word(word: $sig) -> $bits {
                word as $bits
            }
        }
    };
}

format! {
    /// IEEE binary16.
    F16, u16, u64, 5, 10
}
format! {
    /// bfloat16: binary32 cut to its upper half.
    BF16, u16, u64, 8, 7
}
format! {
    /// IEEE binary32.
    F32, u32, u64, 8, 23
}
format! {
    /// IEEE binary64.
    F64, u64, u64, 11, 52
}

/// Whether the number is a NaN of either kind.
#[inline]
pub fn is_nan<F: Format>(bits: F::Bits) -> bool {
    magnitude::<F>(bits) > infinity::<F>()
}

/// Whether the number is a signalling NaN.
#[inline]
pub fn is_signaling<F: Format>(bits: F::Bits) -> bool {
    is_nan::<F>(bits) && F::to_word(bits) & quiet_bit::<F>() == F::Sig::ZERO
}

/// The class as RISC-V's `fclass` gives it: one bit of ten, from 0 to 9: -infinity, -normal,
/// -subnormal, -0, +0, +subnormal, +normal, +infinity, signalling NaN, quiet NaN [Unpriv §20.9].
pub fn classify<F: Format>(bits: F::Bits) -> u32 {
    let magnitude = magnitude::<F>(bits);
    if magnitude > infinity::<F>() {
        return if is_signaling::<F>(bits) { 1 << 8 } else { 1 << 9 };
    }
    // Distance from the middle of the scale: zero 0, subnormal 1, normal 2, infinity 3.
    let rank = if magnitude == F::Sig::ZERO {
        0
    } else if magnitude < F::Sig::ONE << F::FRAC_BITS {
        1
    } else if magnitude < infinity::<F>() {
        2
    } else {
        3
    };
    if is_negative::<F>(bits) { 1 << (3 - rank) } else { 1 << (4 + rank) }
}

/// The sign bit.
#[inline]
pub(super) fn is_negative<F: Format>(bits: F::Bits) -> bool {
    F::to_word(bits) >> (F::EXP_BITS + F::FRAC_BITS) != F::Sig::ZERO
}

/// The bits without the sign. Magnitudes compare as integers.
#[inline]
pub(super) fn magnitude<F: Format>(bits: F::Bits) -> F::Sig {
    F::to_word(bits) & F::Sig::mask(F::EXP_BITS + F::FRAC_BITS)
}

/// The magnitude of an infinity.
#[inline]
pub(super) fn infinity<F: Format>() -> F::Sig {
    F::Sig::mask(F::EXP_BITS) << F::FRAC_BITS
}

/// The fraction's top bit, set in quiet NaNs.
#[inline]
pub(super) fn quiet_bit<F: Format>() -> F::Sig {
    F::Sig::ONE << (F::FRAC_BITS - 1)
}

/// A number from its sign and magnitude.
#[inline]
pub(super) fn from_magnitude<F: Format>(sign: bool, magnitude: F::Sig) -> F::Bits {
    F::from_word(F::Sig::from_bool(sign) << (F::EXP_BITS + F::FRAC_BITS) | magnitude)
}

/// A zero of the given sign.
#[inline]
pub(super) fn zero<F: Format>(sign: bool) -> F::Bits {
    from_magnitude::<F>(sign, F::Sig::ZERO)
}

/// An infinity of the given sign.
#[inline]
pub(super) fn signed_infinity<F: Format>(sign: bool) -> F::Bits {
    from_magnitude::<F>(sign, infinity::<F>())
}
