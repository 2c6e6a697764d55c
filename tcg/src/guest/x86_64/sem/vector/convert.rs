//! Conversions between integers and floating-point formats.

use super::super::operand;
use super::{bytes_of, format, read_part, set, set_low};
use crate::builder::{At, Builder, Flow, Fmt, FpOp, IntTy, Rm, Width};
use crate::guest::x86_64::X86_64;
use crate::guest::x86_64::sem::R;
use crate::isa::x86_64::Insn;

/// How a conversion to integers rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super::super) enum Rounding {
    Round,
    Truncate,
}

impl Rounding {
    pub(super) fn rm(self) -> Rm {
        match self {
            Rounding::Round => Rm::Dynamic,
            Rounding::Truncate => Rm::Static(3),
        }
    }
}

fn integer(w: Width) -> IntTy {
    if w == Width::W64 { IntTy::I64 } else { IntTy::I32 }
}

/// CVTSI2SS, CVTSI2SD.
pub(in super::super::super) fn cvt_from_int<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
) -> R<B> {
    let [_, from, ..] = insn.operands;
    let (fmt, _) = format(insn.row().codes[0].kind);
    let v = operand::read(b, at, insn, from)?;
    let v = b.fcvt_from_int(fmt, integer(operand::width(from)), Rm::Dynamic, v);
    set_low(b, insn, fmt, v);
    Ok(Flow::Next)
}

/// CVTSS2SI, CVTTSD2SI and their kin.
pub(in super::super::super) fn cvt_to_int<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    rounding: Rounding,
) -> R<B> {
    let [to, from, ..] = insn.operands;
    let kind = insn.row().codes[1].kind;
    let (fmt, _) = format(kind);
    let v = read_part(b, at, insn, from, bytes_of(kind))?;
    let v = b.fcvt_int(fmt, integer(operand::width(to)), rounding.rm(), v);
    operand::set(b, to, v);
    Ok(Flow::Next)
}

/// The lowest number in the other format.
fn scalar<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn, from: Fmt, to: Fmt) -> R<B> {
    let bytes = if from == Fmt::S { 4 } else { 8 };
    let v = read_part(b, at, insn, insn.operands[1], bytes)?;
    let v = b.fcvt(from, to, Rm::Dynamic, v);
    set_low(b, insn, to, v);
    Ok(Flow::Next)
}

pub(in super::super::super) fn cvt_ss_sd<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
) -> R<B> {
    scalar(b, at, insn, Fmt::S, Fmt::D)
}

pub(in super::super::super) fn cvt_sd_ss<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
) -> R<B> {
    scalar(b, at, insn, Fmt::D, Fmt::S)
}

/// A conversion of lanes; `bytes` of the source are meant.
fn lanes<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    (op, fmt, rm): (FpOp, Fmt, Rm),
    bytes: u8,
) -> R<B> {
    let v = read_part(b, at, insn, insn.operands[1], bytes)?;
    let v = b.xfp(op, fmt, rm, [v, v, v]);
    set(b, insn, v);
    Ok(Flow::Next)
}

pub(in super::super::super) fn cvt_ps_pd<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
) -> R<B> {
    lanes(b, at, insn, (FpOp::To(Fmt::D), Fmt::S, Rm::Dynamic), 8)
}

pub(in super::super::super) fn cvt_pd_ps<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
) -> R<B> {
    lanes(b, at, insn, (FpOp::To(Fmt::S), Fmt::D, Rm::Dynamic), 16)
}

pub(in super::super::super) fn cvt_dq_ps<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
) -> R<B> {
    lanes(b, at, insn, (FpOp::FromInt(IntTy::I32), Fmt::S, Rm::Dynamic), 16)
}

pub(in super::super::super) fn cvt_dq_pd<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
) -> R<B> {
    lanes(b, at, insn, (FpOp::FromInt(IntTy::I32), Fmt::D, Rm::Dynamic), 8)
}

pub(in super::super::super) fn cvt_ps_dq<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    rounding: Rounding,
) -> R<B> {
    lanes(b, at, insn, (FpOp::ToInt(IntTy::I32), Fmt::S, rounding.rm()), 16)
}

pub(in super::super::super) fn cvt_pd_dq<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    rounding: Rounding,
) -> R<B> {
    lanes(b, at, insn, (FpOp::ToInt(IntTy::I32), Fmt::D, rounding.rm()), 16)
}
