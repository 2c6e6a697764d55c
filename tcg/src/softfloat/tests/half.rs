//! binary16 against exact arithmetic: operations of one operand exhaustively, others at random.

use core::cmp::Ordering;

use super::cases::{ROUNDINGS, Random};
use super::reference::{Exact, INFINITY, goes_up, round, units};
use crate::softfloat::{
    BF16, Env, F16, F32, F64, Flags, Integer, Negate, Relation, Rounding, Saturation, Tininess,
    add, classify, compare, convert, div, fma, from_fixed, from_int, mul, round_to_integral, sqrt,
    sub, to_fixed, to_int,
};

const TININESS: [Tininess; 2] = [Tininess::BeforeRounding, Tininess::AfterRounding];
const MAGNITUDE: u16 = 0x7fff;

fn env(rounding: Rounding, tininess: Tininess) -> Env {
    Env { tininess, ..Env::riscv(rounding) }
}

/// Runs an operation in all rounding modes and both kinds of tininess, and compares.
fn check(
    what: &dyn core::fmt::Debug,
    sign: bool,
    exact: Exact,
    operation: impl Fn(&mut Env) -> u16,
) {
    for rounding in ROUNDINGS {
        for tininess in TININESS {
            let mut env = env(rounding, tininess);
            let got = operation(&mut env);
            let expected = round(sign, exact, rounding, tininess);
            let flags = Flags::from_bits(env.flags.bits() & 0x1f);
            assert_eq!((got, flags), expected, "{what:x?} {rounding:?} {tininess:?}");
        }
    }
}

/// A sum of signed numbers in units; none if it is zero, whose sign is not the reference's affair.
fn sum(a: (bool, u128), b: (bool, u128)) -> Option<(bool, u128)> {
    match (a.0 == b.0, a.1.cmp(&b.1)) {
        (true, _) => Some((a.0, a.1 + b.1)),
        (false, Ordering::Greater) => Some((a.0, a.1 - b.1)),
        (false, Ordering::Less) => Some((b.0, b.1 - a.1)),
        (false, Ordering::Equal) => None,
    }
    .filter(|sum| sum.1 != 0)
}

fn parts(bits: u16) -> (bool, u128) {
    (bits >> 15 != 0, units(bits & MAGNITUDE))
}

fn finite(bits: u16) -> bool {
    bits & MAGNITUDE < INFINITY
}

#[test]
fn sums_and_products() {
    let mut random = Random(1);
    for _ in 0..400_000 {
        let (a, b) = random.pair::<F16>();
        if !finite(a) || !finite(b) {
            continue;
        }
        let ((sa, ua), (sb, ub)) = (parts(a), parts(b));
        if let Some((sign, units)) = sum((sa, ua), (sb, ub)) {
            check(&(a, b), sign, Exact::Ratio(units, 1), |env| add::<F16>(a, b, env));
        }
        if let Some((sign, units)) = sum((sa, ua), (!sb, ub)) {
            check(&(a, b), sign, Exact::Ratio(units, 1), |env| sub::<F16>(a, b, env));
        }
        let product = Exact::Ratio(ua * ub, 1 << 24);
        check(&(a, b), sa ^ sb, product, |env| mul::<F16>(a, b, env));
        if ub != 0 {
            let quotient = Exact::Ratio(ua << 24, ub);
            check(&(a, b), sa ^ sb, quotient, |env| div::<F16>(a, b, env));
        }
    }
}

#[test]
fn fused() {
    let mut random = Random(2);
    for round in 0..600_000 {
        let (a, b) = random.pair::<F16>();
        // Often an addend that cancels most of the product.
        let c = match round % 3 {
            0 => mul::<F16>(a, b, &mut env(Rounding::NearestEven, TININESS[0])) ^ 0x8000,
            _ => random.number::<F16>(),
        };
        if !(finite(a) && finite(b) && finite(c)) {
            continue;
        }
        let ((sa, ua), (sb, ub), (sc, uc)) = (parts(a), parts(b), parts(c));
        for negate in 0..4 {
            let (product, addend) = (negate & 1 != 0, negate & 2 != 0);
            let terms = ((sa ^ sb ^ product, ua * ub), (sc ^ addend, uc << 24));
            if let Some((sign, units)) = sum(terms.0, terms.1) {
                check(&(a, b, c, negate), sign, Exact::Ratio(units, 1 << 24), |env| {
                    fma::<F16>(a, b, c, Negate { product, addend }, env)
                });
            }
        }
    }
}

#[test]
fn square_roots_of_all() {
    for a in 0..INFINITY {
        let root = Exact::Root(units(a) << 24);
        check(&a, false, root, |env| sqrt::<F16>(a, env));
    }
}

#[test]
fn widening_and_back_of_all() {
    for a in 0..=u16::MAX {
        let mut env = Env::arm(Rounding::NearestEven);
        let single = convert::<F16, F32>(a, &mut env);
        let double = convert::<F16, F64>(a, &mut env);
        assert_eq!(convert::<F32, F64>(single, &mut env), double, "{a:#x}");
        if finite(a) {
            let (sign, units) = parts(a);
            let expected = units as f64 * (-24f64).exp2();
            let expected = if sign { -expected } else { expected };
            assert_eq!(double, expected.to_bits(), "{a:#x}");
        }
        // Signalling NaNs come back quiet.
        let quiet = if a & MAGNITUDE > INFINITY { a | 0x200 } else { a };
        assert_eq!(convert::<F32, F16>(single, &mut env), quiet);
        assert_eq!(convert::<F64, F16>(double, &mut env), quiet);
        let signaling = a & MAGNITUDE > INFINITY && a & 0x200 == 0;
        assert_eq!(env.flags.contains(Flags::INVALID), signaling);
    }
}

#[test]
fn narrowing() {
    let mut random = Random(3);
    for _ in 0..400_000 {
        // significand · 2^-scale, around all of binary16 and beyond both ends.
        let significand = random.integer() >> 11;
        let scale = random.below(80) as u32;
        let sign = random.below(2) != 0;
        let double = significand as f64 * (-f64::from(scale)).exp2();
        let double = if sign { -double } else { double };
        let exact = Exact::Ratio(u128::from(significand) << 24, 1 << scale);
        if significand != 0 {
            check(&double, sign, exact, |env| convert::<F64, F16>(double.to_bits(), env));
        }
        let significand = significand & 0xff_ffff;
        let single = significand as f32 * (-(scale as f32)).exp2();
        let exact = Exact::Ratio(u128::from(significand) << 24, 1 << scale);
        if significand != 0 {
            check(&single, false, exact, |env| convert::<F32, F16>(single.to_bits(), env));
        }
    }
}

/// Rounds units of 2^-24 to an integer; says if exactly.
fn to_integer(sign: bool, units: u128, rounding: Rounding) -> (u128, bool) {
    let (integer, rest) = (units >> 24, units & 0xff_ffff);
    let up = rest != 0 && goes_up(rounding, sign, integer & 1 != 0, rest.cmp(&(1 << 23)));
    (integer + u128::from(up), rest == 0)
}

#[test]
fn integral_values_of_all() {
    for a in (0..=u16::MAX).filter(|&a| finite(a)) {
        for rounding in ROUNDINGS {
            let (sign, units) = parts(a);
            let (integer, exact) = to_integer(sign, units, rounding);
            let mut env = Env::riscv(Rounding::NearestEven);
            let got = round_to_integral::<F16>(a, rounding, true, &mut env);
            assert_eq!(parts(got), (sign, integer << 24), "{a:#x} {rounding:?}");
            assert_eq!(env.flags, if exact { Flags::NONE } else { Flags::INEXACT });
            let mut quiet = Env::riscv(Rounding::NearestEven);
            assert_eq!(round_to_integral::<F16>(a, rounding, false, &mut quiet), got);
            assert_eq!(quiet.flags, Flags::NONE);
        }
    }
}

/// What a conversion of any binary16 number to an integer between `least` and `greatest` gives.
fn integer_reference(
    a: u16,
    fraction_bits: u32,
    rounding: Rounding,
    saturation: Saturation,
    (least, greatest): (i128, i128),
) -> (i128, Flags) {
    let (sign, units) = parts(a);
    let nan = a & MAGNITUDE > INFINITY;
    let (magnitude, exact) = to_integer(sign, units << fraction_bits, rounding);
    let value = if sign { -(magnitude as i128) } else { magnitude as i128 };
    if finite(a) && (least..=greatest).contains(&value) {
        return (value, if exact { Flags::NONE } else { Flags::INEXACT });
    }
    let value = match saturation {
        Saturation::RiscV if nan => greatest,
        Saturation::Arm if nan => 0,
        Saturation::RiscV | Saturation::Arm => {
            if sign {
                least
            } else {
                greatest
            }
        }
        Saturation::X86 => {
            if least < 0 {
                least
            } else {
                greatest
            }
        }
    };
    (value, Flags::INVALID)
}

fn integers_of_all<I: Integer + Into<i128>>(least: I, greatest: I) {
    let range = (least.into(), greatest.into());
    for a in 0..=u16::MAX {
        for rounding in ROUNDINGS {
            for saturation in [Saturation::RiscV, Saturation::Arm, Saturation::X86] {
                let mut env = Env::riscv(Rounding::NearestEven);
                let got: I = to_int::<F16, I>(a, rounding, saturation, &mut env);
                let expected = integer_reference(a, 0, rounding, saturation, range);
                let flags = Flags::from_bits(env.flags.bits() & 0x1f);
                assert_eq!((got.into(), flags), expected, "{a:#x} {rounding:?} {saturation:?}");
            }
        }
        let mut env = Env::riscv(Rounding::NearestEven);
        for fraction_bits in [1, 7, 15, 31, 32, 64] {
            let rounding = Rounding::TowardZero;
            let got: I = to_fixed::<F16, I>(a, fraction_bits, rounding, Saturation::Arm, &mut env);
            let expected = integer_reference(a, fraction_bits, rounding, Saturation::Arm, range);
            assert_eq!(got.into(), expected.0, "{a:#x} with {fraction_bits} fraction bits");
        }
    }
}

#[test]
fn integers_of_all_numbers() {
    integers_of_all(i16::MIN, i16::MAX);
    integers_of_all(u16::MIN, u16::MAX);
    integers_of_all(i32::MIN, i32::MAX);
    integers_of_all(u32::MIN, u32::MAX);
    integers_of_all(i64::MIN, i64::MAX);
    integers_of_all(u64::MIN, u64::MAX);
}

#[test]
fn numbers_of_integers() {
    for value in i16::MIN..=i16::MAX {
        let exact = Exact::Ratio(u128::from(value.unsigned_abs()) << 24, 1);
        check(&value, value < 0, exact, |env| from_int::<F16, i16>(value, env));
        let unsigned = value as u16;
        let exact = Exact::Ratio(u128::from(unsigned) << 24, 1);
        check(&unsigned, false, exact, |env| from_int::<F16, u16>(unsigned, env));
    }
    let mut random = Random(4);
    for _ in 0..200_000 {
        let value = random.integer() as i64;
        let exact = Exact::Ratio(u128::from(value.unsigned_abs()) << 24, 1);
        check(&value, value < 0, exact, |env| from_int::<F16, i64>(value, env));
        let unsigned = value as u64;
        let fraction_bits = random.below(65) as u32;
        let exact = Exact::Ratio(u128::from(unsigned) << 24, 1 << fraction_bits);
        check(&(value, fraction_bits), false, exact, |env| {
            from_fixed::<F16, u64>(unsigned, fraction_bits, env)
        });
    }
}

#[test]
fn classes_of_all() {
    use core::num::FpCategory::{Infinite, Nan, Normal, Subnormal, Zero};
    for a in 0..=u16::MAX {
        // As a single the number has the same class but for subnormals.
        let single = f32::from_bits(convert::<F16, F32>(a, &mut Env::arm(Rounding::NearestEven)));
        let subnormal = matches!(a & MAGNITUDE, 1..0x400);
        let expected = match (single.classify(), a >> 15 != 0) {
            (Nan, _) => {
                if a & 0x200 == 0 {
                    8
                } else {
                    9
                }
            }
            (Infinite, negative) => {
                if negative {
                    0
                } else {
                    7
                }
            }
            (Normal | Subnormal, negative) if subnormal => {
                if negative {
                    2
                } else {
                    5
                }
            }
            (Normal | Subnormal, negative) => {
                if negative {
                    1
                } else {
                    6
                }
            }
            (Zero, negative) => {
                if negative {
                    3
                } else {
                    4
                }
            }
        };
        assert_eq!(classify::<F16>(a), 1 << expected, "{a:#x}");
    }
}

#[test]
fn relations() {
    let mut random = Random(5);
    for _ in 0..1_000_000 {
        let (a, b) = random.pair::<F16>();
        let mut env = Env::arm(Rounding::NearestEven);
        let wide = |bits| f64::from_bits(convert::<F16, F64>(bits, &mut env.clone()));
        let expected = match wide(a).partial_cmp(&wide(b)) {
            Some(Ordering::Less) => Relation::Less,
            Some(Ordering::Equal) => Relation::Equal,
            Some(Ordering::Greater) => Relation::Greater,
            None => Relation::Unordered,
        };
        assert_eq!(compare::<F16>(a, b, true, &mut env), expected, "{a:#x} {b:#x}");
        let invalid = env.flags.contains(Flags::INVALID);
        assert_eq!(invalid, expected == Relation::Unordered);
    }
}

#[test]
fn bfloat_is_the_upper_half_of_a_single() {
    let mut random = Random(6);
    for _ in 0..1_000_000 {
        let single = random.number::<F32>();
        if f32::from_bits(single).is_nan() {
            continue;
        }
        // Numbers of one sign are as dense as their bits, subnormals included.
        let (upper, lower) = ((single >> 16) as u16, single as u16);
        let up = lower > 0x8000 || (lower == 0x8000 && upper & 1 != 0);
        let mut env = Env::riscv(Rounding::NearestEven);
        assert_eq!(convert::<F32, BF16>(single, &mut env), upper + u16::from(up), "{single:#x}");
        assert_eq!(env.flags.contains(Flags::INEXACT), lower != 0);
        assert_eq!(convert::<BF16, F32>(upper, &mut env), u32::from(upper) << 16);
    }
}
