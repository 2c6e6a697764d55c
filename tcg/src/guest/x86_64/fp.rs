//! Floating-point operations in software, as MXCSR asks for them. [SDM-1 §10.2.3]

use arch::x86_64::Cpu;

use crate::builder::{Fmt, FpOp, Rm};
use crate::guest::fp::Rules;
use crate::softfloat::{Env, F32, F64, Flags, MinMax, Rounding, Saturation};

const RULES: Rules = Rules {
    min_max: MinMax::X86,
    min_max_num: MinMax::X86,
    saturation: Saturation::X86,
    negates_operands: false,
};

/// Flush-to-zero.
const FTZ: u64 = 1 << 15;
/// Denormals are zeros.
const DAZ: u64 = 1 << 6;
/// Where the rounding mode is.
const ROUNDING_SHIFT: u32 = 13;

/// The rounding mode of MXCSR, which numbers them as the engine does.
pub(super) fn rounding(cpu: &Cpu) -> u8 {
    (cpu.mxcsr >> ROUNDING_SHIFT & 3) as u8
}

/// The bits of MXCSR that flush.
pub(super) fn flushing(cpu: &Cpu) -> u32 {
    (cpu.mxcsr & (FTZ | DAZ)) as u32
}

fn rounding_mode(number: u8) -> Rounding {
    match number & 3 {
        0 => Rounding::NearestEven,
        1 => Rounding::Down,
        2 => Rounding::Up,
        _ => Rounding::TowardZero,
    }
}

/// The environment of an operation.
pub(super) fn environment(cpu: &Cpu, rm: Rm) -> Env {
    let number = match rm {
        Rm::Dynamic => rounding(cpu),
        Rm::Static(number) => number,
    };
    Env {
        flush_inputs: cpu.mxcsr & DAZ != 0,
        flush_outputs: cpu.mxcsr & FTZ != 0,
        ..Env::x86(rounding_mode(number))
    }
}

/// Raises what an operation has raised; flushed operands raise nothing.
pub(super) fn raise(cpu: &mut Cpu, flags: Flags) {
    cpu.mxcsr |= u64::from(flags.to_sse());
}

/// Executes an operation on numbers of `fmt`.
pub(super) fn execute(cpu: &mut Cpu, op: FpOp, fmt: Fmt, rm: Rm, args: [u64; 3]) -> u64 {
    let mut env = environment(cpu, rm);
    let [a, b, c] = args;
    let result = match fmt {
        Fmt::S => RULES.operate::<F32>(op, a, [a as u32, b as u32, c as u32], &mut env),
        Fmt::D => RULES.operate::<F64>(op, a, args, &mut env),
    };
    raise(cpu, env.flags);
    result
}
