//! What A64 instructions do, against the [`Builder`](crate::builder::Builder). The tables in
//! `crate::isa::aarch64` name these functions in their lowering column.

mod atomic;
mod branch;
mod flags;
mod float;
mod immediate;
mod lanes;
mod lanes_float;
mod lanes_long;
mod lanes_move;
mod memory;
mod register;
mod system;
mod vector_memory;

pub(super) use atomic::*;
pub(super) use branch::*;
pub(super) use flags::*;
pub(super) use float::*;
pub(super) use immediate::*;
pub(super) use lanes::*;
pub(super) use lanes_float::*;
pub(super) use lanes_long::*;
pub(super) use lanes_move::*;
pub(super) use memory::*;
pub(super) use register::*;
pub(super) use system::*;
pub(super) use vector_memory::*;

use super::Aarch64;
use super::exception::{RAISE, what};
use crate::builder::{Bin, Builder, Flow, Lowered, Un, Width};
use crate::guest::Guest;

/// What a semantic function gives.
type R<B> = Lowered<Aarch64, B>;

/// The condition flags as a field.
const FLAGS: usize = Aarch64::FLAGS;

/// Register 31 where it is the stack pointer; elsewhere that number reads as zero.
const SP: u8 = 31;

/// The width that the `sf` bit names.
#[inline]
fn width(sf: bool) -> Width {
    if sf { Width::W64 } else { Width::W32 }
}

/// Reads a register; 31 is zero.
#[inline]
fn get<B: Builder<Aarch64>>(b: &mut B, r: u8) -> B::V {
    if r == SP { b.imm(0) } else { b.get(r) }
}

/// Writes a register; 31 stays zero.
#[inline]
fn set<B: Builder<Aarch64>>(b: &mut B, r: u8, v: B::V) {
    if r != SP {
        b.set(r, v);
    }
}

/// `v op constant`, 64 bits wide.
#[inline]
fn with<B: Builder<Aarch64>>(b: &mut B, op: Bin, v: B::V, constant: u64) -> B::V {
    let constant = b.imm(constant);
    b.bin(op, Width::W64, v, constant)
}

/// The low bits of a value, zero-extended.
#[inline]
fn zext<B: Builder<Aarch64>>(b: &mut B, w: Width, v: B::V) -> B::V {
    match w {
        Width::W8 => b.un(Un::Zext8, Width::W64, v),
        Width::W16 => b.un(Un::Zext16, Width::W64, v),
        Width::W32 => b.un(Un::Zext32, Width::W64, v),
        Width::W64 => v,
    }
}

/// Raises an exception that is no fault of an access.
fn raise<B: Builder<Aarch64>>(b: &mut B, kind: u64, imm: u64) -> R<B> {
    let (kind, imm) = (b.imm(kind), b.imm(imm));
    b.call(&RAISE, &[kind, imm])?;
    Ok(Flow::Dispatch)
}

fn undefined<B: Builder<Aarch64>>(b: &mut B) -> R<B> {
    raise(b, what::UNDEFINED, 0)
}
