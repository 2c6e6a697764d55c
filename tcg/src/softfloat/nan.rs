//! Which NaN an operation gives [IEEE-754 §6.2], [ARM-ARM FPProcessNaNs], [SDM-1 §4.8.3.5].

use super::env::{Env, Flags, NanRule};
use super::format::{Format, from_magnitude, infinity, is_nan, is_signaling, quiet_bit};

/// The NaN of an operation that has none among its operands.
pub(super) fn default_nan<F: Format>(env: &Env) -> F::Bits {
    from_magnitude::<F>(env.nan == NanRule::X86, infinity::<F>() | quiet_bit::<F>())
}

/// The answer to an operation without a meaningful result.
#[cold]
pub(super) fn invalid<F: Format>(env: &mut Env) -> F::Bits {
    env.raise(Flags::INVALID);
    default_nan::<F>(env)
}

/// The result of an operation with a NaN among its operands, which come in the order in which the
/// architecture looks at them. Raises invalid for a signalling one.
#[cold]
pub(super) fn propagate<F: Format, const N: usize>(
    operands: [F::Bits; N],
    env: &mut Env,
) -> F::Bits {
    let signaling = operands.into_iter().find(|&bits| is_signaling::<F>(bits));
    let first = operands.into_iter().find(|&bits| is_nan::<F>(bits));
    if signaling.is_some() {
        env.raise(Flags::INVALID);
    }
    let chosen = match env.nan {
        NanRule::Canonical => None,
        NanRule::Arm => signaling.or(first),
        NanRule::X86 => first,
    };
    chosen.map_or_else(|| default_nan::<F>(env), quieted::<F>)
}

/// The NaN with its quiet bit set.
fn quieted<F: Format>(bits: F::Bits) -> F::Bits {
    F::from_word(F::to_word(bits) | quiet_bit::<F>())
}
