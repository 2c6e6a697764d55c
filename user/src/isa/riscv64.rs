//! RISC-V: arguments in a0 to a5, the number in a7, the result in a0 `[RISCV-psABI §1]`.

use arch::riscv64::fields::MSTATUS_FS;
use arch::riscv64::{Ext, Exts, Hart, Model, Riscv64};

use super::abi::{self, Abi};
use super::{Isa, hwprobe, processors};
use crate::Options;

const TP: usize = 4;
const SP: usize = 2;
const A0: usize = 10;
const A7: usize = 17;

/// What programs may use: the supervisor's extensions are not for them.
fn extensions() -> Exts {
    let supervisor = [Ext::Sstc, Ext::Svadu, Ext::Svinval, Ext::Svnapot, Ext::Svpbmt];
    supervisor.into_iter().fold(Exts::all(), Exts::without)
}

impl Isa for Riscv64 {
    const ABI: &'static Abi = &abi::RISCV64;

    fn hwcap(_options: &Options) -> [u64; 2] {
        // A bit for each letter `[Linux-hwcap]`.
        let letters = extensions().iter().filter(|ext| ext.name().len() == 1);
        let bit = |ext: Ext| 1 << (ext.name().as_bytes()[0] - b'a');
        [letters.map(bit).fold(0, |all, bit: u64| all | bit), 0]
    }

    fn cpuinfo(_options: &Options) -> String {
        let isa = Model { exts: extensions() }.isa_string();
        let one = |n| {
            format!(
                "processor\t: {n}\nhart\t\t: {n}\nisa\t\t: {isa}\nmmu\t\t: sv48\n\
                 mvendorid\t: 0x0\nmarchid\t\t: 0x0\nmimpid\t\t: 0x0\nhart isa\t: {isa}\n\n"
            )
        };
        (0..processors()).map(one).collect()
    }

    fn hwprobe(_options: &Options, key: u64) -> Option<u64> {
        hwprobe::value(key, extensions())
    }

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
