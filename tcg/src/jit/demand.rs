//! Which results of a block are wanted, how much of them, and when.
//!
//! RISC-V's 32-bit instructions leave sign-extended results, and most of these are used by more
//! 32-bit instructions only. The extension is left out where nobody asks for the upper half
//! before the register is written again; where an exception or a way out lies between, it is made
//! up for there, which takes nothing but the low half.

use super::probe::{Upper, Usage};

/// How much of the value that an instruction gives its register is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All of it.
    Whole,
    /// The low 32 bits; those above must be copies of bit 31 if the program is looked at.
    Narrow,
    /// The low 32 bits at most, and nobody looks before it is overwritten.
    Low,
}

/// Where no instruction of the block reads a register before it is overwritten.
pub(crate) const NOT_READ: u16 = u16::MAX;

/// What is known about the registers of a block ahead of translating it.
pub(crate) struct Demand {
    wanted: Vec<Wanted>,
    /// For each instruction the registers that nobody looks at from there on before they are
    /// overwritten.
    dead: Vec<u64>,
    /// For each instruction and register the next instruction that reads it, from there on.
    next: Vec<u16>,
    registers: usize,
}

impl Demand {
    /// How the [`Usage::def`] of an instruction is wanted.
    pub(crate) fn wanted(&self, insn: usize) -> Wanted {
        self.wanted[insn]
    }

    /// Whether a register is left without the copies of bit 31 above it.
    fn leaves_narrow(&self, usage: &[Usage]) -> bool {
        let mut written = 0;
        usage.iter().zip(&self.wanted).rev().any(|(u, wanted)| {
            let last = u.def.is_some_and(|(r, v)| written >> r & 1 == 0 && v.all() != 0);
            written |= u.writes | u.sometimes;
            last && *wanted == Wanted::Narrow
        })
    }

    /// Whether nobody, the instruction included, looks at a register before it is overwritten.
    pub(crate) fn is_dead(&self, insn: usize, r: u8) -> bool {
        self.dead.get(insn).is_some_and(|dead| dead >> r & 1 != 0)
    }

    /// The next instruction from `insn` on that reads a register; [`NOT_READ`] if none does.
    pub(crate) fn next_read(&self, insn: usize, r: u8) -> u16 {
        self.next.get(insn * self.registers + usize::from(r)).copied().unwrap_or(NOT_READ)
    }
}

/// Looks through the block from its end; `registers`: how many integer registers there are.
pub(crate) fn analyze(usage: &[Usage], registers: usize) -> Demand {
    // Behind the block everything is wanted.
    look_through(usage, registers, u64::MAX).0
}

/// The same for a block that is run again and again, the extensions of the last run made up for
/// where it is left. `None` if all that the runs leave to each other is whole anyway.
pub(crate) fn analyze_loop(usage: &[Usage], registers: usize) -> Option<Demand> {
    let mut full = 0;
    loop {
        let (demand, before) = look_through(usage, registers, full);
        if before & !full == 0 {
            return demand.leaves_narrow(usage).then_some(demand);
        }
        full |= before;
    }
}

/// `full`: the registers that are wanted whole behind the block. Gives those that are before it
/// too.
fn look_through(usage: &[Usage], registers: usize, mut full: u64) -> (Demand, u64) {
    let narrow = narrow_registers(usage);
    let (mut seen, mut live) = (u64::MAX, u64::MAX);
    let mut wanted = vec![Wanted::Whole; usage.len()];
    let mut dead = vec![0; usage.len()];
    let mut next = vec![NOT_READ; usage.len() * registers];
    let mut reader = [NOT_READ; 64];
    for (at, u) in usage.iter().enumerate().rev() {
        if u.branches {
            seen = u64::MAX;
        }
        if let Some((r, v)) = u.def {
            let bit = 1u64 << r;
            let recoverable = match v.upper {
                Upper::Sign => true,
                Upper::Bitwise => v.all() & !narrow[at] == 0,
                Upper::Other => false,
            };
            let want = match (full & bit != 0, seen & bit != 0) {
                (true, _) => Wanted::Whole,
                (false, true) if recoverable => Wanted::Narrow,
                (false, true) => Wanted::Whole,
                (false, false) => Wanted::Low,
            };
            (full, seen) = (full & !bit, seen & !bit);
            full |= v.full;
            if want == Wanted::Whole {
                full |= v.high;
            }
            wanted[at] = want;
        }
        let others = u.writes & !u.def.map_or(0, |d| 1 << d.0);
        (full, seen) = (full & !others, seen & !others);
        full |= u.full;
        live = live & !u.writes | u.reads | u.sometimes;
        if u.traps {
            seen = u64::MAX;
        }
        dead[at] = !(live | seen);
        for r in bits(u.writes) {
            reader[r] = NOT_READ;
        }
        for r in bits(u.reads) {
            reader[r] = at as u16;
        }
        next[at * registers..][..registers].copy_from_slice(&reader[..registers]);
    }
    (Demand { wanted, dead, next, registers }, full)
}

fn bits(mut mask: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = mask.trailing_zeros() as usize;
        mask &= mask.wrapping_sub(1);
        (bit < 64).then_some(bit)
    })
}

/// For each instruction the registers that hold sign-extended 32-bit numbers before it.
fn narrow_registers(usage: &[Usage]) -> Vec<u64> {
    let mut narrow = 0u64;
    let step = |u: &Usage| {
        let before = narrow;
        let kept = match u.def {
            Some((r, v)) => match v.upper {
                Upper::Sign => 1 << r,
                Upper::Bitwise if v.all() & !before == 0 => 1 << r,
                _ => 0,
            },
            None => 0,
        };
        narrow = narrow & !(u.writes | u.sometimes) | kept;
        before
    };
    usage.iter().map(step).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::builder::{At, Reserve};
    use crate::guest::{Decoded, Guest};
    use crate::jit::probe;
    use arch::riscv64::Riscv64;

    /// The floating-point unit is on, and its registers count as changed.
    const MODE: u32 = 3;

    pub(crate) fn usage(code: &[u32]) -> Vec<Usage> {
        code.iter()
            .map(|word| match Riscv64::decode(&word.to_le_bytes(), MODE) {
                Decoded::Insn(insn, len) => probe::usage::<Riscv64>(
                    At { pc: 0, len, reserve: Reserve::UNKNOWN },
                    insn,
                    MODE,
                ),
                _ => panic!("{word:#x} is an instruction"),
            })
            .collect()
    }

    fn wanted(code: &[u32]) -> Vec<Wanted> {
        analyze(&usage(code), 32).wanted
    }

    const ADDW_A0_A1_A2: u32 = 0x00c5_853b;
    const ADDW_A1_A0_A2: u32 = 0x00c5_05bb;
    const ADD_A1_A0_A2: u32 = 0x00c5_05b3;
    const XOR_A0_A0_A1: u32 = 0x00b5_4533;
    const LD_A3_A4: u32 = 0x0007_3683;
    const SW_A0_A4: u32 = 0x00a7_2023;

    #[test]
    fn registers_are_dead_until_overwritten() {
        let block = [ADDW_A0_A1_A2, LD_A3_A4, ADDW_A1_A0_A2, ADDW_A0_A1_A2];
        let demand = analyze(&usage(&block), 32);
        let dead = |r| [0, 1, 2, 3].map(|at| demand.is_dead(at, r));
        assert_eq!(dead(10), [true, false, false, true]);
        assert_eq!(dead(11), [false, false, true, false]);
        assert_eq!(dead(13), [false; 4]);
        let next = |r| [0, 1, 2, 3].map(|at| demand.next_read(at, r));
        assert_eq!(next(10), [NOT_READ, 2, 2, NOT_READ]);
        assert_eq!(next(11), [0, NOT_READ, NOT_READ, 3]);
        assert_eq!(next(12), [0, 2, 2, 3]);
    }

    #[test]
    fn parts_of_constants_are_dead() {
        const LUI_A0: u32 = 0x0001_2537;
        const ADDI_A0_A0_1: u32 = 0x0015_0513;
        let mut block = usage(&[LUI_A0, ADDI_A0_A0_1, LD_A3_A4, ADDI_A0_A0_1]);
        probe::fold(&mut block);
        let demand = analyze(&block, 32);
        assert_eq!([1, 2, 3].map(|at| demand.is_dead(at, 10)), [true, false, true]);
    }

    #[test]
    fn results_that_leave_the_block_are_whole() {
        assert_eq!(wanted(&[ADDW_A0_A1_A2]), [Wanted::Whole]);
    }

    #[test]
    fn what_only_32_bit_instructions_read_is_not_extended() {
        let block = [ADDW_A0_A1_A2, ADDW_A1_A0_A2, ADDW_A0_A1_A2];
        assert_eq!(wanted(&block), [Wanted::Low, Wanted::Whole, Wanted::Whole]);
        let block = [ADDW_A0_A1_A2, ADD_A1_A0_A2, ADDW_A0_A1_A2];
        assert_eq!(wanted(&block), [Wanted::Whole; 3]);
    }

    #[test]
    fn where_an_exception_may_look_the_upper_half_can_be_made() {
        let block = [ADDW_A0_A1_A2, LD_A3_A4, ADDW_A1_A0_A2, SW_A0_A4, ADDW_A0_A1_A2];
        let want = [Wanted::Narrow, Wanted::Whole, Wanted::Whole, Wanted::Whole, Wanted::Whole];
        assert_eq!(wanted(&block), want);
        // The upper half of a0 before is not known: that of the result could not be made.
        let block = [XOR_A0_A0_A1, LD_A3_A4, ADDW_A1_A0_A2, ADDW_A0_A1_A2];
        assert_eq!(wanted(&block)[0], Wanted::Whole);
        let block = [XOR_A0_A0_A1, ADDW_A1_A0_A2, LD_A3_A4, ADDW_A0_A1_A2];
        assert_eq!(wanted(&block)[0], Wanted::Whole);
        let block = [XOR_A0_A0_A1, ADDW_A1_A0_A2, ADDW_A0_A1_A2];
        assert_eq!(wanted(&block)[0], Wanted::Low);
    }

    #[test]
    fn what_a_loop_leaves_to_itself_is_extended_behind_it() {
        const BNE_A3_A4: u32 = 0xfee6_9ee3;
        let block = [LD_A3_A4, ADDW_A1_A0_A2, ADDW_A0_A1_A2, BNE_A3_A4];
        let demand = analyze_loop(&usage(&block), 32).expect("a0 and a1 are left narrow");
        assert_eq!(demand.wanted[1..3], [Wanted::Narrow; 2]);
        // The next run adds 64 bits.
        let block = [ADD_A1_A0_A2, LD_A3_A4, ADDW_A0_A1_A2, BNE_A3_A4];
        assert!(analyze_loop(&usage(&block), 32).is_none());
    }

    #[test]
    fn bits_of_extended_numbers_are_extended() {
        let block = [ADDW_A1_A0_A2, ADDW_A0_A1_A2, XOR_A0_A0_A1, LD_A3_A4, SW_A0_A4, ADDW_A0_A1_A2];
        assert_eq!(wanted(&block)[1..3], [Wanted::Low, Wanted::Narrow]);
    }
}
