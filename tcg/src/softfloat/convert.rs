//! Between formats, and to integral numbers of the same format.

use super::env::{Env, Flags, NanRule, Rounding};
use super::format::{
    Format, from_magnitude, infinity, is_nan, is_negative, is_signaling, magnitude, quiet_bit,
    signed_infinity, zero,
};
use super::nan::{default_nan, propagate};
use super::round::{round_pack, rounds_up};
use super::significand::{Significand, Word};
use super::unpack::{Class, flushed, unpack};

/// The number in another format. A NaN keeps its sign and the upper bits of its payload where
/// the environment propagates NaNs.
///
/// `flush_inputs` concerns the source, `flush_outputs` the destination; Arm obeys neither for
/// binary16, so its callers clear them there.
pub fn convert<F: Format, G: Format>(bits: F::Bits, env: &mut Env) -> G::Bits {
    let a = unpack::<F>(bits, env);
    a.note(env);
    match a.class {
        Class::Nan => convert_nan::<F, G>(a.sign, bits, env),
        Class::Infinite => signed_infinity::<G>(a.sign),
        Class::Zero => zero::<G>(a.sign),
        Class::Normal | Class::Subnormal => {
            let sig = G::Sig::from_q126(a.sig.to_q126());
            round_pack::<G>(a.sign, a.exp, sig, env)
        }
    }
}

#[cold]
fn convert_nan<F: Format, G: Format>(sign: bool, bits: F::Bits, env: &mut Env) -> G::Bits {
    if is_signaling::<F>(bits) {
        env.raise(Flags::INVALID);
    }
    if env.nan == NanRule::Canonical {
        return default_nan::<G>(env);
    }
    // The fraction as one of 126 bits; what does not fit below is cut off.
    let frac = magnitude::<F>(bits) & F::Sig::mask(F::FRAC_BITS);
    let frac = (frac << F::SPARE_BITS).to_q126();
    let payload = G::Sig::from_q126(frac) >> G::SPARE_BITS;
    from_magnitude::<G>(sign, infinity::<G>() | quiet_bit::<G>() | payload)
}

/// The nearest integral number in the direction of `rounding`; `signal_inexact` says whether a
/// change raises inexact. A zero result keeps the sign.
pub fn round_to_integral<F: Format>(
    bits: F::Bits,
    rounding: Rounding,
    signal_inexact: bool,
    env: &mut Env,
) -> F::Bits {
    if is_nan::<F>(bits) {
        return propagate::<F, 1>([bits], env);
    }
    let bits = flushed::<F>(bits, env);
    let old = magnitude::<F>(bits);
    let biased = (old >> F::FRAC_BITS).low_u32() as i32;
    let exp = biased - F::BIAS;
    if exp >= F::FRAC_BITS as i32 || old == F::Sig::ZERO {
        return bits;
    }
    let sign = is_negative::<F>(bits);
    let one = F::Sig::from_u32(F::BIAS as u32) << F::FRAC_BITS;
    let (new, exact) = if exp < 0 {
        // Zero or one. The magnitude compares to a half as its bits do.
        let half = old.cmp(&(F::Sig::from_u32(F::BIAS as u32 - 1) << F::FRAC_BITS));
        let up = rounds_up(rounding, sign, false, false, half);
        (if up { one } else { F::Sig::ZERO }, false)
    } else {
        // A carry goes into the exponent, as it should.
        let places = F::FRAC_BITS - exp as u32;
        let rest = old & F::Sig::mask(places);
        let exact = rest == F::Sig::ZERO;
        let half = rest.cmp(&(F::Sig::ONE << (places - 1)));
        let integer = old >> places;
        // At exponent 0 the last place is the implied one, of which the exponent's last bit, odd
        // in every bias, is the image.
        let odd = integer & F::Sig::ONE != F::Sig::ZERO;
        let up = rounds_up(rounding, sign, odd, exact, half);
        ((integer + F::Sig::from_bool(up)) << places, exact)
    };
    if !exact && signal_inexact {
        env.raise(Flags::INEXACT);
    }
    from_magnitude::<F>(sign, new)
}
