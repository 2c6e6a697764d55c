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

/// ENTER. With a nesting level the frame pointers of the enclosing procedures are copied: rare
/// enough for a helper `[SDM-1 §6.6]`.
pub(in super::super) fn enter<B: Builder<X86_64>>(b: &mut B, _: At, insn: &Insn) -> R<B> {
    let w = operand::size(insn.width);
    let size = insn.imm as u64 & 0xffff;
    let level = insn.value(Operand::Imm2) as u64 & 31;
    if level > 0 {
        let (size, level, bytes) = (b.imm(size), b.imm(level), b.imm(bytes(w)));
        b.call(&ENTER_NESTED, &[size, level, bytes])?;
        return Ok(Flow::Next);
    }
    let (sp, old) = (b.get(RSP), b.get(RBP));
    let frame = with(b, Bin::Add, sp, bytes(w).wrapping_neg());
    let frame = b.share(frame);
    b.store(frame, old, access(w))?;
    let end = with(b, Bin::Sub, frame, size);
    b.set(RSP, end);
    set(b, Operand::Gpr(RBP, insn.width), frame);
    Ok(Flow::Next)
}

static ENTER_NESTED: Helper<X86_64> =
    Helper { name: "enter", touches: Touches::Registers, run: enter_nested };

fn enter_nested(core: &mut Core<X86_64>, [size, level, bytes]: [u64; 3]) -> Result<u64, Exception> {
    let log = bytes.trailing_zeros() as u8;
    let (rsp, rbp) = (usize::from(RSP), usize::from(RBP));
    let old = core.state.gpr[rbp];
    let frame = core.state.gpr[rsp].wrapping_sub(bytes);
    core.store(frame, old, log)?;
    for n in 1..level {
        let pointer = core.load(old.wrapping_sub(n * bytes), log)?;
        core.store(frame.wrapping_sub(n * bytes), pointer, log)?;
    }
    core.store(frame.wrapping_sub(level * bytes), frame, log)?;
    core.state.gpr[rsp] = frame.wrapping_sub(level * bytes + size);
    let mask = u64::MAX >> (64 - 8 * bytes);
    core.state.gpr[rbp] = old & !mask | frame & mask;
    Ok(0)
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
