//! Rounding to binary16 as the standard defines it, by search among all its numbers.
//!
//! Slow, obvious, and nothing in common with the code under test: magnitudes are exact multiples
//! or quotients in units of 2^-24, the least subnormal number.

use core::cmp::Ordering;

use crate::softfloat::{Flags, Rounding, Tininess};

/// The magnitude bits of infinity; as a bound, the number 2^16 that would be next.
pub(super) const INFINITY: u16 = 0x7c00;
/// The magnitude bits of the least normal number.
const LEAST_NORMAL: u16 = 0x0400;

/// An exact non-negative number in units of 2^-24.
#[derive(Clone, Copy, Debug)]
pub(super) enum Exact {
    /// A quotient of integers.
    Ratio(u128, u128),
    /// The square root of an integer.
    Root(u128),
}

impl Exact {
    /// Compares 2^`scale` times the number with an integer.
    fn cmp(self, scale: u32, integer: u128) -> Ordering {
        match self {
            Exact::Ratio(n, d) => (n << scale).cmp(&(integer * d)),
            Exact::Root(square) => (square << (2 * scale)).cmp(&(integer * integer)),
        }
    }

    fn is_zero(self) -> bool {
        self.cmp(0, 0) == Ordering::Equal
    }
}

/// The number with these magnitude bits, in units of 2^-24.
pub(super) fn units(magnitude: u16) -> u128 {
    let (exp, frac) = (magnitude >> 10, u128::from(magnitude & 0x3ff));
    if exp == 0 { frac } else { (frac | 0x400) << (exp - 1) }
}

/// Of `below` and the next number, the one to which an inexact number between them is rounded;
/// `half` compares it with their middle.
pub(super) fn goes_up(rounding: Rounding, sign: bool, below_odd: bool, half: Ordering) -> bool {
    match rounding {
        Rounding::NearestEven => match half {
            Ordering::Less => false,
            Ordering::Equal => below_odd,
            Ordering::Greater => true,
        },
        Rounding::NearestMaxMagnitude => half != Ordering::Less,
        Rounding::TowardZero => false,
        Rounding::Down => sign,
        Rounding::Up => !sign,
        Rounding::Odd => !below_odd,
    }
}

/// The bits and flags of an exact number rounded to binary16.
pub(super) fn round(
    sign: bool,
    exact: Exact,
    rounding: Rounding,
    tininess: Tininess,
) -> (u16, Flags) {
    let signed = |magnitude: u16| u16::from(sign) << 15 | magnitude;
    let overflow = Flags::OVERFLOW | Flags::INEXACT;
    if exact.cmp(0, units(INFINITY)) != Ordering::Less {
        // Infinity lies above all numbers: whatever goes up from the greatest goes there.
        let up = goes_up(rounding, sign, true, Ordering::Greater);
        return (signed(if up { INFINITY } else { INFINITY - 1 }), overflow);
    }
    // The greatest number not above the exact one.
    let (mut low, mut high) = (0, INFINITY);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if exact.cmp(0, units(middle)) == Ordering::Less {
            high = middle;
        } else {
            low = middle;
        }
    }
    if exact.cmp(0, units(low)) == Ordering::Equal {
        return (signed(low), Flags::NONE);
    }
    let half = exact.cmp(1, units(low) + units(high));
    let chosen = if goes_up(rounding, sign, low & 1 != 0, half) { high } else { low };
    if chosen == INFINITY {
        return (signed(chosen), overflow);
    }
    let mut flags = Flags::INEXACT;
    if is_tiny(sign, exact, rounding, tininess) {
        flags |= Flags::UNDERFLOW;
    }
    (signed(chosen), flags)
}

fn is_tiny(sign: bool, exact: Exact, rounding: Rounding, tininess: Tininess) -> bool {
    let least_normal = units(LEAST_NORMAL);
    if exact.is_zero() || exact.cmp(0, least_normal) != Ordering::Less {
        return false;
    }
    if tininess == Tininess::BeforeRounding || exact.cmp(1, least_normal) == Ordering::Less {
        return true;
    }
    // In the binade below the least normal number an unbounded exponent would give steps of half
    // a unit. It is reached from the last step only.
    let last = 2 * least_normal - 1;
    if exact.cmp(1, last) != Ordering::Greater {
        return true;
    }
    !goes_up(rounding, sign, true, exact.cmp(2, 2 * last + 1))
}
