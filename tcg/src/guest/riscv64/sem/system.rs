//! CSRs, traps and fences: mostly calls into [`super::super::system`].

use super::super::system;
use super::{R, Riscv64, get, set};
use crate::builder::{At, Builder, Flow};
use crate::isa::riscv64::{CsrI, CsrR, Sfence};

/// What a CSR instruction does; the number is the low part of funct3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum CsrOp {
    /// Replace.
    Write = 1,
    /// Set bits.
    Set = 2,
    /// Clear bits.
    Clear = 3,
}

fn access<B: Builder<Riscv64>>(b: &mut B, bits: u32, writes: bool, rd: u8, v: B::V) -> R<B> {
    let insn = b.imm(u64::from(bits));
    let old = b.call(&system::CSR, &[insn, v])?;
    set(b, rd, old);
    let csr = (bits >> 20) as u16;
    Ok(if writes && system::csr_write_matters(csr) { Flow::ResyncIfAsked } else { Flow::Next })
}

pub(in super::super) fn csr<B: Builder<Riscv64>>(b: &mut B, _: At, a: CsrR, op: CsrOp) -> R<B> {
    let (rd, rs1) = (u32::from(a.rd), u32::from(a.rs1));
    let bits = u32::from(a.csr) << 20 | rs1 << 15 | (op as u32) << 12 | rd << 7 | 0x73;
    let v = get(b, a.rs1);
    access(b, bits, op == CsrOp::Write || a.rs1 != 0, a.rd, v)
}

pub(in super::super) fn csri<B: Builder<Riscv64>>(b: &mut B, _: At, a: CsrI, op: CsrOp) -> R<B> {
    let (rd, uimm) = (u32::from(a.rd), u32::from(a.uimm));
    let bits = u32::from(a.csr) << 20 | uimm << 15 | (op as u32 | 4) << 12 | rd << 7 | 0x73;
    let v = b.imm(u64::from(a.uimm));
    access(b, bits, op == CsrOp::Write || a.uimm != 0, a.rd, v)
}

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

/// Arguments of the helper: address, ASID, and which of them are meant (bit 0, bit 1).
pub(in super::super) fn sfence_vma<B: Builder<Riscv64>>(b: &mut B, _: At, a: Sfence) -> R<B> {
    let va = get(b, a.rs1);
    let asid = get(b, a.rs2);
    let which = b.imm(u64::from(a.rs1 != 0) | u64::from(a.rs2 != 0) << 1);
    b.call(&system::SFENCE, &[va, asid, which])?;
    Ok(Flow::Resync)
}

/// The fences around `sinval.vma`, which is a complete fence here: only their privilege check is
/// left.
pub(in super::super) fn sfence_inval<B: Builder<Riscv64>>(b: &mut B, _: At) -> R<B> {
    b.call(&system::SFENCE_INVAL, &[])?;
    Ok(Flow::Next)
}
