//! To and from other formats, integers and packed decimal digits.

use super::{BIAS, Class, Control, Extended, MAX_BIASED, ONE, Parts, QUIET, note, parts, round};
use crate::softfloat::env::{Env, Flags, Rounding};
use crate::softfloat::format::{F32, F64, Format};
use crate::softfloat::round::{round_pack, rounds_up};
use crate::softfloat::significand::Significand;
use crate::softfloat::unpack::{self, unpack};

/// From binary32; exact.
pub fn from_single(bits: u32, control: &mut Control) -> Extended {
    quiet(operand_from_single(bits, control), control)
}

/// From binary64; exact.
pub fn from_double(bits: u64, control: &mut Control) -> Extended {
    quiet(operand_from_double(bits, control), control)
}

/// From binary32, for an instruction that computes with it: which NaN becomes its result depends on
/// whether this one is signaling.
pub fn operand_from_single(bits: u32, control: &mut Control) -> Extended {
    widen::<F32>(bits, u64::from(bits) << 40, control)
}

/// The same from binary64.
pub fn operand_from_double(bits: u64, control: &mut Control) -> Extended {
    widen::<F64>(bits, bits << 11, control)
}

fn quiet(a: Extended, control: &mut Control) -> Extended {
    if !a.is_signaling() {
        return a;
    }
    control.flags |= Flags::INVALID;
    Extended { sig: a.sig | QUIET, ..a }
}

/// `fraction`: the fraction below bit 63.
fn widen<F: Format<Sig = u64>>(bits: F::Bits, fraction: u64, control: &mut Control) -> Extended {
    let mut env = Env::x86(Rounding::NearestEven);
    let a = unpack::<F>(bits, &mut env);
    let sign = u16::from(a.sign) << 15;
    match a.class {
        unpack::Class::Zero => Extended::zero(a.sign),
        unpack::Class::Infinite => Extended::infinity(a.sign),
        unpack::Class::Nan => Extended { high: MAX_BIASED as u16 | sign, sig: fraction | ONE },
        class => {
            if class == unpack::Class::Subnormal {
                control.flags |= Flags::INPUT_SUBNORMAL;
            }
            Extended { high: (a.exp + BIAS) as u16 | sign, sig: a.sig << 1 }
        }
    }
}

/// To binary32.
pub fn to_single(a: Extended, control: &mut Control) -> u32 {
    narrow::<F32>(a, control) as u32
}

/// To binary64.
pub fn to_double(a: Extended, control: &mut Control) -> u64 {
    narrow::<F64>(a, control)
}

fn narrow<F: Format<Sig = u64>>(a: Extended, control: &mut Control) -> u64 {
    let top = F::EXP_BITS + F::FRAC_BITS;
    let sign = u64::from(a.sign()) << top;
    let infinity = ((1 << F::EXP_BITS) - 1) << F::FRAC_BITS;
    match a.class() {
        Class::Zero => sign,
        Class::Infinite => sign | infinity,
        Class::Unsupported => {
            control.flags |= Flags::INVALID;
            1 << top | infinity | 1 << (F::FRAC_BITS - 1)
        }
        Class::Nan => {
            if a.is_signaling() {
                control.flags |= Flags::INVALID;
            }
            let payload = (a.sig | QUIET) << 1 >> (64 - F::FRAC_BITS);
            sign | infinity | payload
        }
        Class::Normal | Class::Denormal => {
            let a = parts(a);
            let mut env = Env::x86(control.rounding);
            let sig = u64::from_q126(u128::from(a.sig) << 63);
            let bits = F::to_word(round_pack::<F>(a.sign, a.exp, sig, &mut env));
            control.flags |= env.flags;
            control.rounded_up = went_up::<F>(bits, a);
            bits
        }
    }
}

/// Whether the magnitude of a rounded number is above that of the exact one.
fn went_up<F: Format<Sig = u64>>(bits: u64, exact: Parts) -> bool {
    let magnitude = bits & ((1 << (F::EXP_BITS + F::FRAC_BITS)) - 1);
    let mut ignored = Control::new();
    let rounded = if F::FRAC_BITS == 23 {
        from_single(magnitude as u32, &mut ignored)
    } else {
        from_double(magnitude, &mut ignored)
    };
    match rounded.class() {
        Class::Infinite => true,
        Class::Zero => false,
        _ => {
            let rounded = parts(rounded);
            (rounded.exp, rounded.sig) > (exact.exp, exact.sig)
        }
    }
}

/// From an integer; exact.
pub fn from_int(value: i64) -> Extended {
    let magnitude = value.unsigned_abs();
    if magnitude == 0 {
        return Extended::ZERO;
    }
    let shift = magnitude.leading_zeros();
    let biased = BIAS + 63 - shift as i32;
    Extended { high: biased as u16 | u16::from(value < 0) << 15, sig: magnitude << shift }
}

/// The integral magnitude nearest to a finite number below 2^64, whether it is exact, and whether
/// it was rounded up.
fn integral(a: Parts, rounding: Rounding) -> (u128, bool, bool) {
    // What is below a quarter rounds as a quarter does.
    let places = (63 - a.exp.max(-2)) as u32;
    let wide = u128::from(a.sig) << 62;
    let (integer, rest) = (wide >> 62 >> places, wide << (66 - places));
    let up = rounds_up(rounding, a.sign, integer & 1 != 0, rest == 0, rest.cmp(&(1 << 127)));
    (integer + u128::from(up), rest == 0, up)
}

/// The nearest integer of 16, 32 or 64 bits, sign-extended; what does not fit is the least one.
pub fn to_int(a: Extended, bits: u32, rounding: Rounding, control: &mut Control) -> i64 {
    let indefinite = i64::MIN >> (64 - bits);
    let invalid = |control: &mut Control| {
        control.flags |= Flags::INVALID;
        indefinite
    };
    match a.class() {
        Class::Zero => return 0,
        Class::Normal | Class::Denormal => {}
        _ => return invalid(control),
    }
    let a = parts(a);
    if a.exp >= 64 {
        return invalid(control);
    }
    let (magnitude, exact, up) = integral(a, rounding);
    if magnitude > (1 << (bits - 1)) - u128::from(!a.sign) {
        return invalid(control);
    }
    if !exact {
        control.flags |= Flags::INEXACT;
        control.rounded_up = up;
    }
    if a.sign { (magnitude as i64).wrapping_neg() } else { magnitude as i64 }
}

/// The nearest integral number.
pub fn round_to_integral(a: Extended, control: &mut Control) -> Extended {
    if let Some(nan) = super::special_nan([a], control) {
        return nan;
    }
    note([a], control);
    if matches!(a.class(), Class::Zero | Class::Infinite) || parts(a).exp >= 63 {
        return a;
    }
    let a = parts(a);
    let (magnitude, exact, up) = integral(a, control.rounding);
    if !exact {
        control.flags |= Flags::INEXACT;
        control.rounded_up = up;
    }
    if magnitude == 0 {
        return Extended::zero(a.sign);
    }
    let shift = magnitude.leading_zeros();
    // Exact at any precision that it had before.
    let mut whole = Control { precision: 64, ..Control::new() };
    round(a.sign, 127 - shift as i32, magnitude << shift, &mut whole)
}

/// Decimal digits of a packed number.
const DIGITS: u32 = 18;

/// From 18 packed decimal digits and a sign, the low 80 bits; exact.
pub fn from_bcd(packed: u128) -> Extended {
    let magnitude =
        (0..DIGITS).rev().fold(0i64, |sum, digit| sum * 10 + (packed >> (4 * digit) & 0xf) as i64);
    from_int(magnitude).with_sign(packed >> 79 & 1 != 0)
}

/// The nearest integer as 18 packed decimal digits and a sign.
pub fn to_bcd(a: Extended, control: &mut Control) -> u128 {
    const INDEFINITE: u128 = 0xffff_c000_0000_0000_0000;
    let before = control.flags;
    let value = to_int(a, 64, control.rounding, control);
    let magnitude = value.unsigned_abs();
    if magnitude >= 10u64.pow(DIGITS) {
        control.flags = before | Flags::INVALID;
        return INDEFINITE;
    }
    let digits = (0..DIGITS).map(|d| u128::from(magnitude / 10u64.pow(d) % 10) << (4 * d));
    digits.sum::<u128>() | u128::from(a.sign()) << 79
}
