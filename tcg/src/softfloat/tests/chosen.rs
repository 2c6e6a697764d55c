//! Chosen cases: what no host unit of ours shows.

use crate::softfloat::{
    Env, F32, F64, Flags, MinMax, NanRule, Negate, Rounding, Saturation, Tininess, add, convert,
    div, eq, fma, is_signaling, le, lt, max, min, mul, round_to_integral, sqrt, sub, to_int,
    unordered,
};

const QUIET: u64 = 0x7ff8_0000_0000_0000;
const SIGNALING: u64 = 0x7ff0_0000_0000_0000;
const INFINITY: u64 = 0x7ff0_0000_0000_0000;
const NEGATIVE: u64 = 1 << 63;
const LEAST_NORMAL: u64 = 0x0010_0000_0000_0000;
const ONE: u64 = 0x3ff0_0000_0000_0000;

fn bits(value: f64) -> u64 {
    value.to_bits()
}

#[test]
fn ties_go_away_from_zero() {
    let mut env = Env::riscv(Rounding::NearestMaxMagnitude);
    let half_step = bits(f64::EPSILON / 2.0);
    assert_eq!(add::<F64>(ONE, half_step, &mut env), ONE + 1);
    assert_eq!(sub::<F64>(NEGATIVE | ONE, half_step, &mut env), (NEGATIVE | ONE) + 1);
    assert_eq!(env.flags, Flags::INEXACT);
    // Just below the tie.
    assert_eq!(add::<F64>(ONE, half_step - 1, &mut env), ONE);
    let int = |value: f64, env: &mut Env| {
        to_int::<F64, i64>(bits(value), env.rounding, Saturation::RiscV, env)
    };
    assert_eq!(int(2.5, &mut env), 3);
    assert_eq!(int(-2.5, &mut env), -3);
    assert_eq!(int(0.5, &mut env), 1);
    assert_eq!(int(0.499_999_999_999_999_94, &mut env), 0);
    let rounding = env.rounding;
    assert_eq!(round_to_integral::<F64>(bits(-0.5), rounding, true, &mut env), bits(-1.0));
    assert_eq!(round_to_integral::<F64>(bits(-0.25), rounding, true, &mut env), bits(-0.0));
    // A single between two subnormal ones, and overflow from the last tie.
    assert_eq!(convert::<F64, F32>(bits((-150f64).exp2()), &mut env), 1);
    let tie = bits(f64::from(f32::MAX) + (103f64).exp2());
    let mut env = Env::riscv(Rounding::NearestMaxMagnitude);
    assert_eq!(convert::<F64, F32>(tie, &mut env), f32::INFINITY.to_bits());
    assert_eq!(env.flags, Flags::OVERFLOW | Flags::INEXACT);
    let mut env = Env::riscv(Rounding::NearestMaxMagnitude);
    assert_eq!(convert::<F64, F32>(tie - 1, &mut env), f32::MAX.to_bits());
    assert_eq!(env.flags, Flags::INEXACT);
}

#[test]
fn tininess_before_and_after() {
    // A step of 2^-1074 below the least normal number, and a little above that: tiny in any case.
    let below = bits((-511f64).exp2()) - 1;
    for tininess in [Tininess::BeforeRounding, Tininess::AfterRounding] {
        let square = mul_in(below, below, tininess);
        assert_eq!(square, (LEAST_NORMAL - 1, Flags::UNDERFLOW | Flags::INEXACT));
    }
    // 2^-1022 - 2^-1077, as a fused operation: after rounding to 53 bits it is 2^-1022.
    for (tininess, flags) in [
        (Tininess::BeforeRounding, Flags::UNDERFLOW | Flags::INEXACT),
        (Tininess::AfterRounding, Flags::INEXACT),
    ] {
        let mut env = Env { tininess, ..Env::riscv(Rounding::NearestEven) };
        let minus = Negate { product: true, addend: false };
        let small = bits((-600f64).exp2());
        let smaller = bits((-477f64).exp2());
        let got = fma::<F64>(small, smaller, LEAST_NORMAL, minus, &mut env);
        assert_eq!((got, env.flags), (LEAST_NORMAL, flags), "{tininess:?}");
    }
    // An exact subnormal result is tiny and raises nothing.
    let half = mul_in(LEAST_NORMAL, bits(0.5), Tininess::BeforeRounding);
    assert_eq!(half, (LEAST_NORMAL / 2, Flags::NONE));
}

fn mul_in(a: u64, b: u64, tininess: Tininess) -> (u64, Flags) {
    let mut env = Env { tininess, ..Env::riscv(Rounding::NearestEven) };
    (mul::<F64>(a, b, &mut env), env.flags)
}

#[test]
fn rounding_to_odd_makes_double_rounding_exact() {
    let mut odd = Env::arm(Rounding::Odd);
    let third = div::<F64>(ONE, bits(3.0), &mut odd);
    assert_eq!(third & 1, 1);
    let greatest = mul::<F64>(bits(f64::MAX), bits(f64::MAX), &mut odd);
    assert_eq!(greatest, bits(f64::MAX));
    assert!(odd.flags.contains(Flags::OVERFLOW | Flags::INEXACT));
    assert_eq!(mul::<F64>(1, bits(0.25), &mut odd), 1);
}

#[test]
fn signs_of_exact_zeros() {
    for (rounding, expected) in [(Rounding::NearestEven, 0), (Rounding::Down, NEGATIVE)] {
        let mut env = Env::riscv(rounding);
        assert_eq!(sub::<F64>(ONE, ONE, &mut env), expected);
        assert_eq!(add::<F64>(0, NEGATIVE, &mut env), expected);
        assert_eq!(add::<F64>(NEGATIVE, NEGATIVE, &mut env), NEGATIVE);
        let minus = Negate { product: false, addend: true };
        assert_eq!(fma::<F64>(ONE, ONE, ONE, minus, &mut env), expected);
        assert_eq!(sqrt::<F64>(NEGATIVE, &mut env), NEGATIVE);
        assert_eq!(env.flags, Flags::NONE);
    }
}

#[test]
fn arm_chooses_signalling_operands_first() {
    let (quiet, signaling) = (QUIET | 1, NEGATIVE | SIGNALING | 2);
    let quieted = signaling | 1 << 51;
    let mut env = Env::arm(Rounding::NearestEven);
    assert_eq!(add::<F64>(quiet, ONE, &mut env), quiet);
    assert_eq!(env.flags, Flags::NONE);
    assert_eq!(add::<F64>(quiet, signaling, &mut env), quieted);
    assert_eq!(env.flags, Flags::INVALID);
    assert_eq!(mul::<F64>(QUIET | 3, quiet, &mut env), QUIET | 3);
    // A fused operation looks at the addend first.
    let plain = Negate::default();
    assert_eq!(fma::<F64>(QUIET | 3, QUIET | 4, quiet, plain, &mut env), quiet);
    assert_eq!(fma::<F64>(signaling, ONE, quiet, plain, &mut env), quieted);
    // Zero times infinity beats a quiet addend, not a signalling one.
    assert_eq!(fma::<F64>(0, INFINITY, quiet, plain, &mut env), QUIET);
    assert_eq!(fma::<F64>(0, INFINITY, signaling, plain, &mut env), quieted);
    let mut env = Env { nan: NanRule::Canonical, ..env };
    assert_eq!(add::<F64>(quiet, signaling, &mut env), QUIET);
}

#[test]
fn riscv_zero_times_infinity_is_invalid_even_with_a_quiet_addend() {
    let mut env = Env::riscv(Rounding::NearestEven);
    assert_eq!(fma::<F64>(INFINITY, 0, QUIET, Negate::default(), &mut env), QUIET);
    assert_eq!(env.flags, Flags::INVALID);
}

#[test]
fn payloads_travel_between_formats() {
    let mut env = Env::arm(Rounding::NearestEven);
    assert_eq!(convert::<F32, F64>(0xffa0_0001, &mut env), 0xfffc_0000_2000_0000);
    assert_eq!(env.flags, Flags::INVALID);
    assert_eq!(convert::<F64, F32>(0x7ff8_0000_2000_0001, &mut env), 0x7fc0_0001);
    let mut env = Env::riscv(Rounding::NearestEven);
    assert_eq!(convert::<F32, F64>(0xffff_ffff, &mut env), QUIET);
    assert_eq!(env.flags, Flags::NONE);
}

/// A rule, the operands, the minimum, the maximum, the flags of either.
type MinMaxCase = (MinMax, u64, u64, u64, u64, Flags);

#[test]
fn minima_and_maxima() {
    let two = bits(2.0);
    let quiet = QUIET | 7;
    let signaling = SIGNALING | 5;
    let quieted = signaling | 1 << 51;
    let cases: [MinMaxCase; 16] = [
        (MinMax::Number2019, ONE, two, ONE, two, Flags::NONE),
        (MinMax::Number2019, 0, NEGATIVE, NEGATIVE, 0, Flags::NONE),
        (MinMax::Number2019, quiet, two, two, two, Flags::NONE),
        (MinMax::Number2019, ONE, signaling, ONE, ONE, Flags::INVALID),
        (MinMax::Number2019, quiet, quiet, QUIET, QUIET, Flags::NONE),
        (MinMax::Number2008, quiet, two, two, two, Flags::NONE),
        (MinMax::Number2008, NEGATIVE, 0, NEGATIVE, 0, Flags::NONE),
        (MinMax::Number2008, ONE, signaling, quieted, quieted, Flags::INVALID),
        (MinMax::Number2008, quiet, signaling, quieted, quieted, Flags::INVALID),
        (MinMax::Number2008, quiet, QUIET, quiet, quiet, Flags::NONE),
        (MinMax::Propagate, NEGATIVE, 0, NEGATIVE, 0, Flags::NONE),
        (MinMax::Propagate, ONE, quiet, quiet, quiet, Flags::NONE),
        (MinMax::Propagate, NEGATIVE | two, ONE, NEGATIVE | two, ONE, Flags::NONE),
        (MinMax::X86, 0, NEGATIVE, NEGATIVE, NEGATIVE, Flags::NONE),
        (MinMax::X86, quiet, two, two, two, Flags::INVALID),
        (MinMax::X86, ONE, signaling, signaling, signaling, Flags::INVALID),
    ];
    for case @ (rule, a, b, least, greatest, flags) in cases {
        // The rules that make NaNs of two, RISC-V's apart, are Arm's.
        let env = match rule {
            MinMax::Number2019 => Env::riscv(Rounding::NearestEven),
            _ => Env::arm(Rounding::NearestEven),
        };
        for (operation, expected) in
            [(min::<F64> as fn(_, _, _, &mut _) -> _, least), (max::<F64>, greatest)]
        {
            let mut env = env;
            assert_eq!(operation(a, b, rule, &mut env), expected, "{case:x?}");
            assert_eq!(env.flags, flags, "{case:x?}");
        }
    }
}

#[test]
fn quiet_and_signalling_relations() {
    let signaling = SIGNALING | 1;
    assert!(is_signaling::<F64>(signaling) && !is_signaling::<F64>(QUIET));
    for (nan, quiet_flags) in [(QUIET, Flags::NONE), (signaling, Flags::INVALID)] {
        let mut env = Env::riscv(Rounding::NearestEven);
        assert!(!eq::<F64>(nan, nan, &mut env));
        assert!(unordered::<F64>(ONE, nan, &mut env));
        assert_eq!(env.flags, quiet_flags);
        assert!(!lt::<F64>(ONE, nan, &mut env));
        assert!(!le::<F64>(nan, nan, &mut env));
        assert_eq!(env.flags, Flags::INVALID);
    }
    let mut env = Env::riscv(Rounding::NearestEven);
    assert!(eq::<F64>(0, NEGATIVE, &mut env) && le::<F64>(0, NEGATIVE, &mut env));
    assert!(!lt::<F64>(NEGATIVE, 0, &mut env));
    assert!(lt::<F64>(NEGATIVE | INFINITY, NEGATIVE | ONE, &mut env));
    assert_eq!(env.flags, Flags::NONE);
}

#[test]
fn arm_flushes_before_rounding_and_says_so() {
    let flush = Env { flush_inputs: true, flush_outputs: true, ..Env::arm(Rounding::Up) };
    let mut env = flush;
    assert_eq!(add::<F64>(1, NEGATIVE | 1, &mut env), 0);
    assert_eq!(env.flags, Flags::INPUT_FLUSHED);
    let mut env = flush;
    assert_eq!(mul::<F64>(NEGATIVE | LEAST_NORMAL, bits(0.5), &mut env), NEGATIVE);
    assert_eq!(env.flags, Flags::UNDERFLOW);
    let mut env = flush;
    assert!(eq::<F64>(1, 0, &mut env));
    assert_eq!(min::<F64>(NEGATIVE | 1, ONE, MinMax::Propagate, &mut env), NEGATIVE);
    let rounding = env.rounding;
    assert_eq!(round_to_integral::<F64>(1, rounding, true, &mut env), 0);
    assert_eq!(to_int::<F64, i32>(1, rounding, Saturation::Arm, &mut env), 0);
    assert_eq!(env.flags, Flags::INPUT_FLUSHED);
    // A NaN beside it: the operand was looked at all the same.
    let mut env = flush;
    assert_eq!(add::<F64>(QUIET, 1, &mut env), QUIET);
    assert_eq!(env.flags, Flags::INPUT_FLUSHED);
}
