//! Integers that hold a significand while it is computed with.
//!
//! A significand in [1, 2) is a fixed-point number whose one is at bit [`Significand::POINT`], two
//! below the top: one bit for the carry of a sum, one so that halves of it stay in range. Bits
//! that fall off the low end are "jammed": their disjunction stays in the last bit, which is
//! enough to round correctly as long as that bit is below the rounding position.

use core::fmt::Debug;
use core::ops::{Add, BitAnd, BitOr, Shl, Shr, Sub};

/// An unsigned integer of a fixed number of bits.
pub trait Word:
    Copy
    + Debug
    + Ord
    + Add<Output = Self>
    + Sub<Output = Self>
    + BitAnd<Output = Self>
    + BitOr<Output = Self>
    + Shl<u32, Output = Self>
    + Shr<u32, Output = Self>
{
    /// Number of bits.
    const BITS: u32;
    /// Zero.
    const ZERO: Self;
    /// One.
    const ONE: Self;

    /// Zeros above the highest one.
    fn leading_zeros(self) -> u32;

    /// One or zero.
    fn from_bool(bit: bool) -> Self;

    /// The low `n` bits set; `n` is below [`Word::BITS`].
    #[inline]
    fn mask(n: u32) -> Self {
        (Self::ONE << n) - Self::ONE
    }

    /// Shifts right by any distance, jamming what is lost. The top bit must be clear.
    #[inline]
    fn shr_jam(self, n: u32) -> Self {
        let n = n.min(Self::BITS - 1);
        (self >> n) | Self::from_bool((self & Self::mask(n)) != Self::ZERO)
    }
}

macro_rules! word {
    ($($t:ty)*) => {$(
        impl Word for $t {
            const BITS: u32 = <$t>::BITS;
            const ZERO: Self = 0;
            const ONE: Self = 1;

            #[inline]
            fn leading_zeros(self) -> u32 {
                <$t>::leading_zeros(self)
            }

            #[inline]
            fn from_bool(bit: bool) -> Self {
                <$t>::from(bit)
            }
        }
    )*};
}

word!(u64 u128);

/// A word that serves as significand of formats up to [`Word::BITS`] - 4 bits of precision.
pub trait Significand: Word {
    /// Holds a product of two significands.
    type Wide: Word;
    /// Place of the one in a significand of [1, 2).
    const POINT: u32 = Self::BITS - 2;

    /// The exact product, in [1, 4) with the one at twice [`Significand::POINT`].
    fn mul_wide(self, other: Self) -> Self::Wide;
    /// The product, jammed: in [1, 4).
    fn mul_jam(self, other: Self) -> Self;
    /// The quotient of `self >= other`, jammed: in [1, 2). At least `precision` + 2 bits are exact.
    fn div_jam(self, other: Self, precision: u32) -> Self;
    /// The square root of `self`, or of twice `self` if `double`, jammed: in [1, 2). At least
    /// `precision` + 2 bits are exact.
    fn sqrt_jam(self, double: bool, precision: u32) -> Self;
    /// The same number with the one at twice [`Significand::POINT`].
    fn widen(self) -> Self::Wide;
    /// From a wide number whose one is two below its top, jammed.
    fn narrow_jam(wide: Self::Wide) -> Self;
    /// The same number as 128 bits with the one at bit 126, jammed.
    fn to_q126(self) -> u128;
    /// From 128 bits with the one at bit 126, jammed.
    fn from_q126(wide: u128) -> Self;
    /// A small non-negative integer.
    fn from_u32(value: u32) -> Self;
    /// The low 32 bits.
    fn low_u32(self) -> u32;
}

impl Significand for u64 {
    type Wide = u128;

    #[inline]
    fn mul_wide(self, other: u64) -> u128 {
        u128::from(self) * u128::from(other)
    }

    #[inline]
    fn mul_jam(self, other: u64) -> u64 {
        // Operands doubled, so that the product's high half has its one at bit 62.
        let wide = u128::from(self << 1) * u128::from(other << 1);
        (wide >> 64) as u64 | u64::from(wide as u64 != 0)
    }

    #[inline]
    fn div_jam(self, other: u64, precision: u32) -> u64 {
        if precision <= 29 {
            // Short significands: one division of the high halves gives 32 bits.
            let (a, b) = (self >> 31, other >> 31);
            let (quotient, rest) = ((a << 31) / b, (a << 31) % b);
            return quotient << 31 | u64::from(rest != 0);
        }
        // Long division in digits of 32 bits; the divisor's top bit is set, so that a digit
        // estimated from its high half is at most two too large.
        let divisor = other << 1;
        let (high, rest) = long_division_step(self >> 1, (self & 1) << 31, divisor);
        let (low, rest) = long_division_step(rest, 0, divisor);
        high << 32 | low | u64::from(rest != 0)
    }

    #[inline]
    fn sqrt_jam(self, double: bool, precision: u32) -> u64 {
        // As a number of 64 bits in [1, 4) with its one at bit 62, the root has 32 bits.
        let radicand = if double { self << 1 } else { self };
        let root = radicand.isqrt();
        let rest = radicand - root * root;
        if precision <= 29 {
            return root << 31 | u64::from(rest != 0);
        }
        // One more digit of 25 bits: (r·2^25 + d)² = r²·2^50 + 2rd·2^25 + d².
        let digit = (rest << 25) / (root << 1);
        let rest = (((rest << 25) % (root << 1)) << 25) as i64 - (digit * digit) as i64;
        let root = (root << 25) + digit;
        // The digit was one too large if the square went past the radicand. Then the root is not
        // exact (an exact digit is never estimated too large), and the rest not zero either.
        let root = if rest < 0 { root - 1 } else { root };
        root << 6 | u64::from(rest != 0)
    }

    #[inline]
    fn widen(self) -> u128 {
        u128::from(self) << 62
    }

    #[inline]
    fn narrow_jam(wide: u128) -> u64 {
        (wide >> 64) as u64 | u64::from(wide as u64 != 0)
    }

    #[inline]
    fn to_q126(self) -> u128 {
        u128::from(self) << 64
    }

    #[inline]
    fn from_q126(wide: u128) -> u64 {
        Self::narrow_jam(wide)
    }

    #[inline]
    fn from_u32(value: u32) -> u64 {
        u64::from(value)
    }

    #[inline]
    fn low_u32(self) -> u32 {
        self as u32
    }
}

/// One digit of 32 bits of (`rest` · 2^32 + `next`) / `divisor`, and the new rest. The divisor's
/// top bit is set, and `rest` is below it.
#[inline]
fn long_division_step(rest: u64, next: u64, divisor: u64) -> (u64, u64) {
    let (high, low) = (divisor >> 32, divisor & 0xffff_ffff);
    let mut digit = rest / high;
    let mut estimate_rest = rest % high;
    while digit >> 32 != 0 || digit * low > (estimate_rest << 32 | next) {
        digit -= 1;
        estimate_rest += high;
        if estimate_rest >> 32 != 0 {
            break;
        }
    }
    let rest = (rest << 32 | next).wrapping_sub(digit.wrapping_mul(divisor));
    (digit, rest)
}
