//! Flags as operands: conditions, and instructions that read or change flags only.

use std::mem::offset_of;

use arch::x86_64::Cpu;
use arch::x86_64::state::{AF, CF, DF, OF, PF, RFLAGS_FIXED, SF, ZF};

use super::super::Vector;
use super::operand::{set, with, write};
use super::reg::RAX;
use super::{FLAGS, R, X86_64, raise};
use crate::builder::{At, Bin, Builder, FlagCond, FlagOp, Flow, Width};
use crate::isa::x86_64::{Insn, Operand};
use crate::ops::flags::O;

use Width::{W8, W64};

/// The low byte's flags.
const LOW: u64 = CF | PF | AF | ZF | SF;

/// 1 if the condition of that number holds `[SDM-1 §B.1]`.
pub(super) fn condition<B: Builder<X86_64>>(b: &mut B, cc: u8) -> B::V {
    // In the same order.
    b.flag(FlagCond::ALL[usize::from(cc & 15)])
}

pub(in super::super) fn setcc<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let v = condition(b, insn.cc);
    write(b, at, insn, insn.operands[0], v)?;
    Ok(Flow::Next)
}

/// RFLAGS.
pub(super) fn rflags<B: Builder<X86_64>>(b: &mut B) -> B::V {
    let image = b.field(FLAGS);
    let image = b.share(image);
    let low = with(b, Bin::Shr, image, 8);
    let low = with(b, Bin::And, low, LOW);
    let overflow = with(b, Bin::And, image, O);
    let overflow = with(b, Bin::Shl, overflow, OF.trailing_zeros().into());
    let direction = b.field(offset_of!(Cpu, df));
    let direction = with(b, Bin::Shl, direction, DF.trailing_zeros().into());
    let rest = b.field(offset_of!(Cpu, rflags_rest));
    let rest = with(b, Bin::Or, rest, RFLAGS_FIXED);
    [low, overflow, direction].into_iter().fold(rest, |all, part| b.bin(Bin::Or, W64, all, part))
}

/// The image's upper byte is that of the flags.
pub(in super::super) fn lahf<B: Builder<X86_64>>(b: &mut B, _: At, _: &Insn) -> R<B> {
    let image = b.field(FLAGS);
    let low = with(b, Bin::Shr, image, 8);
    let low = with(b, Bin::And, low, LOW);
    let low = with(b, Bin::Or, low, RFLAGS_FIXED);
    set(b, Operand::High(RAX), low);
    Ok(Flow::Next)
}

pub(in super::super) fn sahf<B: Builder<X86_64>>(b: &mut B, _: At, _: &Insn) -> R<B> {
    let image = b.field(FLAGS);
    let overflow = with(b, Bin::And, image, O);
    let rax = b.get(RAX);
    let low = with(b, Bin::And, rax, LOW << 8);
    let low = with(b, Bin::Or, low, RFLAGS_FIXED << 8);
    let image = b.bin(Bin::Or, W64, overflow, low);
    b.set_field(FLAGS, image);
    Ok(Flow::Next)
}

/// Instructions that change one flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum FlagChange {
    Cmc,
    Clc,
    Stc,
    Cli,
    Sti,
    Cld,
    Std,
}

pub(in super::super) fn flag<B: Builder<X86_64>>(
    b: &mut B,
    _: At,
    _: &Insn,
    change: FlagChange,
) -> R<B> {
    let carry = match change {
        // Programs have no say over interrupts.
        FlagChange::Cli | FlagChange::Sti => {
            return raise(b, Vector::GeneralProtection as u64);
        }
        FlagChange::Cld | FlagChange::Std => {
            let v = b.imm(u64::from(change == FlagChange::Std));
            b.set_field(offset_of!(Cpu, df), v);
            return Ok(Flow::Next);
        }
        FlagChange::Cmc => b.flag(FlagCond::NoCarry),
        FlagChange::Clc => b.imm(0),
        FlagChange::Stc => b.imm(1),
    };
    b.flags(FlagOp::Carry, W8, carry, carry, carry);
    Ok(Flow::Next)
}
