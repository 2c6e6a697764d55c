//! Minimum and maximum, in the four ways in which the guests want them.

use super::compare::{is_zero, note, precedes};
use super::env::{Env, Flags};
use super::format::{Format, is_nan, is_signaling};
use super::nan::{default_nan, propagate};
use super::unpack::flushed;

/// What NaNs and zeros do to a minimum or maximum. But for x86, -0 is less than +0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MinMax {
    /// A number wins over any NaN; two NaNs give the default one; signalling NaNs raise invalid
    /// (minimumNumber of 2019; RISC-V's FMIN and FMAX).
    Number2019,
    /// A number wins over a quiet NaN; a signalling one gives a NaN (minNum of 2008; Arm's FMINNM
    /// and FMAXNM).
    Number2008,
    /// Any NaN gives a NaN (minimum of 2019; Arm's FMIN and FMAX, RISC-V's FMINM and FMAXM).
    Propagate,
    /// The second operand, unchanged, if there is a NaN or both are zeros; any NaN raises invalid
    /// (SSE's MINSS and MAXSS).
    X86,
}

/// The lesser of a and b.
pub fn min<F: Format>(a: F::Bits, b: F::Bits, rule: MinMax, env: &mut Env) -> F::Bits {
    select::<F>(a, b, rule, false, env)
}

/// The greater of a and b.
pub fn max<F: Format>(a: F::Bits, b: F::Bits, rule: MinMax, env: &mut Env) -> F::Bits {
    select::<F>(a, b, rule, true, env)
}

fn select<F: Format>(a: F::Bits, b: F::Bits, rule: MinMax, max: bool, env: &mut Env) -> F::Bits {
    let (a, b) = (flushed::<F>(a, env), flushed::<F>(b, env));
    let (a_nan, b_nan) = (is_nan::<F>(a), is_nan::<F>(b));
    if a_nan || b_nan {
        return match rule {
            MinMax::Number2019 => {
                if is_signaling::<F>(a) || is_signaling::<F>(b) {
                    env.raise(Flags::INVALID);
                }
                match (a_nan, b_nan) {
                    (true, true) => default_nan::<F>(env),
                    (true, false) => b,
                    (false, _) => a,
                }
            }
            MinMax::Number2008 if !b_nan && !is_signaling::<F>(a) => b,
            MinMax::Number2008 if !a_nan && !is_signaling::<F>(b) => a,
            MinMax::Number2008 | MinMax::Propagate => propagate::<F, 2>([a, b], env),
            MinMax::X86 => {
                env.raise(Flags::INVALID);
                b
            }
        };
    }
    note::<F>(a, b, env);
    if rule == MinMax::X86 && is_zero::<F>(a) && is_zero::<F>(b) {
        return b;
    }
    let a_wins = if max { precedes::<F>(b, a) } else { precedes::<F>(a, b) };
    if a_wins { a } else { b }
}
