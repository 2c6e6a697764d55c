//! Integer arithmetic on lanes.

use super::{both, immediate, is_mmx, lanes_of, old, pair, read, register, set};
use crate::builder::{At, Bin, Builder, Cond, Flow, Width, X1, X2, XImm};
use crate::guest::x86_64::X86_64;
use crate::guest::x86_64::sem::{R, Shift};
use crate::isa::x86_64::Insn;

use Width::{W8, W16, W32, W64};

/// Operations of two vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super::super) enum VecOp {
    Add,
    Sub,
    AddSatS,
    AddSatU,
    SubSatS,
    SubSatU,
    MinS,
    MinU,
    MaxS,
    MaxU,
    AvgU,
    MulLow,
    MulHighS,
    MulHighU,
    MulHighRoundS,
    MulEvenS,
    MulEvenU,
    MulAddPairs,
    MulAddPairsUS,
    SumAbsDiff,
    Sign,
}

/// The operation on lanes of the instruction's width, if it is one of the engine's.
fn plain(op: VecOp, w: Width) -> Option<(X2, Width)> {
    Some(match op {
        VecOp::Add => (X2::Add, w),
        VecOp::Sub => (X2::Sub, w),
        VecOp::AddSatS => (X2::AddSatS, w),
        VecOp::AddSatU => (X2::AddSatU, w),
        VecOp::SubSatS => (X2::SubSatS, w),
        VecOp::SubSatU => (X2::SubSatU, w),
        VecOp::MinS => (X2::MinS, w),
        VecOp::MinU => (X2::MinU, w),
        VecOp::MaxS => (X2::MaxS, w),
        VecOp::MaxU => (X2::MaxU, w),
        VecOp::AvgU => (X2::AvgU, w),
        VecOp::MulLow => (X2::Mul, w),
        VecOp::MulHighS => (X2::MulHighS, w),
        VecOp::MulHighU => (X2::MulHighU, w),
        // Of the even lanes: the low halves of lanes twice as wide.
        VecOp::MulEvenS => (X2::MulWideS, W64),
        VecOp::MulEvenU => (X2::MulWideU, W64),
        VecOp::MulAddPairs => (X2::MulPairsS, W32),
        VecOp::SumAbsDiff => (X2::SumDiffU, W64),
        VecOp::MulHighRoundS | VecOp::MulAddPairsUS | VecOp::Sign => return None,
    })
}

pub(in super::super::super) fn vec<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    op: VecOp,
    bytes: u8,
) -> R<B> {
    let (x, y) = both(b, at, insn)?;
    let v = apply(b, op, lanes_of(bytes), x, y);
    set(b, insn, v);
    Ok(Flow::Next)
}

/// The operation on two values.
pub(super) fn apply<B: Builder<X86_64>>(b: &mut B, op: VecOp, w: Width, x: B::F, y: B::F) -> B::F {
    if let Some((op, w)) = plain(op, w) {
        return b.x2(op, w, x, y);
    }
    match op {
        VecOp::MulHighRoundS => {
            // Bits 15 to 30 of the product, and bit 14 to round.
            let high = b.x2(X2::MulHighS, W16, x, y);
            let low = b.x2(X2::Mul, W16, x, y);
            let high = b.xnum(XImm::Shl, W16, high, high, 1);
            let top = b.xnum(XImm::Shr, W16, low, low, 15);
            let kept = b.x2(X2::Or, W16, high, top);
            let half = b.xnum(XImm::Shl, W16, low, low, 1);
            let half = b.xnum(XImm::Shr, W16, half, half, 15);
            b.x2(X2::Add, W16, kept, half)
        }
        VecOp::MulAddPairsUS => {
            // Bytes of x unsigned, of y signed.
            let even = b.ximm(0x00ff_00ff_00ff_00ff_00ff_00ff_00ff_00ff);
            let x_even = b.x2(X2::And, W16, x, even);
            let y_even = b.xnum(XImm::Shl, W16, y, y, 8);
            let y_even = b.xnum(XImm::Sar, W16, y_even, y_even, 8);
            let x_odd = b.xnum(XImm::Shr, W16, x, x, 8);
            let y_odd = b.xnum(XImm::Sar, W16, y, y, 8);
            let first = b.x2(X2::Mul, W16, x_even, y_even);
            let second = b.x2(X2::Mul, W16, x_odd, y_odd);
            b.x2(X2::AddSatS, W16, first, second)
        }
        _ => {
            // x with the sign of y, or zero where y is.
            let zero = b.ximm(0);
            let negative = b.x2(X2::GtS, w, zero, y);
            let nothing = b.x2(X2::Eq, w, y, zero);
            let negated = b.x1(X1::Neg, w, x);
            let signed = b.xselect(negative, negated, x);
            b.x2(X2::AndNot, w, signed, nothing)
        }
    }
}

pub(in super::super::super) fn vec_abs<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    bytes: u8,
) -> R<B> {
    let (_, x) = both(b, at, insn)?;
    let v = b.x1(X1::Abs, lanes_of(bytes), x);
    set(b, insn, v);
    Ok(Flow::Next)
}

/// Sums and differences of neighbours: those of the first operand, then those of the second.
pub(in super::super::super) fn vec_horizontal<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    op: VecOp,
    bytes: u8,
) -> R<B> {
    let w = lanes_of(bytes);
    let (x, y) = pair(b, at, insn)?;
    let even = b.x2(X2::UnzipEven, w, x, y);
    let odd = b.x2(X2::UnzipOdd, w, x, y);
    let v = apply(b, op, w, even, odd);
    set(b, insn, v);
    Ok(Flow::Next)
}

/// Bitwise operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super::super) enum Logic {
    And,
    AndNot,
    Or,
    Xor,
}

pub(in super::super::super) fn vec_logic<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    op: Logic,
) -> R<B> {
    if op == Logic::Xor && insn.operands[0] == insn.operands[1] && !is_mmx(insn) {
        let zero = b.ximm(0);
        set(b, insn, zero);
        return Ok(Flow::Next);
    }
    let (x, y) = both(b, at, insn)?;
    let v = match op {
        Logic::And => b.x2(X2::And, W64, x, y),
        // The complement is that of the destination.
        Logic::AndNot => b.x2(X2::AndNot, W64, y, x),
        Logic::Or => b.x2(X2::Or, W64, x, y),
        Logic::Xor => b.x2(X2::Xor, W64, x, y),
    };
    set(b, insn, v);
    Ok(Flow::Next)
}

fn shift_op(op: Shift) -> (XImm, X2) {
    match op {
        Shift::Shl => (XImm::Shl, X2::Shl),
        Shift::Sar => (XImm::Sar, X2::Sar),
        _ => (XImm::Shr, X2::Shr),
    }
}

/// All lanes by a constant.
pub(in super::super::super) fn vec_shift_imm<B: Builder<X86_64>>(
    b: &mut B,
    _: At,
    insn: &Insn,
    op: Shift,
    bytes: u8,
) -> R<B> {
    let x = old(b, insn)?;
    let v = b.xnum(shift_op(op).0, lanes_of(bytes), x, x, immediate(insn));
    set(b, insn, v);
    Ok(Flow::Next)
}

/// The whole register by bytes.
pub(in super::super::super) fn vec_shift_bytes<B: Builder<X86_64>>(
    b: &mut B,
    _: At,
    insn: &Insn,
    op: Shift,
) -> R<B> {
    let x = old(b, insn)?;
    let zero = b.ximm(0);
    let by = immediate(insn).min(16);
    let v = match op {
        Shift::Shl => b.xnum(XImm::Extract, W8, zero, x, 16 - by),
        _ => b.xnum(XImm::Extract, W8, x, zero, by),
    };
    set(b, insn, v);
    Ok(Flow::Next)
}

/// All lanes by the number in the second operand's low half.
pub(in super::super::super) fn vec_shift<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    op: Shift,
    bytes: u8,
) -> R<B> {
    let w = lanes_of(bytes);
    let (x, y) = both(b, at, insn)?;
    let by = b.xlane(W64, y, 0);
    let by = b.share(by);
    // What shifts everything out fits into every lane.
    let most = b.imm(64);
    let far = b.cmp(Cond::Gtu, W64, by, most);
    let by = b.select(far, most, by);
    let by = b.xsplat(w, by);
    let v = b.x2(shift_op(op).1, w, x, by);
    set(b, insn, v);
    Ok(Flow::Next)
}

/// PHMINPOSUW: the least word, and its place.
pub(in super::super::super) fn min_position<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
) -> R<B> {
    let x = read(b, at, insn, insn.operands[1])?;
    // Words with their places in the low bits, in lanes twice as wide; then the least of all.
    let places = b.ximm(0x0000_0003_0000_0002_0000_0001_0000_0000);
    let later = b.ximm(0x0000_0004_0000_0004_0000_0004_0000_0004);
    let low = b.x1(X1::WidenLowU, W16, x);
    let low = b.xnum(XImm::Shl, W32, low, low, 16);
    let low = b.x2(X2::Or, W32, low, places);
    let upper = b.x1(X1::WidenHighU, W16, x);
    let upper = b.xnum(XImm::Shl, W32, upper, upper, 16);
    let upper = b.x2(X2::Or, W32, upper, places);
    let upper = b.x2(X2::Or, W32, upper, later);
    let least = b.x2(X2::MinU, W32, low, upper);
    let other = b.xnum(XImm::Choose, W32, least, least, 0b0100_1110);
    let least = b.x2(X2::MinU, W32, least, other);
    let other = b.xnum(XImm::Choose, W32, least, least, 0b1011_0001);
    let least = b.x2(X2::MinU, W32, least, other);
    let least = b.xlane(W32, least, 0);
    let half = b.imm(16);
    let least = b.bin(Bin::Ror, W32, least, half);
    let v = b.fraw(crate::builder::Fmt::S, least);
    b.xset(register(insn.operands[0]), v);
    Ok(Flow::Next)
}
