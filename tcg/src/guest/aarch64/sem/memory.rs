//! Loads and stores `[ARM-ARM C3.2]`.

use super::register::extended;
use super::{Aarch64, R, get, set, with, zext};
use crate::builder::{At, Bin, Builder, Fence, Flow, MemOp, Width};
use crate::isa::aarch64::{Mem, MemLiteral, MemPair, MemReg, Ordered};

use Width::W64;

/// What becomes of the base register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Mode {
    /// It stays.
    Offset,
    /// It gets the sum before the access.
    Pre,
    /// It gets the sum after the access.
    Post,
}

/// The address of an access; and the base register's new value, if it gets one.
pub(super) fn address<B: Builder<Aarch64>>(
    b: &mut B,
    rn: u8,
    imm: i32,
    mode: Mode,
) -> (B::V, Option<B::V>) {
    let base = b.get(rn);
    let sum = with(b, Bin::Add, base, i64::from(imm) as u64);
    match mode {
        Mode::Offset => (sum, None),
        Mode::Pre => (sum, Some(sum)),
        Mode::Post => (base, Some(sum)),
    }
}

pub(super) fn write_back<B: Builder<Aarch64>>(b: &mut B, rn: u8, new: Option<B::V>) {
    if let Some(new) = new {
        b.set(rn, new);
    }
}

/// Loads into a register of width `w`.
fn load_to<B: Builder<Aarch64>>(
    b: &mut B,
    rt: u8,
    va: B::V,
    m: MemOp,
    w: Width,
) -> Result<(), B::Trap> {
    let v = b.load(va, m)?;
    // A sign extension ends at the register's width.
    let v = if m.signed { zext(b, w, v) } else { v };
    set(b, rt, v);
    Ok(())
}

pub(in super::super) fn load<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Mem,
    m: MemOp,
    w: Width,
    mode: Mode,
) -> R<B> {
    let (va, new) = address(b, a.rn, a.imm, mode);
    let v = b.load(va, m)?;
    let v = if m.signed { zext(b, w, v) } else { v };
    write_back(b, a.rn, new);
    set(b, a.rt, v);
    Ok(Flow::Next)
}

pub(in super::super) fn store<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Mem,
    m: MemOp,
    mode: Mode,
) -> R<B> {
    let (va, new) = address(b, a.rn, a.imm, mode);
    let v = get(b, a.rt);
    b.store(va, v, m)?;
    write_back(b, a.rn, new);
    Ok(Flow::Next)
}

pub(super) fn indexed<B: Builder<Aarch64>>(b: &mut B, a: MemReg, m: MemOp) -> B::V {
    let base = b.get(a.rn);
    let index = extended(b, a.rm, a.option, if a.scale { m.size } else { 0 });
    b.bin(Bin::Add, W64, base, index)
}

pub(in super::super) fn load_reg<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: MemReg,
    m: MemOp,
    w: Width,
) -> R<B> {
    let va = indexed(b, a, m);
    load_to(b, a.rt, va, m, w)?;
    Ok(Flow::Next)
}

pub(in super::super) fn store_reg<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: MemReg,
    m: MemOp,
) -> R<B> {
    let va = indexed(b, a, m);
    let v = get(b, a.rt);
    b.store(va, v, m)?;
    Ok(Flow::Next)
}

/// Unprivileged accesses: at EL0 all are.
pub(in super::super) fn load_user<B: Builder<Aarch64>>(
    b: &mut B,
    at: At,
    a: Mem,
    m: MemOp,
    w: Width,
) -> R<B> {
    load(b, at, a, m, w, Mode::Offset)
}

pub(in super::super) fn store_user<B: Builder<Aarch64>>(
    b: &mut B,
    at: At,
    a: Mem,
    m: MemOp,
) -> R<B> {
    store(b, at, a, m, Mode::Offset)
}

pub(in super::super) fn load_literal<B: Builder<Aarch64>>(
    b: &mut B,
    at: At,
    a: MemLiteral,
    m: MemOp,
) -> R<B> {
    let va = b.imm(at.pc.wrapping_add_signed(i64::from(a.imm)));
    load_to(b, a.rt, va, m, W64)?;
    Ok(Flow::Next)
}

pub(in super::super) fn load_pair<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: MemPair,
    m: MemOp,
    mode: Mode,
) -> R<B> {
    let (va, new) = address(b, a.rn, a.imm, mode);
    let first = b.load(va, m)?;
    let behind = with(b, Bin::Add, va, m.bytes());
    let second = b.load(behind, m)?;
    write_back(b, a.rn, new);
    set(b, a.rt, first);
    set(b, a.rt2, second);
    Ok(Flow::Next)
}

/// The second store may fault after the first was done, as the architecture allows.
pub(in super::super) fn store_pair<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: MemPair,
    m: MemOp,
    mode: Mode,
) -> R<B> {
    let (va, new) = address(b, a.rn, a.imm, mode);
    let (first, second) = (get(b, a.rt), get(b, a.rt2));
    b.store(va, first, m)?;
    let behind = with(b, Bin::Add, va, m.bytes());
    b.store(behind, second, m)?;
    write_back(b, a.rn, new);
    Ok(Flow::Next)
}

pub(in super::super) fn prefetch<B: Builder<Aarch64>, A>(_: &mut B, _: At, _: A) -> R<B> {
    Ok(Flow::Next)
}

/// Loads before all later accesses.
pub(in super::super) fn load_acquire<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Ordered,
    m: MemOp,
) -> R<B> {
    let va = b.get(a.rn);
    load_to(b, a.rt, va, m.aligned(), W64)?;
    b.fence(Fence::Acquire);
    Ok(Flow::Next)
}

/// Stores after all earlier accesses, and before later loads that acquire.
pub(in super::super) fn store_release<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Ordered,
    m: MemOp,
) -> R<B> {
    b.fence(Fence::Release);
    let va = b.get(a.rn);
    let v = get(b, a.rt);
    b.store(va, v, m.aligned())?;
    b.fence(Fence::Full);
    Ok(Flow::Next)
}

pub(in super::super) fn load_acquire_at<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Mem,
    m: MemOp,
    w: Width,
) -> R<B> {
    let (va, _) = address(b, a.rn, a.imm, Mode::Offset);
    load_to(b, a.rt, va, m, w)?;
    b.fence(Fence::Acquire);
    Ok(Flow::Next)
}

pub(in super::super) fn store_release_at<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Mem,
    m: MemOp,
) -> R<B> {
    b.fence(Fence::Release);
    let (va, _) = address(b, a.rn, a.imm, Mode::Offset);
    let v = get(b, a.rt);
    b.store(va, v, m)?;
    b.fence(Fence::Full);
    Ok(Flow::Next)
}
