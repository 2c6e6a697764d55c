//! To and from integers and fixed-point numbers.

use super::env::{Env, Flags, Rounding};
use super::format::{Format, zero};
use super::round::{round_pack, rounds_up};
use super::significand::Significand;
use super::unpack::{Class, unpack};

/// What a number that has no place in the integer type becomes. Invalid is raised in each case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Saturation {
    /// The nearest end of the range; NaN the upper end [Unpriv §20.7].
    RiscV,
    /// The nearest end of the range; NaN zero [ARM-ARM FPToFixed].
    Arm,
    /// The "integer indefinite": the least signed, the greatest unsigned [SDM-1 §4.8.3.7].
    X86,
}

/// An integer type of at most 64 bits.
pub trait Integer: Copy {
    /// Width.
    const BITS: u32;
    /// Whether it has negative values.
    const SIGNED: bool;

    /// From the low bits.
    fn from_low_bits(bits: u64) -> Self;
    /// Sign and magnitude.
    fn to_magnitude(self) -> (bool, u64);
}

macro_rules! integer {
    ($($t:ty, $signed:literal, |$x:ident| $parts:expr;)*) => {$(
        impl Integer for $t {
            const BITS: u32 = <$t>::BITS;
            const SIGNED: bool = $signed;

            #[inline]
            fn from_low_bits(bits: u64) -> Self {
                bits as $t
            }

            #[inline]
            fn to_magnitude(self) -> (bool, u64) {
                let $x = self;
                $parts
            }
        }
    )*};
}

integer! {
    i16, true, |x| (x < 0, x.unsigned_abs().into());
    u16, false, |x| (false, x.into());
    i32, true, |x| (x < 0, x.unsigned_abs().into());
    u32, false, |x| (false, x.into());
    i64, true, |x| (x < 0, x.unsigned_abs());
    u64, false, |x| (false, x);
}

/// The integer nearest to the number in the direction of `rounding`.
#[inline]
pub fn to_int<F: Format, I: Integer>(
    bits: F::Bits,
    rounding: Rounding,
    saturation: Saturation,
    env: &mut Env,
) -> I {
    to_fixed::<F, I>(bits, 0, rounding, saturation, env)
}

/// The number as a fixed-point one with `fraction_bits` (0 to 64) bits behind the point.
pub fn to_fixed<F: Format, I: Integer>(
    bits: F::Bits,
    fraction_bits: u32,
    rounding: Rounding,
    saturation: Saturation,
    env: &mut Env,
) -> I {
    let a = unpack::<F>(bits, env);
    let exp = a.exp + fraction_bits as i32;
    match a.class {
        Class::Zero => return I::from_low_bits(0),
        Class::Normal | Class::Subnormal if exp < 64 => {}
        class => return out_of_range(a.sign, class == Class::Nan, saturation, env),
    }
    let (magnitude, exact) = integral(a.sig.to_q126(), exp, a.sign, rounding);
    let limit = match (I::SIGNED, a.sign) {
        (true, negative) => (1 << (I::BITS - 1)) - u128::from(!negative),
        (false, true) => 0,
        (false, false) => (1 << I::BITS) - 1,
    };
    if magnitude > limit {
        return out_of_range(a.sign, false, saturation, env);
    }
    if !exact {
        env.raise(Flags::INEXACT);
    }
    let magnitude = magnitude as u64;
    I::from_low_bits(if a.sign { magnitude.wrapping_neg() } else { magnitude })
}

/// Rounds `sig` · 2^`exp`, its one at bit 126 and `exp` below 64, to an integer; says if exactly.
#[inline]
fn integral(sig: u128, exp: i32, sign: bool, rounding: Rounding) -> (u128, bool) {
    // What is below a quarter rounds as a quarter does.
    let places = (126 - exp.max(-2)) as u32;
    let (integer, rest) = match places {
        0..=127 => (sig >> places, sig << (128 - places)),
        _ => (0, 1),
    };
    let odd = integer & 1 != 0;
    let up = rounds_up(rounding, sign, odd, rest == 0, rest.cmp(&(1 << 127)));
    (integer + u128::from(up), rest == 0)
}

/// The answer to a number beyond the range of the type.
#[cold]
fn out_of_range<I: Integer>(sign: bool, nan: bool, saturation: Saturation, env: &mut Env) -> I {
    env.raise(Flags::INVALID);
    let least = if I::SIGNED { 1 << (I::BITS - 1) } else { 0 };
    let greatest = if I::SIGNED { least - 1 } else { u64::MAX };
    I::from_low_bits(match saturation {
        Saturation::RiscV if nan => greatest,
        Saturation::Arm if nan => 0,
        Saturation::RiscV | Saturation::Arm if sign => least,
        Saturation::RiscV | Saturation::Arm => greatest,
        Saturation::X86 if I::SIGNED => least,
        Saturation::X86 => greatest,
    })
}

/// The number nearest to an integer.
#[inline]
pub fn from_int<F: Format, I: Integer>(value: I, env: &mut Env) -> F::Bits {
    from_fixed::<F, I>(value, 0, env)
}

/// The number nearest to a fixed-point one with `fraction_bits` (0 to 64) bits behind the point.
pub fn from_fixed<F: Format, I: Integer>(value: I, fraction_bits: u32, env: &mut Env) -> F::Bits {
    let (sign, magnitude) = value.to_magnitude();
    if magnitude == 0 {
        return zero::<F>(false);
    }
    let shift = magnitude.leading_zeros();
    let sig = F::Sig::from_q126(u128::from(magnitude << shift) << 63);
    round_pack::<F>(sign, 63 - shift as i32 - fraction_bits as i32, sig, env)
}
