//! Software against hardware: results and flags, in all rounding modes, with and without flushing.
#![deny(unsafe_code)]

use core::fmt::Debug;

use super::{Answer, DAZ, FTZ, MASKED, RC_SHIFT};
use crate::softfloat::tests::cases::Random;
use crate::softfloat::{
    self, Env, F16, F32, F64, Flags, Integer, MinMax, Negate, Rounding, Saturation, add, convert,
    div, fma, from_int, mul, round_to_integral, sqrt, sub, to_int,
};

/// Cases per operation and format.
const CASES: u32 = 1_000_000;
/// In the order of MXCSR's rounding control.
const ROUNDINGS: [Rounding; 4] =
    [Rounding::NearestEven, Rounding::Down, Rounding::Up, Rounding::TowardZero];

/// An environment and the MXCSR that asks for the same. A quarter of the cases flushes something.
fn controls(random: &mut Random) -> (Env, u32) {
    let mode = random.below(4);
    let flush = if random.below(4) == 0 { random.below(4) } else { 0 };
    let env = Env {
        flush_inputs: flush & 1 != 0,
        flush_outputs: flush & 2 != 0,
        ..Env::x86(ROUNDINGS[mode as usize])
    };
    let daz = if env.flush_inputs { DAZ } else { 0 };
    let ftz = if env.flush_outputs { FTZ } else { 0 };
    (env, MASKED | (mode as u32) << RC_SHIFT | daz | ftz)
}

/// Compares an operation with an instruction on random operands.
fn compare<A: Copy + Debug, R: PartialEq + Debug>(
    name: &str,
    operands: impl Fn(&mut Random) -> A,
    software: impl Fn(A, &mut Env) -> R,
    hardware: impl Fn(A, u32) -> Answer<R>,
) {
    let mut random =
        Random(name.bytes().fold(7, |seed, byte| seed.rotate_left(7) ^ u64::from(byte)));
    for _ in 0..CASES {
        let operands = operands(&mut random);
        let (mut env, control) = controls(&mut random);
        let start = env;
        let result = software(operands, &mut env);
        let got = (result, u32::from(env.flags.to_sse()));
        let expected = hardware(operands, control);
        assert!(
            got == expected,
            "{name} of {operands:x?}: software {got:x?}, hardware {expected:x?}, {start:?}"
        );
    }
}

fn pair64(random: &mut Random) -> (u64, u64) {
    random.pair::<F64>()
}

fn pair32(random: &mut Random) -> (u32, u32) {
    random.pair::<F32>()
}

fn one64(random: &mut Random) -> u64 {
    random.number::<F64>()
}

fn one32(random: &mut Random) -> u32 {
    random.number::<F32>()
}

type Two<T> = fn(T, T, &mut Env) -> T;
type HostTwo<T> = fn(T, T, u32) -> Answer<T>;

#[test]
fn arithmetic() {
    let doubles: [(&str, Two<u64>, HostTwo<u64>); 4] = [
        ("add64", add::<F64>, super::add64),
        ("sub64", sub::<F64>, super::sub64),
        ("mul64", mul::<F64>, super::mul64),
        ("div64", div::<F64>, super::div64),
    ];
    for (name, software, hardware) in doubles {
        compare(name, pair64, |(a, b), env| software(a, b, env), |(a, b), c| hardware(a, b, c));
    }
    let singles: [(&str, Two<u32>, HostTwo<u32>); 4] = [
        ("add32", add::<F32>, super::add32),
        ("sub32", sub::<F32>, super::sub32),
        ("mul32", mul::<F32>, super::mul32),
        ("div32", div::<F32>, super::div32),
    ];
    for (name, software, hardware) in singles {
        compare(name, pair32, |(a, b), env| software(a, b, env), |(a, b), c| hardware(a, b, c));
    }
}

#[test]
fn square_roots() {
    compare("sqrt64", one64, sqrt::<F64>, super::sqrt64);
    compare("sqrt32", one32, sqrt::<F32>, super::sqrt32);
    // Squares and their neighbours, where the last digit of the root is hardest to get right.
    let square = |random: &mut Random| {
        let root = random.bits() >> random.below(40) | 1;
        let square = (root >> 11) as f64 * (root >> 11) as f64;
        square.to_bits().wrapping_add(random.below(3)).wrapping_sub(1)
    };
    compare("square", square, sqrt::<F64>, super::sqrt64);
}

#[test]
fn minima_and_maxima() {
    use softfloat::{max, min};
    let rule = MinMax::X86;
    let host = |f: HostTwo<u64>| move |(a, b): (u64, u64), control| f(a, b, control);
    compare("min64", pair64, |(a, b), env| min::<F64>(a, b, rule, env), host(super::min64));
    compare("max64", pair64, |(a, b), env| max::<F64>(a, b, rule, env), host(super::max64));
    let host = |f: HostTwo<u32>| move |(a, b): (u32, u32), control| f(a, b, control);
    compare("min32", pair32, |(a, b), env| min::<F32>(a, b, rule, env), host(super::min32));
    compare("max32", pair32, |(a, b), env| max::<F32>(a, b, rule, env), host(super::max32));
}

#[test]
fn relations() {
    use softfloat::{eq, le, lt, unordered};
    type Holds<T> = fn(T, T, &mut Env) -> bool;
    let doubles: [(&str, Holds<u64>, HostTwo<u64>); 4] = [
        ("eq64", eq::<F64>, super::eq64),
        ("lt64", lt::<F64>, super::lt64),
        ("le64", le::<F64>, super::le64),
        ("unordered64", unordered::<F64>, super::unordered64),
    ];
    for (name, software, hardware) in doubles {
        let software = |(a, b), env: &mut Env| u64::from(software(a, b, env)).wrapping_neg();
        compare(name, pair64, software, |(a, b), control| hardware(a, b, control));
    }
    let singles: [(&str, Holds<u32>, HostTwo<u32>); 4] = [
        ("eq32", eq::<F32>, super::eq32),
        ("lt32", lt::<F32>, super::lt32),
        ("le32", le::<F32>, super::le32),
        ("unordered32", unordered::<F32>, super::unordered32),
    ];
    for (name, software, hardware) in singles {
        let software = |(a, b), env: &mut Env| u32::from(software(a, b, env)).wrapping_neg();
        compare(name, pair32, software, |(a, b), control| hardware(a, b, control));
    }
}

/// Three operands; the third often cancels most of the product.
fn three<T: Copy>(
    random: &mut Random,
    pair: fn(&mut Random) -> (T, T),
    one: fn(&mut Random) -> T,
    minus_product: impl Fn(T, T) -> T,
) -> (T, T, T) {
    let (a, b) = pair(random);
    match random.below(4) {
        0 => (a, b, minus_product(a, b)),
        1 => (a, one(random), b),
        _ => (a, b, one(random)),
    }
}

const NEGATIONS: [Negate; 4] = [
    Negate { product: false, addend: false },
    Negate { product: false, addend: true },
    Negate { product: true, addend: false },
    Negate { product: true, addend: true },
];

type HostThree<T> = fn(T, T, T, u32) -> Answer<T>;

#[test]
fn fused() {
    if !std::arch::is_x86_feature_detected!("fma") {
        return;
    }
    let names = ["madd", "msub", "nmadd", "nmsub"];
    let doubles: [HostThree<u64>; 4] =
        [super::madd64, super::msub64, super::nmadd64, super::nmsub64];
    for ((name, negate), hardware) in names.into_iter().zip(NEGATIONS).zip(doubles) {
        let minus = |a, b| super::mul64(a, b, MASKED).0 ^ 1 << 63;
        compare(
            name,
            |random| three(random, pair64, one64, minus),
            |(a, b, c), env| fma::<F64>(a, b, c, negate, env),
            |(a, b, c), control| hardware(a, b, c, control),
        );
    }
    let singles: [HostThree<u32>; 4] =
        [super::madd32, super::msub32, super::nmadd32, super::nmsub32];
    for ((name, negate), hardware) in names.into_iter().zip(NEGATIONS).zip(singles) {
        let minus = |a, b| super::mul32(a, b, MASKED).0 ^ 1 << 31;
        compare(
            name,
            |random| three(random, pair32, one32, minus),
            |(a, b, c), env| fma::<F32>(a, b, c, negate, env),
            |(a, b, c), control| hardware(a, b, c, control),
        );
    }
}

#[test]
fn between_formats() {
    compare("narrow", one64, convert::<F64, F32>, super::narrow);
    compare("widen", one32, convert::<F32, F64>, super::widen);
    if !std::arch::is_x86_feature_detected!("f16c") {
        return;
    }
    // Subnormal halves are made and taken whatever DAZ and FTZ say, and raise no DE.
    let narrow = |a, env: &mut Env| {
        env.flush_outputs = false;
        convert::<F32, F16>(a, env)
    };
    compare("half of single", one32, narrow, super::half_of_32);
    let widen = |a, env: &mut Env| {
        env.flush_inputs = false;
        let single = convert::<F16, F32>(a, env);
        no_de(env);
        single
    };
    compare("half to single", |random| random.number::<F16>(), widen, super::half_to_32);
}

/// Takes back the flag for subnormal operands, which some conversions do not raise.
fn no_de(env: &mut Env) {
    env.flags = Flags::from_bits(env.flags.bits() & !Flags::INPUT_SUBNORMAL.bits());
}

fn int64<I: Integer>(a: u64, env: &mut Env) -> I {
    let rounding = env.rounding;
    let result = to_int::<F64, I>(a, rounding, Saturation::X86, env);
    no_de(env);
    result
}

fn int32<I: Integer>(a: u32, env: &mut Env) -> I {
    let rounding = env.rounding;
    let result = to_int::<F32, I>(a, rounding, Saturation::X86, env);
    no_de(env);
    result
}

fn toward_zero<T, R>(f: fn(T, &mut Env) -> R) -> impl Fn(T, &mut Env) -> R {
    move |a, env| {
        env.rounding = Rounding::TowardZero;
        f(a, env)
    }
}

#[test]
fn to_integers() {
    compare("i32 of 64", one64, int64::<i32>, super::i32_of_64);
    compare("i64 of 64", one64, int64::<i64>, super::i64_of_64);
    compare("i32 of 32", one32, int32::<i32>, super::i32_of_32);
    compare("i64 of 32", one32, int32::<i64>, super::i64_of_32);
    let cut = super::truncated_i32_of_64;
    compare("truncated i32 of 64", one64, toward_zero(int64::<i32>), cut);
    let cut = super::truncated_i64_of_64;
    compare("truncated i64 of 64", one64, toward_zero(int64::<i64>), cut);
    let cut = super::truncated_i32_of_32;
    compare("truncated i32 of 32", one32, toward_zero(int32::<i32>), cut);
    let cut = super::truncated_i64_of_32;
    compare("truncated i64 of 32", one32, toward_zero(int32::<i64>), cut);
    if std::arch::is_x86_feature_detected!("avx512f") {
        compare("u32 of 64", one64, int64::<u32>, super::u32_of_64);
        compare("u64 of 64", one64, int64::<u64>, super::u64_of_64);
        compare("u32 of 32", one32, int32::<u32>, super::u32_of_32);
        compare("u64 of 32", one32, int32::<u64>, super::u64_of_32);
    }
}

#[test]
fn from_integers() {
    let i32s = |random: &mut Random| random.integer() as i32;
    let i64s = |random: &mut Random| random.integer() as i64;
    compare("i32 to 64", i32s, from_int::<F64, i32>, super::i32_to_64);
    compare("i64 to 64", i64s, from_int::<F64, i64>, super::i64_to_64);
    compare("i32 to 32", i32s, from_int::<F32, i32>, super::i32_to_32);
    compare("i64 to 32", i64s, from_int::<F32, i64>, super::i64_to_32);
    if std::arch::is_x86_feature_detected!("avx512f") {
        compare("u64 to 64", Random::integer, from_int::<F64, u64>, super::u64_to_64);
        compare("u64 to 32", Random::integer, from_int::<F32, u64>, super::u64_to_32);
    }
}

#[test]
fn integral_values() {
    if !std::arch::is_x86_feature_detected!("sse4.1") {
        return;
    }
    fn by_env64(a: u64, signal: bool, env: &mut Env) -> u64 {
        let rounding = env.rounding;
        round_to_integral::<F64>(a, rounding, signal, env)
    }
    fn by_env32(a: u32, signal: bool, env: &mut Env) -> u32 {
        let rounding = env.rounding;
        round_to_integral::<F32>(a, rounding, signal, env)
    }
    compare("integral 64", one64, |a, env| by_env64(a, true, env), super::integral64);
    compare("integral 32", one32, |a, env| by_env32(a, true, env), super::integral32);
    let quiet = super::quiet_integral64;
    compare("quiet integral 64", one64, |a, env| by_env64(a, false, env), quiet);
    let quiet = super::quiet_integral32;
    compare("quiet integral 32", one32, |a, env| by_env32(a, false, env), quiet);
}
