//! riscv_hwprobe: keys and values `[RISCV-hwprobe]`.

use arch::riscv64::{Ext, Exts};

const MVENDORID: u64 = 0;
const MARCHID: u64 = 1;
const MIMPID: u64 = 2;
const BASE_BEHAVIOR: u64 = 3;
const IMA_EXT_0: u64 = 4;
const CPUPERF_0: u64 = 5;
const ZICBOZ_BLOCK_SIZE: u64 = 6;
const HIGHEST_VIRT_ADDRESS: u64 = 7;
const TIME_CSR_FREQ: u64 = 8;
const MISALIGNED_SCALAR_PERF: u64 = 9;
const MISALIGNED_VECTOR_PERF: u64 = 10;

/// Bits of IMA_EXT_0.
const EXTENSIONS: [(Ext, u32); 6] = [
    (Ext::C, 1),
    (Ext::Zba, 3),
    (Ext::Zbb, 4),
    (Ext::Zbs, 5),
    (Ext::Zicond, 35),
    (Ext::Zihintpause, 36),
];
/// F and D.
const FLOAT: u64 = 1;
/// Accesses that are not aligned are fast.
const FAST: u64 = 3;
/// Vector accesses that are not aligned do not exist.
const UNSUPPORTED: u64 = 4;

/// The value of a key.
pub(super) fn value(key: u64, exts: Exts) -> Option<u64> {
    Some(match key {
        MVENDORID | MARCHID | MIMPID => 0,
        // IMA, with the supervisor's and the user's counters.
        BASE_BEHAVIOR => 1,
        IMA_EXT_0 => {
            let bits = EXTENSIONS.iter().filter(|(ext, _)| exts.has(*ext));
            let float = if exts.has(Ext::F) && exts.has(Ext::D) { FLOAT } else { 0 };
            bits.fold(float, |all, (_, bit)| all | 1 << bit)
        }
        CPUPERF_0 | MISALIGNED_SCALAR_PERF => FAST,
        ZICBOZ_BLOCK_SIZE => 0,
        HIGHEST_VIRT_ADDRESS => crate::space::END - 1,
        TIME_CSR_FREQ => u64::from(arch::riscv64::board::TIMEBASE_HZ),
        MISALIGNED_VECTOR_PERF => UNSUPPORTED,
        _ => return None,
    })
}
