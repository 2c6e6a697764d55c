//! F and D `[Unpriv §20]`, `[Unpriv §21]`.

use std::mem::offset_of;

use arch::riscv64::Hart;

use super::{CsrAccess, R, Riscv64, get, imm, set, set_w};
use crate::builder::*;
use crate::isa::riscv64::{
    FArith1, FArith2, FArith3, FCmp, FFromInt, FFromX, FLoad, FR, FStore, FToInt, FToX,
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

/// Reads the CSR `frm`: C libraries look whether they have to change it for a computation.
pub(super) fn frm<B: Builder<Riscv64>>(b: &mut B, rd: u8) -> R<B> {
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

/// Accesses the CSR `fflags`: C libraries keep and restore them around every quiet comparison.
pub(super) fn fflags<B: Builder<Riscv64>>(b: &mut B, a: CsrAccess) -> R<B> {
    const ALL: u64 = 0x1f;
    let old = if a.reads() { flags_now(b) } else { b.imm(0) };
    if a.writes() {
        let new = a.written(b, old, ALL);
        b.fp_forget();
        b.set_field(offset_of!(Hart, fflags), new);
    }
    set(b, a.rd, old);
    Ok(Flow::Next)
}
