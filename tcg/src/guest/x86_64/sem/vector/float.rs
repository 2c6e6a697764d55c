//! Floating-point arithmetic, on lanes and on the lowest one.

use super::{both, bytes_of, format, immediate, read_part, register, set, set_low};
use crate::builder::{At, Builder, Flow, Fmt, Fp2, FpOp, Rm, Width, X2, XImm};
use crate::guest::x86_64::sem::R;
use crate::guest::x86_64::{Exception, X86_64};
use crate::guest::{Helper, Touches};
use crate::isa::x86_64::Insn;

use Width::{W32, W64};

pub(in super::super::super) fn fp<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    op: Fp2,
) -> R<B> {
    let kind = insn.row().codes[0].kind;
    let (fmt, scalar) = format(kind);
    let y = read_part(b, at, insn, insn.operands[1], bytes_of(kind))?;
    let x = b.xget(register(insn.operands[0]));
    if scalar {
        let v = b.fp2(op, fmt, Rm::Dynamic, x, y);
        set_low(b, insn, fmt, v);
    } else {
        let v = b.xfp(FpOp::Two(op), fmt, Rm::Dynamic, [x, y, y]);
        set(b, insn, v);
    }
    Ok(Flow::Next)
}

/// Operations of one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super::super) enum FpUnary {
    Sqrt,
    Rsqrt,
    Rcp,
}

pub(in super::super::super) fn fp_unary<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    op: FpUnary,
) -> R<B> {
    let kind = insn.row().codes[0].kind;
    let (fmt, scalar) = format(kind);
    let x = read_part(b, at, insn, insn.operands[1], bytes_of(kind))?;
    let approximation = match op {
        FpUnary::Sqrt => None,
        FpUnary::Rsqrt => Some(&RSQRT),
        FpUnary::Rcp => Some(&RCP),
    };
    match (approximation, scalar) {
        (None, true) => {
            let v = b.fsqrt(fmt, Rm::Dynamic, x);
            set_low(b, insn, fmt, v);
        }
        (None, false) => {
            let v = b.xfp(FpOp::Sqrt, fmt, Rm::Dynamic, [x, x, x]);
            set(b, insn, v);
        }
        (Some(helper), true) => {
            let lane = b.xlane(W32, x, 0);
            let v = b.call(helper, &[lane])?;
            let v = b.fraw(fmt, v);
            set_low(b, insn, fmt, v);
        }
        (Some(helper), false) => {
            let mut all = b.ximm(0);
            for i in 0..2 {
                let lanes = b.xlane(W64, x, i);
                let v = b.call(helper, &[lanes])?;
                all = b.xinsert(W64, all, i, v);
            }
            set(b, insn, all);
        }
    }
    Ok(Flow::Next)
}

/// Approximations of two singles. Processors differ in all but the first 11 bits or so; they
/// raise nothing.
static RCP: Helper<X86_64> = Helper {
    name: "rcp",
    touches: Touches::Fields,
    run: |_, [lanes, ..]| each_single(lanes, |x| 1.0 / x),
};
static RSQRT: Helper<X86_64> = Helper {
    name: "rsqrt",
    touches: Touches::Fields,
    run: |_, [lanes, ..]| each_single(lanes, |x| 1.0 / x.sqrt()),
};

fn each_single(lanes: u64, f: impl Fn(f32) -> f32) -> Result<u64, Exception> {
    let one = |bits: u32| u64::from(approximate(bits, &f));
    Ok(one(lanes as u32) | one((lanes >> 32) as u32) << 32)
}

/// Subnormal numbers are zeros, NaNs stay and become quiet.
fn approximate(bits: u32, f: impl Fn(f32) -> f32) -> u32 {
    const QUIET: u32 = 1 << 22;
    const INDEFINITE: u32 = 0xffc0_0000;
    let x = f32::from_bits(bits);
    if x.is_nan() {
        return bits | QUIET;
    }
    let flush = |x: f32| if x.is_subnormal() { 0f32.copysign(x) } else { x };
    let result = flush(f(flush(x)));
    if result.is_nan() { INDEFINITE } else { result.to_bits() }
}

/// ROUNDPS and its kin: the mode is MXCSR's or a constant; inexact may be kept quiet.
pub(in super::super::super) fn fp_round<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
) -> R<B> {
    let kind = insn.row().codes[0].kind;
    let (fmt, scalar) = format(kind);
    let how = immediate(insn);
    let rm = if how & 4 != 0 { Rm::Dynamic } else { Rm::Static(how & 3) };
    let inexact = how & 8 == 0;
    let x = read_part(b, at, insn, insn.operands[1], bytes_of(kind))?;
    if scalar {
        let v = b.fround(fmt, rm, inexact, x);
        set_low(b, insn, fmt, v);
    } else {
        let v = b.xfp(FpOp::Round(inexact), fmt, rm, [x, x, x]);
        set(b, insn, v);
    }
    Ok(Flow::Next)
}

/// HADDPS and its kin: neighbours of the first operand, then of the second.
pub(in super::super::super) fn fp_horizontal<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    op: Fp2,
) -> R<B> {
    let (fmt, _) = format(insn.row().codes[0].kind);
    let w = super::width_of(fmt);
    let (x, y) = both(b, at, insn)?;
    let even = b.x2(X2::UnzipEven, w, x, y);
    let odd = b.x2(X2::UnzipOdd, w, x, y);
    let v = b.xfp(FpOp::Two(op), fmt, Rm::Dynamic, [even, odd, odd]);
    set(b, insn, v);
    Ok(Flow::Next)
}

/// The even lanes of both formats.
fn even_lanes(fmt: Fmt) -> u128 {
    match fmt {
        Fmt::S => 0x0000_0000_ffff_ffff_0000_0000_ffff_ffff,
        Fmt::D => u128::from(u64::MAX),
    }
}

/// ADDSUBPS, ADDSUBPD: differences in the even lanes, sums in the odd ones. The other lanes of
/// each operation are zero, so that they raise nothing.
pub(in super::super::super) fn fp_addsub<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
) -> R<B> {
    let (fmt, _) = format(insn.row().codes[0].kind);
    let (x, y) = both(b, at, insn)?;
    let even = b.ximm(even_lanes(fmt));
    let (x_even, y_even) = (b.x2(X2::And, W64, x, even), b.x2(X2::And, W64, y, even));
    let (x_odd, y_odd) = (b.x2(X2::AndNot, W64, x, even), b.x2(X2::AndNot, W64, y, even));
    let less = b.xfp(FpOp::Two(Fp2::Sub), fmt, Rm::Dynamic, [x_even, y_even, y_even]);
    let more = b.xfp(FpOp::Two(Fp2::Add), fmt, Rm::Dynamic, [x_odd, y_odd, y_odd]);
    let v = b.xselect(even, less, more);
    set(b, insn, v);
    Ok(Flow::Next)
}

/// DPPS, DPPD: the sum of the products that the upper half of a constant chooses, in the lanes
/// that its lower half chooses.
pub(in super::super::super) fn dot_product<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    bytes: u8,
) -> R<B> {
    let fmt = if bytes == 4 { Fmt::S } else { Fmt::D };
    let bits = u32::from(bytes) * 8;
    let mask = |chosen: u8| {
        let lane = u128::MAX >> (128 - bits);
        (0..128 / bits)
            .filter(|i| chosen >> i & 1 != 0)
            .fold(0, |mask, i| mask | lane << (i * bits))
    };
    let (x, y) = both(b, at, insn)?;
    let chosen = b.ximm(mask(immediate(insn) >> 4));
    // Lanes that are not chosen are zero and raise nothing.
    let (x, y) = (b.x2(X2::And, W64, x, chosen), b.x2(X2::And, W64, y, chosen));
    let products = b.xfp(FpOp::Two(Fp2::Mul), fmt, Rm::Dynamic, [x, y, y]);
    let mut sum = b.x2(X2::And, W64, products, chosen);
    // Neighbours, then pairs of them.
    let turns: &[u8] = if bytes == 4 { &[0b1011_0001, 0b0100_1110] } else { &[0b0100_1110] };
    for &turn in turns {
        let other = b.xnum(XImm::Choose, W32, sum, sum, turn);
        sum = b.xfp(FpOp::Two(Fp2::Add), fmt, Rm::Dynamic, [sum, other, other]);
    }
    // The first lane's: in the others a NaN would be that of another operand.
    let sum = b.xnum(XImm::Splat, super::width_of(fmt), sum, sum, 0);
    let kept = b.ximm(mask(immediate(insn)));
    let v = b.x2(X2::And, W64, sum, kept);
    set(b, insn, v);
    Ok(Flow::Next)
}
