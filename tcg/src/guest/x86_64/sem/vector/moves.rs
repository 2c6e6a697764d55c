//! Moves of vectors, of their halves and lowest lanes, to and from general registers and memory.

use super::super::operand;
use super::{access, format, high, load, old, read, register, set, set_low, write};
use crate::builder::{At, Builder, Flow, Fmt, Width, X1, XImm};
use crate::guest::x86_64::X86_64;
use crate::guest::x86_64::sem::R;
use crate::isa::x86_64::{Insn, Operand};

use Width::{W32, W64};

/// Moves of 16 bytes.
pub(in super::super::super) fn vec_move<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
) -> R<B> {
    let v = read(b, at, insn, insn.operands[1])?;
    write(b, at, insn, insn.operands[0], v, 16)?;
    Ok(Flow::Next)
}

pub(in super::super::super) fn vec_move_aligned<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
) -> R<B> {
    vec_move(b, at, insn)
}

/// MOVQ: the upper half becomes zero.
pub(in super::super::super) fn vec_move_q<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
) -> R<B> {
    let [to, from, ..] = insn.operands;
    let v = match from {
        Operand::Xmm(r) => {
            let v = b.xget(r);
            match to {
                Operand::Xmm(_) => b.x1(X1::LowHalf, W64, v),
                _ => v,
            }
        }
        _ => load(b, at, insn, 8)?,
    };
    write(b, at, insn, to, v, 8)?;
    Ok(Flow::Next)
}

/// MOVSS and MOVSD into a register: from memory the rest becomes zero, from a register it stays.
pub(in super::super::super) fn scalar_load<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
) -> R<B> {
    let (fmt, _) = format(insn.row().codes[0].kind);
    match insn.operands[1] {
        Operand::Xmm(r) => {
            let v = b.xget(r);
            set_low(b, insn, fmt, v);
        }
        _ => {
            let v = load(b, at, insn, bytes(fmt))?;
            set(b, insn, v);
        }
    }
    Ok(Flow::Next)
}

/// MOVSS and MOVSD to memory, or to a register.
pub(in super::super::super) fn scalar_store<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
) -> R<B> {
    let (fmt, _) = format(insn.row().codes[0].kind);
    let [to, from, ..] = insn.operands;
    let v = b.xget(register(from));
    match to {
        Operand::Xmm(_) => set_low(b, insn, fmt, v),
        _ => write(b, at, insn, to, v, bytes(fmt))?,
    }
    Ok(Flow::Next)
}

fn bytes(fmt: Fmt) -> u8 {
    match fmt {
        Fmt::S => 4,
        Fmt::D => 8,
    }
}

/// A half of a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super::super) enum Half {
    Low,
    High,
}

/// MOVLPS, MOVHPS and their kin, from memory.
pub(in super::super::super) fn half_load<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    half: Half,
) -> R<B> {
    let v = load(b, at, insn, 8)?;
    let old = old(b, insn)?;
    let merged = b.xnum(XImm::Lane, W64, old, v, u8::from(half == Half::High));
    set(b, insn, merged);
    Ok(Flow::Next)
}

/// To memory.
pub(in super::super::super) fn half_store<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    half: Half,
) -> R<B> {
    let v = b.xget(register(insn.operands[1]));
    let v = if half == Half::High { high(b, v) } else { v };
    write(b, at, insn, insn.operands[0], v, 8)?;
    Ok(Flow::Next)
}

/// Which half goes where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super::super) enum HalfMove {
    HighToLow,
    LowToHigh,
}

/// MOVHLPS, MOVLHPS.
pub(in super::super::super) fn half_move<B: Builder<X86_64>>(
    b: &mut B,
    _: At,
    insn: &Insn,
    way: HalfMove,
) -> R<B> {
    let v = b.xget(register(insn.operands[1]));
    let old = old(b, insn)?;
    // Lane 0 from lane 1, or lane 1 from lane 0.
    let lanes = if way == HalfMove::HighToLow { 0x10 } else { 0x01 };
    let merged = b.xnum(XImm::Lane, W64, old, v, lanes);
    set(b, insn, merged);
    Ok(Flow::Next)
}

/// MOVD, MOVQ from a general register or memory.
pub(in super::super::super) fn vec_from_gpr<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
) -> R<B> {
    let from = insn.operands[1];
    let v = match (from, operand::width(from)) {
        (Operand::Mem(bytes), _) => load(b, at, insn, bytes)?,
        (_, W32) => {
            let v = operand::read(b, at, insn, from)?;
            b.fraw(Fmt::S, v)
        }
        _ => {
            let v = operand::read(b, at, insn, from)?;
            b.fraw(Fmt::D, v)
        }
    };
    set(b, insn, v);
    Ok(Flow::Next)
}

/// MOVD, MOVQ to a general register or memory.
pub(in super::super::super) fn gpr_from_vec<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
) -> R<B> {
    let [to, from, ..] = insn.operands;
    let v = b.xget(register(from));
    match to {
        Operand::Mem(bytes) => write(b, at, insn, to, v, bytes)?,
        _ => {
            let v = b.xlane(operand::width(to), v, 0);
            operand::set(b, to, v);
        }
    }
    Ok(Flow::Next)
}

/// MASKMOVDQU: the bytes of a register that a mask chooses, to where rdi points.
pub(in super::super::super) fn mask_move<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
) -> R<B> {
    let mem = crate::isa::x86_64::Mem { base: Some(super::super::reg::RDI), ..insn.mem };
    let offset = operand::offset(b, at, &mem);
    let va = operand::linear(b, insn.mem.segment, offset);
    let va = b.share(va);
    let v = b.xget(register(insn.operands[0]));
    let mask = b.xget(register(insn.operands[1]));
    let zero = b.ximm(0);
    let mask = b.x2(crate::builder::X2::GtS, Width::W8, zero, mask);
    let chosen = b.xmask(Width::W8, mask);
    let none = b.imm(0);
    let any = b.cmp(crate::builder::Cond::Ne, W64, chosen, none);
    b.when(any, |b| {
        let before = b.xload(va, access(16))?;
        let after = b.xselect(mask, v, before);
        b.xstore(va, after, access(16))
    })?;
    Ok(Flow::Next)
}
