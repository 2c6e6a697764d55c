//! Comparisons, tests, masks and blends.

use super::bytes_of;
use super::{
    both, format, immediate, is_mmx, lanes_of, read_part, register, set, set_low, width_of,
};
use crate::builder::{At, Bin, Builder, Cond, FCond, Flow, FpFlags, FpOp, Rm, Un, Width, X1, X2};
use crate::guest::x86_64::X86_64;
use crate::guest::x86_64::sem::{FLAGS, R, operand};
use crate::isa::x86_64::Insn;
use crate::ops::flags;

use Width::W64;

/// Relations of integer lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super::super) enum Compare {
    Eq,
    Gt,
}

pub(in super::super::super) fn vec_compare<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    relation: Compare,
    bytes: u8,
) -> R<B> {
    let v = if relation == Compare::Eq && insn.operands[0] == insn.operands[1] && !is_mmx(insn) {
        b.ximm(u128::MAX)
    } else {
        let (x, y) = both(b, at, insn)?;
        let op = if relation == Compare::Eq { X2::Eq } else { X2::GtS };
        b.x2(op, lanes_of(bytes), x, y)
    };
    set(b, insn, v);
    Ok(Flow::Next)
}

/// The top bits of all lanes in a general register.
pub(in super::super::super) fn move_mask<B: Builder<X86_64>>(
    b: &mut B,
    _: At,
    insn: &Insn,
    bytes: u8,
) -> R<B> {
    let x = b.xget(register(insn.operands[1]));
    let v = b.xmask(lanes_of(bytes), x);
    operand::set(b, insn.operands[0], v);
    Ok(Flow::Next)
}

/// PTEST: zero and carry say that the conjunction, with the complement, is zero.
pub(in super::super::super) fn vec_test<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
) -> R<B> {
    let (x, y) = both(b, at, insn)?;
    let common = b.x2(X2::And, W64, x, y);
    let rest = b.x2(X2::AndNot, W64, y, x);
    let zero = is_zero(b, common);
    let zero = operand::with(b, Bin::Shl, zero, u64::from(flags::Z.trailing_zeros()));
    let carry = is_zero(b, rest);
    let carry = operand::with(b, Bin::Shl, carry, u64::from(flags::C.trailing_zeros()));
    let image = b.bin(Bin::Or, W64, zero, carry);
    let image = operand::with(b, Bin::Or, image, flags::FIXED);
    b.set_field(FLAGS, image);
    Ok(Flow::Next)
}

/// 1 if no bit is set.
fn is_zero<B: Builder<X86_64>>(b: &mut B, v: B::F) -> B::V {
    let low = b.xlane(W64, v, 0);
    let high = b.xlane(W64, v, 1);
    let any = b.bin(Bin::Or, W64, low, high);
    let zero = b.imm(0);
    let answer = b.cmp(Cond::Eq, W64, any, zero);
    b.share(answer)
}

/// PBLENDVB and its kin: the lanes whose top bit is set in xmm0 come from the second operand.
pub(in super::super::super) fn blend_var<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    bytes: u8,
) -> R<B> {
    let (x, y) = both(b, at, insn)?;
    let chosen = b.xget(0);
    let zero = b.ximm(0);
    let mask = b.x2(X2::GtS, lanes_of(bytes), zero, chosen);
    let v = b.xselect(mask, y, x);
    set(b, insn, v);
    Ok(Flow::Next)
}

/// The lanes whose bits are set in a constant come from the second operand.
pub(in super::super::super) fn blend_imm<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    bytes: u8,
) -> R<B> {
    let (x, y) = both(b, at, insn)?;
    let bits = u32::from(bytes) * 8;
    let lane = u128::MAX >> (128 - bits);
    let mask = (0..128 / bits)
        .filter(|i| immediate(insn) >> i & 1 != 0)
        .fold(0, |mask, i| mask | lane << (i * bits));
    let mask = b.ximm(mask);
    let v = b.xselect(mask, y, x);
    set(b, insn, v);
    Ok(Flow::Next)
}

/// Whether quiet NaNs are invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super::super) enum Order {
    Quiet,
    Signal,
}

/// UCOMISS, COMISS and their kin.
pub(in super::super::super) fn fp_order<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    order: Order,
) -> R<B> {
    let kind = insn.row().codes[0].kind;
    let (fmt, _) = format(kind);
    let y = read_part(b, at, insn, insn.operands[1], bytes_of(kind))?;
    let x = b.xget(register(insn.operands[0]));
    b.fcmp_flags(FpFlags::CarryParity, order == Order::Signal, fmt, x, y);
    Ok(Flow::Next)
}

/// CMPPS and its kin: the relation is a constant, 4 and above the opposite of one.
pub(in super::super::super) fn fp_compare<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
) -> R<B> {
    let kind = insn.row().codes[0].kind;
    let (fmt, scalar) = format(kind);
    let number = immediate(insn) & 7;
    let relation = match number & 3 {
        0 => FCond::Eq,
        1 => FCond::Lt,
        2 => FCond::Le,
        _ => FCond::Unordered,
    };
    let y = read_part(b, at, insn, insn.operands[1], bytes_of(kind))?;
    let x = b.xget(register(insn.operands[0]));
    if scalar {
        let holds = b.fcmp(relation, fmt, x, y);
        // All ones, or none.
        let ones = if number & 4 == 0 {
            b.un(Un::Neg, W64, holds)
        } else {
            operand::with(b, Bin::Sub, holds, 1)
        };
        let v = b.fraw(fmt, ones);
        set_low(b, insn, fmt, v);
    } else {
        let v = b.xfp(FpOp::Cmp(relation), fmt, Rm::Dynamic, [x, y, y]);
        let v = if number & 4 == 0 { v } else { b.x1(X1::Not, width_of(fmt), v) };
        set(b, insn, v);
    }
    Ok(Flow::Next)
}
