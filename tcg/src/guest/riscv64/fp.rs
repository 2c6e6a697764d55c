//! Floating-point instructions of the F and D extensions in software: pure functions on register
//! values `[Unpriv §20]`, `[Unpriv §21]`.
//!
//! [`execute`] works on whole f-registers, singles being NaN-boxed in them; [`compute`] works on
//! bare numbers of a format. Both give the result and the `fflags` that it raises. Sign
//! injection has a function of its own.
//!
//! Tested beside against chosen cases, and against qemu-riscv64 by `tests/isa/riscv64`.

use crate::builder::{FCond, Fmt, Fp2, Fp3, FpOp, IntTy, Sgn};
use crate::softfloat::{
    self, Env, F32, F64, Format, Integer, MinMax, Negate, Rounding, Saturation,
};

#[cfg(test)]
mod tests;

/// The upper half of an f-register that holds a single.
const BOX: u64 = 0xffff_ffff_0000_0000;
/// The canonical NaN of binary32.
const CANONICAL_S: u64 = 0x7fc0_0000;

/// The number that a register holds in a format. A single that is not NaN-boxed reads as the
/// canonical NaN `[Unpriv §21.2]`.
#[inline]
pub const fn unbox(fmt: Fmt, register: u64) -> u64 {
    match fmt {
        Fmt::D => register,
        Fmt::S if register & BOX == BOX => register & !BOX,
        Fmt::S => CANONICAL_S,
    }
}

/// A register that holds a number of a format.
#[inline]
pub const fn boxed(fmt: Fmt, number: u64) -> u64 {
    match fmt {
        Fmt::D => number,
        Fmt::S => number | BOX,
    }
}

/// Whether `rm`, resolved if it was dynamic, names a rounding mode; the others make an
/// instruction illegal.
#[inline]
pub const fn is_rounding(rm: u8) -> bool {
    rm <= 4
}

/// Executes an operation on f-registers; `fmt` is the format of the floating-point operands, of
/// the result for [`FpOp::FromInt`]. Integers come in `a` and go out as x-register values: 32-bit
/// results, unsigned ones too, sign-extended. The second value is what is raised in `fflags`.
///
/// `rm` is a static or the dynamic rounding mode, 0 to 4 (see [`is_rounding`]); reserved ones are
/// taken as 0. It means nothing to operations that do not round.
pub fn execute(op: FpOp, fmt: Fmt, rm: u8, a: u64, b: u64, c: u64) -> (u64, u8) {
    let operand = match op {
        FpOp::FromInt(_) => a,
        _ => unbox(fmt, a),
    };
    let (result, flags) = compute(op, fmt, rm, operand, unbox(fmt, b), unbox(fmt, c));
    let result = match op {
        FpOp::Cmp(_) | FpOp::ToInt(_) | FpOp::Class => result,
        FpOp::To(to) => boxed(to, result),
        FpOp::Two(_) | FpOp::Three(_) | FpOp::Sqrt | FpOp::FromInt(_) | FpOp::Round(_) => {
            boxed(fmt, result)
        }
    };
    (result, flags)
}

/// The same on bare numbers: singles are in the low halves of the operands, whose upper halves
/// are ignored, and in that of the result, whose upper half is zero.
pub fn compute(op: FpOp, fmt: Fmt, rm: u8, a: u64, b: u64, c: u64) -> (u64, u8) {
    let mut env = Env::riscv(rounding(rm));
    let result = match fmt {
        Fmt::S => operate::<F32>(op, a, [a as u32, b as u32, c as u32], &mut env),
        Fmt::D => operate::<F64>(op, a, [a, b, c], &mut env),
    };
    // The first five flags are in the order of `fflags`.
    (result, env.flags.bits() & 0x1f)
}

/// Sign injection on f-registers `[Unpriv §20.5]`.
pub const fn inject_sign(how: Sgn, fmt: Fmt, a: u64, b: u64) -> u64 {
    let sign = match fmt {
        Fmt::S => 1 << 31,
        Fmt::D => 1 << 63,
    };
    let (a, b) = (unbox(fmt, a), unbox(fmt, b));
    let result = match how {
        Sgn::Copy => a & !sign | b & sign,
        Sgn::Neg => a & !sign | !b & sign,
        Sgn::Xor => a ^ b & sign,
    };
    boxed(fmt, result)
}

/// The rounding mode of an instruction `[Unpriv §20.2]`. Reserved ones get here from `frm` with
/// operations that do not round.
fn rounding(rm: u8) -> Rounding {
    match rm {
        1 => Rounding::TowardZero,
        2 => Rounding::Down,
        3 => Rounding::Up,
        4 => Rounding::NearestMaxMagnitude,
        _ => Rounding::NearestEven,
    }
}

/// An operation in the format F; `integer` is the operand of a conversion from an integer.
fn operate<F: Format<Sig = u64>>(
    op: FpOp,
    integer: u64,
    [a, b, c]: [F::Bits; 3],
    env: &mut Env,
) -> u64 {
    let number = match op {
        FpOp::Two(op) => arithmetic::<F>(op, a, b, env),
        FpOp::Three(op) => softfloat::fma::<F>(a, b, c, negations(op), env),
        FpOp::Sqrt => softfloat::sqrt::<F>(a, env),
        FpOp::Cmp(relation) => return holds::<F>(relation, a, b, env).into(),
        FpOp::ToInt(to) => return to_integer::<F>(to, a, env),
        FpOp::FromInt(from) => from_integer::<F>(from, integer, env),
        FpOp::Round(_) => unreachable!("no instruction of F or D rounds to integral numbers"),
        FpOp::Class => return softfloat::classify::<F>(a).into(),
        FpOp::To(Fmt::S) => return softfloat::convert::<F, F32>(a, env).into(),
        FpOp::To(Fmt::D) => return softfloat::convert::<F, F64>(a, env),
    };
    F::to_word(number)
}

fn arithmetic<F: Format>(op: Fp2, a: F::Bits, b: F::Bits, env: &mut Env) -> F::Bits {
    match op {
        Fp2::Add => softfloat::add::<F>(a, b, env),
        Fp2::Sub => softfloat::sub::<F>(a, b, env),
        Fp2::Mul => softfloat::mul::<F>(a, b, env),
        Fp2::Div => softfloat::div::<F>(a, b, env),
        Fp2::Min | Fp2::MinNum => softfloat::min::<F>(a, b, MinMax::Number2019, env),
        Fp2::Max | Fp2::MaxNum => softfloat::max::<F>(a, b, MinMax::Number2019, env),
    }
}

/// The fused forms negate the exact product and the addend, not the rounded sum.
const fn negations(op: Fp3) -> Negate {
    match op {
        Fp3::Madd => Negate { product: false, addend: false },
        Fp3::Msub => Negate { product: false, addend: true },
        Fp3::Nmsub => Negate { product: true, addend: false },
        Fp3::Nmadd => Negate { product: true, addend: true },
    }
}

fn holds<F: Format>(relation: FCond, a: F::Bits, b: F::Bits, env: &mut Env) -> bool {
    match relation {
        FCond::Eq => softfloat::eq::<F>(a, b, env),
        FCond::Lt => softfloat::lt::<F>(a, b, env),
        FCond::Le => softfloat::le::<F>(a, b, env),
        FCond::Unordered => softfloat::unordered::<F>(a, b, env),
    }
}

fn to_integer<F: Format>(to: IntTy, a: F::Bits, env: &mut Env) -> u64 {
    fn convert<F: Format, I: Integer>(a: F::Bits, env: &mut Env) -> I {
        let rounding = env.rounding;
        softfloat::to_int::<F, I>(a, rounding, Saturation::RiscV, env)
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
