//! Zba, Zbb, Zbs and Zicond `[Unpriv §27]`, `[Unpriv §10]`.

use super::{R, Riscv64, get, imm, set};
use crate::builder::{At, Bin, Builder, Cond, Flow, Un, Width};
use crate::isa::riscv64::{I, R as Reg3, Unary};

use Width::W64;

/// Single-bit operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum BitOp {
    /// Clears the bit.
    Clear,
    /// Sets it.
    Set,
    /// Inverts it.
    Inv,
    /// Gives it.
    Ext,
}

pub(in super::super) fn shadd<B: Builder<Riscv64>>(b: &mut B, _: At, a: Reg3, by: u64) -> R<B> {
    let x = get(b, a.rs1);
    let y = get(b, a.rs2);
    let by = b.imm(by);
    let shifted = b.bin(Bin::Shl, W64, x, by);
    let v = b.bin(Bin::Add, W64, shifted, y);
    set(b, a.rd, v);
    Ok(Flow::Next)
}

pub(in super::super) fn shadd_uw<B: Builder<Riscv64>>(b: &mut B, _: At, a: Reg3, by: u64) -> R<B> {
    let x = get(b, a.rs1);
    let x = b.un(Un::Zext32, W64, x);
    let y = get(b, a.rs2);
    let by = b.imm(by);
    let shifted = b.bin(Bin::Shl, W64, x, by);
    let v = b.bin(Bin::Add, W64, shifted, y);
    set(b, a.rd, v);
    Ok(Flow::Next)
}

pub(in super::super) fn slli_uw<B: Builder<Riscv64>>(b: &mut B, _: At, a: I) -> R<B> {
    let x = get(b, a.rs1);
    let x = b.un(Un::Zext32, W64, x);
    let by = imm(b, a.imm);
    let v = b.bin(Bin::Shl, W64, x, by);
    set(b, a.rd, v);
    Ok(Flow::Next)
}

pub(in super::super) fn alu_not<B: Builder<Riscv64>>(b: &mut B, _: At, a: Reg3, op: Bin) -> R<B> {
    let x = get(b, a.rs1);
    let y = get(b, a.rs2);
    let v = if op == Bin::Xor {
        let same = b.bin(Bin::Xor, W64, x, y);
        b.un(Un::Not, W64, same)
    } else {
        let y = b.un(Un::Not, W64, y);
        b.bin(op, W64, x, y)
    };
    set(b, a.rd, v);
    Ok(Flow::Next)
}

pub(in super::super) fn count<B: Builder<Riscv64>>(
    b: &mut B,
    _: At,
    a: Unary,
    op: Un,
    w: Width,
) -> R<B> {
    let x = get(b, a.rs1);
    let v = b.un(op, w, x);
    set(b, a.rd, v);
    Ok(Flow::Next)
}

/// `c` chooses rs1: Lt for min, Gt for max, Ltu and Gtu likewise.
pub(in super::super) fn minmax<B: Builder<Riscv64>>(b: &mut B, _: At, a: Reg3, c: Cond) -> R<B> {
    let x = get(b, a.rs1);
    let y = get(b, a.rs2);
    let first = b.cmp(c, W64, x, y);
    let v = b.select(first, x, y);
    set(b, a.rd, v);
    Ok(Flow::Next)
}

pub(in super::super) fn ext<B: Builder<Riscv64>>(b: &mut B, _: At, a: Unary, op: Un) -> R<B> {
    let x = get(b, a.rs1);
    let v = b.un(op, W64, x);
    set(b, a.rd, v);
    Ok(Flow::Next)
}

pub(in super::super) fn rev8<B: Builder<Riscv64>>(b: &mut B, at: At, a: Unary) -> R<B> {
    ext(b, at, a, Un::Bswap)
}

pub(in super::super) fn orc_b<B: Builder<Riscv64>>(b: &mut B, at: At, a: Unary) -> R<B> {
    ext(b, at, a, Un::OrcB)
}

fn bit_by<B: Builder<Riscv64>>(b: &mut B, rd: u8, rs1: u8, by: B::V, op: BitOp) -> R<B> {
    let x = get(b, rs1);
    let one = b.imm(1);
    let v = if op == BitOp::Ext {
        let shifted = b.bin(Bin::Shr, W64, x, by);
        b.bin(Bin::And, W64, shifted, one)
    } else {
        let mask = b.bin(Bin::Shl, W64, one, by);
        match op {
            BitOp::Set => b.bin(Bin::Or, W64, x, mask),
            BitOp::Inv => b.bin(Bin::Xor, W64, x, mask),
            BitOp::Clear | BitOp::Ext => {
                let keep = b.un(Un::Not, W64, mask);
                b.bin(Bin::And, W64, x, keep)
            }
        }
    };
    set(b, rd, v);
    Ok(Flow::Next)
}

pub(in super::super) fn bit<B: Builder<Riscv64>>(b: &mut B, _: At, a: Reg3, op: BitOp) -> R<B> {
    let by = get(b, a.rs2);
    bit_by(b, a.rd, a.rs1, by, op)
}

pub(in super::super) fn bit_imm<B: Builder<Riscv64>>(b: &mut B, _: At, a: I, op: BitOp) -> R<B> {
    let by = imm(b, a.imm);
    bit_by(b, a.rd, a.rs1, by, op)
}

/// Zero where rs2 `c` 0 holds, else rs1.
pub(in super::super) fn czero<B: Builder<Riscv64>>(b: &mut B, _: At, a: Reg3, c: Cond) -> R<B> {
    let x = get(b, a.rs1);
    let y = get(b, a.rs2);
    let zero = b.imm(0);
    let cleared = b.cmp(c, W64, y, zero);
    let v = b.select(cleared, zero, x);
    set(b, a.rd, v);
    Ok(Flow::Next)
}
