//! Exclusive accesses and atomics `[ARM-ARM C3.2]`. All are sequentially consistent, which is
//! more than asked.

use std::mem::offset_of;

use arch::aarch64::Cpu;
use arch::aarch64::state::NO_RESERVATION;

use super::{Aarch64, R, get, set, undefined, with, zext};
use crate::builder::{At, Bin, Builder, Flow, MemOp, Rmw, Un, Width};
use crate::guest::Helper;
use crate::guest::reserve::{Reservation, asking};
use crate::isa::aarch64::{
    Atomic, ExclusiveLoad, ExclusiveLoadPair, ExclusiveStore, ExclusiveStorePair,
};

use Width::{W32, W64};

static RESERVATION: Reservation<Aarch64> = Reservation {
    address: offset_of!(Cpu, exclusive_addr),
    none: NO_RESERVATION,
    value: offset_of!(Cpu, exclusive_value),
    alone: &ALONE,
};
static ALONE: Helper<Aarch64> = asking();

pub(in super::super) fn load_exclusive<B: Builder<Aarch64>>(
    b: &mut B,
    at: At,
    a: ExclusiveLoad,
    m: MemOp,
) -> R<B> {
    let Some(v) = RESERVATION.load(b, at, |b| b.get(a.rn), m)? else {
        return Ok(Flow::Dispatch);
    };
    set(b, a.rt, v);
    Ok(Flow::Next)
}

pub(in super::super) fn store_exclusive<B: Builder<Aarch64>>(
    b: &mut B,
    at: At,
    a: ExclusiveStore,
    m: MemOp,
) -> R<B> {
    let failed = RESERVATION.store(b, at, |b| b.get(a.rn), |b| get(b, a.rt), m)?;
    set(b, a.rs, failed);
    Ok(Flow::Next)
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
    at: At,
    a: ExclusiveLoadPair,
    w: Width,
) -> R<B> {
    if w == W64 {
        return undefined(b);
    }
    let Some(v) = RESERVATION.load(b, at, |b| b.get(a.rn), MemOp::LD)? else {
        return Ok(Flow::Dispatch);
    };
    let low = zext(b, W32, v);
    let high = with(b, Bin::Shr, v, 32);
    set(b, a.rt, low);
    set(b, a.rt2, high);
    Ok(Flow::Next)
}

pub(in super::super) fn store_exclusive_pair<B: Builder<Aarch64>>(
    b: &mut B,
    at: At,
    a: ExclusiveStorePair,
    w: Width,
) -> R<B> {
    if w == W64 {
        return undefined(b);
    }
    let new = |b: &mut B| together(b, a.rt, a.rt2);
    let failed = RESERVATION.store(b, at, |b| b.get(a.rn), new, MemOp::LD)?;
    set(b, a.rs, failed);
    Ok(Flow::Next)
}

pub(in super::super) fn atomic<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Atomic,
    op: Rmw,
    m: MemOp,
) -> R<B> {
    let v = get(b, a.rs);
    // Comparisons look at more than narrow operands have.
    let v = match (op, m.size) {
        (Rmw::Min | Rmw::Max, 0) => b.un(Un::Sext8, W64, v),
        (Rmw::Min | Rmw::Max, 1) => b.un(Un::Sext16, W64, v),
        (Rmw::Minu | Rmw::Maxu, 0) => b.un(Un::Zext8, W64, v),
        (Rmw::Minu | Rmw::Maxu, 1) => b.un(Un::Zext16, W64, v),
        _ => v,
    };
    rmw(b, a, op, v, m)
}

/// The instruction is called a store if the old value goes to the zero register.
fn rmw<B: Builder<Aarch64>>(b: &mut B, a: Atomic, op: Rmw, v: B::V, m: MemOp) -> R<B> {
    let va = b.get(a.rn);
    if a.rt == super::SP {
        b.update(op, va, v, m.aligned())?;
    } else {
        let old = b.rmw(op, va, v, m.aligned())?;
        set(b, a.rt, old);
    }
    Ok(Flow::Next)
}

/// Clears the bits of the operand.
pub(in super::super) fn atomic_clear<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Atomic,
    m: MemOp,
) -> R<B> {
    let v = get(b, a.rs);
    let kept = b.un(Un::Not, W64, v);
    rmw(b, a, Rmw::And, kept, m)
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
    RESERVATION.clear(b);
    Ok(Flow::Next)
}
