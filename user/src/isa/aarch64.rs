//! AArch64: arguments in x0 to x5, the number in x8, the result in x0 `[ARM-ARM C1]`.

use arch::aarch64::{Aarch64, Cpu};

use super::abi::{self, Abi};
use super::{Isa, processors};
use crate::Options;

const X8: usize = 8;
const SP: usize = 31;

/// What the processor has: the name in `/proc/cpuinfo`, and the bit of AT_HWCAP
/// `[Linux-hwcap]`.
const FEATURES: [(&str, u32); 12] = [
    ("fp", 0),
    ("asimd", 1),
    ("aes", 3),
    ("pmull", 4),
    ("sha1", 5),
    ("sha2", 6),
    ("crc32", 7),
    ("atomics", 8),
    ("lrcpc", 15),
    ("ilrcpc", 26),
    ("flagm", 27),
    ("sb", 29),
];
/// The same in AT_HWCAP2.
const FEATURES2: [(&str, u32); 1] = [("flagm2", 7)];

fn bits(features: &[(&str, u32)]) -> u64 {
    features.iter().fold(0, |all, (_, bit)| all | 1 << bit)
}

impl Isa for Aarch64 {
    const ABI: &'static Abi = &abi::AARCH64;

    fn hwcap(_options: &Options) -> [u64; 2] {
        [bits(&FEATURES), bits(&FEATURES2)]
    }

    fn cpuinfo(_options: &Options) -> String {
        let names: Vec<&str> = FEATURES.iter().chain(&FEATURES2).map(|(name, _)| *name).collect();
        let names = names.join(" ");
        // No implementer has this number: it is left to software.
        let one = |n| {
            format!(
                "processor\t: {n}\nBogoMIPS\t: 100.00\nFeatures\t: {names}\n\
                 CPU implementer\t: 0x00\nCPU architecture: 8\nCPU variant\t: 0x0\n\
                 CPU part\t: 0x000\nCPU revision\t: 0\n\n"
            )
        };
        (0..processors()).map(one).collect()
    }

    fn pc(state: &Cpu) -> u64 {
        state.pc
    }

    fn set_pc(state: &mut Cpu, pc: u64) {
        state.pc = pc;
    }

    fn sp(state: &Cpu) -> u64 {
        state.x[SP]
    }

    fn set_sp(state: &mut Cpu, sp: u64) {
        state.x[SP] = sp;
    }

    fn set_tp(state: &mut Cpu, tp: u64) {
        state.tpidr_el0 = tp;
    }

    fn syscall(state: &Cpu) -> u64 {
        state.x[X8]
    }

    fn args(state: &Cpu) -> [u64; 6] {
        std::array::from_fn(|i| state.x[i])
    }

    fn set_result(state: &mut Cpu, result: u64) {
        state.x[0] = result;
    }

    fn start(entry: u64, sp: u64) -> Cpu {
        let mut state = Cpu::new();
        state.pc = entry;
        state.x[SP] = sp;
        state
    }
}
