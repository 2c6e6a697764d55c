//! F and D `[Unpriv §20]`, `[Unpriv §21]`.

use std::mem::offset_of;

use arch::riscv64::Hart;

use super::{CsrOp, R, Riscv64, get, imm, set, set_w};
use crate::builder::*;
use crate::isa::riscv64::{
    FArith1, FArith2, FArith3, FCmp, FFromInt, FFromX, FLoad, FR, FStore, FToInt, FToX, Insn,
};

const DYNAMIC: u8 = 7;

fn rounding(rm: u8) -> Rm {
    if rm == DYNAMIC { Rm::Dynamic } else { Rm::Static(rm) }
}

fn address<B: Builder<Riscv64>>(b: &mut B, rs1: u8, offset: i32) -> B::V {
    let base = get(b, rs1);
    let offset = imm(b, offset);
    b.bin(Bin::Add, Width::W64, base, offset)
}

pub(in super::super) fn fload<B: Builder<Riscv64>>(b: &mut B, _: At, a: FLoad, fmt: Fmt) -> R<B> {
    let va = address(b, a.rs1, a.imm);
    let v = b.fload(va, fmt)?;
    b.fset(a.rd, fmt, v);
    Ok(Flow::Next)
}

/// Stores the register's bits: a single is not checked for its box `[Unpriv §21.2]`.
pub(in super::super) fn fstore<B: Builder<Riscv64>>(b: &mut B, _: At, a: FStore, fmt: Fmt) -> R<B> {
    let va = address(b, a.rs1, a.imm);
    let v = b.fget(a.rs2, Fmt::D);
    b.fstore(va, v, fmt)?;
    Ok(Flow::Next)
}

pub(in super::super) fn fp2<B: Builder<Riscv64>>(
    b: &mut B,
    _: At,
    a: FArith2,
    op: Fp2,
    fmt: Fmt,
) -> R<B> {
    let x = b.fget(a.rs1, fmt);
    let y = b.fget(a.rs2, fmt);
    let v = b.fp2(op, fmt, rounding(a.rm), x, y);
    b.fset(a.rd, fmt, v);
    Ok(Flow::Next)
}

pub(in super::super) fn fp3<B: Builder<Riscv64>>(
    b: &mut B,
    _: At,
    a: FArith3,
    op: Fp3,
    fmt: Fmt,
) -> R<B> {
    let x = b.fget(a.rs1, fmt);
    let y = b.fget(a.rs2, fmt);
    let z = b.fget(a.rs3, fmt);
    let v = b.fp3(op, fmt, rounding(a.rm), x, y, z);
    b.fset(a.rd, fmt, v);
    Ok(Flow::Next)
}

pub(in super::super) fn fsqrt<B: Builder<Riscv64>>(b: &mut B, _: At, a: FArith1, fmt: Fmt) -> R<B> {
    let x = b.fget(a.rs1, fmt);
    let v = b.fsqrt(fmt, rounding(a.rm), x);
    b.fset(a.rd, fmt, v);
    Ok(Flow::Next)
}

pub(in super::super) fn fsgnj<B: Builder<Riscv64>>(
    b: &mut B,
    _: At,
    a: FR,
    s: Sgn,
    fmt: Fmt,
) -> R<B> {
    let x = b.fget(a.rs1, fmt);
    let v = if s == Sgn::Copy && a.rs1 == a.rs2 {
        x
    } else {
        let y = b.fget(a.rs2, fmt);
        b.fsgnj(s, fmt, x, y)
    };
    b.fset(a.rd, fmt, v);
    Ok(Flow::Next)
}

pub(in super::super) fn fminmax<B: Builder<Riscv64>>(
    b: &mut B,
    _: At,
    a: FR,
    op: Fp2,
    fmt: Fmt,
) -> R<B> {
    let x = b.fget(a.rs1, fmt);
    let y = b.fget(a.rs2, fmt);
    let v = b.fp2(op, fmt, Rm::Dynamic, x, y);
    b.fset(a.rd, fmt, v);
    Ok(Flow::Next)
}

pub(in super::super) fn fcmp<B: Builder<Riscv64>>(
    b: &mut B,
    _: At,
    a: FCmp,
    c: FCond,
    fmt: Fmt,
) -> R<B> {
    let x = b.fget(a.rs1, fmt);
    let y = b.fget(a.rs2, fmt);
    let v = b.fcmp(c, fmt, x, y);
    set(b, a.rd, v);
    Ok(Flow::Next)
}

pub(in super::super) fn fclass<B: Builder<Riscv64>>(b: &mut B, _: At, a: FToX, fmt: Fmt) -> R<B> {
    let x = b.fget(a.rs1, fmt);
    let v = b.fclass(fmt, x);
    set(b, a.rd, v);
    Ok(Flow::Next)
}

pub(in super::super) fn fcvt_int<B: Builder<Riscv64>>(
    b: &mut B,
    _: At,
    a: FToInt,
    fmt: Fmt,
    to: IntTy,
) -> R<B> {
    let x = b.fget(a.rs1, fmt);
    let v = b.fcvt_int(fmt, to, rounding(a.rm), x);
    set(b, a.rd, v);
    Ok(Flow::Next)
}

pub(in super::super) fn fcvt_from_int<B: Builder<Riscv64>>(
    b: &mut B,
    _: At,
    a: FFromInt,
    fmt: Fmt,
    from: IntTy,
) -> R<B> {
    let x = get(b, a.rs1);
    let v = b.fcvt_from_int(fmt, from, rounding(a.rm), x);
    b.fset(a.rd, fmt, v);
    Ok(Flow::Next)
}

pub(in super::super) fn fcvt_fp<B: Builder<Riscv64>>(
    b: &mut B,
    _: At,
    a: FArith1,
    from: Fmt,
    to: Fmt,
) -> R<B> {
    let x = b.fget(a.rs1, from);
    let v = b.fcvt(from, to, rounding(a.rm), x);
    b.fset(a.rd, to, v);
    Ok(Flow::Next)
}

/// Moves the register's bits; a single is not checked for its box.
pub(in super::super) fn fmv_x<B: Builder<Riscv64>>(b: &mut B, _: At, a: FToX, fmt: Fmt) -> R<B> {
    let x = b.fget(a.rs1, Fmt::D);
    let v = b.fbits(fmt, x);
    match fmt {
        Fmt::S => set_w(b, a.rd, v),
        Fmt::D => set(b, a.rd, v),
    }
    Ok(Flow::Next)
}

pub(in super::super) fn fmv_f<B: Builder<Riscv64>>(b: &mut B, _: At, a: FFromX, fmt: Fmt) -> R<B> {
    let x = get(b, a.rs1);
    let v = b.fraw(fmt, x);
    b.fset(a.rd, fmt, v);
    Ok(Flow::Next)
}

/// An instruction that accesses the CSR `fflags` and nothing else: C libraries keep and restore
/// the flags around every quiet comparison.
pub(in super::super) struct Flags {
    rd: u8,
    op: CsrOp,
    /// A register, or the number itself.
    source: Result<u8, u8>,
}

impl Flags {
    const CSR: u16 = 0x001;

    /// `None` of all other instructions.
    #[inline]
    pub(in super::super) fn of(insn: Insn) -> Option<Self> {
        let (csr, rd, op, source) = match insn {
            Insn::Csrrw(a) => (a.csr, a.rd, CsrOp::Write, Ok(a.rs1)),
            Insn::Csrrs(a) => (a.csr, a.rd, CsrOp::Set, Ok(a.rs1)),
            Insn::Csrrc(a) => (a.csr, a.rd, CsrOp::Clear, Ok(a.rs1)),
            Insn::Csrrwi(a) => (a.csr, a.rd, CsrOp::Write, Err(a.uimm)),
            Insn::Csrrsi(a) => (a.csr, a.rd, CsrOp::Set, Err(a.uimm)),
            Insn::Csrrci(a) => (a.csr, a.rd, CsrOp::Clear, Err(a.uimm)),
            _ => return None,
        };
        (csr == Self::CSR).then_some(Self { rd, op, source })
    }
}

/// Whether a C library's quiet comparison is all that three instructions do: they read `fflags`,
/// compare, and write back what was read.
pub(in super::super) fn compares_quietly([keep, compare, restore]: [Insn; 3]) -> bool {
    let (Insn::FltS(a) | Insn::FltD(a) | Insn::FleS(a) | Insn::FleD(a)) = compare else {
        return false;
    };
    let (Some(kept), Some(restored)) = (Flags::of(keep), Flags::of(restore)) else { return false };
    let reads = kept.op == CsrOp::Set && kept.source == Ok(0);
    let writes = restored.op == CsrOp::Write && restored.source == Ok(kept.rd) && restored.rd == 0;
    reads && writes && kept.rd != 0 && kept.rd != a.rd
}

/// The destination of an instruction that reads the CSR `frm` and nothing else: C libraries look
/// whether they have to change it for a computation.
#[inline]
pub(in super::super) fn reads_rounding(insn: Insn) -> Option<u8> {
    match insn {
        Insn::Csrrs(a) if a.csr == 0x002 && a.rs1 == 0 => Some(a.rd),
        Insn::Csrrsi(a) if a.csr == 0x002 && a.uimm == 0 => Some(a.rd),
        _ => None,
    }
}

/// Reads the CSR `frm`.
pub(in super::super) fn frm<B: Builder<Riscv64>>(b: &mut B, rd: u8) -> R<B> {
    let frm = b.field(offset_of!(Hart, frm));
    set(b, rd, frm);
    Ok(Flow::Next)
}

/// The flags of the state and those that the host has collected.
fn flags_now<B: Builder<Riscv64>>(b: &mut B) -> B::V {
    let raised = b.fp_raised();
    let mut now = b.field(offset_of!(Hart, fflags));
    // Invalid, divide by zero, overflow, underflow and inexact, from where the host has them.
    for (from, to) in [(0u8, 4u8), (2, 3), (3, 2), (4, 1), (5, 0)] {
        let mask = b.imm(1 << from);
        let bit = b.bin(Bin::And, Width::W64, raised, mask);
        let (op, by) = if from > to { (Bin::Shr, from - to) } else { (Bin::Shl, to - from) };
        let by = b.imm(by.into());
        let bit = b.bin(op, Width::W64, bit, by);
        now = b.bin(Bin::Or, Width::W64, now, bit);
    }
    b.share(now)
}

/// Reads and writes the CSR `fflags`.
pub(in super::super) fn fflags<B: Builder<Riscv64>>(b: &mut B, a: Flags) -> R<B> {
    const ALL: i32 = 0x1f;
    let old = match (a.op, a.rd) {
        // Nobody asks.
        (CsrOp::Write, 0) => b.imm(0),
        _ => flags_now(b),
    };
    let writes = a.op == CsrOp::Write || !matches!(a.source, Ok(0) | Err(0));
    if writes {
        let v = match a.source {
            Ok(rs1) => get(b, rs1),
            Err(number) => b.imm(number.into()),
        };
        let all = imm(b, ALL);
        let v = b.bin(Bin::And, Width::W64, v, all);
        let new = match a.op {
            CsrOp::Write => v,
            CsrOp::Set => b.bin(Bin::Or, Width::W64, old, v),
            CsrOp::Clear => {
                let kept = b.un(Un::Not, Width::W64, v);
                b.bin(Bin::And, Width::W64, old, kept)
            }
        };
        b.fp_forget();
        b.set_field(offset_of!(Hart, fflags), new);
    }
    set(b, a.rd, old);
    Ok(Flow::Next)
}
