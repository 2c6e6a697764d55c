//! RISC-V: arguments in a0 to a5, the number in a7, the result in a0 `[RISCV-psABI §1]`.

use arch::riscv64::fields::MSTATUS_FS;
use arch::riscv64::{Hart, Riscv64};

use super::Isa;

const TP: usize = 4;
const SP: usize = 2;
const A0: usize = 10;
const A7: usize = 17;

impl Isa for Riscv64 {
    const ELF_MACHINE: u16 = 243;
    const UNAME: &'static str = "riscv64";

    fn pc(state: &Hart) -> u64 {
        state.pc
    }

    fn set_pc(state: &mut Hart, pc: u64) {
        state.pc = pc;
    }

    fn sp(state: &Hart) -> u64 {
        state.x[SP]
    }

    fn set_sp(state: &mut Hart, sp: u64) {
        state.x[SP] = sp;
    }

    fn set_tp(state: &mut Hart, tp: u64) {
        state.x[TP] = tp;
    }

    fn syscall(state: &Hart) -> u64 {
        state.x[A7]
    }

    fn args(state: &Hart) -> [u64; 6] {
        std::array::from_fn(|i| state.x[A0 + i])
    }

    fn set_result(state: &mut Hart, result: u64) {
        state.x[A0] = result;
    }

    fn start(entry: u64, sp: u64) -> Hart {
        let mut state = Hart { pc: entry, mstatus: MSTATUS_FS, ..Hart::default() };
        state.x[SP] = sp;
        state
    }
}
