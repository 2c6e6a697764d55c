//! The stack: pushes, pops, frames.

use arch::x86_64::state::{AC, ARITHMETIC, DF, ID, NT, RFLAGS_FIXED, TF};

use super::super::Exception;
use super::operand::{self, access, read, set, width, with, write};
use super::reg::{RBP, RSP};
use super::{R, Value, X86_64};
use crate::builder::{At, Bin, Builder, Flow, Width};
use crate::guest::{Helper, Touches};
use crate::isa::x86_64::{Insn, Operand};
use crate::vcpu::Core;

fn bytes(w: Width) -> u64 {
    u64::from(w.bits() / 8)
}

/// Stores below the stack pointer and moves it there.
pub(super) fn push_value<B: Builder<X86_64>>(b: &mut B, w: Width, v: B::V) -> Result<(), B::Trap> {
    let sp = b.get(RSP);
    let below = with(b, Bin::Add, sp, bytes(w).wrapping_neg());
    b.store(below, v, access(w))?;
    b.set(RSP, below);
    Ok(())
}

/// Loads from the stack; the stack pointer stays.
pub(super) fn top<B: Builder<X86_64>>(b: &mut B, w: Width) -> Value<B> {
    let sp = b.get(RSP);
    b.load(sp, access(w))
}

/// Moves the stack pointer up.
pub(super) fn drop_bytes<B: Builder<X86_64>>(b: &mut B, count: u64) {
    let sp = b.get(RSP);
    let above = with(b, Bin::Add, sp, count);
    b.set(RSP, above);
}

pub(in super::super) fn push<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let v = read(b, at, insn, insn.operands[0])?;
    push_value(b, operand::size(insn.width), v)?;
    Ok(Flow::Next)
}

/// An address in memory is computed with the new stack pointer; a pop of the stack pointer itself
/// overwrites it `[SDM-2B §4.3]`.
pub(in super::super) fn pop<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let to = insn.operands[0];
    let w = width(to);
    let v = top(b, w)?;
    if let Operand::Mem(_) = to {
        let mut moved = *insn;
        if insn.mem.base == Some(RSP) {
            moved.mem.disp = moved.mem.disp.wrapping_add(bytes(w) as i64);
        }
        write(b, at, &moved, to, v)?;
        drop_bytes(b, bytes(w));
    } else {
        let v = b.share(v);
        drop_bytes(b, bytes(w));
        set(b, to, v);
    }
    Ok(Flow::Next)
}

pub(in super::super) fn leave<B: Builder<X86_64>>(b: &mut B, _: At, insn: &Insn) -> R<B> {
    let w = operand::size(insn.width);
    let frame = b.get(RBP);
    let v = b.load(frame, access(w))?;
    let frame = b.get(RBP);
    let above = with(b, Bin::Add, frame, bytes(w));
    b.set(RSP, above);
    set(b, Operand::Gpr(RBP, insn.width), v);
    Ok(Flow::Next)
}

/// ENTER: the frame pointers of the enclosing `level` procedures are copied `[SDM-1 §6.6]`.
pub(in super::super) fn enter<B: Builder<X86_64>>(b: &mut B, _: At, insn: &Insn) -> R<B> {
    let w = operand::size(insn.width);
    let size = insn.imm as u64 & 0xffff;
    let level = insn.value(Operand::Imm2) as u64 & 31;
    let (sp, old) = (b.get(RSP), b.get(RBP));
    let frame = with(b, Bin::Add, sp, bytes(w).wrapping_neg());
    let frame = b.share(frame);
    b.store(frame, old, access(w))?;
    for n in 1..level {
        let from = with(b, Bin::Add, old, (n * bytes(w)).wrapping_neg());
        let pointer = b.load(from, access(w))?;
        let to = with(b, Bin::Add, frame, (n * bytes(w)).wrapping_neg());
        b.store(to, pointer, access(w))?;
    }
    if level > 0 {
        let to = with(b, Bin::Add, frame, (level * bytes(w)).wrapping_neg());
        b.store(to, frame, access(w))?;
    }
    let end = with(b, Bin::Add, frame, (level * bytes(w) + size).wrapping_neg());
    b.set(RSP, end);
    set(b, Operand::Gpr(RBP, insn.width), frame);
    Ok(Flow::Next)
}

static RFLAGS: Helper<X86_64> =
    Helper { name: "rflags", touches: Touches::Fields, run: |core, _| Ok(core.state.rflags()) };
static SET_RFLAGS: Helper<X86_64> =
    Helper { name: "set_rflags", touches: Touches::Fields, run: set_rflags };

/// The bits that a program may change.
const CHANGEABLE: u64 = ARITHMETIC | DF | TF | NT | AC | ID;

/// `mask` is that of the operand's width.
fn set_rflags(core: &mut Core<X86_64>, [new, mask, _]: [u64; 3]) -> Result<u64, Exception> {
    let changed = CHANGEABLE & mask;
    let old = core.state.rflags();
    core.state.set_rflags(old & !changed | new & changed | RFLAGS_FIXED);
    Ok(0)
}

pub(in super::super) fn pushf<B: Builder<X86_64>>(b: &mut B, _: At, insn: &Insn) -> R<B> {
    let v = b.call(&RFLAGS, &[])?;
    push_value(b, operand::size(insn.width), v)?;
    Ok(Flow::Next)
}

/// The single-step flag is kept, but nothing steps yet.
pub(in super::super) fn popf<B: Builder<X86_64>>(b: &mut B, _: At, insn: &Insn) -> R<B> {
    let w = operand::size(insn.width);
    let v = top(b, w)?;
    let mask = b.imm(w.mask());
    b.call(&SET_RFLAGS, &[v, mask])?;
    drop_bytes(b, bytes(w));
    Ok(Flow::Next)
}
