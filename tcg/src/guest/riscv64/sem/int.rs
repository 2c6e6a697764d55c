//! I and M: arithmetic, loads and stores, jumps `[Unpriv §2]`, `[Unpriv §4]`, `[Unpriv §12]`.

use super::{R, Riscv64, get, imm, set, set_w};
use crate::builder::{At, Bin, Builder, Cond, Fence, Flow, MemOp, Width};
use crate::isa::riscv64::{Br, FenceArgs, I, J, R as Reg3, S, U};

use Width::{W32, W64};

#[inline]
pub(in super::super) fn lui<B: Builder<Riscv64>>(b: &mut B, _: At, a: U) -> R<B> {
    let v = imm(b, a.imm);
    set(b, a.rd, v);
    Ok(Flow::Next)
}

#[inline]
pub(in super::super) fn auipc<B: Builder<Riscv64>>(b: &mut B, at: At, a: U) -> R<B> {
    let v = b.imm(at.pc.wrapping_add_signed(i64::from(a.imm)));
    set(b, a.rd, v);
    Ok(Flow::Next)
}

#[inline]
pub(in super::super) fn jal<B: Builder<Riscv64>>(b: &mut B, at: At, a: J) -> R<B> {
    let link = b.imm(at.next());
    set(b, a.rd, link);
    Ok(Flow::Goto(at.pc.wrapping_add_signed(i64::from(a.imm))))
}

#[inline]
pub(in super::super) fn jalr<B: Builder<Riscv64>>(b: &mut B, at: At, a: I) -> R<B> {
    let base = get(b, a.rs1);
    let offset = imm(b, a.imm);
    let sum = b.bin(Bin::Add, W64, base, offset);
    let even = b.imm(!1);
    let target = b.bin(Bin::And, W64, sum, even);
    let link = b.imm(at.next());
    set(b, a.rd, link);
    Ok(Flow::Jump(target))
}

#[inline(always)]
pub(in super::super) fn branch<B: Builder<Riscv64>>(b: &mut B, at: At, a: Br, c: Cond) -> R<B> {
    let x = get(b, a.rs1);
    let y = get(b, a.rs2);
    let taken = b.cmp(c, W64, x, y);
    Ok(Flow::Branch(taken, at.pc.wrapping_add_signed(i64::from(a.imm))))
}

#[inline(always)]
fn address<B: Builder<Riscv64>>(b: &mut B, rs1: u8, offset: i32) -> B::V {
    let base = get(b, rs1);
    let offset = imm(b, offset);
    b.bin(Bin::Add, W64, base, offset)
}

#[inline(always)]
pub(in super::super) fn load<B: Builder<Riscv64>>(b: &mut B, _: At, a: I, m: MemOp) -> R<B> {
    let va = address(b, a.rs1, a.imm);
    let v = b.load(va, m)?;
    set(b, a.rd, v);
    Ok(Flow::Next)
}

#[inline(always)]
pub(in super::super) fn store<B: Builder<Riscv64>>(b: &mut B, _: At, a: S, m: MemOp) -> R<B> {
    let va = address(b, a.rs1, a.imm);
    let v = get(b, a.rs2);
    b.store(va, v, m)?;
    Ok(Flow::Next)
}

#[inline(always)]
pub(in super::super) fn alu_imm<B: Builder<Riscv64>>(b: &mut B, _: At, a: I, op: Bin) -> R<B> {
    let x = get(b, a.rs1);
    let y = imm(b, a.imm);
    let v = b.bin(op, W64, x, y);
    set(b, a.rd, v);
    Ok(Flow::Next)
}

#[inline(always)]
pub(in super::super) fn alu<B: Builder<Riscv64>>(b: &mut B, _: At, a: Reg3, op: Bin) -> R<B> {
    let x = get(b, a.rs1);
    let y = get(b, a.rs2);
    let v = b.bin(op, W64, x, y);
    set(b, a.rd, v);
    Ok(Flow::Next)
}

#[inline(always)]
pub(in super::super) fn alu_imm_w<B: Builder<Riscv64>>(b: &mut B, _: At, a: I, op: Bin) -> R<B> {
    let x = get(b, a.rs1);
    let y = imm(b, a.imm);
    let v = b.bin(op, W32, x, y);
    set_w(b, a.rd, v);
    Ok(Flow::Next)
}

#[inline(always)]
pub(in super::super) fn alu_w<B: Builder<Riscv64>>(b: &mut B, _: At, a: Reg3, op: Bin) -> R<B> {
    let x = get(b, a.rs1);
    let y = get(b, a.rs2);
    let v = b.bin(op, W32, x, y);
    set_w(b, a.rd, v);
    Ok(Flow::Next)
}

#[inline]
pub(in super::super) fn slti<B: Builder<Riscv64>>(b: &mut B, _: At, a: I, c: Cond) -> R<B> {
    let x = get(b, a.rs1);
    let y = imm(b, a.imm);
    let v = b.cmp(c, W64, x, y);
    set(b, a.rd, v);
    Ok(Flow::Next)
}

#[inline]
pub(in super::super) fn slt<B: Builder<Riscv64>>(b: &mut B, _: At, a: Reg3, c: Cond) -> R<B> {
    let x = get(b, a.rs1);
    let y = get(b, a.rs2);
    let v = b.cmp(c, W64, x, y);
    set(b, a.rd, v);
    Ok(Flow::Next)
}

/// High half of signed times unsigned: the unsigned one, less b where a is negative.
pub(in super::super) fn mulhsu<B: Builder<Riscv64>>(b: &mut B, _: At, a: Reg3) -> R<B> {
    let x = get(b, a.rs1);
    let y = get(b, a.rs2);
    let high = b.bin(Bin::MulHighU, W64, x, y);
    let sixty_three = b.imm(63);
    let sign = b.bin(Bin::Sar, W64, x, sixty_three);
    let less = b.bin(Bin::And, W64, sign, y);
    let v = b.bin(Bin::Sub, W64, high, less);
    set(b, a.rd, v);
    Ok(Flow::Next)
}

/// Hints, and instructions with nothing to do here.
pub(in super::super) fn nop<B: Builder<Riscv64>>(_: &mut B, _: At) -> R<B> {
    Ok(Flow::Next)
}

const READ: u8 = 0b1010;
const WRITE: u8 = 0b0101;

/// `[Unpriv §2.7]`: I/O is ordered as memory is.
pub(in super::super) fn fence<B: Builder<Riscv64>>(b: &mut B, _: At, a: FenceArgs) -> R<B> {
    let tso = a.fm == 8;
    b.fence(if !tso && a.pred & WRITE != 0 && a.succ & READ != 0 {
        Fence::Full
    } else if a.pred & WRITE != 0 {
        Fence::Release
    } else {
        Fence::Acquire
    });
    Ok(Flow::Next)
}

/// Stores to code are noticed as they happen: what is left is to look the code up again.
pub(in super::super) fn fence_i<B: Builder<Riscv64>>(_: &mut B, _: At) -> R<B> {
    Ok(Flow::Resync)
}
