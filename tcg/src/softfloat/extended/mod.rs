//! The x87 unit's arithmetic: numbers of 80 bits with an explicit leading one [SDM-1 §4.2, §8].
//!
//! Results are rounded to a precision that the control word names, with the full range of
//! exponents. Encodings that the unit does not support (a number whose leading one is missing)
//! are invalid operands.

mod arith;
mod convert;
mod elementary;
mod remainder;
#[cfg(test)]
mod tests;

pub use arith::{add, div, mul, sqrt, sub};
pub use convert::{from_bcd, operand_from_double, operand_from_single, to_bcd, to_single};
pub use convert::{from_double, from_int, from_single, round_to_integral, to_double, to_int};
pub use elementary::{arctangent, exp2_minus_1, log2_times, sine_cosine, tangent};
pub use remainder::{Remainder, extract, remainder, scale};

use core::cmp::Ordering;

use super::compare::Relation;
use super::env::{Flags, Rounding};
use super::round::rounds_up;

/// What is added to an exponent to store it.
pub(super) const BIAS: i32 = 0x3fff;
/// The exponent field of infinities and NaNs.
const MAX_BIASED: i32 = 0x7fff;
/// The leading one.
const ONE: u64 = 1 << 63;
/// Set in quiet NaNs.
const QUIET: u64 = 1 << 62;

/// A number: the bits of an x87 register.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Extended {
    /// Sign and biased exponent.
    pub high: u16,
    /// Significand, its leading one included.
    pub sig: u64,
}

impl Extended {
    /// +0.
    pub const ZERO: Self = Self { high: 0, sig: 0 };
    /// +1.
    pub const ONE: Self = Self { high: BIAS as u16, sig: ONE };
    /// The NaN of operations without a meaningful result.
    pub const INDEFINITE: Self = Self { high: 0xffff, sig: ONE | QUIET };

    /// From the low 80 bits.
    pub const fn from_bits(bits: u128) -> Self {
        Self { high: (bits >> 64) as u16, sig: bits as u64 }
    }

    /// As the low 80 bits.
    pub const fn bits(self) -> u128 {
        (self.high as u128) << 64 | self.sig as u128
    }

    /// Negative.
    pub const fn sign(self) -> bool {
        self.high >> 15 != 0
    }

    /// The number with the given sign.
    #[must_use]
    pub const fn with_sign(self, sign: bool) -> Self {
        Self { high: self.high & 0x7fff | (sign as u16) << 15, sig: self.sig }
    }

    const fn biased(self) -> i32 {
        (self.high & 0x7fff) as i32
    }

    const fn infinity(sign: bool) -> Self {
        Self { high: 0x7fff | (sign as u16) << 15, sig: ONE }
    }

    const fn zero(sign: bool) -> Self {
        Self { high: (sign as u16) << 15, sig: 0 }
    }

    /// What kind of number it is.
    pub const fn class(self) -> Class {
        match (self.biased(), self.sig) {
            (0, 0) => Class::Zero,
            (0, _) => Class::Denormal,
            (_, sig) if sig & ONE == 0 => Class::Unsupported,
            (MAX_BIASED, ONE) => Class::Infinite,
            (MAX_BIASED, _) => Class::Nan,
            _ => Class::Normal,
        }
    }

    /// A denormal number with a leading one, as one with the least exponent of normal numbers.
    fn normalized(self) -> Self {
        let pseudo = self.biased() == 0 && self.sig & ONE != 0;
        Self { high: self.high | u16::from(pseudo), sig: self.sig }
    }

    /// A NaN that raises invalid.
    pub const fn is_signaling(self) -> bool {
        matches!(self.class(), Class::Nan) && self.sig & QUIET == 0
    }
}

/// Kinds of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Finite.
    Normal,
    /// With the least exponent.
    Denormal,
    /// Zero.
    Zero,
    /// Infinity.
    Infinite,
    /// NaN of either kind.
    Nan,
    /// Without a leading one where there has to be one.
    Unsupported,
}

/// Controls of an operation, and what it raised.
#[derive(Clone, Copy, Debug)]
pub struct Control {
    /// How results are rounded.
    pub rounding: Rounding,
    /// Bits of a result's significand: 24, 53 or 64.
    pub precision: u32,
    /// Raised so far.
    pub flags: Flags,
    /// The last rounding was away from zero.
    pub rounded_up: bool,
}

impl Control {
    /// As after `fninit`.
    pub const fn new() -> Self {
        Self {
            rounding: Rounding::NearestEven,
            precision: 64,
            flags: Flags::NONE,
            rounded_up: false,
        }
    }

    fn invalid(&mut self) -> Extended {
        self.forget_denormal();
        self.flags |= Flags::INVALID;
        Extended::INDEFINITE
    }

    /// Something more important than a denormal operand comes of the operation.
    fn forget_denormal(&mut self) {
        self.flags = Flags::from_bits(self.flags.bits() & !Flags::INPUT_SUBNORMAL.bits());
    }
}

impl Default for Control {
    fn default() -> Self {
        Self::new()
    }
}

/// A finite number other than zero: ±`sig` · 2^(`exp` - 63), the top bit of `sig` set.
#[derive(Clone, Copy, Debug)]
struct Parts {
    sign: bool,
    exp: i32,
    sig: u64,
}

/// Takes a finite number other than zero apart.
fn parts(a: Extended) -> Parts {
    let shift = a.sig.leading_zeros();
    Parts { sign: a.sign(), exp: a.biased().max(1) - BIAS - shift as i32, sig: a.sig << shift }
}

/// Raises the flag of denormal operands.
fn note<const N: usize>(operands: [Extended; N], control: &mut Control) {
    if operands.iter().any(|a| a.class() == Class::Denormal) {
        control.flags |= Flags::INPUT_SUBNORMAL;
    }
}

/// The answer to operands among which there is a NaN or an unsupported number [SDM-1 §4.8.3.5].
fn special_nan<const N: usize>(operands: [Extended; N], control: &mut Control) -> Option<Extended> {
    if operands.iter().any(|a| a.class() == Class::Unsupported) {
        return Some(control.invalid());
    }
    let nans = operands.iter().filter(|a| a.class() == Class::Nan);
    if nans.clone().next().is_some() {
        control.forget_denormal();
    }
    if operands.iter().any(|a| a.is_signaling()) {
        control.flags |= Flags::INVALID;
    }
    // A quiet one before a signalling one, then the larger significand, then the positive one.
    nans.copied()
        .max_by_key(|a| (!a.is_signaling(), a.sig, !a.sign()))
        .map(|a| Extended { sig: a.sig | QUIET, ..a })
}

/// Shifts right by any distance; what is lost stays in the last bit.
fn shift_jam(sig: u128, by: u32) -> u128 {
    match by {
        0 => sig,
        1..128 => sig >> by | u128::from(sig << (128 - by) != 0),
        _ => u128::from(sig != 0),
    }
}

/// Rounds ±`sig` · 2^(`exp` - 127), the top bit of `sig` set, to the control's precision.
fn round(sign: bool, exp: i32, sig: u128, control: &mut Control) -> Extended {
    debug_assert!(sig >> 127 == 1, "significand not normalised");
    let mut biased = exp + BIAS;
    let small = biased <= 0;
    let mut tiny = small;
    let mut sig = sig;
    if small {
        // Tiny after rounding, as if the exponent had no lower bound.
        let (kept, _, _) = kept(sign, sig, control);
        tiny = biased < 0 || kept >> control.precision == 0;
        sig = shift_jam(sig, (1 - biased) as u32);
        biased = 0;
    }
    let (mut significand, up, exact) = kept(sign, sig, control);
    if significand >> control.precision != 0 {
        significand >>= 1;
        biased += 1;
    }
    let significand = (significand << (64 - control.precision)) as u64;
    if small && significand & ONE != 0 {
        biased = 1;
    }
    if biased >= MAX_BIASED {
        return overflow(sign, control);
    }
    if !exact {
        control.flags |= Flags::INEXACT;
        control.rounded_up = up;
        if tiny {
            control.flags |= Flags::UNDERFLOW;
        }
    }
    Extended { high: biased as u16 | u16::from(sign) << 15, sig: significand }
}

/// The upper bits of a significand as many as the precision says, perhaps with a carry; whether
/// they were rounded up, and whether nothing was lost.
fn kept(sign: bool, sig: u128, control: &Control) -> (u128, bool, bool) {
    let lost = 128 - control.precision;
    let rest = sig << control.precision;
    let kept = sig >> lost;
    let half: Ordering = rest.cmp(&(1 << 127));
    let up = rounds_up(control.rounding, sign, kept & 1 != 0, rest == 0, half);
    (kept + u128::from(up), up, rest == 0)
}

fn overflow(sign: bool, control: &mut Control) -> Extended {
    control.flags |= Flags::OVERFLOW | Flags::INEXACT;
    let infinite = match control.rounding {
        Rounding::NearestEven | Rounding::NearestMaxMagnitude => true,
        Rounding::TowardZero | Rounding::Odd => false,
        Rounding::Down => sign,
        Rounding::Up => !sign,
    };
    control.rounded_up = infinite;
    if infinite {
        return Extended::infinity(sign);
    }
    let sig = u64::MAX << (64 - control.precision);
    Extended { high: (MAX_BIASED - 1) as u16 | u16::from(sign) << 15, sig }
}

/// A positive number that is not representable, rounded: its first 64 bits and 16 more.
pub fn constant(exp: i32, sig: u64, more: u16, rounding: Rounding) -> Extended {
    let mut control = Control { rounding, ..Control::new() };
    round(false, exp, u128::from(sig) << 64 | u128::from(more) << 48, &mut control)
}

/// Compares. NaNs raise invalid if they are signalling, or if `signaling` says that any does.
pub fn compare(a: Extended, b: Extended, signaling: bool, control: &mut Control) -> Relation {
    let odd = |x: Extended| matches!(x.class(), Class::Nan | Class::Unsupported);
    if odd(a) || odd(b) {
        control.forget_denormal();
        let bad = |x: Extended| x.is_signaling() || x.class() == Class::Unsupported;
        if signaling || bad(a) || bad(b) {
            control.flags |= Flags::INVALID;
        }
        return Relation::Unordered;
    }
    note([a, b], control);
    let key = |x: Extended| {
        // A denormal number with a leading one has the value of the least exponent.
        let biased = if x.class() == Class::Denormal { 1 } else { x.biased() };
        let magnitude = (i128::from(biased) << 64) | i128::from(x.sig);
        let magnitude = if x.sig == 0 { 0 } else { magnitude };
        if x.sign() { -magnitude } else { magnitude }
    };
    match key(a).cmp(&key(b)) {
        Ordering::Less => Relation::Less,
        Ordering::Equal => Relation::Equal,
        Ordering::Greater => Relation::Greater,
    }
}
