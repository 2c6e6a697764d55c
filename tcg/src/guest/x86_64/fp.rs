//! Floating-point operations in software, as MXCSR asks for them. [SDM-1 §10.2.3]

use arch::x86_64::Cpu;

use crate::builder::{FCond, Fmt, Fp2, Fp3, FpOp, IntTy, Rm};
use crate::softfloat::{
    self, Env, F32, F64, Flags, Format, Integer, MinMax, Negate, Rounding, Saturation,
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
        Fmt::S => operate::<F32>(op, a, [a as u32, b as u32, c as u32], &mut env),
        Fmt::D => operate::<F64>(op, a, args, &mut env),
    };
    raise(cpu, env.flags);
    result
}

/// An operation in the format F; `integer` is the operand of a conversion from an integer.
fn operate<F: Format<Sig = u64>>(
    op: FpOp,
    integer: u64,
    [a, b, c]: [F::Bits; 3],
    env: &mut Env,
) -> u64 {
    F::to_word(match op {
        FpOp::Two(Fp2::Add) => softfloat::add::<F>(a, b, env),
        FpOp::Two(Fp2::Sub) => softfloat::sub::<F>(a, b, env),
        FpOp::Two(Fp2::Mul) => softfloat::mul::<F>(a, b, env),
        FpOp::Two(Fp2::Div) => softfloat::div::<F>(a, b, env),
        FpOp::Two(Fp2::Min | Fp2::MinNum) => softfloat::min::<F>(a, b, MinMax::X86, env),
        FpOp::Two(Fp2::Max | Fp2::MaxNum) => softfloat::max::<F>(a, b, MinMax::X86, env),
        FpOp::Three(op) => softfloat::fma::<F>(a, b, c, negations(op), env),
        FpOp::Sqrt => softfloat::sqrt::<F>(a, env),
        FpOp::Cmp(FCond::Eq) => return softfloat::eq::<F>(a, b, env).into(),
        FpOp::Cmp(FCond::Lt) => return softfloat::lt::<F>(a, b, env).into(),
        FpOp::Cmp(FCond::Le) => return softfloat::le::<F>(a, b, env).into(),
        FpOp::Cmp(FCond::Unordered) => return softfloat::unordered::<F>(a, b, env).into(),
        FpOp::Round(inexact) => softfloat::round_to_integral::<F>(a, env.rounding, inexact, env),
        FpOp::ToInt(to) => return to_integer::<F>(to, a, env),
        FpOp::FromInt(from) => from_integer::<F>(from, integer, env),
        FpOp::Class => return softfloat::classify::<F>(a).into(),
        FpOp::To(Fmt::S) => return softfloat::convert::<F, F32>(a, env).into(),
        FpOp::To(Fmt::D) => return softfloat::convert::<F, F64>(a, env),
    })
}

const fn negations(op: Fp3) -> Negate {
    match op {
        Fp3::Madd => Negate { product: false, addend: false },
        Fp3::Msub => Negate { product: false, addend: true },
        Fp3::Nmsub => Negate { product: true, addend: false },
        Fp3::Nmadd => Negate { product: true, addend: true },
    }
}

fn to_integer<F: Format>(to: IntTy, a: F::Bits, env: &mut Env) -> u64 {
    fn convert<F: Format, I: Integer>(a: F::Bits, env: &mut Env) -> I {
        let rounding = env.rounding;
        softfloat::to_int::<F, I>(a, rounding, Saturation::X86, env)
    }
    match to {
        IntTy::I32 => i64::from(convert::<F, i32>(a, env)) as u64,
        IntTy::U32 => i64::from(convert::<F, u32>(a, env) as i32) as u64,
        IntTy::I64 => convert::<F, i64>(a, env) as u64,
        IntTy::U64 => convert::<F, u64>(a, env),
    }
}

fn from_integer<F: Format>(from: IntTy, value: u64, env: &mut Env) -> F::Bits {
    match from {
        IntTy::I32 => softfloat::from_int::<F, i32>(value as i32, env),
        IntTy::U32 => softfloat::from_int::<F, u32>(value as u32, env),
        IntTy::I64 => softfloat::from_int::<F, i64>(value as i64, env),
        IntTy::U64 => softfloat::from_int::<F, u64>(value, env),
    }
}
