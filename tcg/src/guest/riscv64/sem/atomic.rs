//! A: atomics `[Unpriv §13]`. All are sequentially consistent, which is more than asked.

use std::mem::offset_of;

use arch::riscv64::Hart;
use arch::riscv64::state::NO_RESERVATION;

use super::{R, Riscv64, get, set};
use crate::builder::{At, Builder, Fence, Flow, MemOp, Rmw, Width};
use crate::guest::Helper;
use crate::guest::reserve::{Reservation, asking};
use crate::isa::riscv64::{Amo, Lr};

/// The bit of an atomic's order that keeps later accesses behind it.
const ACQUIRE: u8 = 2;

fn access(w: Width) -> MemOp {
    match w {
        Width::W64 => MemOp::LD.aligned(),
        _ => MemOp::LW.aligned(),
    }
}

pub(in super::super) fn amo<B: Builder<Riscv64>>(
    b: &mut B,
    _: At,
    a: Amo,
    op: Rmw,
    w: Width,
) -> R<B> {
    let va = get(b, a.rs1);
    let v = get(b, a.rs2);
    if a.rd == 0 && op == Rmw::Swap && a.order & ACQUIRE == 0 {
        // A store: C compilers release locks with it. Hosts without the order of stores and loads of
        // x86 need a fence in front.
        b.fence(Fence::Release);
        b.store(va, v, access(w))?;
    } else if a.rd == 0 {
        b.update(op, va, v, access(w))?;
    } else {
        let old = b.rmw(op, va, v, access(w))?;
        set(b, a.rd, old);
    }
    Ok(Flow::Next)
}

static RESERVATION: Reservation<Riscv64> = Reservation {
    address: offset_of!(Hart, resv_addr),
    none: NO_RESERVATION,
    value: offset_of!(Hart, resv_value),
    alone: &ALONE,
};
static ALONE: Helper<Riscv64> = asking();

pub(in super::super) fn lr<B: Builder<Riscv64>>(b: &mut B, at: At, a: Lr, w: Width) -> R<B> {
    let Some(v) = RESERVATION.load(b, at, |b| get(b, a.rs1), access(w))? else {
        return Ok(Flow::Dispatch);
    };
    set(b, a.rd, v);
    Ok(Flow::Next)
}

pub(in super::super) fn sc<B: Builder<Riscv64>>(b: &mut B, at: At, a: Amo, w: Width) -> R<B> {
    let (va, new) = (|b: &mut B| get(b, a.rs1), |b: &mut B| get(b, a.rs2));
    let failed = RESERVATION.store(b, at, va, new, access(w))?;
    set(b, a.rd, failed);
    Ok(Flow::Next)
}
