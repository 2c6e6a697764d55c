//! Estimates of reciprocals and of reciprocal square roots `[ARM-ARM FPRecipEstimate]`, and the
//! steps that improve them.

use arch::aarch64::Cpu;
use arch::aarch64::state::{fpcr, fpsr};

use super::fp;
use super::soft::{estimate, is_nan, sqrt_estimate};
use crate::builder::{Fmt, FpOp, Rm};
use crate::softfloat::{self, Env, F32, F64, Flags, Format, Negate, Rounding};

/// A NaN goes through an operation that gives it back.
fn quiet(cpu: &mut Cpu, fmt: Fmt, a: u64) -> u64 {
    fp::execute(cpu, FpOp::Round(false), fmt, Rm::Dynamic, [a, 0, 0])
}

/// The parts of a number.
struct Parts {
    sign: u64,
    exp: i64,
    frac: u64,
    frac_bits: u32,
    max: i64,
    bias: i64,
}

fn parts<F: Format>(a: u64) -> Parts {
    let frac_bits = F::FRAC_BITS;
    Parts {
        sign: a & 1 << (F::EXP_BITS + frac_bits),
        exp: (a >> frac_bits & ((1 << F::EXP_BITS) - 1)) as i64,
        frac: a & ((1 << frac_bits) - 1),
        frac_bits,
        max: i64::from(F::MAX_BIASED),
        bias: i64::from(F::BIAS),
    }
}

fn parts_of(cpu: &mut Cpu, fmt: Fmt, a: u64) -> Parts {
    let mut p = match fmt {
        Fmt::S => parts::<F32>(a),
        Fmt::D => parts::<F64>(a),
    };
    if cpu.fpcr & fpcr::FLUSH != 0 && p.exp == 0 && p.frac != 0 {
        p.frac = 0;
        cpu.fpsr |= fpsr::INPUT_DENORMAL;
    }
    p
}

/// The eight bits behind the leading one of a fraction that was normalized; the exponent goes down.
fn normalized(p: &mut Parts) -> u64 {
    if p.exp == 0 {
        let shift = p.frac.leading_zeros() - (63 - p.frac_bits);
        p.frac = p.frac << shift & ((1 << p.frac_bits) - 1);
        p.exp = 1 - i64::from(shift);
    }
    p.frac
}

/// FRECPE.
pub(super) fn recip(cpu: &mut Cpu, fmt: Fmt, a: u64) -> u64 {
    if is_nan(fmt, a) {
        return quiet(cpu, fmt, a);
    }
    let mut p = parts_of(cpu, fmt, a);
    let infinity = (p.max as u64) << p.frac_bits;
    if p.exp == p.max {
        return p.sign;
    }
    if p.exp == 0 && p.frac == 0 {
        fp::raise(cpu, Flags::DIVIDE_BY_ZERO);
        return p.sign | infinity;
    }
    if p.exp == 0 && p.frac >> (p.frac_bits - 2) == 0 {
        return overflow(cpu, &p, infinity);
    }
    let frac = normalized(&mut p);
    let exp = 2 * p.bias - 1 - p.exp;
    if cpu.fpcr & fpcr::FLUSH != 0 && exp <= 0 {
        fp::raise(cpu, Flags::UNDERFLOW);
        return p.sign;
    }
    let value = estimate(256 | (frac >> (p.frac_bits - 8)) as u32);
    let mut frac = u64::from(value & 0xff) << (p.frac_bits - 8);
    // What is no normal number any more is moved to the right.
    let top = 1 << (p.frac_bits - 1);
    let biased = match exp {
        0 => {
            frac = top | frac >> 1;
            0
        }
        -1 => {
            frac = top >> 1 | frac >> 2;
            0
        }
        exp => exp as u64,
    };
    p.sign | biased << p.frac_bits | frac
}

/// A reciprocal too large for the format.
fn overflow(cpu: &mut Cpu, p: &Parts, infinity: u64) -> u64 {
    fp::raise(cpu, Flags::OVERFLOW | Flags::INEXACT);
    let to_infinity = match fp::rounding(fp::rounding_number(cpu)) {
        Rounding::Up => p.sign == 0,
        Rounding::Down => p.sign != 0,
        Rounding::TowardZero => false,
        _ => true,
    };
    p.sign | if to_infinity { infinity } else { infinity - 1 }
}

/// FRSQRTE.
pub(super) fn recip_sqrt(cpu: &mut Cpu, fmt: Fmt, a: u64) -> u64 {
    if is_nan(fmt, a) {
        return quiet(cpu, fmt, a);
    }
    let mut p = parts_of(cpu, fmt, a);
    let infinity = (p.max as u64) << p.frac_bits;
    if p.exp == 0 && p.frac == 0 {
        fp::raise(cpu, Flags::DIVIDE_BY_ZERO);
        return p.sign | infinity;
    }
    if p.sign != 0 {
        fp::raise(cpu, Flags::INVALID);
        return infinity | 1 << (p.frac_bits - 1);
    }
    if p.exp == p.max {
        return 0;
    }
    let frac = normalized(&mut p);
    // Nine bits, the highest of which says whether the exponent is even.
    let value = if p.exp & 1 == 0 {
        sqrt_estimate(256 | (frac >> (p.frac_bits - 8)) as u32)
    } else {
        sqrt_estimate(128 | (frac >> (p.frac_bits - 7)) as u32)
    };
    let exp = (3 * p.bias - 1 - p.exp) >> 1;
    (exp as u64) << p.frac_bits | u64::from(value & 0xff) << (p.frac_bits - 8)
}

/// FRECPX: the exponent complemented, nothing behind the point.
pub(super) fn recip_exponent(cpu: &mut Cpu, fmt: Fmt, a: u64) -> u64 {
    if is_nan(fmt, a) {
        return quiet(cpu, fmt, a);
    }
    let p = parts_of(cpu, fmt, a);
    let exp = if p.exp == 0 { p.max - 1 } else { p.exp ^ p.max };
    p.sign | (exp as u64) << p.frac_bits
}

/// (3 + a * b) / 2 with one rounding, which is the half of 3 + a * b wherever that has one.
pub(super) fn half_of_three_plus<F: Format<Sig = u64>>(cpu: &mut Cpu, a: u64, b: u64) -> u64 {
    let mut env = fp::environment(cpu, Rm::Dynamic);
    let result = halved::<F>(a, b, &mut env);
    fp::raise(cpu, env.flags);
    result
}

fn halved<F: Format<Sig = u64>>(a: u64, b: u64, env: &mut Env) -> u64 {
    let step = 1 << F::FRAC_BITS;
    let one_and_half = ((F::BIAS as u64) << F::FRAC_BITS) + step / 2;
    let exponent = |v: u64| v >> F::FRAC_BITS & F::MAX_BIASED as u64;
    let sum = |a: u64, b: u64, c: u64, env: &mut Env| {
        let [a, b, c] = [a, b, c].map(F::from_word);
        F::to_word(softfloat::fma::<F>(a, b, c, Negate::default(), env))
    };
    let mut trial = *env;
    let whole = sum(a, b, one_and_half + step, &mut trial);
    if trial.flags.contains(Flags::OVERFLOW) {
        // Its half may not overflow: half of a factor first, which is exact.
        let (large, other) = if exponent(a) >= exponent(b) { (a, b) } else { (b, a) };
        return sum(large - step, other, one_and_half, env);
    }
    *env = trial;
    // Zero, infinities and NaNs have no half. A sum with three is never tiny but zero.
    let halves = (2..F::MAX_BIASED as u64).contains(&exponent(whole));
    if halves { whole - step } else { whole }
}
