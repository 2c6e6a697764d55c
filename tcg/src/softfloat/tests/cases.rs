//! Operands that dwell on the boundaries.

use crate::softfloat::{Format, Rounding};

/// Every rounding mode.
pub(crate) const ROUNDINGS: [Rounding; 6] = [
    Rounding::NearestEven,
    Rounding::NearestMaxMagnitude,
    Rounding::TowardZero,
    Rounding::Down,
    Rounding::Up,
    Rounding::Odd,
];

/// A generator of pseudo-random numbers (splitmix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A random number below `n`.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.bits() % n
    }

    /// A number of the format: all exponents alike, boundaries often.
    pub(crate) fn number<F: Format<Sig = u64>>(&mut self) -> F::Bits {
        let exp = self.exponent::<F>();
        let frac = self.fraction(F::FRAC_BITS);
        let sign = self.below(2);
        F::from_word((sign << F::EXP_BITS | exp) << F::FRAC_BITS | frac)
    }

    /// A pair whose exponents are often near to each other.
    pub(crate) fn pair<F: Format<Sig = u64>>(&mut self) -> (F::Bits, F::Bits) {
        let a = self.number::<F>();
        if self.below(2) == 0 {
            return (a, self.number::<F>());
        }
        let exp = F::to_word(a) >> F::FRAC_BITS & u64::from((1u32 << F::EXP_BITS) - 1);
        let distance = self.below(u64::from(F::PRECISION) + 4);
        let near = if self.below(2) == 0 {
            exp.saturating_sub(distance)
        } else {
            (exp + distance).min(F::MAX_BIASED as u64)
        };
        let frac = if self.below(4) == 0 {
            F::to_word(a) & ((1 << F::FRAC_BITS) - 1)
        } else {
            self.fraction(F::FRAC_BITS)
        };
        let b = F::from_word((self.below(2) << F::EXP_BITS | near) << F::FRAC_BITS | frac);
        if self.below(2) == 0 { (a, b) } else { (b, a) }
    }

    /// An integer: any length, ends of the ranges often.
    pub(crate) fn integer(&mut self) -> u64 {
        let bits = match self.below(4) {
            0 => 1 << self.below(64),
            1 => u64::MAX >> self.below(64),
            _ => self.bits() >> self.below(64),
        };
        let moved = bits.wrapping_add(self.below(3)).wrapping_sub(1);
        if self.below(2) == 0 { moved } else { moved.wrapping_neg() }
    }

    fn exponent<F: Format<Sig = u64>>(&mut self) -> u64 {
        let max = F::MAX_BIASED as u64;
        match self.below(16) {
            0 | 1 => 0,
            2 => max,
            3 => 1 + self.below(3),
            4 => max - 1 - self.below(3),
            5 => F::BIAS as u64 + self.below(4) - 2,
            // Around what integers and fractions of this and of narrower formats reach.
            6 => (F::BIAS as u64 + self.below(70)).min(max),
            7 => (F::BIAS as u64).saturating_sub(self.below(160)),
            8 => F::BIAS as u64 / 2 + self.below(4),
            _ => self.below(max + 1),
        }
    }

    fn fraction(&mut self, bits: u32) -> u64 {
        let mask = (1 << bits) - 1;
        let any = self.bits() & mask;
        match self.below(8) {
            0 => 0,
            1 => mask,
            2 => 1 << self.below(bits.into()),
            3 => mask ^ (1 << self.below(bits.into())),
            4 => any & (mask << self.below(bits.into())) & mask,
            5 => mask >> self.below(bits.into()),
            6 => (1 << (bits - 1) | self.below(4)).wrapping_sub(2) & mask,
            _ => any,
        }
    }
}
