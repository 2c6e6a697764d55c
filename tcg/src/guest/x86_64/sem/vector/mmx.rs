//! MMX: vectors of 64 bits in the x87 unit's registers. What SSE has too is described once, for
//! both; here are the registers themselves, and what MMX has alone.

use std::mem::offset_of;

use arch::x86_64::Cpu;

use super::super::operand;
use super::super::reg::RDI;
use super::{Rounding, access, immediate, load, register};
use crate::builder::{At, Builder, Cond, Flow, Fmt, FpOp, IntTy, Rm, Width, X1, X2, XImm};
use crate::guest::x86_64::sem::R;
use crate::guest::x86_64::{X86_64, x87};
use crate::guest::{Helper, Touches};
use crate::isa::x86_64::{Insn, Kind, Mem, Operand};

use Width::{W8, W16, W64};

/// Puts the x87 unit into the state in which all registers are MMX's `[SDM-1 §9.6.2]`.
static ENTER: Helper<X86_64> = Helper {
    name: "mmx",
    touches: Touches::Fields,
    run: |core, _| {
        x87::enter_mmx(&mut core.state);
        Ok(0)
    },
};

/// Where a register is, once the unit has been entered.
fn field(r: u8) -> usize {
    offset_of!(Cpu, st) + 16 * usize::from(r & 7)
}

/// Whether the instruction is one of MMX, not of SSE.
pub(super) fn is_mmx(insn: &Insn) -> bool {
    matches!(insn.operands[0], Operand::Mm(_))
}

/// A register, with zeros above.
pub(super) fn get<B: Builder<X86_64>>(b: &mut B, r: u8) -> Result<B::F, B::Trap> {
    b.call(&ENTER, &[])?;
    let v = b.field(field(r));
    let v = b.share(v);
    Ok(b.fraw(Fmt::D, v))
}

/// Writes a register: the exponent that nobody looks at is all ones.
pub(super) fn set<B: Builder<X86_64>>(b: &mut B, r: u8, v: B::F) {
    let v = b.xlane(W64, v, 0);
    set_value(b, r, v);
}

fn set_value<B: Builder<X86_64>>(b: &mut B, r: u8, v: B::V) {
    let ones = b.imm(0xffff);
    b.set_field(field(r), v);
    b.set_field(field(r) + 8, ones);
}

fn number(operand: Operand) -> u8 {
    match operand {
        Operand::Mm(r) => r,
        _ => 0,
    }
}

/// Two values of 64 bits as one of 128.
pub(super) fn join<B: Builder<X86_64>>(b: &mut B, low: B::F, high: B::F) -> B::F {
    b.xnum(XImm::Lane, W64, low, high, 1)
}

/// Reads a register or 8 bytes of memory.
fn read<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    operand: Operand,
) -> Result<B::F, B::Trap> {
    match operand {
        Operand::Mm(r) => get(b, r),
        Operand::Xmm(r) => Ok(b.xget(r)),
        _ => load(b, at, insn, 8),
    }
}

/// MOVQ, MOVNTQ.
pub(in super::super::super) fn mmx_move<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
) -> R<B> {
    let [to, from, ..] = insn.operands;
    let v = read(b, at, insn, from)?;
    match to {
        Operand::Mm(r) => {
            b.call(&ENTER, &[])?;
            set(b, r, v);
        }
        _ => {
            let va = operand::address(b, at, insn);
            b.xstore(va, v, access(8))?;
        }
    }
    Ok(Flow::Next)
}

/// MOVD, MOVQ from a general register or memory.
pub(in super::super::super) fn mmx_from_gpr<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
) -> R<B> {
    let [to, from, ..] = insn.operands;
    let v = operand::read(b, at, insn, from)?;
    let v = operand::zext(b, operand::width(from), v);
    let v = b.share(v);
    b.call(&ENTER, &[])?;
    set_value(b, number(to), v);
    Ok(Flow::Next)
}

/// MOVD, MOVQ to a general register or memory.
pub(in super::super::super) fn gpr_from_mmx<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
) -> R<B> {
    let [to, from, ..] = insn.operands;
    b.call(&ENTER, &[])?;
    let v = b.field(field(number(from)));
    let v = b.share(v);
    operand::write(b, at, insn, to, v)?;
    Ok(Flow::Next)
}

/// MOVQ2DQ.
pub(in super::super::super) fn vec_from_mmx<B: Builder<X86_64>>(
    b: &mut B,
    _: At,
    insn: &Insn,
) -> R<B> {
    let v = get(b, number(insn.operands[1]))?;
    b.xset(register(insn.operands[0]), v);
    Ok(Flow::Next)
}

/// MOVDQ2Q.
pub(in super::super::super) fn mmx_from_vec<B: Builder<X86_64>>(
    b: &mut B,
    _: At,
    insn: &Insn,
) -> R<B> {
    b.call(&ENTER, &[])?;
    let v = b.xget(register(insn.operands[1]));
    set(b, number(insn.operands[0]), v);
    Ok(Flow::Next)
}

/// PINSRW.
pub(in super::super::super) fn mmx_insert<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
) -> R<B> {
    let [to, from, ..] = insn.operands;
    let v = operand::read(b, at, insn, from)?;
    let v = b.share(v);
    let x = get(b, number(to))?;
    let x = b.xinsert(W16, x, immediate(insn) & 3, v);
    set(b, number(to), x);
    Ok(Flow::Next)
}

/// PEXTRW.
pub(in super::super::super) fn mmx_extract<B: Builder<X86_64>>(
    b: &mut B,
    _: At,
    insn: &Insn,
) -> R<B> {
    let x = get(b, number(insn.operands[1]))?;
    let v = b.xlane(W16, x, immediate(insn) & 3);
    operand::set(b, insn.operands[0], v);
    Ok(Flow::Next)
}

/// PMOVMSKB.
pub(in super::super::super) fn mmx_mask<B: Builder<X86_64>>(b: &mut B, _: At, insn: &Insn) -> R<B> {
    let x = get(b, number(insn.operands[1]))?;
    let v = b.xmask(W8, x);
    operand::set(b, insn.operands[0], v);
    Ok(Flow::Next)
}

/// PSHUFW.
pub(in super::super::super) fn mmx_shuffle_words<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
) -> R<B> {
    let x = read(b, at, insn, insn.operands[1])?;
    let n = u32::from(immediate(insn));
    let order = (0..8u32).fold(u128::MAX << 64, |all, byte| {
        let word = n >> (byte & 6) & 3;
        all | u128::from(word * 2 + byte % 2) << (8 * byte)
    });
    let order = b.ximm(order);
    let v = b.x2(X2::Shuffle, W8, x, order);
    b.call(&ENTER, &[])?;
    set(b, number(insn.operands[0]), v);
    Ok(Flow::Next)
}

/// MASKMOVQ: the bytes of a register that a mask chooses, to where rdi points.
pub(in super::super::super) fn mmx_mask_move<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
) -> R<B> {
    let mem = Mem { base: Some(RDI), ..insn.mem };
    let offset = operand::offset(b, at, &mem);
    let va = operand::linear(b, insn.mem.segment, offset);
    let va = b.share(va);
    let v = get(b, number(insn.operands[0]))?;
    let mask = get(b, number(insn.operands[1]))?;
    let zero = b.ximm(0);
    let mask = b.x2(X2::GtS, W8, zero, mask);
    let chosen = b.xmask(W8, mask);
    let none = b.imm(0);
    let any = b.cmp(Cond::Ne, W64, chosen, none);
    b.when(any, |b| {
        let before = b.xload(va, access(8))?;
        let after = b.xselect(mask, v, before);
        b.xstore(va, after, access(8))
    })?;
    Ok(Flow::Next)
}

/// CVTPI2PS, CVTPI2PD. From memory they touch no register of MMX; on Intel's processors the first
/// prepares the unit all the same.
pub(in super::super::super) fn cvt_from_mmx<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
) -> R<B> {
    let [to, from, ..] = insn.operands;
    let double = insn.row().codes[0].kind == Kind::Pd;
    let x = read(b, at, insn, from)?;
    if double {
        let v = b.xfp(FpOp::FromInt(IntTy::I32), Fmt::D, Rm::Dynamic, [x, x, x]);
        b.xset(register(to), v);
    } else {
        let v = b.xfp(FpOp::FromInt(IntTy::I32), Fmt::S, Rm::Dynamic, [x, x, x]);
        let old = b.xget(register(to));
        let v = b.xnum(XImm::Lane, W64, old, v, 0);
        b.xset(register(to), v);
    }
    Ok(Flow::Next)
}

/// CVTPS2PI, CVTPD2PI and those that truncate.
pub(in super::super::super) fn cvt_to_mmx<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    rounding: Rounding,
) -> R<B> {
    let [to, from, ..] = insn.operands;
    let double = insn.row().codes[1].kind == Kind::Dq;
    let x = match from {
        Operand::Xmm(r) => b.xget(r),
        _ => load(b, at, insn, if double { 16 } else { 8 })?,
    };
    b.call(&ENTER, &[])?;
    let v = if double {
        b.xfp(FpOp::ToInt(IntTy::I32), Fmt::D, rounding.rm(), [x, x, x])
    } else {
        // The upper half must raise nothing.
        let x = b.x1(X1::LowHalf, W64, x);
        b.xfp(FpOp::ToInt(IntTy::I32), Fmt::S, rounding.rm(), [x, x, x])
    };
    set(b, number(to), v);
    Ok(Flow::Next)
}

/// The bits of a byte number that name one of eight.
pub(super) fn byte_numbers<B: Builder<X86_64>>(b: &mut B, v: B::F) -> B::F {
    let kept = b.ximm(0x8787_8787_8787_8787_8787_8787_8787_8787);
    b.x2(X2::And, W64, v, kept)
}
