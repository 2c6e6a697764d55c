//! Rotations, extensions and multiples that the guest makes of shifts.
//!
//! RISC-V without Zbb has no rotation: ciphers and hashes shift left, shift right and join the
//! two. Here the three instructions are found in a block, however far apart, and become one: the
//! shifts are left out, the third rotates. Nor has it zero extensions: a shift to the left and
//! back again of the same register is one, and what is left to shift. A shift and an addition are
//! the address of an element of an array.

use super::demand::Demand;
use super::probe::{Form, Upper, Usage, Value};
use crate::builder::Width;

/// What is done with an instruction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fused {
    /// It is translated.
    #[default]
    No,
    /// Nothing: others do its work.
    LeftOut,
    /// `to` becomes `from` rotated left by `by` bits, sign-extended if these are 32.
    Rotate { to: u8, from: u8, by: u8, w: Width },
    /// `to` becomes `from`.
    Copy { to: u8, from: u8 },
    /// `to` becomes the low `bits` of `from` (8, 16 or 32), shifted left by `left`.
    Extract { to: u8, from: u8, bits: u8, left: u8 },
    /// `to` becomes `base` plus `index` shifted left by `left` (1 to 3).
    Element { to: u8, base: u8, index: u8, left: u8 },
}

/// Finds the rotations of a block and rewrites what its instructions use. `None`: there are none.
pub(crate) fn fuse(usage: &mut [Usage], demand: &Demand) -> Option<Vec<Fused>> {
    let mut fused = Vec::new();
    for last in 1..usage.len() {
        let found = find(usage, demand, last).map(Vec::from);
        let found = found.or_else(|| extract(usage, last).map(Vec::from));
        let found = found.or_else(|| element(usage, demand, last).map(Vec::from));
        // What is done instead leaves no flags.
        let found = found.filter(|all| all.iter().all(|(at, _)| usage[*at].flags_written == 0));
        for (at, what) in found.into_iter().flatten() {
            fused.resize(usage.len(), Fused::No);
            fused[at] = what;
            usage[at] = usage_of(what);
        }
    }
    (!fused.is_empty()).then_some(fused)
}

fn usage_of(what: Fused) -> Usage {
    let (to, value) = match what {
        Fused::No | Fused::LeftOut => return Usage::default(),
        Fused::Rotate { to, from, w: Width::W64, .. } => {
            (to, Value { full: 1 << from, ..Value::default() })
        }
        Fused::Rotate { to, from, .. } => {
            (to, Value { low: 1 << from, upper: Upper::Sign, ..Value::default() })
        }
        Fused::Copy { to, from } => (to, Value::reg(from)),
        Fused::Extract { to, from, .. } => (to, Value { low: 1 << from, ..Value::default() }),
        Fused::Element { to, base, index, .. } => {
            let both = 1 << base | 1 << index;
            (to, Value { low: both, high: both, ..Value::default() })
        }
    };
    Usage { reads: value.all(), writes: 1 << to, def: Some((to, value)), ..Usage::default() }
}

/// What becomes of the two shifts that instruction `last` joins to a rotation, and of that.
fn find(usage: &[Usage], demand: &Demand, last: usize) -> Option<[(usize, Fused); 3]> {
    let (to, value) = usage[last].def?;
    let (Form::Join(a, b) | Form::Total(a, b)) = value.form else { return None };
    if a == b || usage[last].traps || usage[last].branches {
        return None;
    }
    let (a, b) = (shift(usage, last, a)?, shift(usage, last, b)?);
    let (left, right) = if a.by > 0 { (a, b) } else { (b, a) };
    let whole = left.w.bits() as i8;
    if left.from != right.from || left.w != right.w || left.by.checked_sub(right.by)? != whole {
        return None;
    }
    let (first, second) = if left.at < right.at { (left, right) } else { (right, left) };
    // Both shift the same number.
    let from = left.from;
    let changes = |at: usize| usage[at].writes >> from & 1 != 0;
    if (first.at..second.at).any(changes) {
        return None;
    }
    // Nobody sees that the shifted numbers are missing.
    let unseen = |at: usize| !usage[at].traps && !usage[at].branches;
    let gone = |r: u8| r == to || demand.is_dead(last + 1, r);
    if !(first.at..last).all(unseen) || !gone(left.to) || !gone(right.to) {
        return None;
    }
    let (by, w) = (left.by as u8, left.w);
    if (second.at + 1..last).any(changes) {
        // The number is not there any more at the end: the second shift rotates.
        let rotate = Fused::Rotate { to: second.to, from, by, w };
        let copy = Fused::Copy { to, from: second.to };
        return Some([(first.at, Fused::LeftOut), (second.at, rotate), (last, copy)]);
    }
    let rotate = Fused::Rotate { to, from, by, w };
    Some([(first.at, Fused::LeftOut), (second.at, Fused::LeftOut), (last, rotate)])
}

/// What becomes of a shift to the left and instruction `last`, which shifts its result back.
fn extract(usage: &[Usage], last: usize) -> Option<[(usize, Fused); 2]> {
    let (to, value) = usage[last].def?;
    let Form::Shift(shifted, back, Width::W64) = value.form else { return None };
    let first = shift(usage, last, shifted)?;
    let (bits, left) = (64 - first.by, first.by.checked_add(back)?);
    let fits = first.w == Width::W64 && matches!(bits, 8 | 16 | 32) && back < 0 && left >= 0;
    // The result takes the place of what is left out, which nobody sees before.
    let unseen = |at: usize| {
        !usage[at].traps && !usage[at].branches && usage[at].writes >> first.from & 1 == 0
    };
    if shifted != to || !fits || !(first.at + 1..last).all(unseen) {
        return None;
    }
    if first.from == to && first.at + 1 != last {
        return None;
    }
    let extract = Fused::Extract { to, from: first.from, bits: bits as u8, left: left as u8 };
    Some([(first.at, Fused::LeftOut), (last, extract)])
}

/// What becomes of a shift to the left and instruction `last`, which adds another register.
fn element(usage: &[Usage], demand: &Demand, last: usize) -> Option<[(usize, Fused); 2]> {
    let (to, value) = usage[last].def?;
    let Form::Total(a, b) = value.form else { return None };
    let of = |base: u8, shifted: u8| {
        let shift = shift(usage, last, shifted)?;
        let fits = shift.w == Width::W64 && (1..=3).contains(&shift.by) && base != shifted;
        let unseen = |at: usize| !usage[at].traps && !usage[at].branches;
        let changes = |at: usize| usage[at].writes >> shift.from & 1 != 0;
        let gone = shifted == to || demand.is_dead(last + 1, shifted);
        let stays = (shift.at..last).all(unseen) && !(shift.at + 1..last).any(changes);
        let element = Fused::Element { to, base, index: shift.from, left: shift.by as u8 };
        (fits && gone && stays).then_some([(shift.at, Fused::LeftOut), (last, element)])
    };
    of(a, b).or_else(|| of(b, a))
}

#[derive(Clone, Copy)]
struct Shift {
    at: usize,
    to: u8,
    from: u8,
    by: i8,
    w: Width,
}

/// The instruction that gives `r` the value that instruction `user` sees, if it is a shift and
/// nobody else uses its result up to there.
fn shift(usage: &[Usage], user: usize, r: u8) -> Option<Shift> {
    for (at, u) in usage.iter().enumerate().take(user).rev() {
        if u.writes >> r & 1 != 0 {
            let (to, value) = u.def?;
            let Form::Shift(from, by, w) = value.form else { return None };
            let usable = by != 0 && (w == Width::W64 || value.upper == Upper::Sign);
            return usable.then_some(Shift { at, to, from, by, w });
        }
        if (u.reads | u.sometimes) >> r & 1 != 0 {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jit::demand::{analyze, tests::usage};

    const SLLIW_A1_A0_7: u32 = 0x0075_159b;
    const SRLIW_A0_A0_25: u32 = 0x0195_551b;
    const SRLIW_A0_A0_24: u32 = 0x0185_551b;
    const OR_A0_A1_A0: u32 = 0x00a5_e533;
    const LI_A1_0: u32 = 0x0000_0593;
    const LD_A3_A4: u32 = 0x0007_3683;
    const MV_A2_A1: u32 = 0x0005_8613;

    fn fused(code: &[u32]) -> Option<Vec<Fused>> {
        let mut usage = usage(code);
        let demand = analyze(&usage, 32);
        fuse(&mut usage, &demand)
    }

    #[test]
    fn two_shifts_and_an_or_are_a_rotation() {
        let rotate = Fused::Rotate { to: 10, from: 10, by: 7, w: Width::W32 };
        assert_eq!(
            fused(&[SLLIW_A1_A0_7, SRLIW_A0_A0_25, OR_A0_A1_A0, LI_A1_0]),
            Some(vec![Fused::LeftOut, Fused::LeftOut, rotate, Fused::No])
        );
    }

    #[test]
    fn a_number_that_is_overwritten_is_rotated_before() {
        const SLLIW_A1_A0_12: u32 = 0x00c5_159b;
        const SRLIW_A2_A0_20: u32 = 0x0145_561b;
        const LI_A0_0: u32 = 0x0000_0513;
        const OR_A1_A1_A2: u32 = 0x00c5_e5b3;
        const LI_A2_0: u32 = 0x0000_0613;
        let rotate = Fused::Rotate { to: 12, from: 10, by: 12, w: Width::W32 };
        let copy = Fused::Copy { to: 11, from: 12 };
        assert_eq!(
            fused(&[SLLIW_A1_A0_12, SRLIW_A2_A0_20, LI_A0_0, OR_A1_A1_A2, LI_A2_0]),
            Some(vec![Fused::LeftOut, rotate, Fused::No, copy, Fused::No])
        );
    }

    #[test]
    fn a_shift_there_and_back_is_an_extension() {
        const SLLI_A1_A0_32: u32 = 0x0205_1593;
        const SRLI_A1_A1_32: u32 = 0x0205_d593;
        const SRLI_A1_A1_29: u32 = 0x01d5_d593;
        const SRLI_A2_A1_32: u32 = 0x0205_d613;
        const LI_A0_0: u32 = 0x0000_0513;
        for (back, left) in [(SRLI_A1_A1_32, 0), (SRLI_A1_A1_29, 3)] {
            let extract = Fused::Extract { to: 11, from: 10, bits: 32, left };
            assert_eq!(fused(&[SLLI_A1_A0_32, back]), Some(vec![Fused::LeftOut, extract]));
            // The number is gone, or somebody looks between.
            assert_eq!(fused(&[SLLI_A1_A0_32, LI_A0_0, back]), None);
            assert_eq!(fused(&[SLLI_A1_A0_32, LD_A3_A4, back]), None);
        }
        // The shifted number stays.
        assert_eq!(fused(&[SLLI_A1_A0_32, SRLI_A2_A1_32]), None);
    }

    #[test]
    fn a_shift_and_an_addition_are_an_element_of_an_array() {
        const SLLI_A1_A0_3: u32 = 0x0035_1593;
        const SLLI_A1_A1_2: u32 = 0x0025_9593;
        const ADD_A1_A1_A2: u32 = 0x00c5_85b3;
        const ADD_A2_A1_A2: u32 = 0x00c5_8633;
        const ADD_A1_A1_A1: u32 = 0x00b5_85b3;
        const LI_A0_0: u32 = 0x0000_0513;
        let element = |index, left| Fused::Element { to: 11, base: 12, index, left };
        for (shift, element) in [(SLLI_A1_A0_3, element(10, 3)), (SLLI_A1_A1_2, element(11, 2))] {
            assert_eq!(fused(&[shift, ADD_A1_A1_A2]), Some(vec![Fused::LeftOut, element]));
            // Somebody looks between, or behind.
            assert_eq!(fused(&[shift, LD_A3_A4, ADD_A1_A1_A2]), None);
            assert_eq!(fused(&[shift, ADD_A2_A1_A2]), None);
            assert_eq!(fused(&[shift, ADD_A1_A1_A1]), None);
        }
        let element = Fused::Element { to: 12, base: 12, index: 10, left: 3 };
        assert_eq!(
            fused(&[SLLI_A1_A0_3, ADD_A2_A1_A2, LI_A1_0]),
            Some(vec![Fused::LeftOut, element, Fused::No])
        );
        // The number is gone.
        assert_eq!(fused(&[SLLI_A1_A0_3, LI_A0_0, ADD_A1_A1_A2]), None);
    }

    #[test]
    fn other_shifts_are_left_alone() {
        for code in [
            // Not 32 bits in all.
            [SLLIW_A1_A0_7, SRLIW_A0_A0_24, OR_A0_A1_A0, LI_A1_0],
            // The first shift's result is used again.
            [SLLIW_A1_A0_7, SRLIW_A0_A0_25, OR_A0_A1_A0, MV_A2_A1],
            [SLLIW_A1_A0_7, MV_A2_A1, SRLIW_A0_A0_25, OR_A0_A1_A0],
            // An exception might show that it is missing.
            [SLLIW_A1_A0_7, LD_A3_A4, SRLIW_A0_A0_25, OR_A0_A1_A0],
            // The second shift is of the first one's result.
            [SRLIW_A0_A0_25, SLLIW_A1_A0_7, OR_A0_A1_A0, LI_A1_0],
        ] {
            assert_eq!(fused(&code), None, "{code:#x?}");
        }
    }
}
