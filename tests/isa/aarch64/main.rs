//! The aarch64 guest: programs, single instructions and short sequences against qemu-aarch64.
//!
//! Wants `aarch64-linux-gnu-gcc` and `qemu-aarch64` on the path.

mod programs;
mod qemu;
mod rest;
mod rows;
mod sequences;
#[path = "../user/mod.rs"]
mod user;

use arch::aarch64::Cpu;
use tcg::guest::aarch64::{Aarch64, Exception, Local};

use user::UserGuest;

impl UserGuest for Aarch64 {
    const CALLS: (u64, u64) = (64, 93);

    fn start(entry: u64, stack: u64) -> Cpu {
        let mut cpu = Cpu::new();
        cpu.pc = entry;
        cpu.x[31] = stack;
        cpu
    }

    fn take_exception(local: &mut Local) -> Option<Exception> {
        local.exception.take()
    }

    fn system_call(cpu: &mut Cpu, e: Exception) -> Option<[u64; 4]> {
        if e != Exception::Supervisor(0) {
            return None;
        }
        cpu.pc += 4;
        Some([cpu.x[8], cpu.x[0], cpu.x[1], cpu.x[2]])
    }

    fn answer(cpu: &mut Cpu, value: u64) {
        cpu.x[0] = value;
    }
}
