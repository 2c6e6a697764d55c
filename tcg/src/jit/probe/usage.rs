//! What a builder that listens finds out about an instruction.

use super::value::{Form, Value};
use crate::builder::*;
use crate::ops::flags;

/// The registers of one instruction, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Integer registers read.
    pub(crate) reads: u64,
    /// Integer registers written.
    pub(crate) writes: u64,
    /// Registers whose low 32 bits are used, other than for [`Usage::def`].
    pub(crate) low: u64,
    /// Registers that are used whole, other than for [`Usage::def`].
    pub(crate) full: u64,
    /// The register that is written in any case and what it gets, if there is just one.
    pub(crate) def: Option<(u8, Value)>,
    /// Registers that it may write or not.
    pub(crate) sometimes: u64,
    /// An exception may come out of it, before it writes registers.
    pub(crate) traps: bool,
    /// Arithmetic flags read, as bits of their image ([`crate::ops::flags`]).
    pub(crate) flags_read: u64,
    /// Arithmetic flags overwritten in any case.
    pub(crate) flags_written: u64,
    /// The only access to memory, if there is one and its address is a register plus a constant.
    pub(crate) access: Option<Access>,
    /// There are accesses besides.
    pub(crate) accesses: bool,
    /// It calls into Rust.
    pub(crate) calls: bool,
    /// A comparison whose flags nobody sees: the next instruction would restore them.
    pub(crate) quiet: bool,
    /// Vector registers used.
    pub(crate) vectors: u64,
    /// Vector registers written.
    pub(crate) vectors_written: u64,
    /// Vector registers read as single-precision numbers.
    pub(crate) singles: u64,
    /// The same of double precision.
    pub(crate) doubles: u64,
    /// Vector registers written with anything else.
    pub(crate) no_singles: u64,
    /// The register that gets the result of floating-point arithmetic, and its format.
    pub(crate) result: Option<(u8, Fmt)>,
    /// Vector registers of which every bit counts: they are not just operands of arithmetic.
    pub(crate) bits: u64,
    /// [`crate::jit::nans`]: the result may be any NaN.
    pub(crate) any_nan: bool,
    /// Where it may go.
    pub(crate) target: Option<u64>,
    /// It may leave the block.
    pub(crate) branches: bool,
}

/// A load or store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    /// The register that the address is computed from.
    pub(crate) base: u8,
    /// What is added to it.
    pub(crate) disp: i64,
    /// Bytes accessed.
    pub(crate) bytes: u8,
    /// It stores.
    pub(crate) store: bool,
}

/// All arithmetic flags.
pub(crate) const ALL_FLAGS: u64 = flags::O | flags::C | flags::P | flags::A | flags::Z | flags::S;

/// The flags that an operation may change; `count` is its second operand, where that is known.
pub(crate) fn changed_flags(op: FlagOp, count: Option<u64>) -> u64 {
    match op {
        FlagOp::Shl | FlagOp::Shr | FlagOp::Sar | FlagOp::Rol | FlagOp::Ror if count == Some(0) => {
            0
        }
        FlagOp::Rol | FlagOp::Ror => flags::C | flags::O,
        FlagOp::Inc | FlagOp::Dec => ALL_FLAGS & !flags::C,
        FlagOp::Carry => flags::C,
        _ => ALL_FLAGS,
    }
}

/// The flags that an operation changes whatever its operands are.
pub(super) fn overwritten_flags(op: FlagOp, count: Option<u64>) -> u64 {
    match op {
        FlagOp::Shl | FlagOp::Shr | FlagOp::Sar | FlagOp::Rol | FlagOp::Ror if count.is_none() => 0,
        _ => changed_flags(op, count),
    }
}

/// The flags that a condition looks at.
pub(crate) fn asked_flags(c: FlagCond) -> u64 {
    match c {
        FlagCond::Overflow | FlagCond::NoOverflow => flags::O,
        FlagCond::Carry | FlagCond::NoCarry => flags::C,
        FlagCond::Zero | FlagCond::NonZero => flags::Z,
        FlagCond::BelowEq | FlagCond::Above => flags::C | flags::Z,
        FlagCond::Sign | FlagCond::NoSign => flags::S,
        FlagCond::Parity | FlagCond::NoParity => flags::P,
        FlagCond::Less | FlagCond::GreaterEq => flags::S | flags::O,
        FlagCond::LessEq | FlagCond::Greater => flags::S | flags::O | flags::Z,
    }
}

/// Finds results that are known ahead, as emitters find them that take known registers for
/// constants: what they were computed from is not read.
pub(crate) fn fold(usage: &mut [Usage]) {
    let mut known: Vec<(u8, i32)> = Vec::new();
    for u in usage {
        let find = |r: u8| known.iter().find(|k| k.0 == r).map(|k| k.1 as u64);
        let mut now = None;
        if let Some((r, v)) = u.def {
            let value = match (v.imm, v.form) {
                (Some(x), _) => Some(x),
                (None, Form::Reg(from)) => find(from),
                (None, Form::Sum(from, by)) => find(from).map(|x| x.wrapping_add(by as u64)),
                _ => None,
            };
            if let (Some(x), None) = (value, v.imm) {
                u.reads &= !v.all() | u.low | u.full;
                u.def = Some((r, Value { form: v.form, ..Value::imm(x) }));
            }
            now = value.and_then(|x| i32::try_from(x as i64).ok()).map(|x| (r, x));
        }
        known.retain(|k| (u.writes | u.sometimes) >> k.0 & 1 == 0);
        known.extend(now);
    }
}
