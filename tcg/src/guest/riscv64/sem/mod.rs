//! What RISC-V instructions do, against the [`Builder`](crate::builder::Builder). The tables in
//! `crate::isa::riscv64` name these functions in their lowering column.

mod atomic;
mod bits;
mod csr;
mod float;
mod int;
mod system;

pub(super) use atomic::*;
pub(super) use bits::*;
pub(super) use csr::*;
pub(super) use float::*;
pub(super) use int::*;
pub(super) use system::*;

use super::Riscv64;
use crate::builder::{Builder, Flow, Un, Width};

/// What a semantic function gives.
pub(super) type R<B> = Result<Flow<<B as Builder<Riscv64>>::V>, <B as Builder<Riscv64>>::Trap>;

/// Reads an integer register; x0 is zero.
#[inline]
fn get<B: Builder<Riscv64>>(b: &mut B, r: u8) -> B::V {
    if r == 0 { b.imm(0) } else { b.get(r) }
}

/// Writes an integer register; x0 stays zero.
#[inline]
fn set<B: Builder<Riscv64>>(b: &mut B, r: u8, v: B::V) {
    if r != 0 {
        b.set(r, v);
    }
}

/// An immediate of the instruction.
#[inline]
fn imm<B: Builder<Riscv64>>(b: &mut B, v: i32) -> B::V {
    b.imm(i64::from(v) as u64)
}

/// The sign-extended result of a 32-bit operation.
#[inline]
fn set_w<B: Builder<Riscv64>>(b: &mut B, r: u8, v: B::V) {
    if r != 0 {
        let v = b.un(Un::Sext32, Width::W64, v);
        b.set(r, v);
    }
}
