//! Floating-point operations as numbers, for calls from translated code.

use std::sync::LazyLock;

use crate::builder::{FCond, Fmt, Fp2, Fp3, FpOp, IntTy, Rm};

const OPS: [FpOp; 30] = [
    FpOp::Two(Fp2::Add),
    FpOp::Two(Fp2::Sub),
    FpOp::Two(Fp2::Mul),
    FpOp::Two(Fp2::Div),
    FpOp::Two(Fp2::Min),
    FpOp::Two(Fp2::Max),
    FpOp::Two(Fp2::MinNum),
    FpOp::Two(Fp2::MaxNum),
    FpOp::Three(Fp3::Madd),
    FpOp::Three(Fp3::Msub),
    FpOp::Three(Fp3::Nmsub),
    FpOp::Three(Fp3::Nmadd),
    FpOp::Sqrt,
    FpOp::Cmp(FCond::Eq),
    FpOp::Cmp(FCond::Lt),
    FpOp::Cmp(FCond::Le),
    FpOp::Cmp(FCond::Unordered),
    FpOp::ToInt(IntTy::I32),
    FpOp::ToInt(IntTy::U32),
    FpOp::ToInt(IntTy::I64),
    FpOp::ToInt(IntTy::U64),
    FpOp::FromInt(IntTy::I32),
    FpOp::FromInt(IntTy::U32),
    FpOp::FromInt(IntTy::I64),
    FpOp::FromInt(IntTy::U64),
    FpOp::To(Fmt::S),
    FpOp::To(Fmt::D),
    FpOp::Round(false),
    FpOp::Round(true),
    FpOp::Class,
];

/// Rounding modes: dynamic, or one of eight named in the instruction.
const ROUNDINGS: u64 = 9;

static TABLE: LazyLock<Vec<(FpOp, Fmt, Rm)>> = LazyLock::new(|| {
    let mut table = Vec::with_capacity(OPS.len() * 2 * ROUNDINGS as usize);
    for op in OPS {
        for fmt in [Fmt::S, Fmt::D] {
            table.push((op, fmt, Rm::Dynamic));
            table.extend((0..8).map(|rm| (op, fmt, Rm::Static(rm))));
        }
    }
    table
});

/// The number of an operation.
pub(super) fn number(op: FpOp, fmt: Fmt, rm: Rm) -> u64 {
    let at = OPS.iter().position(|&o| o == op).expect("the list has every operation") as u64;
    let rm = match rm {
        Rm::Dynamic => 0,
        Rm::Static(rm) => 1 + u64::from(rm & 7),
    };
    (at * 2 + fmt as u64) * ROUNDINGS + rm
}

/// The operation of a number.
pub(super) fn get(number: u64) -> (FpOp, Fmt, Rm) {
    TABLE[number as usize % TABLE.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for op in OPS {
            for fmt in [Fmt::S, Fmt::D] {
                for rm in [Rm::Dynamic, Rm::Static(0), Rm::Static(4), Rm::Static(7)] {
                    assert_eq!(get(number(op, fmt, rm)), (op, fmt, rm));
                }
            }
        }
    }
}
