//! SSE: operands of the vector file.
//!
//! Memory operands need not be aligned here, not even where processors insist.

mod arith;
mod compare;
mod convert;
mod float;
mod lanes;
mod mmx;
mod moves;
mod shuffle;
mod strings;

pub(in super::super) use arith::*;
pub(in super::super) use compare::*;
pub(in super::super) use convert::*;
pub(in super::super) use float::*;
pub(in super::super) use lanes::*;
pub(in super::super) use mmx::*;
pub(in super::super) use moves::*;
pub(in super::super) use shuffle::*;
pub(in super::super) use strings::*;

use super::X86_64;
use super::operand::{address, linear, offset};
use crate::builder::{At, Builder, Fmt, MemOp, Width, X1, XImm};
use crate::isa::x86_64::{Insn, Kind, Operand};

/// A vector, or how a fault leaves the description.
type Vector<B> = Result<<B as Builder<X86_64>>::F, <B as Builder<X86_64>>::Trap>;

/// An access of so many bytes.
fn access(bytes: u8) -> MemOp {
    MemOp::new(bytes.trailing_zeros() as u8, false)
}

/// The lanes of so many bytes.
fn lanes_of(bytes: u8) -> Width {
    match bytes {
        1 => Width::W8,
        2 => Width::W16,
        4 => Width::W32,
        _ => Width::W64,
    }
}

/// The lanes of a format.
fn width_of(fmt: Fmt) -> Width {
    match fmt {
        Fmt::S => Width::W32,
        Fmt::D => Width::W64,
    }
}

/// Loads `bytes` bytes from the memory operand; zero above them.
fn load<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn, bytes: u8) -> Vector<B> {
    let offset = offset(b, at, &insn.mem);
    let va = linear(b, insn.mem.segment, offset);
    b.xload(va, access(bytes))
}

/// Reads an operand: a whole register, or 16 bytes of memory.
fn read<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn, operand: Operand) -> Vector<B> {
    read_part(b, at, insn, operand, if mmx::is_mmx(insn) { 8 } else { 16 })
}

/// Reads an operand of which the low `bytes` bytes are meant.
fn read_part<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    operand: Operand,
    bytes: u8,
) -> Vector<B> {
    match operand {
        Operand::Xmm(r) => Ok(b.xget(r)),
        Operand::Mm(r) => mmx::get(b, r),
        Operand::Mem(_) => load(b, at, insn, bytes),
        _ => Ok(b.ximm(0)),
    }
}

/// Writes a whole register, or the low `bytes` bytes to memory.
fn write<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    operand: Operand,
    v: B::F,
    bytes: u8,
) -> Result<(), B::Trap> {
    match operand {
        Operand::Xmm(r) => b.xset(r, v),
        _ => {
            let va = address(b, at, insn);
            b.xstore(va, v, access(bytes))?;
        }
    }
    Ok(())
}

/// The number of a vector register.
fn register(operand: Operand) -> u8 {
    match operand {
        Operand::Xmm(r) => r,
        _ => 0,
    }
}

/// The old value of the destination.
fn old<B: Builder<X86_64>>(b: &mut B, insn: &Insn) -> Vector<B> {
    match insn.operands[0] {
        Operand::Mm(r) => mmx::get(b, r),
        to => Ok(b.xget(register(to))),
    }
}

/// Both operands of an instruction whose first is its destination too.
fn both<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> Result<(B::F, B::F), B::Trap> {
    let y = read(b, at, insn, insn.operands[1])?;
    Ok((old(b, insn)?, y))
}

/// The same for operations that take lanes from both in turn: those of MMX are one vector, which
/// then is both.
fn pair<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> Result<(B::F, B::F), B::Trap> {
    let (x, y) = both(b, at, insn)?;
    if !mmx::is_mmx(insn) {
        return Ok((x, y));
    }
    let both = mmx::join(b, x, y);
    Ok((both, both))
}

/// Writes the destination; one of MMX has been read before, which has prepared the unit.
fn set<B: Builder<X86_64>>(b: &mut B, insn: &Insn, v: B::F) {
    match insn.operands[0] {
        Operand::Mm(r) => mmx::set(b, r, v),
        to => b.xset(register(to), v),
    }
}

/// Writes the lowest lane of the destination.
fn set_low<B: Builder<X86_64>>(b: &mut B, insn: &Insn, fmt: Fmt, v: B::F) {
    let old = b.xget(register(insn.operands[0]));
    let merged = b.xnum(XImm::Lane, width_of(fmt), old, v, 0);
    set(b, insn, merged);
}

/// A vector's upper half, moved down.
fn high<B: Builder<X86_64>>(b: &mut B, v: B::F) -> B::F {
    b.x1(X1::HighHalf, Width::W64, v)
}

/// The format of a row by the type of one of its operands, and whether it has one lane.
fn format(kind: Kind) -> (Fmt, bool) {
    match kind {
        Kind::Ss => (Fmt::S, true),
        Kind::Sd => (Fmt::D, true),
        Kind::Ps => (Fmt::S, false),
        _ => (Fmt::D, false),
    }
}

/// The bytes that an operand of the type has in memory.
fn bytes_of(kind: Kind) -> u8 {
    match kind {
        Kind::Ss => 4,
        Kind::Sd => 8,
        _ => 16,
    }
}

/// The byte immediate.
fn immediate(insn: &Insn) -> u8 {
    insn.imm as u8
}
