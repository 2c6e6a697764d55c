//! Shifts and rotations `[SDM-2B §4.3]`.

use super::operand::{Place, load, place, read, set, sext, store, width, with, zext};
use super::{R, X86_64};
use crate::builder::{At, Bin, Builder, FlagOp, Flow, Width};
use crate::guest::{Helper, Touches};
use crate::isa::x86_64::{Insn, Operand};
use crate::ops::flags;
use crate::vcpu::Core;

use super::super::Exception;
use Width::{W16, W32, W64};

/// Which shift; those through the carry are rotations of one bit more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Shift {
    Rol,
    Ror,
    Rcl,
    Rcr,
    Shl,
    Shr,
    Sar,
}

/// The count as the processor takes it: five bits, six for 64-bit operands.
fn count<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    w: Width,
    operand: Operand,
) -> Result<B::V, B::Trap> {
    let count = read(b, at, insn, operand)?;
    let count = with(b, Bin::And, count, if w == W64 { 63 } else { 31 });
    Ok(b.share(count))
}

pub(in super::super) fn shift<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    op: Shift,
) -> R<B> {
    let [to, by, ..] = insn.operands;
    let w = width(to);
    let count = count(b, at, insn, w, by)?;
    let place = place(b, at, insn, to);
    let x = load(b, insn, place)?;
    let flag_op = match op {
        Shift::Rol => FlagOp::Rol,
        Shift::Ror => FlagOp::Ror,
        Shift::Shl => FlagOp::Shl,
        Shift::Shr => FlagOp::Shr,
        Shift::Sar => FlagOp::Sar,
        Shift::Rcl | Shift::Rcr => return through_carry(b, w, op, place, x, count),
    };
    let r = shifted(b, op, w, x, count);
    store(b, place, r)?;
    b.flags(flag_op, w, x, count, r);
    Ok(Flow::Next)
}

/// The result; counts may be larger than a narrow operand is wide.
fn shifted<B: Builder<X86_64>>(b: &mut B, op: Shift, w: Width, x: B::V, count: B::V) -> B::V {
    let wide = if w == W64 { W64 } else { W32 };
    match op {
        Shift::Rol => b.bin(Bin::Rol, w, x, count),
        Shift::Ror => b.bin(Bin::Ror, w, x, count),
        Shift::Sar => {
            let x = if w == W32 { x } else { sext(b, w, x) };
            b.bin(Bin::Sar, wide, x, count)
        }
        Shift::Shr => {
            let x = if w == W32 { x } else { zext(b, w, x) };
            b.bin(Bin::Shr, wide, x, count)
        }
        _ => b.bin(Bin::Shl, wide, x, count),
    }
}

fn through_carry<B: Builder<X86_64>>(
    b: &mut B,
    w: Width,
    op: Shift,
    place: Place<B::V>,
    x: B::V,
    count: B::V,
) -> R<B> {
    let left = u64::from(op == Shift::Rcl);
    let what = b.imm(w as u64 | left << 2);
    // The result first: storing it may fault, and then the flags stay.
    let r = b.call(&RESULT_THROUGH_CARRY, &[x, count, what])?;
    let r = b.share(r);
    if let Place::Memory(..) = place {
        store(b, place, r)?;
    }
    b.call(&FLAGS_THROUGH_CARRY, &[x, count, what])?;
    if let Place::Register(to) = place {
        set(b, to, r);
    }
    Ok(Flow::Next)
}

static RESULT_THROUGH_CARRY: Helper<X86_64> =
    Helper { name: "rotate_through_carry", touches: Touches::Fields, run: result_through_carry };
static FLAGS_THROUGH_CARRY: Helper<X86_64> = Helper {
    name: "rotate_through_carry_flags",
    touches: Touches::Fields,
    run: flags_through_carry,
};

/// Value and carry after a rotation of operand and carry together.
fn rotate(old: u64, [x, count, what]: [u64; 3]) -> (Width, u64, bool) {
    let w = [Width::W8, W16, W32, W64][(what & 3) as usize];
    let bits = u64::from(w.bits()) + 1;
    let carry = u128::from(old & flags::C != 0);
    let whole = u128::from(x & w.mask()) | carry << w.bits();
    let count = count % bits;
    let left = if what & 4 != 0 { count } else { (bits - count) % bits };
    let mask = (1u128 << bits) - 1;
    let turned = (whole << left | whole >> (bits - left)) & mask;
    (w, turned as u64 & w.mask(), turned >> w.bits() & 1 != 0)
}

fn result_through_carry(core: &mut Core<X86_64>, args: [u64; 3]) -> Result<u64, Exception> {
    Ok(rotate(core.state.flags, args).1)
}

fn flags_through_carry(core: &mut Core<X86_64>, args: [u64; 3]) -> Result<u64, Exception> {
    let old = core.state.flags;
    if args[1] == 0 {
        return Ok(0);
    }
    let (w, r, carry) = rotate(old, args);
    let bit = |flag: u64, on: bool| if on { flag } else { 0 };
    let top = r >> (w.bits() - 1) & 1 != 0;
    let below = r >> (w.bits() - 2) & 1 != 0;
    // As for rotations without the carry: of a left one the carry, of a right one the bit below.
    let overflow = top != if args[2] & 4 != 0 { carry } else { below };
    core.state.flags =
        old & !(flags::C | flags::O) | bit(flags::C, carry) | bit(flags::O, overflow);
    Ok(0)
}

/// SHLD and SHRD: the direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Toward {
    Left,
    Right,
}

/// SHLD, SHRD. Counts above the width of a 16-bit operand have no defined result.
pub(in super::super) fn double_shift<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    toward: Toward,
) -> R<B> {
    let [to, from, by, _] = insn.operands;
    let w = width(to);
    let count = count(b, at, insn, w, by)?;
    let y = read(b, at, insn, from)?;
    let place = place(b, at, insn, to);
    let x = load(b, insn, place)?;
    let left = toward == Toward::Left;
    let r = if w == W64 {
        double_shift_64(b, left, x, y, count)
    } else {
        let bits = u64::from(w.bits());
        let (x, y) = (zext(b, w, x), zext(b, w, y));
        let (high, low) = if left { (x, y) } else { (y, x) };
        let high = with(b, Bin::Shl, high, bits);
        let both = b.bin(Bin::Or, W64, high, low);
        let moved = b.bin(if left { Bin::Shl } else { Bin::Shr }, W64, both, count);
        if left { with(b, Bin::Shr, moved, bits) } else { moved }
    };
    store(b, place, r)?;
    b.flags(if left { FlagOp::Shl } else { FlagOp::Shr }, w, x, count, r);
    Ok(Flow::Next)
}

/// The bits of `y` come in two steps, so that none come for a count of zero.
fn double_shift_64<B: Builder<X86_64>>(
    b: &mut B,
    left: bool,
    x: B::V,
    y: B::V,
    count: B::V,
) -> B::V {
    let (main, other) = if left { (Bin::Shl, Bin::Shr) } else { (Bin::Shr, Bin::Shl) };
    let kept = b.bin(main, W64, x, count);
    let most = b.imm(63);
    let rest = b.bin(Bin::Sub, W64, most, count);
    let half = with(b, other, y, 1);
    let moved = b.bin(other, W64, half, rest);
    b.bin(Bin::Or, W64, kept, moved)
}

/// SHLX, SHRX, SARX: the count in a register, flags untouched.
pub(in super::super) fn shiftx<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    op: Shift,
) -> R<B> {
    let [to, from, by, _] = insn.operands;
    let w = width(to);
    let x = read(b, at, insn, from)?;
    let count = read(b, at, insn, by)?;
    let bin = match op {
        Shift::Sar => Bin::Sar,
        Shift::Shr => Bin::Shr,
        _ => Bin::Shl,
    };
    let r = b.bin(bin, w, x, count);
    set(b, to, r);
    Ok(Flow::Next)
}

pub(in super::super) fn rorx<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let [to, from, by, _] = insn.operands;
    let x = read(b, at, insn, from)?;
    let count = b.imm(insn.value(by) as u64);
    let r = b.bin(Bin::Ror, width(to), x, count);
    set(b, to, r);
    Ok(Flow::Next)
}
