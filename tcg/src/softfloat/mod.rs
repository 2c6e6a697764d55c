//! IEEE 754-2019 arithmetic in integers.
//!
//! For what the host's floating-point unit does not do exactly as the guest's would: other
//! rounding modes, formats, NaN rules, tininess, flushing; and for hosts of which nothing is known.
//! Every operation takes and returns the raw bits of a [`Format`] and an [`Env`] that holds the
//! guest's controls and collects its sticky flags. Functions are generic over the format and pure:
//! no operation looks at anything but its operands and the environment.
//!
//! Three architectures disagree where the standard lets them; each disagreement is a parameter:
//!
//! | | RISC-V | Arm | x86 |
//! |---|---|---|---|
//! | NaN results | [`NanRule::Canonical`] | [`NanRule::Arm`], or Canonical (FPCR.DN) | [`NanRule::X86`] |
//! | tininess | after rounding | before | after |
//! | flushing | never | FPCR.FZ | MXCSR.DAZ, MXCSR.FTZ |
//! | minimum, maximum | [`MinMax::Number2019`] | [`MinMax::Propagate`], [`MinMax::Number2008`] | [`MinMax::X86`] |
//! | to integer | [`Saturation::RiscV`] | [`Saturation::Arm`] | [`Saturation::X86`] |
//!
//! Formats: binary16, bfloat16, binary32, binary64. binary128 needs a
//! [`significand::Significand`] of 128 bits; the algorithms are written against that trait. x87's
//! 80 bits, with their explicit leading one, are apart: [`extended`].
//! Left out: trapped exceptions, remainder, decimal formats, Arm's alternative half precision.
//!
//! Tested against the host's own unit (`host/x86_64/fpu_oracle.rs`), and binary16 against exact
//! rational arithmetic (`tests/`). Specifications: [IEEE-754 §4 to §7], [Unpriv §20], [ARM-ARM A1.5],
//! [SDM-1 §4.8], [SDM-1 §4.9], [SDM-1 §10.2.3].

mod arith;
mod compare;
mod convert;
mod env;
pub mod extended;
mod fma;
mod format;
mod integer;
mod min_max;
mod nan;
mod round;
pub mod significand;
#[cfg(test)]
pub(crate) mod tests;
mod unpack;

pub use arith::{add, div, mul, sqrt, sub};
pub use compare::{Relation, compare, eq, le, lt, unordered};
pub use convert::{convert, round_to_integral};
pub use env::{Env, Flags, NanRule, Rounding, Tininess};
pub use fma::{Negate, fma};
pub use format::{BF16, F16, F32, F64, Format, classify, is_nan, is_signaling};
pub use integer::{Integer, Saturation, from_fixed, from_int, to_fixed, to_int};
pub use min_max::{MinMax, max, min};
