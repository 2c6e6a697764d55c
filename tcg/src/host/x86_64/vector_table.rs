//! Vector operations as numbers, for calls from translated code: what the host has no short way
//! for.

use super::fp_table;
use crate::builder::{Fmt, FpFlags, FpOp, Rm, Width, X1, X2};
use crate::guest::Guest;
use crate::interp::vector as fp;
use crate::ops::vector;
use crate::vcpu::Core;

/// An operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Soft {
    One(X1, Width),
    Two(X2, Width),
    Fp(FpOp, Fmt, Rm),
    /// How, signaling, format.
    Compare(FpFlags, bool, Fmt),
}

/// The number of an operation: its kind in the low byte, then the operation, the width, and a
/// number.
pub(super) fn number(op: Soft) -> u64 {
    let pack = |kind: u64, op: u64, w: u64, n: u64| kind | op << 8 | w << 16 | n << 24;
    match op {
        Soft::One(op, w) => pack(0, op as u64, w as u64, 0),
        Soft::Two(op, w) => pack(1, op as u64, w as u64, 0),
        Soft::Fp(op, fmt, rm) => pack(2, 0, 0, fp_table::number(op, fmt, rm)),
        Soft::Compare(how, signaling, fmt) => pack(3, how as u64, fmt as u64, signaling.into()),
    }
}

/// Does operation `what` on the spill slots for vectors: see [`super::calls::vector`].
pub(super) fn execute<G: Guest>(core: &mut Core<G>, what: u64) -> u64 {
    let [a, b, c, ..] = core.hot.spill_vec;
    let (op, w, n) = ((what >> 8 & 0xff) as usize, (what >> 16 & 0xff) as usize, what >> 24);
    let result = match what & 0xff {
        0 => vector::one(X1::ALL[op], Width::ALL[w], a),
        1 => vector::two(X2::ALL[op], Width::ALL[w], a, b),
        2 => {
            let (op, fmt, rm) = fp_table::get(n);
            fp::fp_lanes::<G>(&mut core.state, op, fmt, rm, [a, b, c])
        }
        _ => {
            let how = [FpFlags::SignOverflow, FpFlags::CarryParity][op & 1];
            let fmt = [Fmt::S, Fmt::D][w & 1];
            return fp::compare::<G>(&mut core.state, how, n != 0, fmt, [a, b]);
        }
    };
    core.hot.spill_vec[0] = result;
    0
}
