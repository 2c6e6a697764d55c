//! Data processing with an immediate `[ARM-ARM C3.3]`.

use super::flags::set_flags;
use super::{Aarch64, R, get, set, width, with, zext};
use crate::builder::{At, Bin, Builder, Flow, Un, Width};
use crate::isa::aarch64::fields::bitmask;
use crate::isa::aarch64::{AddImm, Adr, Bitfield, Extr, LogicalImm, MovWide};

use Width::{W32, W64};

pub(in super::super) fn adr<B: Builder<Aarch64>>(b: &mut B, at: At, a: Adr) -> R<B> {
    let v = b.imm(at.pc.wrapping_add_signed(i64::from(a.imm)));
    set(b, a.rd, v);
    Ok(Flow::Next)
}

/// The immediate counts pages.
pub(in super::super) fn adrp<B: Builder<Aarch64>>(b: &mut B, at: At, a: Adr) -> R<B> {
    let v = b.imm((at.pc & !0xfff).wrapping_add_signed(i64::from(a.imm) << 12));
    set(b, a.rd, v);
    Ok(Flow::Next)
}

fn add_operand<B: Builder<Aarch64>>(b: &mut B, a: AddImm) -> B::V {
    let imm = u64::from(a.imm);
    b.imm(if a.shift12 { imm << 12 } else { imm })
}

pub(in super::super) fn add_imm<B: Builder<Aarch64>>(b: &mut B, _: At, a: AddImm, op: Bin) -> R<B> {
    let x = b.get(a.rn);
    let y = add_operand(b, a);
    let r = b.bin(op, width(a.sf), x, y);
    b.set(a.rd, r);
    Ok(Flow::Next)
}

pub(in super::super) fn adds_imm<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: AddImm,
    op: Bin,
) -> R<B> {
    let w = width(a.sf);
    let x = b.get(a.rn);
    let y = add_operand(b, a);
    let r = b.bin(op, w, x, y);
    set(b, a.rd, r);
    set_flags(b, op, w, x, y, r);
    Ok(Flow::Next)
}

fn mask(a: LogicalImm) -> u64 {
    // The table decodes none that stand for nothing.
    let mask = bitmask(a.imm).unwrap_or(0);
    if a.sf { mask } else { mask & 0xffff_ffff }
}

pub(in super::super) fn logical_imm<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: LogicalImm,
    op: Bin,
) -> R<B> {
    let x = get(b, a.rn);
    let y = b.imm(mask(a));
    let r = b.bin(op, width(a.sf), x, y);
    b.set(a.rd, r);
    Ok(Flow::Next)
}

pub(in super::super) fn ands_imm<B: Builder<Aarch64>>(b: &mut B, _: At, a: LogicalImm) -> R<B> {
    let w = width(a.sf);
    let x = get(b, a.rn);
    let y = b.imm(mask(a));
    let r = b.bin(Bin::And, w, x, y);
    set(b, a.rd, r);
    set_flags(b, Bin::And, w, x, y, r);
    Ok(Flow::Next)
}

/// What a wide move does with the rest of the register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Wide {
    /// MOVN.
    Not,
    /// MOVZ.
    Zero,
    /// MOVK.
    Keep,
}

pub(in super::super) fn mov_wide<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: MovWide,
    kind: Wide,
) -> R<B> {
    let shift = u32::from(a.hw) * 16;
    let imm = u64::from(a.imm) << shift;
    let mask = width(a.sf).mask();
    let v = match kind {
        Wide::Zero => b.imm(imm),
        Wide::Not => b.imm(!imm & mask),
        Wide::Keep => {
            let old = get(b, a.rd);
            let rest = with(b, Bin::And, old, mask & !(0xffff << shift));
            with(b, Bin::Or, rest, imm)
        }
    };
    set(b, a.rd, v);
    Ok(Flow::Next)
}

/// What surrounds a moved bit field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Field {
    /// Copies of its top bit above, zeros below.
    Signed,
    /// The old value.
    Insert,
    /// Zeros.
    Unsigned,
}

/// SBFM, BFM, UBFM: either the bits `immr..=imms` go down to bit 0, or the bits `..=imms` go up
/// `[ARM-ARM C6.2]`.
pub(in super::super) fn bitfield<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Bitfield,
    kind: Field,
) -> R<B> {
    let w = width(a.sf);
    let bits = w.bits();
    let (immr, imms) = (u32::from(a.immr), u32::from(a.imms));
    let (from, to, len) =
        if imms >= immr { (immr, 0, imms - immr + 1) } else { (0, bits - immr, imms + 1) };
    let x = get(b, a.rn);
    let ones = u64::MAX >> (64 - len);
    let v = match kind {
        Field::Signed => signed_field(b, w, x, from, to, len),
        Field::Unsigned => unsigned_field(b, w, x, from, to, len),
        Field::Insert => {
            let moved = unsigned_field(b, w, x, from, to, len);
            let old = get(b, a.rd);
            let rest = with(b, Bin::And, old, w.mask() & !(ones << to));
            b.bin(Bin::Or, W64, rest, moved)
        }
    };
    set(b, a.rd, v);
    Ok(Flow::Next)
}

fn unsigned_field<B: Builder<Aarch64>>(
    b: &mut B,
    w: Width,
    x: B::V,
    from: u32,
    to: u32,
    len: u32,
) -> B::V {
    let (down, up) = (b.imm(u64::from(from)), b.imm(u64::from(to)));
    match (from, to) {
        // To the top, or from there: one shift.
        (0, _) if to + len == w.bits() => b.bin(Bin::Shl, w, x, up),
        (_, 0) if from + len == w.bits() => b.bin(Bin::Shr, w, x, down),
        _ => {
            let low = b.bin(Bin::Shr, w, x, down);
            let field = match len {
                8 => zext(b, Width::W8, low),
                16 => zext(b, Width::W16, low),
                32 => zext(b, W32, low),
                _ => with(b, Bin::And, low, u64::MAX >> (64 - len)),
            };
            b.bin(Bin::Shl, w, field, up)
        }
    }
}

fn signed_field<B: Builder<Aarch64>>(
    b: &mut B,
    w: Width,
    x: B::V,
    from: u32,
    to: u32,
    len: u32,
) -> B::V {
    let extension = match len {
        8 => Some(Un::Sext8),
        16 => Some(Un::Sext16),
        32 if w == W64 => Some(Un::Sext32),
        _ => None,
    };
    if let (Some(extension), 0, 0) = (extension, from, to) {
        return b.un(extension, w, x);
    }
    // Up to the top, then down to its place.
    let up = w.bits() - from - len;
    let (up, down) = (b.imm(u64::from(up)), b.imm(u64::from(up + from - to)));
    let top = b.bin(Bin::Shl, w, x, up);
    b.bin(Bin::Sar, w, top, down)
}

/// Bits from two registers put together.
pub(in super::super) fn extr<B: Builder<Aarch64>>(b: &mut B, _: At, a: Extr) -> R<B> {
    let w = width(a.sf);
    let low = get(b, a.rm);
    let lsb = b.imm(u64::from(a.lsb));
    let v = if a.rn == a.rm {
        b.bin(Bin::Ror, w, low, lsb)
    } else if a.lsb == 0 {
        zext(b, w, low)
    } else {
        let high = get(b, a.rn);
        let up = b.imm(u64::from(w.bits()) - u64::from(a.lsb));
        let low = b.bin(Bin::Shr, w, low, lsb);
        let high = b.bin(Bin::Shl, w, high, up);
        b.bin(Bin::Or, w, high, low)
    };
    set(b, a.rd, v);
    Ok(Flow::Next)
}
