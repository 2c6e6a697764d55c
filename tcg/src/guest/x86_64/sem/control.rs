//! Branches, calls, loops, and instructions that raise exceptions.

use super::super::Vector;
use super::super::exception::{INTERRUPT, SYSCALL};
use super::flags::condition;
use super::operand::{read, set};
use super::reg::{R11, RCX};
use super::stack::{drop_bytes, push_value, top};
use super::{R, X86_64, raise};
use crate::builder::{At, Bin, Builder, Cond, FlagCond, Flow, Width};
use crate::isa::x86_64::{self as isa, Insn, Operand};

use Width::{W32, W64};

/// Where a relative branch goes.
fn target(at: At, insn: &Insn) -> u64 {
    at.next().wrapping_add_signed(insn.imm)
}

pub(in super::super) fn jcc<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let holds = condition(b, insn.cc);
    Ok(Flow::Branch(holds, target(at, insn)))
}

/// What LOOP looks at besides the counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Loop {
    Any,
    E,
    Ne,
}

/// The counter, rcx or ecx.
pub(super) fn counter(insn: &Insn) -> (Operand, Width) {
    if insn.mem.addr32 {
        (Operand::Gpr(RCX, isa::Width::D), W32)
    } else {
        (Operand::Gpr(RCX, isa::Width::Q), W64)
    }
}

pub(in super::super) fn loop_<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    kind: Loop,
) -> R<B> {
    let (counter, w) = counter(insn);
    let old = b.get(RCX);
    let one = b.imm(1);
    let left = b.bin(Bin::Sub, w, old, one);
    let left = b.share(left);
    let zero = b.imm(0);
    let again = b.cmp(Cond::Ne, w, left, zero);
    let again = match kind {
        Loop::Any => again,
        Loop::E | Loop::Ne => {
            let cond = if kind == Loop::E { FlagCond::Zero } else { FlagCond::NonZero };
            let flag = b.flag(cond);
            b.bin(Bin::And, W64, again, flag)
        }
    };
    set(b, counter, left);
    Ok(Flow::Branch(again, target(at, insn)))
}

pub(in super::super) fn jrcxz<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let (_, w) = counter(insn);
    let left = b.get(RCX);
    let zero = b.imm(0);
    let over = b.cmp(Cond::Eq, w, left, zero);
    Ok(Flow::Branch(over, target(at, insn)))
}

pub(in super::super) fn jmp_near<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    if insn.operands[0] == Operand::Rel {
        return Ok(Flow::Goto(target(at, insn)));
    }
    let to = read(b, at, insn, insn.operands[0])?;
    Ok(Flow::Jump(to))
}

pub(in super::super) fn call_near<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let back = b.imm(at.next());
    if insn.operands[0] == Operand::Rel {
        push_value(b, W64, back)?;
        return Ok(Flow::Goto(target(at, insn)));
    }
    let to = read(b, at, insn, insn.operands[0])?;
    let to = b.share(to);
    push_value(b, W64, back)?;
    Ok(Flow::Jump(to))
}

pub(in super::super) fn ret<B: Builder<X86_64>>(b: &mut B, _: At, insn: &Insn) -> R<B> {
    let to = top(b, W64)?;
    let to = b.share(to);
    drop_bytes(b, 8 + (insn.value(insn.operands[0]) as u64 & 0xffff));
    Ok(Flow::Jump(to))
}

pub(in super::super) fn int3<B: Builder<X86_64>>(b: &mut B, _: At, _: &Insn) -> R<B> {
    raise(b, Vector::Breakpoint as u64)
}

pub(in super::super) fn int1<B: Builder<X86_64>>(b: &mut B, _: At, _: &Insn) -> R<B> {
    raise(b, Vector::Debug as u64)
}

pub(in super::super) fn int<B: Builder<X86_64>>(b: &mut B, _: At, insn: &Insn) -> R<B> {
    raise(b, INTERRUPT + (insn.imm as u64 & 0xff))
}

/// Leaves the next address and the flags in registers, as the processor does for the kernel.
pub(in super::super) fn syscall<B: Builder<X86_64>>(b: &mut B, at: At, _: &Insn) -> R<B> {
    let flags = super::flags::rflags(b);
    b.set(R11, flags);
    let next = b.imm(at.next());
    b.set(RCX, next);
    b.call(&SYSCALL, &[])?;
    Ok(Flow::Dispatch)
}

/// Programs may not.
pub(in super::super) fn hlt<B: Builder<X86_64>>(b: &mut B, _: At, _: &Insn) -> R<B> {
    raise(b, Vector::GeneralProtection as u64)
}
