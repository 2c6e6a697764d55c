//! Floating point in software, under FPCR, with the flags in FPSR `[ARM-ARM A1.5]`.

use arch::aarch64::Cpu;
use arch::aarch64::state::{fpcr, fpsr};

use crate::builder::{Fmt, FpOp, IntTy, Rm};
use crate::guest::FpMode;
use crate::guest::fp::{Rules, from_fixed};
use crate::softfloat::{
    self, Env, F16, F32, F64, Flags, Format, MinMax, NanRule, Rounding, Saturation,
};

const RULES: Rules = Rules {
    min_max: MinMax::Propagate,
    min_max_num: MinMax::Number2008,
    saturation: Saturation::Arm,
    negates_operands: true,
};

/// Bits of the guest's mode: what of FPCR translated code depends on.
mod mode {
    /// Rounding is not to nearest.
    pub(super) const ROUNDS: u32 = 1;
    /// All NaNs are the default one.
    pub(super) const DEFAULT_NAN: u32 = 2;
    /// Subnormal numbers are flushed to zero: software computes everything.
    pub(super) const FLUSHES: u32 = 4;
}

/// The numbers of rounding modes that the tables use: as the engine's first four, and two more.
const TIES_AWAY: u8 = 4;
/// To odd.
pub(super) const ODD: u8 = 5;

/// What of FPCR is in the mode.
pub(super) fn mode_of(cpu: &Cpu) -> u32 {
    let bit = |of: u64, bit: u32| if cpu.fpcr & of != 0 { bit } else { 0 };
    bit(fpcr::ROUNDING, mode::ROUNDS)
        | bit(fpcr::DEFAULT_NAN, mode::DEFAULT_NAN)
        | bit(fpcr::FLUSH, mode::FLUSHES)
}

pub(super) fn fp_mode(mode: u32) -> FpMode {
    if mode & mode::FLUSHES != 0 {
        FpMode::Soft
    } else if mode & mode::ROUNDS != 0 {
        FpMode::Host
    } else {
        FpMode::Nearest
    }
}

pub(super) fn nan_rule(mode: u32) -> NanRule {
    if mode & mode::DEFAULT_NAN != 0 { NanRule::Canonical } else { NanRule::Arm }
}

/// The rounding mode of FPCR as the engine numbers it.
pub(super) fn rounding_number(cpu: &Cpu) -> u8 {
    // To nearest, up, down, toward zero.
    [0, 2, 1, 3][((cpu.fpcr & fpcr::ROUNDING) >> fpcr::ROUNDING.trailing_zeros()) as usize]
}

pub(super) fn rounding(number: u8) -> Rounding {
    match number {
        1 => Rounding::Down,
        2 => Rounding::Up,
        3 => Rounding::TowardZero,
        TIES_AWAY => Rounding::NearestMaxMagnitude,
        ODD => Rounding::Odd,
        _ => Rounding::NearestEven,
    }
}

/// What operations obey.
pub(super) fn environment(cpu: &Cpu, rm: Rm) -> Env {
    let number = match rm {
        Rm::Dynamic => rounding_number(cpu),
        Rm::Static(number) => number,
    };
    let flush = cpu.fpcr & fpcr::FLUSH != 0;
    let nan = nan_rule(mode_of(cpu));
    Env { flush_inputs: flush, flush_outputs: flush, nan, ..Env::arm(rounding(number)) }
}

/// Takes an environment's flags over into FPSR.
pub(super) fn raise(cpu: &mut Cpu, flags: Flags) {
    let sse = flags.to_sse();
    raise_sse(cpu, sse & !2);
    if flags.contains(Flags::INPUT_FLUSHED) {
        cpu.fpsr |= fpsr::INPUT_DENORMAL;
    }
}

/// The same in the order of the SSE unit; subnormal operands raise nothing where they count.
pub(super) fn raise_sse(cpu: &mut Cpu, flags: u8) {
    let flags = u64::from(flags);
    // Invalid stays, the next is left out.
    cpu.fpsr |= flags & 1 | flags >> 1 & 0x1e;
}

/// See [`Guest::fp`](crate::guest::Guest::fp).
pub(super) fn execute(cpu: &mut Cpu, op: FpOp, fmt: Fmt, rm: Rm, args: [u64; 3]) -> u64 {
    let mut env = environment(cpu, rm);
    let result = match fmt {
        Fmt::S => RULES.operate::<F32>(op, args[0], args.map(|a| a as u32), &mut env),
        Fmt::D => RULES.operate::<F64>(op, args[0], args, &mut env),
    };
    raise(cpu, env.flags);
    result
}

/// To a fixed-point number with `fraction` bits behind the point, toward zero; 32-bit results are
/// sign-extended.
pub(super) fn to_fixed_point(cpu: &mut Cpu, fmt: Fmt, to: IntTy, a: u64, fraction: u32) -> u64 {
    let mut env = environment(cpu, Rm::Static(3));
    let result = match fmt {
        Fmt::S => RULES.to_fixed::<F32>(to, a as u32, fraction, &mut env),
        Fmt::D => RULES.to_fixed::<F64>(to, a, fraction, &mut env),
    };
    raise(cpu, env.flags);
    result
}

/// From a fixed-point number with `fraction` bits behind the point.
pub(super) fn from_fixed_point(cpu: &mut Cpu, fmt: Fmt, from: IntTy, a: u64, fraction: u32) -> u64 {
    let mut env = environment(cpu, Rm::Dynamic);
    let result = match fmt {
        Fmt::S => from_fixed::<F32>(from, a, fraction, &mut env).into(),
        Fmt::D => from_fixed::<F64>(from, a, fraction, &mut env),
    };
    raise(cpu, env.flags);
    result
}

/// To half precision, which has a flush bit of its own.
pub(super) fn to_half(cpu: &mut Cpu, fmt: Fmt, a: u64) -> u64 {
    let mut env = environment(cpu, Rm::Dynamic);
    env.flush_outputs = false;
    let alternative = cpu.fpcr & fpcr::ALTERNATIVE_HALF != 0;
    let result = match (fmt, alternative) {
        (Fmt::S, false) => softfloat::convert::<F32, F16>(a as u32, &mut env),
        (Fmt::D, false) => softfloat::convert::<F64, F16>(a, &mut env),
        (Fmt::S, true) => alternative_half::<F32>(a as u32, &mut env),
        (Fmt::D, true) => alternative_half::<F64>(a, &mut env),
    };
    raise(cpu, env.flags);
    result.into()
}

/// From half precision.
pub(super) fn from_half(cpu: &mut Cpu, fmt: Fmt, a: u64) -> u64 {
    let mut env = environment(cpu, Rm::Dynamic);
    env.flush_inputs = false;
    let (half, alternative) = (a as u16, cpu.fpcr & fpcr::ALTERNATIVE_HALF != 0);
    let result = if alternative && half & 0x7c00 == 0x7c00 {
        // The highest exponent is one of numbers: the next lower one, doubled.
        let lower = softfloat::convert::<F16, F64>(half & !0x400, &mut env);
        let doubled = lower + (1 << 52);
        match fmt {
            Fmt::S => softfloat::convert::<F64, F32>(doubled, &mut env).into(),
            Fmt::D => doubled,
        }
    } else {
        match fmt {
            Fmt::S => softfloat::convert::<F16, F32>(half, &mut env).into(),
            Fmt::D => softfloat::convert::<F16, F64>(half, &mut env),
        }
    };
    raise(cpu, env.flags);
    result
}

/// The half precision without infinities and NaNs `[ARM-ARM A1.4]`.
fn alternative_half<F: Format<Sig = u64>>(a: F::Bits, env: &mut Env) -> u16 {
    let sign = (F::to_word(a) >> (F::EXP_BITS + F::FRAC_BITS) << 15) as u16;
    if softfloat::is_nan::<F>(a) {
        env.raise(Flags::INVALID);
        return sign;
    }
    let wide = softfloat::convert::<F, F64>(a, &mut Env { flush_inputs: env.flush_inputs, ..*env });
    let magnitude = wide & (u64::MAX >> 1);
    let biased = (magnitude >> 52) as i32 - 1023;
    if biased >= 17 {
        env.raise(Flags::INVALID);
        return sign | 0x7fff;
    }
    if biased < 16 {
        let half = softfloat::convert::<F, F16>(a, &mut Env { ..*env });
        if half & 0x7fff != 0x7c00 {
            return softfloat::convert::<F, F16>(a, env);
        }
    }
    // Halved it is an ordinary number; what rounds up beyond the last one is invalid.
    let lower = wide - (1 << 52);
    let half = softfloat::convert::<F64, F16>(lower, env);
    if half & 0x7c00 == 0x7c00 {
        env.flags = Flags::INVALID;
        return sign | 0x7fff;
    }
    half + 0x400
}
