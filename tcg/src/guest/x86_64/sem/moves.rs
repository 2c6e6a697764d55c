//! Moves, extensions, addresses, conditional moves, segment bases.

use std::mem::offset_of;

use arch::x86_64::Cpu;

use super::flags::condition;
use super::operand::{self, access, linear, offset, read, set, sext, width, with, write, zext};
use super::reg::{RAX, RBX, RDX};
use super::{R, X86_64};
use crate::builder::{At, Bin, Builder, Fence, Flow, Width};
use crate::isa::x86_64::{self as isa, Insn, Operand};

use Width::{W8, W64};

pub(in super::super) fn mov<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let [to, from, ..] = insn.operands;
    let v = read(b, at, insn, from)?;
    write(b, at, insn, to, v)?;
    Ok(Flow::Next)
}

pub(in super::super) fn movzx<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let [to, from, ..] = insn.operands;
    let v = read(b, at, insn, from)?;
    let v = zext(b, width(from), v);
    set(b, to, v);
    Ok(Flow::Next)
}

pub(in super::super) fn movsx<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let [to, from, ..] = insn.operands;
    let v = read(b, at, insn, from)?;
    let v = sext(b, width(from), v);
    set(b, to, v);
    Ok(Flow::Next)
}

pub(in super::super) fn movsxd<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    movsx(b, at, insn)
}

pub(in super::super) fn lea<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let address = offset(b, at, &insn.mem);
    set(b, insn.operands[0], address);
    Ok(Flow::Next)
}

/// The source is read, and a 32-bit register zero-extended, whether the condition holds or not.
pub(in super::super) fn cmov<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let [to, from, ..] = insn.operands;
    let v = read(b, at, insn, from)?;
    let old = read(b, at, insn, to)?;
    let holds = condition(b, insn.cc);
    let v = b.select(holds, v, old);
    set(b, to, v);
    Ok(Flow::Next)
}

/// CBW, CWDE, CDQE: the accumulator from half its width.
pub(in super::super) fn widen_a<B: Builder<X86_64>>(b: &mut B, _: At, insn: &Insn) -> R<B> {
    let half = match insn.width {
        isa::Width::Q => Width::W32,
        isa::Width::D => Width::W16,
        _ => W8,
    };
    let old = b.get(RAX);
    let v = sext(b, half, old);
    set(b, Operand::Gpr(RAX, insn.width), v);
    Ok(Flow::Next)
}

/// CWD, CDQ, CQO: the accumulator's sign in all of rdx.
pub(in super::super) fn widen_d<B: Builder<X86_64>>(b: &mut B, _: At, insn: &Insn) -> R<B> {
    let old = b.get(RAX);
    let v = sext(b, operand::size(insn.width), old);
    let v = with(b, Bin::Sar, v, 63);
    set(b, Operand::Gpr(RDX, insn.width), v);
    Ok(Flow::Next)
}

pub(in super::super) fn xlat<B: Builder<X86_64>>(b: &mut B, _: At, insn: &Insn) -> R<B> {
    let table = b.get(RBX);
    let index = b.get(RAX);
    let index = zext(b, W8, index);
    let sum = b.bin(Bin::Add, W64, table, index);
    let sum = if insn.mem.addr32 { zext(b, Width::W32, sum) } else { sum };
    let va = linear(b, insn.mem.segment, sum);
    let v = b.load(va, access(W8))?;
    set(b, Operand::Gpr(RAX, isa::Width::B), v);
    Ok(Flow::Next)
}

/// Which base is accessed, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum BaseAccess {
    ReadFs,
    ReadGs,
    WriteFs,
    WriteGs,
}

pub(in super::super) fn segment_base<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    access: BaseAccess,
) -> R<B> {
    let register = insn.operands[0];
    let field = match access {
        BaseAccess::ReadFs | BaseAccess::WriteFs => offset_of!(Cpu, fs_base),
        BaseAccess::ReadGs | BaseAccess::WriteGs => offset_of!(Cpu, gs_base),
    };
    match access {
        BaseAccess::ReadFs | BaseAccess::ReadGs => {
            let base = b.field(field);
            set(b, register, base);
        }
        BaseAccess::WriteFs | BaseAccess::WriteGs => {
            let v = read(b, at, insn, register)?;
            let v = zext(b, width(register), v);
            b.set_field(field, v);
        }
    }
    Ok(Flow::Next)
}

pub(in super::super) fn nop<B: Builder<X86_64>>(_: &mut B, _: At, _: &Insn) -> R<B> {
    Ok(Flow::Next)
}

/// Prefetches and reserved no-operations: they access nothing.
pub(in super::super) fn hint<B: Builder<X86_64>>(_: &mut B, _: At, _: &Insn) -> R<B> {
    Ok(Flow::Next)
}

pub(in super::super) fn fence<B: Builder<X86_64>>(b: &mut B, _: At, _: &Insn, f: Fence) -> R<B> {
    b.fence(f);
    Ok(Flow::Next)
}

/// CLFLUSH and its kin: there are no caches to flush, but the address has to be readable.
pub(in super::super) fn cache_line<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    read(b, at, insn, Operand::Mem(1))?;
    Ok(Flow::Next)
}
