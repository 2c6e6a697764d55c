//! Floating-point operations on every lane of a vector, and comparisons that leave flags: by
//! [`Guest::fp`], for the interpreter and for what translated code leaves to software.

use crate::builder::{FCond, Fmt, FpFlags, FpOp, IntTy, Rm, Width};
use crate::guest::Guest;
use crate::ops::flags;
use crate::ops::vector::{lane, with_lane};

/// The lanes that a format has.
const fn width(fmt: Fmt) -> Width {
    match fmt {
        Fmt::S => Width::W32,
        Fmt::D => Width::W64,
    }
}

const fn int_width(ty: IntTy) -> Width {
    match ty {
        IntTy::I32 | IntTy::U32 => Width::W32,
        IntTy::I64 | IntTy::U64 => Width::W64,
    }
}

/// An operation on every lane; see [`Builder::xfp`](crate::builder::Builder::xfp).
pub(crate) fn fp_lanes<G: Guest>(
    state: &mut G::State,
    op: FpOp,
    fmt: Fmt,
    rm: Rm,
    args: [u128; 3],
) -> u128 {
    let own = width(fmt);
    let (from, to) = match op {
        FpOp::ToInt(ty) => (own, int_width(ty)),
        FpOp::FromInt(ty) => (int_width(ty), own),
        FpOp::To(other) => (own, width(other)),
        _ => (own, own),
    };
    let count = 128 / from.bits().max(to.bits());
    (0..count).fold(0, |all, i| {
        let result = G::fp(state, op, fmt, rm, args.map(|a| lane(from, a, i)));
        let result = if let FpOp::Cmp(_) = op { result.wrapping_neg() } else { result };
        with_lane(to, all, i, result)
    })
}

/// The image of the arithmetic flags that a comparison leaves.
pub(crate) fn compare<G: Guest>(
    state: &mut G::State,
    how: FpFlags,
    signaling: bool,
    fmt: Fmt,
    [a, b]: [u128; 2],
) -> u64 {
    let args = [lane(width(fmt), a, 0), lane(width(fmt), b, 0), 0];
    let mut holds = |c| G::fp(state, FpOp::Cmp(c), fmt, Rm::Dynamic, args) != 0;
    let image = if holds(FCond::Unordered) {
        if signaling {
            // This one is not quiet.
            holds(FCond::Lt);
        }
        match how {
            FpFlags::SignOverflow => flags::O,
            FpFlags::CarryParity => flags::C | flags::Z | flags::P,
        }
    } else if holds(FCond::Eq) {
        flags::Z
    } else if holds(FCond::Lt) {
        match how {
            FpFlags::SignOverflow => flags::S | flags::C,
            FpFlags::CarryParity => flags::C,
        }
    } else {
        0
    };
    image | flags::FIXED
}
