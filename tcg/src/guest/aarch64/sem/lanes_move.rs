//! Moves of lanes: permutations, tables, lanes to and from general-purpose registers, constants;
//! and the steps of AES and SHA `[ARM-ARM C3.5]`.

use super::super::soft::{Shape, Soft, What};
use super::lanes::{in_all, in_rust, lane, low_halves, put, shape, shifted};
use super::{Aarch64, R, get, set, zext};
use crate::builder::*;
use crate::isa::aarch64::{V3, VRr, VRrr, Vdup, Vext, Vimm, Vins, Vtbl, fields};

use Width::{W8, W16, W32, W64};

/// Which lanes of two vectors a permutation gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Permute {
    UnzipEven,
    UnzipOdd,
    ZipLow,
    ZipHigh,
    TransposeEven,
    TransposeOdd,
}

pub(in super::super) fn permute<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: V3,
    how: Permute,
) -> R<B> {
    let (shape, w) = (shape(a.q), lane(a.size));
    let (x, y) = (b.xget(a.rn), b.xget(a.rm));
    let v = match (how, shape) {
        (Permute::UnzipEven | Permute::UnzipOdd, _) => {
            let (x, y) = if shape == Shape::Full {
                (x, y)
            } else {
                let both = low_halves(b, x, y);
                (both, both)
            };
            b.x2(if how == Permute::UnzipEven { X2::UnzipEven } else { X2::UnzipOdd }, w, x, y)
        }
        (Permute::ZipLow, _) => b.x2(X2::ZipLow, w, x, y),
        (Permute::ZipHigh, Shape::Full) => b.x2(X2::ZipHigh, w, x, y),
        (Permute::ZipHigh, _) => {
            let both = b.x2(X2::ZipLow, w, x, y);
            b.x1(X1::HighHalf, W64, both)
        }
        _ => transpose(b, w, x, y, how == Permute::TransposeOdd),
    };
    put(b, a.rd, shape, w, v);
    Ok(Flow::Next)
}

/// Lanes of x and y in turn, those with even numbers or those with odd ones.
fn transpose<B: Builder<Aarch64>>(b: &mut B, w: Width, x: B::F, y: B::F, odd: bool) -> B::F {
    let wide = match w {
        W8 => W16,
        W16 => W32,
        W32 => W64,
        W64 => return b.x2(if odd { X2::ZipHigh } else { X2::ZipLow }, w, x, y),
    };
    let low = in_all(b, wide, w.mask());
    let by = w.bits() as u8;
    if odd {
        let x = shifted(b, XImm::Shr, wide, x, by);
        b.xselect(low, x, y)
    } else {
        let y = shifted(b, XImm::Shl, wide, y, by);
        b.xselect(low, x, y)
    }
}

pub(in super::super) fn extract<B: Builder<Aarch64>>(b: &mut B, _: At, a: Vext) -> R<B> {
    let (x, y) = (b.xget(a.rn), b.xget(a.rm));
    let v = if a.q {
        b.xnum(XImm::Extract, W8, x, y, a.index)
    } else {
        let both = low_halves(b, x, y);
        b.xnum(XImm::Extract, W8, both, both, a.index)
    };
    put(b, a.rd, shape(a.q), W8, v);
    Ok(Flow::Next)
}

/// A look-up in up to four registers; what is beyond them is zero, or stays.
pub(in super::super) fn table<B: Builder<Aarch64>>(b: &mut B, _: At, a: Vtbl, keeps: bool) -> R<B> {
    let index = b.xget(a.rm);
    // Moves those from 16 on to where a shuffle gives zero.
    let beyond = in_all(b, W8, 0x70);
    let mut v = None;
    for i in 0..=a.len & 3 {
        let register = b.xget((a.rn + i) & 31);
        let index = if i == 0 {
            index
        } else {
            let before = in_all(b, W8, u64::from(i) * 16);
            b.x2(X2::Sub, W8, index, before)
        };
        let index = b.x2(X2::AddSatU, W8, index, beyond);
        let part = b.x2(X2::Shuffle, W8, register, index);
        v = Some(match v {
            None => part,
            Some(before) => b.x2(X2::Or, W8, before, part),
        });
    }
    let mut v = v.expect("there is at least one register");
    if keeps {
        let end = in_all(b, W8, u64::from((a.len & 3) + 1) * 16);
        let inside = b.x2(X2::GtU, W8, end, index);
        let d = b.xget(a.rd);
        v = b.xselect(inside, v, d);
    }
    put(b, a.rd, shape(a.q), W8, v);
    Ok(Flow::Next)
}

pub(in super::super) fn splat_lane<B: Builder<Aarch64>>(b: &mut B, _: At, a: Vdup) -> R<B> {
    let (size, index) = fields::lane_of(a.imm5);
    let x = b.xget(a.rn);
    let v = b.xnum(XImm::Splat, lane(size), x, x, index);
    put(b, a.rd, shape(a.q), lane(size), v);
    Ok(Flow::Next)
}

pub(in super::super) fn splat<B: Builder<Aarch64>>(b: &mut B, _: At, a: Vdup) -> R<B> {
    let w = lane(fields::lane_of(a.imm5).0);
    let x = get(b, a.rn);
    let v = b.xsplat(w, x);
    put(b, a.rd, shape(a.q), w, v);
    Ok(Flow::Next)
}

pub(in super::super) fn scalar_lane<B: Builder<Aarch64>>(b: &mut B, _: At, a: Vdup) -> R<B> {
    let (size, index) = fields::lane_of(a.imm5);
    let (x, zero) = (b.xget(a.rn), b.ximm(0));
    let v = b.xnum(XImm::Lane, lane(size), zero, x, index << 4);
    b.xset(a.rd, v);
    Ok(Flow::Next)
}

pub(in super::super) fn lane_to_register<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Vdup,
    signed: bool,
) -> R<B> {
    let (size, index) = fields::lane_of(a.imm5);
    let x = b.xget(a.rn);
    let v = b.xlane(lane(size), x, index);
    let v = match (signed, size) {
        (false, _) | (_, 3) => v,
        (true, size) => {
            let sign = [Un::Sext8, Un::Sext16, Un::Sext32][usize::from(size)];
            let v = b.un(sign, W64, v);
            if a.q { v } else { zext(b, W32, v) }
        }
    };
    set(b, a.rd, v);
    Ok(Flow::Next)
}

pub(in super::super) fn insert_register<B: Builder<Aarch64>>(b: &mut B, _: At, a: Vdup) -> R<B> {
    let (size, index) = fields::lane_of(a.imm5);
    let d = b.xget(a.rd);
    let v = get(b, a.rn);
    let v = b.xinsert(lane(size), d, index, v);
    b.xset(a.rd, v);
    Ok(Flow::Next)
}

pub(in super::super) fn insert_lane<B: Builder<Aarch64>>(b: &mut B, _: At, a: Vins) -> R<B> {
    let (size, index) = fields::lane_of(a.imm5);
    let (d, x) = (b.xget(a.rd), b.xget(a.rn));
    let v = b.xnum(XImm::Lane, lane(size), d, x, index | (a.imm4 >> size) << 4);
    b.xset(a.rd, v);
    Ok(Flow::Next)
}

/// A constant, its complement, or the old value with bits of it set or cleared.
pub(in super::super) fn vector_constant<B: Builder<Aarch64>>(b: &mut B, _: At, a: Vimm) -> R<B> {
    let value = fields::vector_constant(a.op, a.cmode, a.imm);
    let logic = a.cmode < 12 && a.cmode & 1 != 0;
    let v = if logic {
        let (d, value) = (b.xget(a.rd), in_all(b, W64, value));
        b.x2(if a.op { X2::AndNot } else { X2::Or }, W64, d, value)
    } else {
        let value = if a.op && a.cmode < 14 { !value } else { value };
        let high = if a.q { u128::from(value) << 64 } else { 0 };
        b.ximm(u128::from(value) | high)
    };
    put(b, a.rd, shape(a.q), W16, v);
    Ok(Flow::Next)
}

pub(in super::super) fn aes_round<B: Builder<Aarch64>>(b: &mut B, _: At, a: VRr, op: X2) -> R<B> {
    let (d, x, zero) = (b.xget(a.rd), b.xget(a.rn), b.ximm(0));
    let state = b.x2(X2::Xor, W64, d, x);
    let v = b.x2(op, W64, state, zero);
    b.xset(a.rd, v);
    Ok(Flow::Next)
}

pub(in super::super) fn aes_mix<B: Builder<Aarch64>>(b: &mut B, _: At, a: VRr, op: X1) -> R<B> {
    let x = b.xget(a.rn);
    let v = b.x1(op, W64, x);
    b.xset(a.rd, v);
    Ok(Flow::Next)
}

pub(in super::super) fn sha_three<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: VRrr,
    op: Soft,
) -> R<B> {
    in_rust(b, What { op, w: W32, shape: Shape::Full, rd: a.rd, rn: a.rn, rm: a.rm, n: 0 })
}

pub(in super::super) fn sha_two<B: Builder<Aarch64>>(b: &mut B, _: At, a: VRr, op: Soft) -> R<B> {
    in_rust(b, What { op, w: W32, shape: Shape::Full, rd: a.rd, rn: a.rn, rm: 0, n: 0 })
}
