//! What x86-64 instructions do, against the [`Builder`](crate::builder::Builder). The opcode maps
//! in `crate::isa::x86_64` name these functions in their lowering column.
//!
//! Values read from operands are right in the bits of the operand's width only; operations of a
//! [`Width`](crate::builder::Width) look no further, and [`operand::write`] does the rest.

mod arith;
mod bits;
mod control;
mod flags;
mod moves;
mod multiply;
mod operand;
mod shift;
mod stack;
mod string;
mod system;
mod vector;

pub(super) use arith::*;
pub(super) use bits::*;
pub(super) use control::*;
pub(super) use flags::*;
pub(super) use moves::*;
pub(super) use multiply::*;
pub(super) use shift::*;
pub(super) use stack::*;
pub(super) use string::*;
pub(super) use system::*;
pub(super) use vector::*;

use super::exception::RAISE;
use super::{Vector, X86_64};
use crate::builder::{At, Builder, Flow, Lowered};
use crate::isa::x86_64::Insn;

/// What a semantic function gives.
type R<B> = Lowered<X86_64, B>;

/// A value, or how a fault leaves the description.
type Value<B> = Result<<B as Builder<X86_64>>::V, <B as Builder<X86_64>>::Trap>;

/// The arithmetic flags as a field.
const FLAGS: usize = <X86_64 as crate::guest::Guest>::FLAGS;

/// Numbers of the general registers that instructions name themselves.
mod reg {
    pub(super) const RAX: u8 = 0;
    pub(super) const RCX: u8 = 1;
    pub(super) const RDX: u8 = 2;
    pub(super) const RBX: u8 = 3;
    pub(super) const RSP: u8 = 4;
    pub(super) const RBP: u8 = 5;
    pub(super) const RSI: u8 = 6;
    pub(super) const RDI: u8 = 7;
    pub(super) const R11: u8 = 11;
}

/// Raises what `what` stands for ([`RAISE`]).
fn raise<B: Builder<X86_64>>(b: &mut B, what: u64) -> R<B> {
    let what = b.imm(what);
    b.call(&RAISE, &[what])?;
    Ok(Flow::Dispatch)
}

/// Instructions without semantics, and those that are meant to be undefined.
pub(super) fn undefined<B: Builder<X86_64>>(b: &mut B, _: At, _: &Insn) -> R<B> {
    raise(b, Vector::InvalidOpcode as u64)
}
