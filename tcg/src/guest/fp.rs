//! What the instructions of all guests have in common when software computes their numbers: an
//! operation of the Builder's vocabulary, under the rules in which architectures differ.

use crate::builder::{FCond, Fmt, Fp2, Fp3, FpOp, IntTy};
use crate::softfloat::{self, Env, F32, F64, Format, Integer, MinMax, Negate, Saturation};

/// Where architectures differ beyond what an [`Env`] says.
pub(crate) struct Rules {
    /// Of minimum and maximum.
    pub(crate) min_max: MinMax,
    /// Of those that prefer numbers to NaNs.
    pub(crate) min_max_num: MinMax,
    /// Of numbers that do not fit an integer.
    pub(crate) saturation: Saturation,
    /// The fused operations negate their operands before anything else, NaNs too; otherwise the
    /// exact product and the addend.
    pub(crate) negates_operands: bool,
}

impl Rules {
    /// An operation in the format F; `integer` is the operand of a conversion from an integer.
    pub(crate) fn operate<F: Format<Sig = u64>>(
        &self,
        op: FpOp,
        integer: u64,
        [a, b, c]: [F::Bits; 3],
        env: &mut Env,
    ) -> u64 {
        let number = match op {
            FpOp::Two(op) => self.two::<F>(op, a, b, env),
            FpOp::Three(op) => self.three::<F>(op, a, b, c, env),
            FpOp::Sqrt => softfloat::sqrt::<F>(a, env),
            FpOp::Cmp(relation) => return holds::<F>(relation, a, b, env).into(),
            FpOp::ToInt(to) => return self.to_fixed::<F>(to, a, 0, env),
            FpOp::FromInt(from) => from_fixed::<F>(from, integer, 0, env),
            FpOp::Round(inexact) => {
                softfloat::round_to_integral::<F>(a, env.rounding, inexact, env)
            }
            FpOp::Class => return softfloat::classify::<F>(a).into(),
            FpOp::To(Fmt::S) => return softfloat::convert::<F, F32>(a, env).into(),
            FpOp::To(Fmt::D) => return softfloat::convert::<F, F64>(a, env),
        };
        F::to_word(number)
    }

    fn two<F: Format>(&self, op: Fp2, a: F::Bits, b: F::Bits, env: &mut Env) -> F::Bits {
        match op {
            Fp2::Add => softfloat::add::<F>(a, b, env),
            Fp2::Sub => softfloat::sub::<F>(a, b, env),
            Fp2::Mul => softfloat::mul::<F>(a, b, env),
            Fp2::Div => softfloat::div::<F>(a, b, env),
            Fp2::Min => softfloat::min::<F>(a, b, self.min_max, env),
            Fp2::Max => softfloat::max::<F>(a, b, self.min_max, env),
            Fp2::MinNum => softfloat::min::<F>(a, b, self.min_max_num, env),
            Fp2::MaxNum => softfloat::max::<F>(a, b, self.min_max_num, env),
        }
    }

    fn three<F: Format<Sig = u64>>(
        &self,
        op: Fp3,
        a: F::Bits,
        b: F::Bits,
        c: F::Bits,
        env: &mut Env,
    ) -> F::Bits {
        let (product, addend) = match op {
            Fp3::Madd => (false, false),
            Fp3::Msub => (false, true),
            Fp3::Nmsub => (true, false),
            Fp3::Nmadd => (true, true),
        };
        if !self.negates_operands {
            return softfloat::fma::<F>(a, b, c, Negate { product, addend }, env);
        }
        let negated = |v: F::Bits, negate: bool| {
            F::from_word(F::to_word(v) ^ u64::from(negate) << (F::EXP_BITS + F::FRAC_BITS))
        };
        let (a, c) = (negated(a, product), negated(c, addend));
        softfloat::fma::<F>(a, b, c, Negate::default(), env)
    }

    /// To a number with `fraction` bits behind the point; results of 32 bits, unsigned ones too,
    /// are sign-extended.
    pub(crate) fn to_fixed<F: Format>(
        &self,
        to: IntTy,
        a: F::Bits,
        fraction: u32,
        env: &mut Env,
    ) -> u64 {
        fn convert<F: Format, I: Integer>(
            a: F::Bits,
            fraction: u32,
            saturation: Saturation,
            env: &mut Env,
        ) -> I {
            let rounding = env.rounding;
            softfloat::to_fixed::<F, I>(a, fraction, rounding, saturation, env)
        }
        let how = self.saturation;
        match to {
            IntTy::I32 => i64::from(convert::<F, i32>(a, fraction, how, env)) as u64,
            IntTy::U32 => i64::from(convert::<F, u32>(a, fraction, how, env) as i32) as u64,
            IntTy::I64 => convert::<F, i64>(a, fraction, how, env) as u64,
            IntTy::U64 => convert::<F, u64>(a, fraction, how, env),
        }
    }
}

/// From a number with `fraction` bits behind the point.
pub(crate) fn from_fixed<F: Format>(
    from: IntTy,
    value: u64,
    fraction: u32,
    env: &mut Env,
) -> F::Bits {
    match from {
        IntTy::I32 => softfloat::from_fixed::<F, i32>(value as i32, fraction, env),
        IntTy::U32 => softfloat::from_fixed::<F, u32>(value as u32, fraction, env),
        IntTy::I64 => softfloat::from_fixed::<F, i64>(value as i64, fraction, env),
        IntTy::U64 => softfloat::from_fixed::<F, u64>(value, fraction, env),
    }
}

fn holds<F: Format>(relation: FCond, a: F::Bits, b: F::Bits, env: &mut Env) -> bool {
    match relation {
        FCond::Eq => softfloat::eq::<F>(a, b, env),
        FCond::Lt => softfloat::lt::<F>(a, b, env),
        FCond::Le => softfloat::le::<F>(a, b, env),
        FCond::Unordered => softfloat::unordered::<F>(a, b, env),
    }
}
