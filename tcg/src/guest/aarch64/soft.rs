//! Rare vector instructions in plain Rust, lane by lane on the registers themselves.

use arch::aarch64::Cpu;
use arch::aarch64::state::fpsr;

use super::{Aarch64, Exception, fp, sha};
use crate::builder::{Fmt, Fp3, FpOp, IntTy, Rm, Width};
use crate::guest::{Helper, Touches};
use crate::ops::sext;
use crate::ops::vector::{lane, lanes, with_lane};
use crate::softfloat::{self, F32, F64, Format};
use crate::vcpu::Core;

/// Declares the operations, and their list.
macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What an instruction does.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Soft {
            $($(#[$doc])* $name,)*
        }

        impl Soft {
            const ALL: &[Soft] = &[$(Soft::$name,)*];
        }
    };
}

operations! {
    ShiftSaturatingS,
    ShiftSaturatingU,
    ShiftSaturatingSu,
    ShiftRoundingS,
    ShiftRoundingU,
    ShiftSaturatingRoundingS,
    ShiftSaturatingRoundingU,
    AddUnsignedToSigned,
    AddSignedToUnsigned,
    RecipEstimate,
    RecipSqrtEstimate,
    FloatMulx,
    FloatRecipStep,
    FloatRecipSqrtStep,
    FloatRecipEstimate,
    FloatRecipSqrtEstimate,
    FloatRecipExponent,
    FixedToFloatS,
    FixedToFloatU,
    FloatToFixedS,
    FloatToFixedU,
    HalfNarrow,
    HalfWiden,
    FloatNarrowOdd,
    Sha1c,
    Sha1p,
    Sha1m,
    Sha1su0,
    Sha1h,
    Sha1su1,
    Sha256h,
    Sha256h2,
    Sha256su0,
    Sha256su1,
}

/// How much of the registers takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// All lanes.
    Full,
    /// Those of the low half.
    Half,
    /// The lowest.
    Lane,
}

/// An instruction as the helper gets it.
#[derive(Clone, Copy, Debug)]
pub(super) struct What {
    pub(super) op: Soft,
    pub(super) w: Width,
    pub(super) shape: Shape,
    pub(super) rd: u8,
    pub(super) rn: u8,
    pub(super) rm: u8,
    /// The number of a shift, or a lane of `rm` plus one; 0: none.
    pub(super) n: u8,
}

impl What {
    /// As two numbers.
    pub(super) fn pack(self) -> [u64; 2] {
        let [rd, rn, rm, n] = [self.rd, self.rn, self.rm, self.n].map(u64::from);
        let what = self.op as u64 | (self.w as u64) << 8 | (self.shape as u64) << 16;
        [what, rd | rn << 8 | rm << 16 | n << 24]
    }

    fn unpack([what, registers]: [u64; 2]) -> Self {
        let byte = |v: u64, i: u32| (v >> (8 * i)) as u8;
        Self {
            op: Soft::ALL[usize::from(byte(what, 0)) % Soft::ALL.len()],
            w: Width::ALL[usize::from(byte(what, 1) & 3)],
            shape: [Shape::Full, Shape::Half, Shape::Lane, Shape::Lane]
                [usize::from(byte(what, 2) & 3)],
            rd: byte(registers, 0) & 31,
            rn: byte(registers, 1) & 31,
            rm: byte(registers, 2) & 31,
            n: byte(registers, 3),
        }
    }
}

/// Does an instruction: its two numbers.
pub(super) static SOFT: Helper<Aarch64> =
    Helper { name: "soft", touches: Touches::Registers, run: soft };

fn soft(core: &mut Core<Aarch64>, [what, registers, _]: [u64; 3]) -> Result<u64, Exception> {
    let what = What::unpack([what, registers]);
    let cpu = &mut core.state;
    let result = execute(cpu, what);
    cpu.v[usize::from(what.rd)] = result;
    Ok(0)
}

fn execute(cpu: &mut Cpu, what: What) -> u128 {
    let register = |cpu: &Cpu, r: u8| cpu.v[usize::from(r)];
    let (w, op) = (what.w, what.op);
    let (d, a) = (register(cpu, what.rd), register(cpu, what.rn));
    let mut b = register(cpu, what.rm);
    match op {
        Soft::Sha1c | Soft::Sha1p | Soft::Sha1m => return sha::hash_1(op, d, a, b),
        Soft::Sha1su0 => return sha::schedule_1_first(d, a, b),
        Soft::Sha1su1 => return sha::schedule_1_second(d, a),
        Soft::Sha1h => return u128::from((a as u32).rotate_left(30)),
        Soft::Sha256h => return sha::hash_256(d, a, b, true),
        Soft::Sha256h2 => return sha::hash_256(a, d, b, false),
        Soft::Sha256su0 => return sha::schedule_256_first(d, a),
        Soft::Sha256su1 => return sha::schedule_256_second(d, a, b),
        Soft::HalfNarrow | Soft::FloatNarrowOdd => return narrow(cpu, what, d, a),
        Soft::HalfWiden => {
            let from = if what.shape == Shape::Full { 4 } else { 0 };
            return lanes(Width::W32, |i| {
                fp::from_half(cpu, Fmt::S, lane(Width::W16, a, from + i))
            });
        }
        _ => {}
    }
    if what.n > 0 && op == Soft::FloatMulx {
        b = lanes(w, |_| lane(w, b, u32::from(what.n - 1)));
    }
    let count = match what.shape {
        Shape::Full => 128 / w.bits(),
        Shape::Half => 64 / w.bits(),
        Shape::Lane => 1,
    };
    (0..count).fold(0, |all, i| {
        let v = each(cpu, what, [lane(w, a, i), lane(w, b, i), lane(w, d, i)]);
        with_lane(w, all, i, v)
    })
}

/// Singles of doubles or halves of singles: the low half of the result, or the high one of `d`.
fn narrow(cpu: &mut Cpu, what: What, d: u128, a: u128) -> u128 {
    let (from, to) = match what.op {
        Soft::HalfNarrow => (Width::W32, Width::W16),
        _ => (Width::W64, Width::W32),
    };
    let count = if what.shape == Shape::Lane { 1 } else { 128 / from.bits() };
    let result = (0..count).fold(0, |all, i| {
        let v = lane(from, a, i);
        let v = match what.op {
            Soft::HalfNarrow => fp::to_half(cpu, Fmt::S, v),
            _ => fp::execute(cpu, FpOp::To(Fmt::S), Fmt::D, Rm::Static(fp::ODD), [v, 0, 0]),
        };
        with_lane(to, all, i, v)
    });
    if what.shape == Shape::Full { d & u128::from(u64::MAX) | result << 64 } else { result }
}

/// One lane: of the first operand, the second, and the target.
fn each(cpu: &mut Cpu, what: What, [a, b, d]: [u64; 3]) -> u64 {
    let (w, n) = (what.w, what.n);
    let (bits, fmt) = (w.bits(), if what.w == Width::W64 { Fmt::D } else { Fmt::S });
    let signed = |v: u64| i128::from(sext(v, bits) as i64);
    let count = match n {
        0 => i64::from(b as i8),
        n => i64::from(n) - 1,
    };
    match what.op {
        Soft::ShiftSaturatingS => shift(cpu, w, signed(a), count, false, Some(true)),
        Soft::ShiftSaturatingU => shift(cpu, w, a.into(), count, false, Some(false)),
        Soft::ShiftSaturatingSu => shift(cpu, w, signed(a), count, false, Some(false)),
        Soft::ShiftRoundingS => shift(cpu, w, signed(a), count, true, None),
        Soft::ShiftRoundingU => shift(cpu, w, a.into(), count, true, None),
        Soft::ShiftSaturatingRoundingS => shift(cpu, w, signed(a), count, true, Some(true)),
        Soft::ShiftSaturatingRoundingU => shift(cpu, w, a.into(), count, true, Some(false)),
        Soft::AddUnsignedToSigned => saturate(cpu, w, signed(d) + i128::from(a), true),
        Soft::AddSignedToUnsigned => saturate(cpu, w, i128::from(d) + signed(a), false),
        Soft::RecipEstimate => u64::from(recip_estimate(a as u32)),
        Soft::RecipSqrtEstimate => u64::from(recip_sqrt_estimate(a as u32)),
        Soft::FloatMulx => mulx(cpu, fmt, a, b),
        Soft::FloatRecipStep => step(cpu, fmt, a, b, false),
        Soft::FloatRecipSqrtStep => step(cpu, fmt, a, b, true),
        Soft::FloatRecipEstimate => super::estimate::recip(cpu, fmt, a),
        Soft::FloatRecipSqrtEstimate => super::estimate::recip_sqrt(cpu, fmt, a),
        Soft::FloatRecipExponent => super::estimate::recip_exponent(cpu, fmt, a),
        Soft::FixedToFloatS => fp::from_fixed_point(cpu, fmt, integer(fmt, true), a, n.into()),
        Soft::FixedToFloatU => fp::from_fixed_point(cpu, fmt, integer(fmt, false), a, n.into()),
        Soft::FloatToFixedS => fp::to_fixed_point(cpu, fmt, integer(fmt, true), a, n.into()),
        Soft::FloatToFixedU => fp::to_fixed_point(cpu, fmt, integer(fmt, false), a, n.into()),
        op => unreachable!("{op:?} works on whole registers"),
    }
}

fn integer(fmt: Fmt, signed: bool) -> IntTy {
    match (fmt, signed) {
        (Fmt::S, true) => IntTy::I32,
        (Fmt::S, false) => IntTy::U32,
        (Fmt::D, true) => IntTy::I64,
        (Fmt::D, false) => IntTy::U64,
    }
}

/// The nearest number that the lane holds; one that does not fit is noted.
fn saturate(cpu: &mut Cpu, w: Width, v: i128, signed: bool) -> u64 {
    let top = i128::from(w.mask());
    let (low, high) = if signed { (-(top >> 1) - 1, top >> 1) } else { (0, top) };
    if !(low..=high).contains(&v) {
        cpu.fpsr |= fpsr::SATURATED;
    }
    v.clamp(low, high) as u64
}

/// Left by a count, or right by a negative one; saturating as signed or unsigned, or cut off.
fn shift(
    cpu: &mut Cpu,
    w: Width,
    v: i128,
    count: i64,
    rounds: bool,
    saturates: Option<bool>,
) -> u64 {
    let result = if count < 0 {
        let by = count.unsigned_abs().min(127) as u32;
        let half = if rounds { 1i128 << (by - 1) } else { 0 };
        if by > 64 && rounds { (v + half) >> by } else { (v + half) >> by.min(126) }
    } else if saturates.is_some() && v != 0 && count >= i64::from(w.bits()) {
        // Whatever it is, it does not fit.
        if v < 0 { i128::MIN >> 1 } else { i128::MAX >> 1 }
    } else {
        v << count.min(64)
    };
    match saturates {
        Some(signed) => saturate(cpu, w, result, signed),
        None if count >= i64::from(w.bits()) => 0,
        None => result as u64,
    }
}

/// A product where zero times infinity is two, with the sign of a product.
fn mulx(cpu: &mut Cpu, fmt: Fmt, a: u64, b: u64) -> u64 {
    fn special<F: Format<Sig = u64>>(a: u64, b: u64, flush: bool) -> Option<u64> {
        let magnitude = |v: u64| v & ((1 << (F::EXP_BITS + F::FRAC_BITS)) - 1);
        let infinity = ((1u64 << F::EXP_BITS) - 1) << F::FRAC_BITS;
        let is_zero = |v: u64| magnitude(v) == 0 || flush && magnitude(v) >> F::FRAC_BITS == 0;
        let meets = |a: u64, b: u64| is_zero(a) && magnitude(b) == infinity;
        let sign = (a ^ b) & 1 << (F::EXP_BITS + F::FRAC_BITS);
        // The exponent of two.
        let two = (1u64 << (F::EXP_BITS - 1)) << F::FRAC_BITS;
        (meets(a, b) || meets(b, a)).then_some(sign | two)
    }
    let flush = cpu.fpcr & arch::aarch64::state::fpcr::FLUSH != 0;
    let answer = match fmt {
        Fmt::S => special::<F32>(a, b, flush),
        Fmt::D => special::<F64>(a, b, flush),
    };
    if answer.is_some() && flush {
        // Operands that were flushed are noted all the same.
        fp::execute(cpu, FpOp::Round(false), fmt, Rm::Dynamic, [a, 0, 0]);
        fp::execute(cpu, FpOp::Round(false), fmt, Rm::Dynamic, [b, 0, 0]);
    }
    answer.unwrap_or_else(|| {
        fp::execute(cpu, FpOp::Two(crate::builder::Fp2::Mul), fmt, Rm::Dynamic, [a, b, 0])
    })
}

/// 2 - a * b, or (3 - a * b) / 2, rounded once: steps of Newton's method.
fn step(cpu: &mut Cpu, fmt: Fmt, a: u64, b: u64, sqrt: bool) -> u64 {
    match fmt {
        Fmt::S => step_in::<F32>(cpu, fmt, a, b, sqrt),
        Fmt::D => step_in::<F64>(cpu, fmt, a, b, sqrt),
    }
}

fn step_in<F: Format<Sig = u64>>(cpu: &mut Cpu, fmt: Fmt, a: u64, b: u64, sqrt: bool) -> u64 {
    let sign = 1u64 << (F::EXP_BITS + F::FRAC_BITS);
    let one = (F::BIAS as u64) << F::FRAC_BITS;
    let two = one + (1 << F::FRAC_BITS);
    let half = 1u64 << (F::FRAC_BITS - 1);
    let is_nan = |v: u64| v & (sign - 1) > ((1u64 << F::EXP_BITS) - 1) << F::FRAC_BITS;
    // The first operand is negated before anything else.
    let a = a ^ sign;
    if !is_nan(a) && !is_nan(b) && is_zero_times_infinity::<F>(cpu, a, b) {
        return if sqrt { one | half } else { two };
    }
    if !sqrt {
        return fp::execute(cpu, FpOp::Three(Fp3::Madd), fmt, Rm::Dynamic, [a, b, two]);
    }
    super::estimate::half_of_three_plus::<F>(cpu, a, b)
}

fn is_zero_times_infinity<F: Format<Sig = u64>>(cpu: &mut Cpu, a: u64, b: u64) -> bool {
    let fmt = if F::FRAC_BITS == 52 { Fmt::D } else { Fmt::S };
    let mut probe = cpu.clone();
    probe.fpsr = 0;
    let product = FpOp::Two(crate::builder::Fp2::Mul);
    fp::execute(&mut probe, product, fmt, Rm::Dynamic, [a, b, 0]);
    let invalid = probe.fpsr & 1 != 0;
    if invalid {
        cpu.fpsr |= probe.fpsr & fpsr::INPUT_DENORMAL;
    }
    invalid
}

/// An estimate of a reciprocal of nine bits `[ARM-ARM RecipEstimate]`.
pub(super) fn estimate(a: u32) -> u32 {
    // 256 to 511 halves; the reciprocal, rounded.
    let a = a * 2 + 1;
    let b = (1 << 19) / a;
    b.div_ceil(2)
}

/// The same of a reciprocal square root `[ARM-ARM RecipSqrtEstimate]`.
pub(super) fn sqrt_estimate(a: u32) -> u32 {
    let a = if a < 256 { a * 2 + 1 } else { ((a & !1) + 1) << 1 };
    let mut b = 512u32;
    while u64::from(a) * u64::from(b + 1) * u64::from(b + 1) < 1 << 28 {
        b += 1;
    }
    b.div_ceil(2)
}

fn recip_estimate(a: u32) -> u32 {
    if a >> 31 == 0 { u32::MAX } else { estimate(a >> 23) << 23 }
}

fn recip_sqrt_estimate(a: u32) -> u32 {
    if a >> 30 == 0 { u32::MAX } else { sqrt_estimate(a >> 23) << 23 }
}

/// Whether a number is a NaN, by its format.
pub(super) fn is_nan(fmt: Fmt, a: u64) -> bool {
    match fmt {
        Fmt::S => softfloat::is_nan::<F32>(a as u32),
        Fmt::D => softfloat::is_nan::<F64>(a),
    }
}
