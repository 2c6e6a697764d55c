//! Single lanes: insertion, extraction, extension.

use super::super::operand;
use super::{both, immediate, lanes_of, load, old, read_part, register, set};
use crate::builder::{At, Builder, Flow, Width, X1, X2, XImm};
use crate::guest::x86_64::X86_64;
use crate::guest::x86_64::sem::R;
use crate::isa::x86_64::{Insn, Operand};

/// The lane that an immediate names.
fn lane(insn: &Insn, bytes: u8) -> u8 {
    immediate(insn) & (16 / bytes - 1)
}

pub(in super::super::super) fn vec_insert<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    bytes: u8,
) -> R<B> {
    // The operand has 32 bits where it is a register.
    let v = operand::read(b, at, insn, insn.operands[1])?;
    let old = old(b, insn)?;
    let v = b.xinsert(lanes_of(bytes), old, lane(insn, bytes), v);
    set(b, insn, v);
    Ok(Flow::Next)
}

pub(in super::super::super) fn vec_extract<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    bytes: u8,
) -> R<B> {
    let [to, from, ..] = insn.operands;
    let x = b.xget(register(from));
    let v = b.xlane(lanes_of(bytes), x, lane(insn, bytes));
    operand::write(b, at, insn, to, v)?;
    Ok(Flow::Next)
}

/// Whether lanes are extended by signs or zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super::super) enum Extend {
    S,
    U,
}

/// PMOVSX, PMOVZX: the lowest lanes, `from` bytes wide, to `to` bytes.
pub(in super::super::super) fn vec_extend<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    how: Extend,
    from: u8,
    to: u8,
) -> R<B> {
    let mut v = read_part(b, at, insn, insn.operands[1], 16 / (to / from))?;
    let op = if how == Extend::S { X1::WidenLowS } else { X1::WidenLowU };
    let mut bytes = from;
    while bytes < to {
        v = b.x1(op, lanes_of(bytes), v);
        bytes *= 2;
    }
    set(b, insn, v);
    Ok(Flow::Next)
}

/// INSERTPS: a lane of the second operand into one of the first; then some become zero.
pub(in super::super::super) fn insertps<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
) -> R<B> {
    let n = immediate(insn);
    let (from, y) = match insn.operands[1] {
        Operand::Xmm(r) => (n >> 6, b.xget(r)),
        _ => (0, load(b, at, insn, 4)?),
    };
    let old = old(b, insn)?;
    let v = b.xnum(XImm::Lane, Width::W32, old, y, from << 4 | n >> 4 & 3);
    let kept =
        (0..4).filter(|i| n >> i & 1 == 0).fold(0u128, |mask, i| mask | 0xffff_ffff << (32 * i));
    let kept = b.ximm(kept);
    let v = b.x2(X2::And, Width::W32, v, kept);
    set(b, insn, v);
    Ok(Flow::Next)
}

/// PCLMULQDQ: the carry-less product of a half of each operand.
pub(in super::super::super) fn pclmulqdq<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
) -> R<B> {
    let n = immediate(insn);
    let (x, y) = both(b, at, insn)?;
    let x = if n & 1 != 0 { super::high(b, x) } else { x };
    let y = if n & 0x10 != 0 { super::high(b, y) } else { y };
    let v = b.x2(X2::MulPolyWide, Width::W64, x, y);
    set(b, insn, v);
    Ok(Flow::Next)
}
