//! x86-64: arguments in rdi, rsi, rdx, r10, r8, r9, the number and the result in rax; SYSCALL
//! overwrites rcx and r11 `[x86-64-psABI §A.2.1]`.

use arch::x86_64::{Cpu, X86_64};
use tcg::guest::x86_64::identify;

use super::abi::{self, Abi};
use super::{Isa, processors};
use crate::{Errno, Options};

pub(crate) const RAX: usize = 0;
pub(crate) const RCX: usize = 1;
pub(crate) const RDX: usize = 2;
pub(crate) const RSP: usize = 4;
pub(crate) const RSI: usize = 6;
pub(crate) const RDI: usize = 7;
const R8: usize = 8;
const R9: usize = 9;
const R10: usize = 10;
const R11: usize = 11;

/// Codes of arch_prctl(2).
const ARCH_SET_GS: i32 = 0x1001;
const ARCH_SET_FS: i32 = 0x1002;
const ARCH_GET_FS: i32 = 0x1003;
const ARCH_GET_GS: i32 = 0x1004;

/// Programs may set the bases of FS and GS themselves, in AT_HWCAP2.
const HWCAP2_FSGSBASE: u64 = 2;

/// Names of the features in `/proc/cpuinfo`: leaf, register (0 eax to 3 edx), bit.
const FLAGS: [(&str, u32, usize, u32); 20] = [
    ("fpu", 1, 3, 0),
    ("tsc", 1, 3, 4),
    ("cx8", 1, 3, 8),
    ("cmov", 1, 3, 15),
    ("clflush", 1, 3, 19),
    ("mmx", 1, 3, 23),
    ("fxsr", 1, 3, 24),
    ("sse", 1, 3, 25),
    ("sse2", 1, 3, 26),
    ("syscall", 0x8000_0001, 3, 11),
    ("nx", 0x8000_0001, 3, 20),
    ("rdtscp", 0x8000_0001, 3, 27),
    ("lm", 0x8000_0001, 3, 29),
    ("pni", 1, 2, 0),
    ("ssse3", 1, 2, 9),
    ("cx16", 1, 2, 13),
    ("sse4_1", 1, 2, 19),
    ("sse4_2", 1, 2, 20),
    ("popcnt", 1, 2, 23),
    ("lahf_lm", 0x8000_0001, 2, 0),
];

fn flags() -> String {
    let present = FLAGS.iter().filter(|(_, leaf, r, bit)| identify(*leaf, 0)[*r] >> bit & 1 != 0);
    present.map(|(name, ..)| *name).collect::<Vec<_>>().join(" ")
}

fn text(registers: impl IntoIterator<Item = u32>) -> String {
    let bytes: Vec<u8> = registers.into_iter().flat_map(u32::to_le_bytes).collect();
    String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_owned()
}

impl Isa for X86_64 {
    const ABI: &'static Abi = &abi::X86_64;

    fn hwcap(_options: &Options) -> [u64; 2] {
        [identify(1, 0)[3].into(), HWCAP2_FSGSBASE]
    }

    fn cpuinfo(_options: &Options) -> String {
        let [_, b, c, d] = identify(0, 0);
        let vendor = text([b, d, c]);
        let name = text((0x8000_0002..=0x8000_0004).flat_map(|leaf| identify(leaf, 0)));
        let signature = identify(1, 0)[0];
        let family = signature >> 8 & 0xf;
        let model = signature >> 4 & 0xf | signature >> 12 & 0xf0;
        let stepping = signature & 0xf;
        let (count, flags) = (processors(), flags());
        let one = |n| {
            format!(
                "processor\t: {n}\nvendor_id\t: {vendor}\ncpu family\t: {family}\n\
                 model\t\t: {model}\nmodel name\t: {name}\nstepping\t: {stepping}\n\
                 cpu MHz\t\t: 1000.000\nphysical id\t: 0\nsiblings\t: {count}\n\
                 core id\t\t: {n}\ncpu cores\t: {count}\nfpu\t\t: yes\nflags\t\t: {flags}\n\
                 clflush size\t: 64\ncache_alignment\t: 64\n\
                 address sizes\t: 40 bits physical, 48 bits virtual\n\n"
            )
        };
        (0..count).map(one).collect()
    }

    fn arch_prctl(state: &mut Cpu, code: i32, address: u64) -> Result<Option<u64>, Errno> {
        // Bases above the addresses of programs are refused.
        let base = || if address < 1 << 47 { Ok(address) } else { Err(Errno::EPERM) };
        match code {
            ARCH_SET_FS => state.fs_base = base()?,
            ARCH_SET_GS => state.gs_base = base()?,
            ARCH_GET_FS => return Ok(Some(state.fs_base)),
            ARCH_GET_GS => return Ok(Some(state.gs_base)),
            _ => return Err(Errno::EINVAL),
        }
        Ok(None)
    }

    fn pc(state: &Cpu) -> u64 {
        state.rip
    }

    fn set_pc(state: &mut Cpu, pc: u64) {
        state.rip = pc;
    }

    fn sp(state: &Cpu) -> u64 {
        state.gpr[RSP]
    }

    fn set_sp(state: &mut Cpu, sp: u64) {
        state.gpr[RSP] = sp;
    }

    fn set_tp(state: &mut Cpu, tp: u64) {
        state.fs_base = tp;
    }

    fn syscall(state: &Cpu) -> u64 {
        state.gpr[RAX]
    }

    fn args(state: &Cpu) -> [u64; 6] {
        [RDI, RSI, RDX, R10, R8, R9].map(|r| state.gpr[r])
    }

    fn set_result(state: &mut Cpu, result: u64) {
        state.gpr[RAX] = result;
        state.gpr[RCX] = state.rip;
        state.gpr[R11] = state.rflags();
    }

    fn start(entry: u64, sp: u64) -> Cpu {
        let mut state = Cpu::new();
        state.rip = entry;
        state.gpr[RSP] = sp;
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_says_of_itself_agrees() {
        let options = Options::default();
        let info = X86_64::cpuinfo(&options);
        assert!(info.contains("vendor_id\t: GenuineIntel\n"), "{info}");
        assert!(info.contains("model name\t: Polyvisor x86-64-v2 processor\n"), "{info}");
        assert!(info.contains(" sse2 ") && !info.contains("avx"), "{info}");
        let [hwcap, _] = X86_64::hwcap(&options);
        assert_eq!(hwcap >> 26 & 1, 1, "SSE2");
    }

    #[test]
    fn bases_are_set_and_told() {
        let mut cpu = X86_64::start(1, 2);
        assert_eq!(X86_64::arch_prctl(&mut cpu, ARCH_SET_FS, 0x1234), Ok(None));
        assert_eq!(X86_64::arch_prctl(&mut cpu, ARCH_GET_FS, 8), Ok(Some(0x1234)));
        assert_eq!(X86_64::arch_prctl(&mut cpu, ARCH_SET_GS, 1 << 47), Err(Errno::EPERM));
        assert_eq!(X86_64::arch_prctl(&mut cpu, 5, 0), Err(Errno::EINVAL));
    }
}
