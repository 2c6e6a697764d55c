//! Loads and stores of vector registers `[ARM-ARM C3.2]`.

use super::memory::{Mode, address, indexed, write_back};
use super::{Aarch64, R, get, with};
use crate::builder::*;
use crate::isa::aarch64::{Mem, MemLiteral, MemPair, MemReg, Vlane, VlanePost, Vmem, VmemPost};

use Width::{W8, W64};

const WIDTHS: [Width; 4] = Width::ALL;

fn access(size: u8) -> MemOp {
    MemOp::new(size, false)
}

pub(in super::super) fn vector_load<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Mem,
    size: u8,
    mode: Mode,
) -> R<B> {
    let (va, new) = address(b, a.rn, a.imm, mode);
    let v = b.xload(va, access(size))?;
    write_back(b, a.rn, new);
    b.xset(a.rt, v);
    Ok(Flow::Next)
}

pub(in super::super) fn vector_store<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Mem,
    size: u8,
    mode: Mode,
) -> R<B> {
    let (va, new) = address(b, a.rn, a.imm, mode);
    let v = b.xget(a.rt);
    b.xstore(va, v, access(size))?;
    write_back(b, a.rn, new);
    Ok(Flow::Next)
}

pub(in super::super) fn vector_load_reg<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: MemReg,
    size: u8,
) -> R<B> {
    let va = indexed(b, a, access(size));
    let v = b.xload(va, access(size))?;
    b.xset(a.rt, v);
    Ok(Flow::Next)
}

pub(in super::super) fn vector_store_reg<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: MemReg,
    size: u8,
) -> R<B> {
    let va = indexed(b, a, access(size));
    let v = b.xget(a.rt);
    b.xstore(va, v, access(size))?;
    Ok(Flow::Next)
}

pub(in super::super) fn vector_load_literal<B: Builder<Aarch64>>(
    b: &mut B,
    at: At,
    a: MemLiteral,
    size: u8,
) -> R<B> {
    let va = b.imm(at.pc.wrapping_add_signed(i64::from(a.imm)));
    let v = b.xload(va, access(size))?;
    b.xset(a.rt, v);
    Ok(Flow::Next)
}

pub(in super::super) fn vector_load_pair<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: MemPair,
    size: u8,
    mode: Mode,
) -> R<B> {
    let (va, new) = address(b, a.rn, a.imm, mode);
    let first = b.xload(va, access(size))?;
    let behind = with(b, Bin::Add, va, 1 << size);
    let second = b.xload(behind, access(size))?;
    write_back(b, a.rn, new);
    b.xset(a.rt, first);
    b.xset(a.rt2, second);
    Ok(Flow::Next)
}

pub(in super::super) fn vector_store_pair<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: MemPair,
    size: u8,
    mode: Mode,
) -> R<B> {
    let (va, new) = address(b, a.rn, a.imm, mode);
    let (first, second) = (b.xget(a.rt), b.xget(a.rt2));
    b.xstore(va, first, access(size))?;
    let behind = with(b, Bin::Add, va, 1 << size);
    b.xstore(behind, second, access(size))?;
    write_back(b, a.rn, new);
    Ok(Flow::Next)
}

/// A register of a list, which goes on behind the last one with the first.
fn listed(rt: u8, i: u8) -> u8 {
    (rt + i) & 31
}

/// The base register moves on, by a register or by the bytes of the access.
fn move_on<B: Builder<Aarch64>>(b: &mut B, rn: u8, rm: u8, bytes: u64) {
    const BYTES: u8 = 31;
    let base = b.get(rn);
    let new = if rm == BYTES {
        with(b, Bin::Add, base, bytes)
    } else {
        let by = get(b, rm);
        b.bin(Bin::Add, W64, base, by)
    };
    b.set(rn, new);
}

/// Loads `bytes` in whole vectors, the last of which may be half of one.
fn load_all<B: Builder<Aarch64>>(b: &mut B, rn: u8, bytes: u64) -> Result<Vec<B::F>, B::Trap> {
    let base = b.get(rn);
    let mut all = Vec::new();
    for at in (0..bytes).step_by(16) {
        let va = with(b, Bin::Add, base, at);
        all.push(b.xload(va, access(if bytes - at < 16 { 3 } else { 4 }))?);
    }
    Ok(all)
}

pub(in super::super) fn load_structures<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Vmem,
    count: u8,
    step: u8,
) -> R<B> {
    load_list(b, a, count, step)?;
    Ok(Flow::Next)
}

pub(in super::super) fn load_structures_post<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: VmemPost,
    count: u8,
    step: u8,
) -> R<B> {
    let bytes = load_list(b, Vmem { q: a.q, size: a.size, rt: a.rt, rn: a.rn }, count, step)?;
    move_on(b, a.rn, a.rm, bytes);
    Ok(Flow::Next)
}

/// Gives the number of bytes.
fn load_list<B: Builder<Aarch64>>(b: &mut B, a: Vmem, count: u8, step: u8) -> Result<u64, B::Trap> {
    let each = if a.q { 16 } else { 8 };
    let bytes = each * u64::from(count);
    if step == 1 {
        let base = b.get(a.rn);
        let mut all = Vec::new();
        for i in 0..count {
            let va = with(b, Bin::Add, base, each * u64::from(i));
            all.push(b.xload(va, access(if a.q { 4 } else { 3 }))?);
        }
        for (i, &v) in (0..).zip(&all) {
            b.xset(listed(a.rt, i), v);
        }
        return Ok(bytes);
    }
    let all = load_all(b, a.rn, bytes)?;
    let w = WIDTHS[usize::from(a.size & 3)];
    let parts = match (step, a.q) {
        (2, _) => apart(b, w, &all),
        (3, q) => apart_in_three(b, w, q, &all),
        (_, true) => apart_in_four(b, w, &all),
        (_, false) => {
            let halves = apart(b, w, &all);
            let (even, odd) = (apart(b, w, &halves[..1]), apart(b, w, &halves[1..]));
            vec![even[0], odd[0], even[1], odd[1]]
        }
    };
    for (i, v) in (0..).zip(parts) {
        let v = if a.q { v } else { b.x1(X1::LowHalf, W64, v) };
        b.xset(listed(a.rt, i), v);
    }
    Ok(bytes)
}

/// The lanes with even numbers, and those with odd ones.
fn apart<B: Builder<Aarch64>>(b: &mut B, w: Width, all: &[B::F]) -> Vec<B::F> {
    let (x, y) = (all[0], all[all.len() - 1]);
    vec![b.x2(X2::UnzipEven, w, x, y), b.x2(X2::UnzipOdd, w, x, y)]
}

fn apart_in_four<B: Builder<Aarch64>>(b: &mut B, w: Width, all: &[B::F]) -> Vec<B::F> {
    let low = [b.x2(X2::UnzipEven, w, all[0], all[1]), b.x2(X2::UnzipOdd, w, all[0], all[1])];
    let high = [b.x2(X2::UnzipEven, w, all[2], all[3]), b.x2(X2::UnzipOdd, w, all[2], all[3])];
    let even = [b.x2(X2::UnzipEven, w, low[0], high[0]), b.x2(X2::UnzipOdd, w, low[0], high[0])];
    let odd = [b.x2(X2::UnzipEven, w, low[1], high[1]), b.x2(X2::UnzipOdd, w, low[1], high[1])];
    vec![even[0], odd[0], even[1], odd[1]]
}

/// The bytes of one vector that go to bytes of another, for [`X2::Shuffle`].
fn shuffle<B: Builder<Aarch64>>(b: &mut B, v: B::F, from: impl Fn(usize) -> Option<usize>) -> B::F {
    let table: [u8; 16] = std::array::from_fn(|i| from(i).map_or(0x80, |from| from as u8));
    let table = b.ximm(u128::from_le_bytes(table));
    b.x2(X2::Shuffle, W8, v, table)
}

/// The union of shuffles of all vectors: byte `i` of the result is byte `from(i)` of them together.
fn gather<B: Builder<Aarch64>>(
    b: &mut B,
    all: &[B::F],
    from: impl Fn(usize) -> Option<usize>,
) -> B::F {
    let mut result = None;
    for (n, &v) in all.iter().enumerate() {
        let part = shuffle(b, v, |i| from(i).filter(|at| at / 16 == n).map(|at| at % 16));
        result = Some(match result {
            None => part,
            Some(before) => b.x2(X2::Or, W8, before, part),
        });
    }
    result.expect("there are vectors")
}

fn apart_in_three<B: Builder<Aarch64>>(b: &mut B, w: Width, q: bool, all: &[B::F]) -> Vec<B::F> {
    let (bytes, len) = (w.bits() as usize / 8, if q { 16usize } else { 8 });
    (0..3)
        .map(|k| gather(b, all, |i| (i < len).then(|| (i / bytes * 3 + k) * bytes + i % bytes)))
        .collect()
}

pub(in super::super) fn store_structures<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Vmem,
    count: u8,
    step: u8,
) -> R<B> {
    store_list(b, a, count, step)?;
    Ok(Flow::Next)
}

pub(in super::super) fn store_structures_post<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: VmemPost,
    count: u8,
    step: u8,
) -> R<B> {
    let bytes = store_list(b, Vmem { q: a.q, size: a.size, rt: a.rt, rn: a.rn }, count, step)?;
    move_on(b, a.rn, a.rm, bytes);
    Ok(Flow::Next)
}

/// Gives the number of bytes.
fn store_list<B: Builder<Aarch64>>(
    b: &mut B,
    a: Vmem,
    count: u8,
    step: u8,
) -> Result<u64, B::Trap> {
    let each = if a.q { 16 } else { 8 };
    let bytes = each * u64::from(count);
    let w = WIDTHS[usize::from(a.size & 3)];
    let all: Vec<B::F> = (0..count).map(|i| b.xget(listed(a.rt, i))).collect();
    let parts = match (step, a.q) {
        (1, _) => all,
        (2, true) => together(b, w, all[0], all[1]),
        (2, false) => vec![b.x2(X2::ZipLow, w, all[0], all[1])],
        (3, q) => together_of_three(b, w, q, &all),
        (_, q) => {
            let (even, odd) = (together(b, w, all[0], all[2]), together(b, w, all[1], all[3]));
            let mut parts = together(b, w, even[0], odd[0]);
            if q {
                parts.extend(together(b, w, even[1], odd[1]));
            }
            parts
        }
    };
    let base = b.get(a.rn);
    let full = if step == 1 { each } else { 16 };
    let mut at = 0;
    for v in parts {
        let va = with(b, Bin::Add, base, at);
        let size = if bytes - at < full || full == 8 { 3 } else { 4 };
        b.xstore(va, v, access(size))?;
        at += full;
    }
    Ok(bytes)
}

fn together<B: Builder<Aarch64>>(b: &mut B, w: Width, x: B::F, y: B::F) -> Vec<B::F> {
    vec![b.x2(X2::ZipLow, w, x, y), b.x2(X2::ZipHigh, w, x, y)]
}

fn together_of_three<B: Builder<Aarch64>>(b: &mut B, w: Width, q: bool, all: &[B::F]) -> Vec<B::F> {
    let (bytes, len) = (w.bits() as usize / 8, if q { 16usize } else { 8 });
    (0..(3 * len).div_ceil(16))
        .map(|part| {
            gather(b, all, |i| {
                let lane = (part * 16 + i) / bytes;
                let at = lane / 3 * bytes + i % bytes;
                (at < len).then_some(lane % 3 * 16 + at)
            })
        })
        .collect()
}

pub(in super::super) fn load_lane<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Vlane,
    count: u8,
    size: u8,
) -> R<B> {
    load_lanes(b, a, count, size)?;
    Ok(Flow::Next)
}

pub(in super::super) fn load_lane_post<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: VlanePost,
    count: u8,
    size: u8,
) -> R<B> {
    load_lanes(b, Vlane { rt: a.rt, rn: a.rn, index: a.index }, count, size)?;
    move_on(b, a.rn, a.rm, u64::from(count) << size);
    Ok(Flow::Next)
}

fn load_lanes<B: Builder<Aarch64>>(
    b: &mut B,
    a: Vlane,
    count: u8,
    size: u8,
) -> Result<(), B::Trap> {
    let base = b.get(a.rn);
    let mut all = Vec::new();
    for i in 0..count {
        let va = with(b, Bin::Add, base, u64::from(i) << size);
        all.push(b.xload(va, access(size))?);
    }
    for (i, v) in (0..).zip(all) {
        let r = listed(a.rt, i);
        let old = b.xget(r);
        let v = b.xnum(XImm::Lane, WIDTHS[usize::from(size & 3)], old, v, a.index);
        b.xset(r, v);
    }
    Ok(())
}

pub(in super::super) fn store_lane<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Vlane,
    count: u8,
    size: u8,
) -> R<B> {
    store_lanes(b, a, count, size)?;
    Ok(Flow::Next)
}

pub(in super::super) fn store_lane_post<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: VlanePost,
    count: u8,
    size: u8,
) -> R<B> {
    store_lanes(b, Vlane { rt: a.rt, rn: a.rn, index: a.index }, count, size)?;
    move_on(b, a.rn, a.rm, u64::from(count) << size);
    Ok(Flow::Next)
}

fn store_lanes<B: Builder<Aarch64>>(
    b: &mut B,
    a: Vlane,
    count: u8,
    size: u8,
) -> Result<(), B::Trap> {
    let base = b.get(a.rn);
    for i in 0..count {
        let v = b.xget(listed(a.rt, i));
        let v = b.xlane(WIDTHS[usize::from(size & 3)], v, a.index);
        let va = with(b, Bin::Add, base, u64::from(i) << size);
        b.store(va, v, access(size))?;
    }
    Ok(())
}

pub(in super::super) fn load_all_lanes<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Vmem,
    count: u8,
) -> R<B> {
    load_copies(b, a, count)?;
    Ok(Flow::Next)
}

pub(in super::super) fn load_all_lanes_post<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: VmemPost,
    count: u8,
) -> R<B> {
    load_copies(b, Vmem { q: a.q, size: a.size, rt: a.rt, rn: a.rn }, count)?;
    move_on(b, a.rn, a.rm, u64::from(count) << (a.size & 3));
    Ok(Flow::Next)
}

fn load_copies<B: Builder<Aarch64>>(b: &mut B, a: Vmem, count: u8) -> Result<(), B::Trap> {
    let size = a.size & 3;
    let base = b.get(a.rn);
    let mut all = Vec::new();
    for i in 0..count {
        let va = with(b, Bin::Add, base, u64::from(i) << size);
        all.push(b.xload(va, access(size))?);
    }
    for (i, v) in (0..).zip(all) {
        let v = b.xnum(XImm::Splat, WIDTHS[usize::from(size)], v, v, 0);
        let v = if a.q { v } else { b.x1(X1::LowHalf, W64, v) };
        b.xset(listed(a.rt, i), v);
    }
    Ok(())
}
