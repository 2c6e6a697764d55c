//! Data processing on registers `[ARM-ARM C3.4]`.

use super::super::Exception;
use super::flags::set_flags;
use super::{Aarch64, R, get, set, width, with, zext};
use crate::builder::{At, Bin, Builder, Cond, Flow, Un, Width};
use crate::guest::{Helper, Touches};
use crate::isa::aarch64::{Extended, Reg2, Reg3, Reg4, Shifted};
use crate::vcpu::Core;

use Width::W64;

/// The second operand: a register, shifted by a constant.
#[inline]
fn shifted<B: Builder<Aarch64>>(b: &mut B, a: Shifted) -> B::V {
    let v = get(b, a.rm);
    if a.amount == 0 {
        return v;
    }
    let amount = b.imm(u64::from(a.amount));
    let op = [Bin::Shl, Bin::Shr, Bin::Sar, Bin::Ror][usize::from(a.shift & 3)];
    b.bin(op, width(a.sf), v, amount)
}

#[inline(always)]
fn binary<B: Builder<Aarch64>>(
    b: &mut B,
    a: Shifted,
    op: Bin,
    inverted: bool,
    flags: bool,
) -> R<B> {
    let w = width(a.sf);
    let x = get(b, a.rn);
    let y = shifted(b, a);
    let y = if inverted { b.un(Un::Not, w, y) } else { y };
    let r = b.bin(op, w, x, y);
    set(b, a.rd, r);
    if flags {
        set_flags(b, op, w, x, y, r);
    }
    Ok(Flow::Next)
}

#[inline]
pub(in super::super) fn logical<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Shifted,
    op: Bin,
) -> R<B> {
    // ORR with the zero register is how registers are moved.
    if op == Bin::Or && a.rn == super::SP {
        let y = shifted(b, a);
        let v = zext(b, width(a.sf), y);
        set(b, a.rd, v);
        return Ok(Flow::Next);
    }
    binary(b, a, op, false, false)
}

pub(in super::super) fn logical_not<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Shifted,
    op: Bin,
) -> R<B> {
    binary(b, a, op, true, false)
}

pub(in super::super) fn ands<B: Builder<Aarch64>>(b: &mut B, _: At, a: Shifted) -> R<B> {
    binary(b, a, Bin::And, false, true)
}

pub(in super::super) fn bics<B: Builder<Aarch64>>(b: &mut B, _: At, a: Shifted) -> R<B> {
    binary(b, a, Bin::And, true, true)
}

pub(in super::super) fn add<B: Builder<Aarch64>>(b: &mut B, _: At, a: Shifted, op: Bin) -> R<B> {
    binary(b, a, op, false, false)
}

pub(in super::super) fn adds<B: Builder<Aarch64>>(b: &mut B, _: At, a: Shifted, op: Bin) -> R<B> {
    binary(b, a, op, false, true)
}

/// A register, extended from a part of it, and shifted `[ARM-ARM C6.2]`.
pub(super) fn extended<B: Builder<Aarch64>>(b: &mut B, rm: u8, option: u8, amount: u8) -> B::V {
    let v = get(b, rm);
    let v = match option {
        0 => b.un(Un::Zext8, W64, v),
        1 => b.un(Un::Zext16, W64, v),
        2 => b.un(Un::Zext32, W64, v),
        4 => b.un(Un::Sext8, W64, v),
        5 => b.un(Un::Sext16, W64, v),
        6 => b.un(Un::Sext32, W64, v),
        _ => v,
    };
    if amount == 0 { v } else { with(b, Bin::Shl, v, u64::from(amount)) }
}

pub(in super::super) fn add_extended<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Extended,
    op: Bin,
) -> R<B> {
    let x = b.get(a.rn);
    let y = extended(b, a.rm, a.option, a.amount);
    let r = b.bin(op, width(a.sf), x, y);
    b.set(a.rd, r);
    Ok(Flow::Next)
}

pub(in super::super) fn adds_extended<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Extended,
    op: Bin,
) -> R<B> {
    let w = width(a.sf);
    let x = b.get(a.rn);
    let y = extended(b, a.rm, a.option, a.amount);
    let r = b.bin(op, w, x, y);
    set(b, a.rd, r);
    set_flags(b, op, w, x, y, r);
    Ok(Flow::Next)
}

pub(in super::super) fn unary<B: Builder<Aarch64>>(b: &mut B, _: At, a: Reg2, op: Un) -> R<B> {
    let x = get(b, a.rn);
    let v = b.un(op, width(a.sf), x);
    set(b, a.rd, v);
    Ok(Flow::Next)
}

/// Bytes in reverse order in each halfword.
pub(in super::super) fn rev16<B: Builder<Aarch64>>(b: &mut B, _: At, a: Reg2) -> R<B> {
    const HIGH: u64 = 0xff00_ff00_ff00_ff00;
    let x = get(b, a.rn);
    let x = zext(b, width(a.sf), x);
    let x = b.share(x);
    let high = with(b, Bin::And, x, HIGH);
    let down = with(b, Bin::Shr, high, 8);
    let low = with(b, Bin::And, x, HIGH >> 8);
    let up = with(b, Bin::Shl, low, 8);
    let v = b.bin(Bin::Or, W64, down, up);
    set(b, a.rd, v);
    Ok(Flow::Next)
}

/// Bytes in reverse order in each word.
pub(in super::super) fn rev32<B: Builder<Aarch64>>(b: &mut B, _: At, a: Reg2) -> R<B> {
    let x = get(b, a.rn);
    let reversed = b.un(Un::Bswap, W64, x);
    let v = with(b, Bin::Ror, reversed, 32);
    set(b, a.rd, v);
    Ok(Flow::Next)
}

/// Copies of the sign bit behind it: where it changes, the exclusive or with a shifted copy has
/// its first one.
pub(in super::super) fn cls<B: Builder<Aarch64>>(b: &mut B, _: At, a: Reg2) -> R<B> {
    let w = width(a.sf);
    let x = get(b, a.rn);
    let one = b.imm(1);
    let shifted = b.bin(Bin::Sar, w, x, one);
    let changes = b.bin(Bin::Xor, w, x, shifted);
    let zeros = b.un(Un::Clz, w, changes);
    let v = b.bin(Bin::Sub, w, zeros, one);
    set(b, a.rd, v);
    Ok(Flow::Next)
}

/// The quotient of a division by zero is zero.
pub(in super::super) fn div<B: Builder<Aarch64>>(b: &mut B, _: At, a: Reg3, op: Bin) -> R<B> {
    let w = width(a.sf);
    let x = get(b, a.rn);
    let y = get(b, a.rm);
    let quotient = b.bin(op, w, x, y);
    let zero = b.imm(0);
    let by_zero = b.cmp(Cond::Eq, w, y, zero);
    let v = b.select(by_zero, zero, quotient);
    set(b, a.rd, v);
    Ok(Flow::Next)
}

pub(in super::super) fn shift<B: Builder<Aarch64>>(b: &mut B, _: At, a: Reg3, op: Bin) -> R<B> {
    let x = get(b, a.rn);
    let y = get(b, a.rm);
    let v = b.bin(op, width(a.sf), x, y);
    set(b, a.rd, v);
    Ok(Flow::Next)
}

/// `ra op rn * rm`.
pub(in super::super) fn madd<B: Builder<Aarch64>>(b: &mut B, _: At, a: Reg4, op: Bin) -> R<B> {
    let w = width(a.sf);
    let (x, y) = (get(b, a.rn), get(b, a.rm));
    let product = b.bin(Bin::Mul, w, x, y);
    let v = if op == Bin::Add && a.ra == super::SP {
        product
    } else {
        let sum = get(b, a.ra);
        b.bin(op, w, sum, product)
    };
    set(b, a.rd, v);
    Ok(Flow::Next)
}

/// The same of 32-bit factors, 64 bits wide.
pub(in super::super) fn madd_long<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Reg4,
    op: Bin,
    extension: Un,
) -> R<B> {
    let (x, y) = (get(b, a.rn), get(b, a.rm));
    let (x, y) = (b.un(extension, W64, x), b.un(extension, W64, y));
    let product = b.bin(Bin::Mul, W64, x, y);
    let sum = get(b, a.ra);
    let v = b.bin(op, W64, sum, product);
    set(b, a.rd, v);
    Ok(Flow::Next)
}

pub(in super::super) fn mul_high<B: Builder<Aarch64>>(b: &mut B, _: At, a: Reg3, op: Bin) -> R<B> {
    let (x, y) = (get(b, a.rn), get(b, a.rm));
    let v = b.bin(op, W64, x, y);
    set(b, a.rd, v);
    Ok(Flow::Next)
}

/// The polynomial of a check sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Crc {
    /// That of Ethernet.
    Crc32,
    /// Castagnoli's.
    Crc32c,
}

static CRC: Helper<Aarch64> = Helper { name: "crc32", touches: Touches::Fields, run: crc };

/// Sum, value, and bits of the value plus 256 for Castagnoli's polynomial.
fn crc(_: &mut Core<Aarch64>, [sum, value, what]: [u64; 3]) -> Result<u64, Exception> {
    // Bits in reverse order.
    let polynomial = if what & 0x100 != 0 { 0x82f6_3b78 } else { 0xedb8_8320_u32 };
    let mut sum = sum as u32;
    for byte in (0..(what & 0xff) / 8).map(|n| (value >> (8 * n)) as u8) {
        sum ^= u32::from(byte);
        for _ in 0..8 {
            sum = sum >> 1 ^ if sum & 1 != 0 { polynomial } else { 0 };
        }
    }
    Ok(u64::from(sum))
}

pub(in super::super) fn crc32<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Reg3,
    polynomial: Crc,
    w: Width,
) -> R<B> {
    let (sum, value) = (get(b, a.rn), get(b, a.rm));
    let castagnoli = if polynomial == Crc::Crc32c { 0x100 } else { 0 };
    let what = b.imm(u64::from(w.bits()) | castagnoli);
    let v = b.call(&CRC, &[sum, value, what])?;
    set(b, a.rd, v);
    Ok(Flow::Next)
}
