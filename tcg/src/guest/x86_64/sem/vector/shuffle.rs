//! Lanes in another order.

use super::{
    Half, both, byte_numbers, high, immediate, is_mmx, join, lanes_of, pair, read, read_part, set,
};
use crate::builder::{At, Builder, Flow, Width, X1, X2, XImm};
use crate::guest::x86_64::X86_64;
use crate::guest::x86_64::sem::R;
use crate::isa::x86_64::Insn;

use Width::{W8, W16, W32};

/// Lanes of both operands in turn.
pub(in super::super::super) fn unpack<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    half: Half,
    bytes: u8,
) -> R<B> {
    let (x, y) = both(b, at, insn)?;
    let mmx = is_mmx(insn);
    let op = if half == Half::Low || mmx { X2::ZipLow } else { X2::ZipHigh };
    let v = b.x2(op, lanes_of(bytes), x, y);
    // All lanes of 64 bits are in the low half, and those of their upper halves come last.
    let v = if mmx && half == Half::High { high(b, v) } else { v };
    set(b, insn, v);
    Ok(Flow::Next)
}

/// Which lanes are narrowed, and how they saturate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super::super) enum Pack {
    SignedWords,
    UnsignedWords,
    SignedDwords,
    UnsignedDwords,
}

pub(in super::super::super) fn pack<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    how: Pack,
) -> R<B> {
    let (x, y) = pair(b, at, insn)?;
    let (op, w) = match how {
        Pack::SignedWords => (X2::PackSS, W16),
        Pack::UnsignedWords => (X2::PackSU, W16),
        Pack::SignedDwords => (X2::PackSS, W32),
        Pack::UnsignedDwords => (X2::PackSU, W32),
    };
    let v = b.x2(op, w, x, y);
    set(b, insn, v);
    Ok(Flow::Next)
}

/// PSHUFD.
pub(in super::super::super) fn shuffle_dwords<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
) -> R<B> {
    let x = read(b, at, insn, insn.operands[1])?;
    let v = b.xnum(XImm::Choose, W32, x, x, immediate(insn));
    set(b, insn, v);
    Ok(Flow::Next)
}

/// SHUFPS, SHUFPD: the lower lanes of the first operand, the upper ones of the second.
pub(in super::super::super) fn shuffle_fp<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    bytes: u8,
) -> R<B> {
    let n = immediate(insn);
    let (x, y) = both(b, at, insn)?;
    let choice = if bytes == 4 {
        n
    } else {
        // A lane of 64 bits is two of 32.
        let pair = |high: bool| if high { 0b1110 } else { 0b0100 };
        pair(n & 1 != 0) | pair(n & 2 != 0) << 4
    };
    let v = b.xnum(XImm::Choose, W32, x, y, choice);
    set(b, insn, v);
    Ok(Flow::Next)
}

/// Which words an instruction moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super::super) enum Words {
    Low,
    High,
}

/// PSHUFLW, PSHUFHW.
pub(in super::super::super) fn shuffle_words<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    words: Words,
) -> R<B> {
    let x = read(b, at, insn, insn.operands[1])?;
    let n = u32::from(immediate(insn));
    let first = if words == Words::High { 4 } else { 0 };
    let bytes = (0..16u32).fold(0u128, |all, byte| {
        let word = byte / 2;
        let from = match word.checked_sub(first) {
            Some(i @ 0..4) => first + (n >> (2 * i) & 3),
            _ => word,
        };
        all | u128::from(from * 2 + byte % 2) << (8 * byte)
    });
    let order = b.ximm(bytes);
    let v = b.x2(X2::Shuffle, W8, x, order);
    set(b, insn, v);
    Ok(Flow::Next)
}

/// PSHUFB.
pub(in super::super::super) fn shuffle_bytes<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
) -> R<B> {
    let (x, y) = both(b, at, insn)?;
    let y = if is_mmx(insn) { byte_numbers(b, y) } else { y };
    let v = b.x2(X2::Shuffle, W8, x, y);
    set(b, insn, v);
    Ok(Flow::Next)
}

/// Which lanes are doubled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super::super) enum Dup {
    EvenSingles,
    OddSingles,
    Doubles,
}

pub(in super::super::super) fn vec_dup<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    which: Dup,
) -> R<B> {
    let bytes = if which == Dup::Doubles { 8 } else { 16 };
    let x = read_part(b, at, insn, insn.operands[1], bytes)?;
    let choice = match which {
        Dup::EvenSingles => 0b1010_0000,
        Dup::OddSingles => 0b1111_0101,
        Dup::Doubles => 0b0100_0100,
    };
    let v = b.xnum(XImm::Choose, W32, x, x, choice);
    set(b, insn, v);
    Ok(Flow::Next)
}

/// PALIGNR: 16 bytes of both operands, the first above the second.
pub(in super::super::super) fn align_right<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
) -> R<B> {
    let (x, y) = both(b, at, insn)?;
    let (x, y) = if is_mmx(insn) { (b.ximm(0), join(b, y, x)) } else { (x, y) };
    let v = b.xnum(XImm::Extract, W8, y, x, immediate(insn).min(32));
    set(b, insn, v);
    Ok(Flow::Next)
}

/// MPSADBW: eight sums of the differences of four bytes, at eight places of the first operand.
pub(in super::super::super) fn mpsadbw<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let n = u32::from(immediate(insn));
    let (first, four) = ((n >> 2 & 1) * 4, (n & 3) * 4);
    let (x, y) = both(b, at, insn)?;
    // Bytes as words, by their numbers; the upper bytes become zero.
    let words = |byte: &dyn Fn(u32) -> u32| {
        (0..8u32).fold(0, |all, j| all | u128::from(0x8000 | byte(j)) << (16 * j))
    };
    let mut sum = b.ximm(0);
    for i in 0..4 {
        let met = b.ximm(words(&|j| first + i + j));
        let met = b.x2(X2::Shuffle, W8, x, met);
        let byte = b.ximm(words(&|_| four + i));
        let byte = b.x2(X2::Shuffle, W8, y, byte);
        let difference = b.x2(X2::Sub, W16, met, byte);
        let difference = b.x1(X1::Abs, W16, difference);
        sum = b.x2(X2::Add, W16, sum, difference);
    }
    set(b, insn, sum);
    Ok(Flow::Next)
}
