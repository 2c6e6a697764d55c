//! Results that need not be looked at for NaNs.
//!
//! A guest with one NaN for all results gets it by a comparison behind each operation of the host.
//! Where a result is an operand of further arithmetic in its format only, until its register is
//! overwritten, any NaN will do: the next result is one too. Exceptions in between show the
//! registers: a row says which are to be put right ([`super::Row::nans`]). A loop leaves such results
//! to its next run too, if that begins by overwriting them; its ways out put them right.

use super::probe::Usage;
use crate::builder::Fmt;

/// Registers that may hold any NaN, a bit each: singles and doubles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AnyNans {
    pub(crate) singles: u64,
    pub(crate) doubles: u64,
}

impl AnyNans {
    /// A register got a result.
    pub(crate) fn add(&mut self, r: u8, fmt: Fmt) {
        match fmt {
            Fmt::S => self.singles |= 1 << r,
            Fmt::D => self.doubles |= 1 << r,
        }
    }

    /// A register holds what it should.
    pub(crate) fn remove(&mut self, r: u8) {
        self.singles &= !(1 << r);
        self.doubles &= !(1 << r);
    }

    pub(crate) fn is_empty(self) -> bool {
        self.singles | self.doubles == 0
    }

    /// The registers, each with the format of what it holds.
    pub(crate) fn registers(self) -> impl Iterator<Item = (u8, Fmt)> {
        let all = self.singles | self.doubles;
        let numbers = all.trailing_zeros()..u64::BITS - all.leading_zeros();
        numbers.filter_map(move |r| Some((r as u8, self.format(r as u8)?)))
    }

    /// The format of what a register holds, if it may be any NaN.
    pub(crate) fn format(self, r: u8) -> Option<Fmt> {
        match (self.singles >> r & 1, self.doubles >> r & 1) {
            (0, 0) => None,
            (0, _) => Some(Fmt::D),
            _ => Some(Fmt::S),
        }
    }
}

/// Marks the results of a block that may be any NaN ([`Usage::any_nan`]); `loops`: it is run again
/// and again.
pub(crate) fn mark(usage: &mut [Usage], loops: bool) {
    let around = if loops { overwritten_first(usage) } else { 0 };
    let last = usage.len().wrapping_sub(1);
    // The registers that are overwritten before anything but arithmetic of the format reads them.
    let mut passing = AnyNans::default();
    for (at, u) in usage.iter_mut().enumerate().rev() {
        if u.branches || u.calls {
            passing = AnyNans::default();
        }
        if at == last && !u.calls {
            passing = AnyNans { singles: around, doubles: around };
        }
        if let Some((r, fmt)) = u.result {
            let passes = if fmt == Fmt::S { passing.singles } else { passing.doubles };
            u.any_nan = passes >> r & 1 != 0;
        }
        passing.singles = (passing.singles | u.vectors_written) & !(u.bits | u.doubles);
        passing.doubles = (passing.doubles | u.vectors_written) & !(u.bits | u.singles);
    }
}

/// The vector registers that a block overwrites before it reads them, and before it may leave.
fn overwritten_first(usage: &[Usage]) -> u64 {
    let (mut read, mut written) = (0, 0);
    for u in usage.iter().take_while(|u| !u.branches && !u.calls) {
        read |= (u.singles | u.doubles | u.bits) & !written;
        written |= u.vectors_written & !read;
    }
    written
}

/// What the last run of a loop may have left, with the format of the last result.
pub(crate) fn left_by_loop(usage: &[Usage]) -> AnyNans {
    let mut left = AnyNans::default();
    for u in usage {
        for r in (0..64).filter(|r| u.vectors_written >> r & 1 != 0) {
            left.remove(r);
        }
        if let (Some((r, fmt)), true) = (u.result, u.any_nan) {
            left.add(r, fmt);
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jit::demand::tests::usage;

    const FMUL_D_FA5_FA5_FA4: u32 = 0x12e7_f7d3;
    const FADD_D_FA5_FA5_FA3: u32 = 0x02d7_f7d3;
    const FADD_D_FA5_FA4_FA3: u32 = 0x02d7_77d3;
    const FSD_FA5_A0: u32 = 0x00f5_3027;
    const FADD_S_FA5_FA5_FA3: u32 = 0x00d7_f7d3;
    const LD_A3_A4: u32 = 0x0007_3683;
    const BEQZ_A0_8: u32 = 0x0005_0463;

    fn any(code: &[u32]) -> Vec<bool> {
        let mut usage = usage(code);
        mark(&mut usage, false);
        usage.iter().map(|u| u.any_nan).collect()
    }

    #[test]
    fn what_is_overwritten_by_arithmetic_may_be_any_nan() {
        assert_eq!(any(&[FMUL_D_FA5_FA5_FA4, LD_A3_A4, FADD_D_FA5_FA5_FA3]), [true, false, false]);
        // It is overwritten without being read.
        assert_eq!(any(&[FMUL_D_FA5_FA5_FA4, FADD_D_FA5_FA4_FA3]), [true, false]);
    }

    #[test]
    fn what_is_seen_is_put_right() {
        let stored = [FMUL_D_FA5_FA5_FA4, FSD_FA5_A0, FADD_D_FA5_FA5_FA3];
        assert_eq!(any(&stored), [false; 3]);
        let mixed = [FMUL_D_FA5_FA5_FA4, FADD_S_FA5_FA5_FA3, FADD_D_FA5_FA4_FA3];
        assert_eq!(any(&mixed), [false, true, false]);
        let left = [FMUL_D_FA5_FA5_FA4, BEQZ_A0_8, FADD_D_FA5_FA5_FA3];
        assert_eq!(any(&left), [false; 3]);
    }

    #[test]
    fn a_loop_leaves_what_its_next_run_overwrites() {
        const FLD_FA5_A4: u32 = 0x0007_3787;
        const FADD_D_FA4_FA4_FA5: u32 = 0x02f7_7753;
        const BNEZ_A3_BACK: u32 = 0xfe06_9ae3;
        let marked = |code: &[u32]| {
            let mut usage = usage(code);
            mark(&mut usage, true);
            (usage.iter().map(|u| u.any_nan).collect::<Vec<_>>(), left_by_loop(&usage))
        };
        let sum = [FLD_FA5_A4, FMUL_D_FA5_FA5_FA4, FADD_D_FA4_FA4_FA5, BNEZ_A3_BACK];
        let fa5 = AnyNans { singles: 0, doubles: 1 << 15 };
        assert_eq!(marked(&sum), (vec![false, true, false, false], fa5));
        // The next run reads it.
        let product = [FMUL_D_FA5_FA5_FA4, FADD_D_FA4_FA4_FA5, BNEZ_A3_BACK];
        assert_eq!(marked(&product), (vec![false; 3], AnyNans::default()));
    }
}
