//! Branches, and instructions that raise exceptions `[ARM-ARM C3.1]`.

use super::super::exception::SUPERVISOR;
use super::flags::condition;
use super::{Aarch64, R, get, raise, set, undefined, what, width, with};
use crate::builder::{At, Bin, Builder, Cond, Flow, Width};
use crate::isa::aarch64::{Exception, Jump, JumpBit, JumpIf, JumpReg, JumpZero};

/// The link register.
const LR: u8 = 30;

fn target(at: At, imm: i32) -> u64 {
    at.pc.wrapping_add_signed(i64::from(imm))
}

pub(in super::super) fn jump<B: Builder<Aarch64>>(_: &mut B, at: At, a: Jump) -> R<B> {
    Ok(Flow::Goto(target(at, a.imm)))
}

pub(in super::super) fn bl<B: Builder<Aarch64>>(b: &mut B, at: At, a: Jump) -> R<B> {
    let link = b.imm(at.next());
    b.set(LR, link);
    Ok(Flow::Goto(target(at, a.imm)))
}

pub(in super::super) fn b_cond<B: Builder<Aarch64>>(b: &mut B, at: At, a: JumpIf) -> R<B> {
    let to = target(at, a.imm);
    Ok(match condition(b, a.cond) {
        Some(holds) => Flow::Branch(holds, to),
        None => Flow::Goto(to),
    })
}

pub(in super::super) fn cbz<B: Builder<Aarch64>>(b: &mut B, at: At, a: JumpZero, c: Cond) -> R<B> {
    let x = get(b, a.rt);
    let zero = b.imm(0);
    let taken = b.cmp(c, width(a.sf), x, zero);
    Ok(Flow::Branch(taken, target(at, a.imm)))
}

pub(in super::super) fn tbz<B: Builder<Aarch64>>(b: &mut B, at: At, a: JumpBit, c: Cond) -> R<B> {
    let x = get(b, a.rt);
    let bit = with(b, Bin::And, x, 1 << (a.bit & 63));
    let zero = b.imm(0);
    let taken = b.cmp(c, Width::W64, bit, zero);
    Ok(Flow::Branch(taken, target(at, a.imm)))
}

pub(in super::super) fn br<B: Builder<Aarch64>>(b: &mut B, _: At, a: JumpReg) -> R<B> {
    Ok(Flow::Jump(get(b, a.rn)))
}

pub(in super::super) fn blr<B: Builder<Aarch64>>(b: &mut B, at: At, a: JumpReg) -> R<B> {
    let to = get(b, a.rn);
    let link = b.imm(at.next());
    set(b, LR, link);
    Ok(Flow::Jump(to))
}

pub(in super::super) fn ret<B: Builder<Aarch64>>(b: &mut B, at: At, a: JumpReg) -> R<B> {
    br(b, at, a)
}

pub(in super::super) fn svc<B: Builder<Aarch64>>(b: &mut B, _: At, a: Exception) -> R<B> {
    let imm = b.imm(a.imm.into());
    b.call(&SUPERVISOR, &[imm])?;
    Ok(Flow::Dispatch)
}

pub(in super::super) fn brk<B: Builder<Aarch64>>(b: &mut B, _: At, a: Exception) -> R<B> {
    raise(b, what::BREAKPOINT, u64::from(a.imm))
}

/// Instructions of higher exception levels, of debuggers, and those meant to be undefined.
macro_rules! undefined_at_el0 {
    ($($name:ident),*) => { $(
        pub(in super::super) fn $name<B: Builder<Aarch64>>(b: &mut B, _: At, _: Exception) -> R<B> {
            undefined(b)
        }
    )* };
}

undefined_at_el0!(udf, hvc, smc, hlt);

pub(in super::super) fn eret<B: Builder<Aarch64>>(b: &mut B, _: At) -> R<B> {
    undefined(b)
}
