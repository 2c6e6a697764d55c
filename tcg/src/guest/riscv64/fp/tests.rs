use super::{boxed, compute, execute, inject_sign, is_rounding, unbox};
use crate::builder::{FCond, Fmt, Fp2, Fp3, FpOp, IntTy, Sgn};

const RNE: u8 = 0;
const RTZ: u8 = 1;
const RDN: u8 = 2;
const RUP: u8 = 3;
const RMM: u8 = 4;

const NX: u8 = 1 << 0;
const OF: u8 = 1 << 2;
const DZ: u8 = 1 << 3;
const NV: u8 = 1 << 4;

const NAN_D: u64 = 0x7ff8_0000_0000_0000;
const NAN_S: u64 = 0xffff_ffff_7fc0_0000;

fn d(value: f64) -> u64 {
    value.to_bits()
}

fn s(value: f32) -> u64 {
    boxed(Fmt::S, value.to_bits().into())
}

#[test]
fn singles_that_are_not_boxed_are_nans() {
    let bare = u64::from(1f32.to_bits());
    assert_eq!(unbox(Fmt::S, bare), 0x7fc0_0000);
    assert_eq!(unbox(Fmt::S, s(1.0)), bare);
    assert_eq!(execute(FpOp::Two(Fp2::Add), Fmt::S, RNE, bare, s(1.0), 0), (NAN_S, 0));
    assert_eq!(execute(FpOp::Two(Fp2::Min), Fmt::S, RNE, bare, s(1.0), 0), (s(1.0), 0));
    assert_eq!(execute(FpOp::Cmp(FCond::Lt), Fmt::S, RNE, bare, s(1.0), 0), (0, NV));
    assert_eq!(execute(FpOp::ToInt(IntTy::I32), Fmt::S, RNE, bare, 0, 0), (i32::MAX as u64, NV));
    assert_eq!(execute(FpOp::Class, Fmt::S, RNE, bare, 0, 0), (1 << 9, 0));
    assert_eq!(execute(FpOp::Class, Fmt::D, RNE, d(-1.0), 0, 0), (1 << 1, 0));
    assert_eq!(inject_sign(Sgn::Copy, Fmt::S, bare, s(-1.0)), NAN_S | 1 << 31);
    assert_eq!(execute(FpOp::To(Fmt::D), Fmt::S, RNE, bare, 0, 0), (NAN_D, 0));
}

#[test]
fn results_are_boxed_and_bare_numbers_are_not() {
    let add = FpOp::Two(Fp2::Add);
    assert_eq!(execute(add, Fmt::S, RNE, s(1.0), s(0.5), 0), (s(1.5), 0));
    assert_eq!(compute(add, Fmt::S, RNE, s(1.0), s(0.5), 0), (s(1.5) & 0xffff_ffff, 0));
    assert_eq!(execute(add, Fmt::D, RNE, d(1.0), d(0.5), 0), (d(1.5), 0));
    assert_eq!(execute(FpOp::To(Fmt::S), Fmt::D, RNE, d(0.1), 0, 0), (s(0.1), NX));
    assert_eq!(execute(FpOp::FromInt(IntTy::I32), Fmt::S, RNE, u64::MAX, 0, 0), (s(-1.0), 0));
}

#[test]
fn rounding_modes_have_their_numbers() {
    let third = |rm| execute(FpOp::Two(Fp2::Div), Fmt::D, rm, d(1.0), d(-3.0), 0);
    let nearest = d(-1.0 / 3.0);
    assert_eq!(third(RNE), (nearest, NX));
    assert_eq!(third(RTZ), (nearest, NX));
    assert_eq!(third(RDN), (nearest + 1, NX));
    assert_eq!(third(RUP), (nearest, NX));
    let integer = |rm, value| execute(FpOp::ToInt(IntTy::I64), Fmt::D, rm, d(value), 0, 0);
    assert_eq!([RNE, RTZ, RDN, RUP, RMM].map(|rm| integer(rm, 2.5).0), [2, 2, 2, 3, 3]);
    assert_eq!(integer(RMM, -0.5), (u64::MAX, NX));
    // A guest can leave a reserved mode in frm and compare.
    assert!(!is_rounding(7) && is_rounding(RMM));
    assert_eq!(execute(FpOp::Cmp(FCond::Lt), Fmt::D, 7, d(1.0), d(2.0), 0), (1, 0));
}

#[test]
fn words_are_sign_extended() {
    let word = |to, value| execute(FpOp::ToInt(to), Fmt::D, RTZ, d(value), 0, 0);
    assert_eq!(word(IntTy::U32, 4_294_967_295.0), (u64::MAX, 0));
    assert_eq!(word(IntTy::U32, f64::NAN), (u64::MAX, NV));
    assert_eq!(word(IntTy::U32, -1.0), (0, NV));
    assert_eq!(word(IntTy::U32, -0.5), (0, NX));
    assert_eq!(word(IntTy::I32, -3e9), (i32::MIN as i64 as u64, NV));
    assert_eq!(word(IntTy::I64, f64::INFINITY), (i64::MAX as u64, NV));
    assert_eq!(word(IntTy::U64, 1e30), (u64::MAX, NV));
    // Only the low word of the source counts.
    let low = execute(FpOp::FromInt(IntTy::U32), Fmt::D, RNE, 0x1_8000_0000, 0, 0);
    assert_eq!(low, (d(2_147_483_648.0), 0));
}

#[test]
fn fused_forms_negate_before_they_round() {
    let (a, b, c) = (d(3.0), d(5.0), d(2.0));
    let form = |op| f64::from_bits(execute(FpOp::Three(op), Fmt::D, RNE, a, b, c).0);
    assert_eq!(form(Fp3::Madd), 17.0);
    assert_eq!(form(Fp3::Msub), 13.0);
    assert_eq!(form(Fp3::Nmsub), -13.0);
    assert_eq!(form(Fp3::Nmadd), -17.0);
    // -(1 · 1) - tiny, rounded up: the negated sum, not the negation of a rounded one.
    let up = execute(FpOp::Three(Fp3::Nmadd), Fmt::D, RUP, d(1.0), d(1.0), 1);
    assert_eq!(up, (d(-1.0), NX));
}

#[test]
fn flags_have_their_places() {
    let two = |op, a, b| execute(FpOp::Two(op), Fmt::D, RNE, a, b, 0).1;
    assert_eq!(two(Fp2::Div, d(1.0), d(0.0)), DZ);
    assert_eq!(two(Fp2::Mul, d(f64::MAX), d(2.0)), OF | NX);
    assert_eq!(two(Fp2::Mul, 1, d(0.5)), 2 | NX);
    assert_eq!(two(Fp2::Sub, d(f64::INFINITY), d(f64::INFINITY)), NV);
    // Subnormal operands raise nothing here.
    assert_eq!(two(Fp2::Add, 1, 1), 0);
}

#[test]
fn signs() {
    assert_eq!(inject_sign(Sgn::Copy, Fmt::D, d(1.0), d(-2.0)), d(-1.0));
    assert_eq!(inject_sign(Sgn::Neg, Fmt::D, d(-1.0), d(-2.0)), d(1.0));
    assert_eq!(inject_sign(Sgn::Xor, Fmt::S, s(-1.0), s(-2.0)), s(1.0));
    assert_eq!(inject_sign(Sgn::Xor, Fmt::S, s(1.0), s(-2.0)), s(-1.0));
}
