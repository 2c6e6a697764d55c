//! Traps and fences: calls into [`super::super::system`].

use super::super::system;
use super::{R, Riscv64, get};
use crate::builder::{At, Builder, Flow};
use crate::isa::riscv64::Sfence;

pub(in super::super) fn ecall<B: Builder<Riscv64>>(b: &mut B, _: At) -> R<B> {
    b.call(&system::ECALL, &[])?;
    Ok(Flow::Dispatch)
}

pub(in super::super) fn ebreak<B: Builder<Riscv64>>(b: &mut B, _: At) -> R<B> {
    b.call(&system::EBREAK, &[])?;
    Ok(Flow::Dispatch)
}

pub(in super::super) fn mret<B: Builder<Riscv64>>(b: &mut B, _: At) -> R<B> {
    b.call(&system::MRET, &[])?;
    Ok(Flow::Dispatch)
}

pub(in super::super) fn sret<B: Builder<Riscv64>>(b: &mut B, _: At) -> R<B> {
    b.call(&system::SRET, &[])?;
    Ok(Flow::Dispatch)
}

pub(in super::super) fn wfi<B: Builder<Riscv64>>(b: &mut B, _: At) -> R<B> {
    b.call(&system::WFI, &[])?;
    Ok(Flow::Resync)
}

/// Arguments of the helper: address, ASID, and which of them are meant (bit 0, bit 1) with the
/// program counter above that.
pub(in super::super) fn sfence_vma<B: Builder<Riscv64>>(b: &mut B, at: At, a: Sfence) -> R<B> {
    let va = get(b, a.rs1);
    let asid = get(b, a.rs2);
    let which = b.imm(at.pc << 2 | u64::from(a.rs1 != 0) | u64::from(a.rs2 != 0) << 1);
    b.call(&system::SFENCE, &[va, asid, which])?;
    Ok(Flow::ResyncIfAsked)
}

/// The fences around `sinval.vma`, which is a complete fence here: only their privilege check is
/// left.
pub(in super::super) fn sfence_inval<B: Builder<Riscv64>>(b: &mut B, _: At) -> R<B> {
    b.call(&system::SFENCE_INVAL, &[])?;
    Ok(Flow::Next)
}
