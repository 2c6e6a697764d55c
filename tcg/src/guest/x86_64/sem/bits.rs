//! Single bits, counting and scanning, byte order, and the bit manipulation extensions.

use super::operand::{self, Place, access, load, place, read, set, store, width, with, zext};
use super::{FLAGS, R, X86_64};
use crate::builder::{At, Bin, Builder, Cond, FlagOp, Flow, Rmw, Un, Width};
use crate::isa::x86_64::{Insn, Operand};
use crate::ops::flags;

use Width::W64;

/// What a bit instruction does to the bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Bit {
    Test,
    Set,
    Reset,
    Complement,
}

/// BT and its kin. A bit number in a register reaches memory beyond the operand.
pub(in super::super) fn bit<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn, op: Bit) -> R<B> {
    let [to, by, ..] = insn.operands;
    let w = width(to);
    let number = read(b, at, insn, by)?;
    let place = match (to, by) {
        (Operand::Mem(_), Operand::Gpr(..)) => {
            let log = u64::from(w.bits().trailing_zeros());
            let signed = operand::sext(b, w, number);
            let units = with(b, Bin::Sar, signed, log);
            let bytes = with(b, Bin::Shl, units, log - 3);
            let offset = operand::offset(b, at, &insn.mem);
            let offset = b.bin(Bin::Add, W64, offset, bytes);
            let offset = if insn.mem.addr32 { zext(b, Width::W32, offset) } else { offset };
            let va = operand::linear(b, insn.mem.segment, offset);
            Place::Memory(b.share(va), access(w))
        }
        _ => place(b, at, insn, to),
    };
    let number = with(b, Bin::And, number, u64::from(w.bits()) - 1);
    let number = b.share(number);
    let one = b.imm(1);
    let mask = b.bin(Bin::Shl, W64, one, number);
    let x = match (place, insn.lock) {
        (Place::Memory(va, m), true) => {
            let (rmw, operand) = match op {
                Bit::Reset => (Rmw::And, b.un(Un::Not, W64, mask)),
                Bit::Set => (Rmw::Or, mask),
                _ => (Rmw::Xor, mask),
            };
            b.rmw(rmw, va, operand, m)?
        }
        _ => load(b, insn, place)?,
    };
    let found = b.bin(Bin::Shr, W64, x, number);
    let found = b.share(found);
    if op != Bit::Test && !insn.lock {
        let r = match op {
            Bit::Set => b.bin(Bin::Or, W64, x, mask),
            Bit::Complement => b.bin(Bin::Xor, W64, x, mask),
            _ => {
                let rest = b.un(Un::Not, W64, mask);
                b.bin(Bin::And, W64, x, rest)
            }
        };
        store(b, place, r)?;
    }
    b.flags(FlagOp::Carry, w, found, found, found);
    Ok(Flow::Next)
}

/// BSF and BSR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Scan {
    Forward,
    Reverse,
}

/// Of zero the destination stays as it is.
pub(in super::super) fn scan<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn, op: Scan) -> R<B> {
    let [to, from, ..] = insn.operands;
    let w = width(to);
    let x = read(b, at, insn, from)?;
    let x = zext(b, w, x);
    let x = b.share(x);
    let position = match op {
        Scan::Forward => b.un(Un::Ctz, W64, x),
        Scan::Reverse => {
            let zeros = b.un(Un::Clz, W64, x);
            let top = b.imm(63);
            b.bin(Bin::Sub, W64, top, zeros)
        }
    };
    let Operand::Gpr(r, _) = to else { return super::undefined(b, at, insn) };
    let old = b.get(r);
    let new = operand::merge(b, to, position);
    let v = b.select(x, new, old);
    b.set(r, v);
    // The zero flag is that of the operand; the others are undefined.
    b.flags(FlagOp::Logic, w, x, x, x);
    Ok(Flow::Next)
}

/// LZCNT and TZCNT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Count {
    Trailing,
    Leading,
}

pub(in super::super) fn count<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    op: Count,
) -> R<B> {
    let [to, from, ..] = insn.operands;
    let w = width(to);
    let x = read(b, at, insn, from)?;
    let x = zext(b, w, x);
    let x = b.share(x);
    let n = b.un(if op == Count::Leading { Un::Clz } else { Un::Ctz }, w, x);
    let n = b.share(n);
    let zero = b.imm(0);
    let none = b.cmp(Cond::Eq, W64, x, zero);
    let first = b.cmp(Cond::Eq, W64, n, zero);
    let carry = with(b, Bin::Shl, none, u64::from(flags::C.trailing_zeros()));
    let zero = with(b, Bin::Shl, first, u64::from(flags::Z.trailing_zeros()));
    let image = b.bin(Bin::Or, W64, carry, zero);
    let image = with(b, Bin::Or, image, flags::FIXED);
    b.set_field(FLAGS, image);
    set(b, to, n);
    Ok(Flow::Next)
}

/// All flags but zero are cleared.
pub(in super::super) fn popcnt<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let [to, from, ..] = insn.operands;
    let w = width(to);
    let x = read(b, at, insn, from)?;
    let n = b.un(Un::Popcnt, w, x);
    let n = b.share(n);
    let (on, off) = (b.imm(flags::FIXED), b.imm(flags::FIXED | flags::Z));
    let image = b.select(n, on, off);
    b.set_field(FLAGS, image);
    set(b, to, n);
    Ok(Flow::Next)
}

/// Of a 16-bit register the result is undefined.
pub(in super::super) fn bswap<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let to = insn.operands[0];
    let w = width(to);
    let x = read(b, at, insn, to)?;
    let r = b.un(Un::Bswap, w, x);
    set(b, to, r);
    Ok(Flow::Next)
}

pub(in super::super) fn movbe<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let [to, from, ..] = insn.operands;
    let w = width(to);
    let x = read(b, at, insn, from)?;
    let r = b.un(Un::Bswap, w, x);
    operand::write(b, at, insn, to, r)?;
    Ok(Flow::Next)
}

pub(in super::super) fn andn<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let [to, x, y, _] = insn.operands;
    let w = width(to);
    let x = read(b, at, insn, x)?;
    let y = read(b, at, insn, y)?;
    let inverted = b.un(Un::Not, W64, x);
    let r = b.bin(Bin::And, w, inverted, y);
    set(b, to, r);
    b.flags(FlagOp::Logic, w, r, r, r);
    Ok(Flow::Next)
}

/// What becomes of the lowest one bit, or of those up to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum LowestBit {
    Reset,
    Mask,
    Isolate,
}

pub(in super::super) fn lowest_bit<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    op: LowestBit,
) -> R<B> {
    let [to, from, ..] = insn.operands;
    let w = width(to);
    let x = read(b, at, insn, from)?;
    let x = zext(b, w, x);
    let x = b.share(x);
    let r = match op {
        LowestBit::Isolate => {
            let negative = b.un(Un::Neg, w, x);
            b.bin(Bin::And, w, x, negative)
        }
        _ => {
            let one = b.imm(1);
            let less = b.bin(Bin::Sub, w, x, one);
            b.bin(if op == LowestBit::Reset { Bin::And } else { Bin::Xor }, w, x, less)
        }
    };
    let r = b.share(r);
    set(b, to, r);
    b.flags(FlagOp::Logic, w, r, r, r);
    // The carry says whether there was no bit, of BLSI whether there was one.
    let zero = b.imm(0);
    let carry = b.cmp(if op == LowestBit::Isolate { Cond::Ne } else { Cond::Eq }, W64, x, zero);
    b.flags(FlagOp::Carry, w, carry, carry, carry);
    Ok(Flow::Next)
}

/// Zeroes the bits from a number upwards.
pub(in super::super) fn bzhi<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let [to, from, by, _] = insn.operands;
    let w = width(to);
    let x = read(b, at, insn, from)?;
    let number = read(b, at, insn, by)?;
    let number = b.un(Un::Zext8, W64, number);
    let number = b.share(number);
    let bits = b.imm(u64::from(w.bits()));
    let inside = b.cmp(Cond::Ltu, W64, number, bits);
    let inside = b.share(inside);
    let ones = b.imm(u64::MAX);
    let above = b.bin(Bin::Shl, W64, ones, number);
    let below = b.un(Un::Not, W64, above);
    let mask = b.select(inside, below, ones);
    let r = b.bin(Bin::And, w, x, mask);
    let r = b.share(r);
    set(b, to, r);
    b.flags(FlagOp::Logic, w, r, r, r);
    let carry = with(b, Bin::Xor, inside, 1);
    b.flags(FlagOp::Carry, w, carry, carry, carry);
    Ok(Flow::Next)
}

/// Extracts a field: its first bit and its length are the low bytes of the last operand.
pub(in super::super) fn bextr<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let [to, from, by, _] = insn.operands;
    let w = width(to);
    let x = read(b, at, insn, from)?;
    let x = zext(b, w, x);
    let control = read(b, at, insn, by)?;
    let control = b.share(control);
    let start = b.un(Un::Zext8, W64, control);
    let length = with(b, Bin::Shr, control, 8);
    let length = b.un(Un::Zext8, W64, length);
    let (zero, ones, limit) = (b.imm(0), b.imm(u64::MAX), b.imm(64));
    let reached = b.cmp(Cond::Ltu, W64, start, limit);
    let moved = b.bin(Bin::Shr, W64, x, start);
    let moved = b.select(reached, moved, zero);
    let short = b.cmp(Cond::Ltu, W64, length, limit);
    let above = b.bin(Bin::Shl, W64, ones, length);
    let below = b.un(Un::Not, W64, above);
    let mask = b.select(short, below, ones);
    let r = b.bin(Bin::And, w, moved, mask);
    let r = b.share(r);
    set(b, to, r);
    b.flags(FlagOp::Logic, w, r, r, r);
    Ok(Flow::Next)
}

/// The flag that ADCX and ADOX add and set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Adx {
    Carry,
    Overflow,
}

pub(in super::super) fn adx<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn, op: Adx) -> R<B> {
    let [to, from, ..] = insn.operands;
    let w = width(to);
    let flag = if op == Adx::Carry { flags::C } else { flags::O };
    let place = u64::from(flag.trailing_zeros());
    let x = read(b, at, insn, to)?;
    let y = read(b, at, insn, from)?;
    let (x, y) = (zext(b, w, x), zext(b, w, y));
    let old = b.field(FLAGS);
    let old = b.share(old);
    let carry = with(b, Bin::Shr, old, place);
    let carry = with(b, Bin::And, carry, 1);
    let carry = b.share(carry);
    let partial = b.bin(Bin::Add, w, x, y);
    let partial = b.share(partial);
    let r = b.bin(Bin::Add, w, partial, carry);
    let r = b.share(r);
    let first = b.cmp(Cond::Ltu, w, partial, y);
    let second = b.cmp(Cond::Ltu, w, r, carry);
    let out = b.bin(Bin::Or, W64, first, second);
    let out = with(b, Bin::Shl, out, place);
    let rest = with(b, Bin::And, old, !flag);
    let image = b.bin(Bin::Or, W64, rest, out);
    b.set_field(FLAGS, image);
    set(b, to, r);
    Ok(Flow::Next)
}
