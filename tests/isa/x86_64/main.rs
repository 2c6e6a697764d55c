//! The x86_64 guest: programs against the host (or qemu-x86_64 on another host), and what no
//! comparison with a processor shows.
//!
//! Single instructions are compared with the host's processor by a unit test of `tcg`
//! (`host/x86_64/cpu_oracle.rs`). Wants a compiler for x86_64 on the path.

mod control;
mod programs;
#[path = "../user/mod.rs"]
mod user;

use arch::x86_64::Cpu;
use tcg::guest::x86_64::{Exception, Local, X86_64};

use user::UserGuest;

impl UserGuest for X86_64 {
    const CALLS: (u64, u64) = (1, 60);

    fn start(entry: u64, stack: u64) -> Cpu {
        let mut cpu = Cpu::new();
        cpu.rip = entry;
        cpu.gpr[4] = stack;
        cpu
    }

    fn take_exception(local: &mut Local) -> Option<Exception> {
        local.exception.take()
    }

    fn system_call(cpu: &mut Cpu, e: Exception) -> Option<[u64; 4]> {
        if e != Exception::Syscall {
            return None;
        }
        cpu.rip += 2;
        Some([cpu.gpr[0], cpu.gpr[7], cpu.gpr[6], cpu.gpr[2]])
    }

    fn answer(cpu: &mut Cpu, value: u64) {
        cpu.gpr[0] = value;
        // What processors overwrite.
        cpu.gpr[1] = cpu.rip;
        cpu.gpr[11] = cpu.rflags();
    }
}
