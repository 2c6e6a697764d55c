//! Scalar floating point `[ARM-ARM C3.5]`.

use arch::aarch64::state::flags_image;

use super::super::Exception;
use super::super::fp;
use super::flags::condition;
use super::{Aarch64, FLAGS, R, get, set, zext};
use crate::builder::*;
use crate::guest::{Helper, Touches};
use crate::isa::aarch64::{
    Fp1, Fp2 as Regs2, Fp3 as Regs3, FpCcmp, FpCmp, FpCmp0, FpCsel, FpFixed, FpHalf, FpImm, FpInt,
    fields,
};
use crate::vcpu::Core;

use Width::{W32, W64};

/// The format of an instruction.
pub(super) fn format(double: bool) -> Fmt {
    if double { Fmt::D } else { Fmt::S }
}

/// The lanes of a format.
pub(super) fn lane_width(fmt: Fmt) -> Width {
    match fmt {
        Fmt::S => W32,
        Fmt::D => W64,
    }
}

pub(in super::super) fn fp_move<B: Builder<Aarch64>>(b: &mut B, _: At, a: Fp1) -> R<B> {
    let fmt = format(a.double);
    let v = b.fget(a.rn, fmt);
    b.fset(a.rd, fmt, v);
    Ok(Flow::Next)
}

pub(in super::super) fn fp_sign<B: Builder<Aarch64>>(b: &mut B, _: At, a: Fp1, how: Sgn) -> R<B> {
    let fmt = format(a.double);
    let v = b.fget(a.rn, fmt);
    let v = b.fsgnj(how, fmt, v, v);
    b.fset(a.rd, fmt, v);
    Ok(Flow::Next)
}

pub(in super::super) fn fp_sqrt<B: Builder<Aarch64>>(b: &mut B, _: At, a: Fp1) -> R<B> {
    let fmt = format(a.double);
    let v = b.fget(a.rn, fmt);
    let v = b.fsqrt(fmt, Rm::Dynamic, v);
    b.fset(a.rd, fmt, v);
    Ok(Flow::Next)
}

pub(in super::super) fn fp_round<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Fp1,
    rm: u8,
    inexact: bool,
) -> R<B> {
    round_by(b, a, Rm::Static(rm), inexact)
}

pub(in super::super) fn fp_round_dynamic<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Fp1,
    inexact: bool,
) -> R<B> {
    round_by(b, a, Rm::Dynamic, inexact)
}

fn round_by<B: Builder<Aarch64>>(b: &mut B, a: Fp1, rm: Rm, inexact: bool) -> R<B> {
    let fmt = format(a.double);
    let v = b.fget(a.rn, fmt);
    let v = b.fround(fmt, rm, inexact, v);
    b.fset(a.rd, fmt, v);
    Ok(Flow::Next)
}

pub(in super::super) fn fp_convert<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: FpHalf,
    from: Fmt,
    to: Fmt,
) -> R<B> {
    let v = b.fget(a.rn, from);
    let v = b.fcvt(from, to, Rm::Dynamic, v);
    b.fset(a.rd, to, v);
    Ok(Flow::Next)
}

static TO_HALF: Helper<Aarch64> =
    Helper { name: "to_half", touches: Touches::Fields, run: run_to_half };

fn run_to_half(core: &mut Core<Aarch64>, [fmt, a, _]: [u64; 3]) -> Result<u64, Exception> {
    Ok(fp::to_half(&mut core.state, format(fmt != 0), a))
}

static FROM_HALF: Helper<Aarch64> =
    Helper { name: "from_half", touches: Touches::Fields, run: run_from_half };

fn run_from_half(core: &mut Core<Aarch64>, [fmt, a, _]: [u64; 3]) -> Result<u64, Exception> {
    Ok(fp::from_half(&mut core.state, format(fmt != 0), a))
}

pub(in super::super) fn to_half<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: FpHalf,
    from: Fmt,
) -> R<B> {
    let v = b.fget(a.rn, from);
    let v = b.fbits(from, v);
    let fmt = b.imm(from as u64);
    let v = b.call(&TO_HALF, &[fmt, v])?;
    let v = b.fraw(Fmt::S, v);
    b.fset(a.rd, Fmt::S, v);
    Ok(Flow::Next)
}

pub(in super::super) fn from_half<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: FpHalf,
    to: Fmt,
) -> R<B> {
    let v = b.fget(a.rn, Fmt::S);
    let v = b.fbits(Fmt::S, v);
    let fmt = b.imm(to as u64);
    let v = b.call(&FROM_HALF, &[fmt, v])?;
    let v = b.fraw(to, v);
    b.fset(a.rd, to, v);
    Ok(Flow::Next)
}

pub(in super::super) fn fp_two<B: Builder<Aarch64>>(b: &mut B, _: At, a: Regs2, op: Fp2) -> R<B> {
    let fmt = format(a.double);
    let (x, y) = (b.fget(a.rn, fmt), b.fget(a.rm, fmt));
    let v = b.fp2(op, fmt, Rm::Dynamic, x, y);
    b.fset(a.rd, fmt, v);
    Ok(Flow::Next)
}

pub(in super::super) fn fp_negated_product<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: Regs2,
) -> R<B> {
    let fmt = format(a.double);
    let (x, y) = (b.fget(a.rn, fmt), b.fget(a.rm, fmt));
    let v = b.fp2(Fp2::Mul, fmt, Rm::Dynamic, x, y);
    let v = b.fsgnj(Sgn::Neg, fmt, v, v);
    b.fset(a.rd, fmt, v);
    Ok(Flow::Next)
}

pub(in super::super) fn fp_three<B: Builder<Aarch64>>(b: &mut B, _: At, a: Regs3, op: Fp3) -> R<B> {
    let fmt = format(a.double);
    let (x, y, z) = (b.fget(a.rn, fmt), b.fget(a.rm, fmt), b.fget(a.ra, fmt));
    let v = b.fp3(op, fmt, Rm::Dynamic, x, y, z);
    b.fset(a.rd, fmt, v);
    Ok(Flow::Next)
}

pub(in super::super) fn fp_compare<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: FpCmp,
    signaling: bool,
) -> R<B> {
    let fmt = format(a.double);
    let (x, y) = (b.fget(a.rn, fmt), b.fget(a.rm, fmt));
    b.fcmp_flags(FpFlags::SignOverflow, signaling, fmt, x, y);
    Ok(Flow::Next)
}

pub(in super::super) fn fp_compare_zero<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: FpCmp0,
    signaling: bool,
) -> R<B> {
    let fmt = format(a.double);
    let (x, zero) = (b.fget(a.rn, fmt), b.ximm(0));
    b.fcmp_flags(FpFlags::SignOverflow, signaling, fmt, x, zero);
    Ok(Flow::Next)
}

pub(in super::super) fn fp_conditional_compare<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: FpCcmp,
    signaling: bool,
) -> R<B> {
    let fmt = format(a.double);
    let holds = match condition(b, a.cond) {
        Some(holds) => b.share(holds),
        None => b.imm(1),
    };
    let otherwise = b.imm(flags_image(u64::from(a.nzcv) << 28));
    b.set_field(FLAGS, otherwise);
    b.when(holds, |b| {
        let (x, y) = (b.fget(a.rn, fmt), b.fget(a.rm, fmt));
        b.fcmp_flags(FpFlags::SignOverflow, signaling, fmt, x, y);
        Ok(())
    })?;
    Ok(Flow::Next)
}

/// The bits are chosen on the integer side.
pub(in super::super) fn fp_select<B: Builder<Aarch64>>(b: &mut B, _: At, a: FpCsel) -> R<B> {
    let fmt = format(a.double);
    let x = b.fget(a.rn, fmt);
    let v = match condition(b, a.cond) {
        None => x,
        Some(holds) => {
            let y = b.fget(a.rm, fmt);
            let holds = b.share(holds);
            let (x, y) = (b.fbits(fmt, x), b.fbits(fmt, y));
            let v = b.select(holds, x, y);
            b.fraw(fmt, v)
        }
    };
    b.fset(a.rd, fmt, v);
    Ok(Flow::Next)
}

pub(in super::super) fn fp_constant<B: Builder<Aarch64>>(b: &mut B, _: At, a: FpImm) -> R<B> {
    let v = b.ximm(fields::float_constant(a.imm, a.double).into());
    b.xset(a.rd, v);
    Ok(Flow::Next)
}

/// The integer type of a conversion.
pub(super) fn integer(wide: bool, signed: bool) -> IntTy {
    match (wide, signed) {
        (false, true) => IntTy::I32,
        (false, false) => IntTy::U32,
        (true, true) => IntTy::I64,
        (true, false) => IntTy::U64,
    }
}

pub(in super::super) fn fp_to_int<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: FpInt,
    rm: u8,
    signed: bool,
) -> R<B> {
    let fmt = format(a.double);
    let v = b.fget(a.rn, fmt);
    let v = b.fcvt_int(fmt, integer(a.sf, signed), Rm::Static(rm), v);
    let v = if a.sf { v } else { zext(b, W32, v) };
    set(b, a.rd, v);
    Ok(Flow::Next)
}

pub(in super::super) fn fp_from_int<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: FpInt,
    signed: bool,
) -> R<B> {
    let fmt = format(a.double);
    let v = get(b, a.rn);
    let v = b.fcvt_from_int(fmt, integer(a.sf, signed), Rm::Dynamic, v);
    b.fset(a.rd, fmt, v);
    Ok(Flow::Next)
}

/// Format, type and bits behind the point as one number.
fn fixed(a: FpFixed, signed: bool) -> u64 {
    let fraction = u64::from(64 - a.scale.min(64));
    u64::from(a.double) | u64::from(a.sf) << 1 | u64::from(signed) << 2 | fraction << 8
}

static TO_FIXED: Helper<Aarch64> =
    Helper { name: "to_fixed", touches: Touches::Fields, run: run_to_fixed };

fn run_to_fixed(core: &mut Core<Aarch64>, [what, a, _]: [u64; 3]) -> Result<u64, Exception> {
    let ty = integer(what & 2 != 0, what & 4 != 0);
    let fraction = (what >> 8) as u32;
    Ok(fp::to_fixed_point(&mut core.state, format(what & 1 != 0), ty, a, fraction))
}

static FROM_FIXED: Helper<Aarch64> =
    Helper { name: "from_fixed", touches: Touches::Fields, run: run_from_fixed };

fn run_from_fixed(core: &mut Core<Aarch64>, [what, a, _]: [u64; 3]) -> Result<u64, Exception> {
    let ty = integer(what & 2 != 0, what & 4 != 0);
    let fraction = (what >> 8) as u32;
    Ok(fp::from_fixed_point(&mut core.state, format(what & 1 != 0), ty, a, fraction))
}

pub(in super::super) fn fp_to_fixed<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: FpFixed,
    signed: bool,
) -> R<B> {
    let fmt = format(a.double);
    let v = b.fget(a.rn, fmt);
    let v = b.fbits(fmt, v);
    let what = b.imm(fixed(a, signed));
    let v = b.call(&TO_FIXED, &[what, v])?;
    let v = if a.sf { v } else { zext(b, W32, v) };
    set(b, a.rd, v);
    Ok(Flow::Next)
}

pub(in super::super) fn fp_from_fixed<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: FpFixed,
    signed: bool,
) -> R<B> {
    let fmt = format(a.double);
    let v = get(b, a.rn);
    let what = b.imm(fixed(a, signed));
    let v = b.call(&FROM_FIXED, &[what, v])?;
    let v = b.fraw(fmt, v);
    b.fset(a.rd, fmt, v);
    Ok(Flow::Next)
}

pub(in super::super) fn fp_bits<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: FpHalf,
    fmt: Fmt,
) -> R<B> {
    let v = b.fget(a.rn, fmt);
    let v = b.fbits(fmt, v);
    set(b, a.rd, v);
    Ok(Flow::Next)
}

pub(in super::super) fn fp_from_bits<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: FpHalf,
    fmt: Fmt,
) -> R<B> {
    let v = get(b, a.rn);
    let v = b.fraw(fmt, v);
    b.fset(a.rd, fmt, v);
    Ok(Flow::Next)
}

pub(in super::super) fn top_bits<B: Builder<Aarch64>>(b: &mut B, _: At, a: FpHalf) -> R<B> {
    let v = b.xget(a.rn);
    let v = b.xlane(W64, v, 1);
    set(b, a.rd, v);
    Ok(Flow::Next)
}

pub(in super::super) fn top_from_bits<B: Builder<Aarch64>>(b: &mut B, _: At, a: FpHalf) -> R<B> {
    let old = b.xget(a.rd);
    let v = get(b, a.rn);
    let v = b.xinsert(W64, old, 1, v);
    b.xset(a.rd, v);
    Ok(Flow::Next)
}
