//! Floating-point instructions of the F and D extensions in software: pure functions on register
//! values `[Unpriv §20]`, `[Unpriv §21]`.
//!
//! [`execute`] works on whole f-registers, singles being NaN-boxed in them; [`compute`] works on
//! bare numbers of a format. Both give the result and the `fflags` that it raises. Sign
//! injection has a function of its own.
//!
//! Tested beside against chosen cases, and against qemu-riscv64 by `tests/isa/riscv64`.

use crate::builder::{Fmt, FpOp, Sgn};
use crate::guest::fp::Rules;
use crate::softfloat::{Env, F32, F64, MinMax, Rounding, Saturation};

#[cfg(test)]
mod tests;

const RULES: Rules = Rules {
    min_max: MinMax::Number2019,
    min_max_num: MinMax::Number2019,
    saturation: Saturation::RiscV,
    negates_operands: false,
};

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
        Fmt::S => RULES.operate::<F32>(op, a, [a as u32, b as u32, c as u32], &mut env),
        Fmt::D => RULES.operate::<F64>(op, a, [a, b, c], &mut env),
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
