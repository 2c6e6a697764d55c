//! A: atomics `[Unpriv §13]`. All are sequentially consistent, which is more than asked.

use std::mem::offset_of;

use arch::riscv64::Hart;
use arch::riscv64::state::NO_RESERVATION;

use super::{R, Riscv64, get, set};
use crate::builder::{At, Builder, Cond, Flow, MemOp, Rmw, Width};
use crate::isa::riscv64::{Amo, Lr};

/// In [`Hart::resv_addr`] between the store of an SC and its end: the store was done. No LR can
/// reserve this address: it is misaligned.
const STORED: u64 = NO_RESERVATION - 1;

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
    let old = b.rmw(op, va, v, access(w))?;
    set(b, a.rd, old);
    Ok(Flow::Next)
}

pub(in super::super) fn lr<B: Builder<Riscv64>>(b: &mut B, _: At, a: Lr, w: Width) -> R<B> {
    let va = get(b, a.rs1);
    let v = b.load(va, access(w))?;
    let v = b.share(v);
    b.set_field(offset_of!(Hart, resv_addr), va);
    b.set_field(offset_of!(Hart, resv_value), v);
    set(b, a.rd, v);
    Ok(Flow::Next)
}

/// Stores if memory at the reserved address still holds what LR read there.
pub(in super::super) fn sc<B: Builder<Riscv64>>(b: &mut B, _: At, a: Amo, w: Width) -> R<B> {
    let va = get(b, a.rs1);
    let reserved = b.field(offset_of!(Hart, resv_addr));
    let same = b.cmp(Cond::Eq, Width::W64, reserved, va);
    b.when(same, |b| {
        let va = get(b, a.rs1);
        let new = get(b, a.rs2);
        let old = b.field(offset_of!(Hart, resv_value));
        let found = b.cas(va, old, new, access(w))?;
        let old = b.field(offset_of!(Hart, resv_value));
        let stored = b.cmp(Cond::Eq, w, found, old);
        let (yes, no) = (b.imm(STORED), b.imm(NO_RESERVATION));
        let outcome = b.select(stored, yes, no);
        b.set_field(offset_of!(Hart, resv_addr), outcome);
        Ok(())
    })?;
    let outcome = b.field(offset_of!(Hart, resv_addr));
    let yes = b.imm(STORED);
    let failed = b.cmp(Cond::Ne, Width::W64, outcome, yes);
    let failed = b.share(failed);
    let none = b.imm(NO_RESERVATION);
    b.set_field(offset_of!(Hart, resv_addr), none);
    set(b, a.rd, failed);
    Ok(Flow::Next)
}
