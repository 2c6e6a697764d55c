//! Exclusive accesses and atomics `[ARM-ARM C3.2]`. All are sequentially consistent, which is
//! more than asked.

use std::mem::offset_of;

use arch::aarch64::Cpu;
use arch::aarch64::state::NO_RESERVATION;

use super::{Aarch64, R, get, set, undefined, with, zext};
use crate::builder::{At, Bin, Builder, Cond, Flow, MemOp, Rmw, Un, Width};
use crate::isa::aarch64::{
    Atomic, ExclusiveLoad, ExclusiveLoadPair, ExclusiveStore, ExclusiveStorePair,
};

use Width::{W32, W64};

const ADDRESS: usize = offset_of!(Cpu, exclusive_addr);
const VALUE: usize = offset_of!(Cpu, exclusive_value);

/// In [`Cpu::exclusive_addr`] between the store of a store exclusive and its end: it was done. No
/// load can reserve this address: it is misaligned.
const STORED: u64 = NO_RESERVATION - 1;

/// Loads, and remembers address and value.
fn reserve<B: Builder<Aarch64>>(b: &mut B, rn: u8, m: MemOp) -> Result<B::V, B::Trap> {
    let va = b.get(rn);
    let v = b.load(va, m.aligned())?;
    let v = b.share(v);
    b.set_field(ADDRESS, va);
    b.set_field(VALUE, v);
    Ok(v)
}

pub(in super::super) fn load_exclusive<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: ExclusiveLoad,
    m: MemOp,
) -> R<B> {
    let v = reserve(b, a.rn, m)?;
    set(b, a.rt, v);
    Ok(Flow::Next)
}

/// Stores if memory still holds what was read there; `status` becomes 0 then, else 1.
fn store_reserved<B: Builder<Aarch64>>(
    b: &mut B,
    (status, rn): (u8, u8),
    m: MemOp,
    new: impl FnOnce(&mut B) -> B::V,
) -> R<B> {
    let va = b.get(rn);
    let reserved = b.field(ADDRESS);
    let same = b.cmp(Cond::Eq, W64, reserved, va);
    b.when(same, |b| {
        let va = b.get(rn);
        let new = new(b);
        let old = b.field(VALUE);
        let found = b.cas(va, old, new, m.aligned())?;
        let old = b.field(VALUE);
        let w = [Width::W8, Width::W16, W32, W64][usize::from(m.size & 3)];
        let stored = b.cmp(Cond::Eq, w, found, old);
        let (yes, no) = (b.imm(STORED), b.imm(NO_RESERVATION));
        let outcome = b.select(stored, yes, no);
        b.set_field(ADDRESS, outcome);
        Ok(())
    })?;
    let outcome = b.field(ADDRESS);
    let yes = b.imm(STORED);
    let failed = b.cmp(Cond::Ne, W64, outcome, yes);
    let failed = b.share(failed);
    let none = b.imm(NO_RESERVATION);
    b.set_field(ADDRESS, none);
    set(b, status, failed);
    Ok(Flow::Next)
}

pub(in super::super) fn store_exclusive<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: ExclusiveStore,
    m: MemOp,
) -> R<B> {
    store_reserved(b, (a.rs, a.rn), m, |b| get(b, a.rt))
}

/// Two words in a doubleword.
fn together<B: Builder<Aarch64>>(b: &mut B, low: u8, high: u8) -> B::V {
    let (low, high) = (get(b, low), get(b, high));
    let low = zext(b, W32, low);
    let high = with(b, Bin::Shl, high, 32);
    b.bin(Bin::Or, W64, low, high)
}

/// A pair of doublewords is 16 bytes, for which the engine has no atomic access.
pub(in super::super) fn load_exclusive_pair<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: ExclusiveLoadPair,
    w: Width,
) -> R<B> {
    if w == W64 {
        return undefined(b);
    }
    let v = reserve(b, a.rn, MemOp::LD)?;
    let low = zext(b, W32, v);
    let high = with(b, Bin::Shr, v, 32);
    set(b, a.rt, low);
    set(b, a.rt2, high);
    Ok(Flow::Next)
}

pub(in super::super) fn store_exclusive_pair<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: ExclusiveStorePair,
    w: Width,
) -> R<B> {
    if w == W64 {
        return undefined(b);
    }
    store_reserved(b, (a.rs, a.rn), MemOp::LD, |b| together(b, a.rt, a.rt2))
}

pub(in super::super) fn atomic<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Atomic,
    op: Rmw,
    m: MemOp,
) -> R<B> {
    let va = b.get(a.rn);
    let v = get(b, a.rs);
    // Comparisons look at more than narrow operands have.
    let v = match (op, m.size) {
        (Rmw::Min | Rmw::Max, 0) => b.un(Un::Sext8, W64, v),
        (Rmw::Min | Rmw::Max, 1) => b.un(Un::Sext16, W64, v),
        (Rmw::Minu | Rmw::Maxu, 0) => b.un(Un::Zext8, W64, v),
        (Rmw::Minu | Rmw::Maxu, 1) => b.un(Un::Zext16, W64, v),
        _ => v,
    };
    let old = b.rmw(op, va, v, m.aligned())?;
    set(b, a.rt, old);
    Ok(Flow::Next)
}

/// Clears the bits of the operand.
pub(in super::super) fn atomic_clear<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Atomic,
    m: MemOp,
) -> R<B> {
    let va = b.get(a.rn);
    let v = get(b, a.rs);
    let kept = b.un(Un::Not, W64, v);
    let old = b.rmw(Rmw::And, va, kept, m.aligned())?;
    set(b, a.rt, old);
    Ok(Flow::Next)
}

pub(in super::super) fn cas<B: Builder<Aarch64>>(b: &mut B, _: At, a: Atomic, m: MemOp) -> R<B> {
    let va = b.get(a.rn);
    let (old, new) = (get(b, a.rs), get(b, a.rt));
    let found = b.cas(va, old, new, m.aligned())?;
    set(b, a.rs, found);
    Ok(Flow::Next)
}

pub(in super::super) fn cas_pair<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Atomic,
    w: Width,
) -> R<B> {
    if w == W64 {
        return undefined(b);
    }
    let va = b.get(a.rn);
    let old = together(b, a.rs, a.rs | 1);
    let new = together(b, a.rt, a.rt | 1);
    let found = b.cas(va, old, new, MemOp::LD.aligned())?;
    let found = b.share(found);
    let low = zext(b, W32, found);
    let high = with(b, Bin::Shr, found, 32);
    set(b, a.rs, low);
    set(b, a.rs | 1, high);
    Ok(Flow::Next)
}

pub(in super::super) fn clrex<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    _: crate::isa::aarch64::Barrier,
) -> R<B> {
    let none = b.imm(NO_RESERVATION);
    b.set_field(ADDRESS, none);
    Ok(Flow::Next)
}
