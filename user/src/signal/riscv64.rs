//! struct rt_sigframe of riscv64: siginfo, then ucontext with the integer registers, the
//! floating-point registers as those of D, and an empty list of extensions.

use arch::riscv64::state::NO_RESERVATION;
use arch::riscv64::{Hart, Riscv64};
use tcg::guest::riscv64::trap::Exception;
use tcg::mmu::user::Fault;

use super::frame::{Cause, Frame, Frames, Restored, Stack, place};
use crate::{Errno, Mem};

/// Offsets in the frame, bytes.
const INFO: u64 = 0;
const UCONTEXT: u64 = 128;
const UC_STACK: u64 = UCONTEXT + 16;
const UC_MASK: u64 = UCONTEXT + 40;
const REGS: u64 = UCONTEXT + 176;
const FP: u64 = REGS + 32 * 8;
const FCSR: u64 = FP + 32 * 8;
const SIZE: u64 = FP + 528;

const RA: usize = 1;
const SP: usize = 2;
const A0: usize = 10;

/// Exception codes `[Priv §3.1.15]`.
mod code {
    pub(super) const FETCH_MISALIGNED: u64 = 0;
    pub(super) const FETCH: u64 = 1;
    pub(super) const ILLEGAL: u64 = 2;
    pub(super) const BREAKPOINT: u64 = 3;
    pub(super) const LOAD_MISALIGNED: u64 = 4;
    pub(super) const LOAD: u64 = 5;
    pub(super) const STORE_MISALIGNED: u64 = 6;
    pub(super) const STORE: u64 = 7;
    pub(super) const ECALL: u64 = 8;
}

const ILL_ILLOPC: i32 = 1;
const TRAP_BRKPT: i32 = 1;
const BUS_ADRALN: i32 = 1;
const SEGV_MAPERR: i32 = 1;

impl Frames for Riscv64 {
    const SYSCALL_BYTES: u64 = 4;
    const HAS_RESTORER: bool = false;
    const CLONE_TLS_LAST: bool = false;
    const MIN_SIGNAL_STACK: u64 = 2048;

    fn cause(h: &mut Hart, e: Exception, fault: Option<Fault>) -> Cause {
        match (e.cause, fault) {
            (code::ECALL, _) => Cause::Syscall,
            (code::BREAKPOINT, _) => Cause::Signal(libc::SIGTRAP, TRAP_BRKPT, h.pc),
            (code::FETCH | code::LOAD | code::STORE, Some(f)) => {
                Cause::Signal(f.signal, f.code, f.address)
            }
            (code::FETCH | code::LOAD | code::STORE, None) => {
                Cause::Signal(libc::SIGSEGV, SEGV_MAPERR, e.tval)
            }
            (code::FETCH_MISALIGNED | code::LOAD_MISALIGNED | code::STORE_MISALIGNED, _) => {
                Cause::Signal(libc::SIGBUS, BUS_ADRALN, h.pc)
            }
            (code::ILLEGAL, _) | (_, _) => Cause::Signal(libc::SIGILL, ILL_ILLOPC, h.pc),
        }
    }

    fn interrupted(h: &mut Hart) {
        h.resv_addr = NO_RESERVATION;
    }

    fn push_frame(h: &mut Hart, mem: Mem, frame: &Frame) -> Result<(), Errno> {
        let at = place((frame.sp & !15).wrapping_sub(SIZE) & !15)?;
        mem.write(at + INFO, &frame.info)?;
        mem.write(at + UCONTEXT, &[0u64; 2])?;
        mem.write(at + UC_STACK, &frame.stack.words())?;
        let mut mask = [0; 16];
        mask[0] = frame.mask;
        mem.write::<[u64; 16]>(at + UC_MASK, &mask)?;
        let mut regs = h.x;
        regs[0] = h.pc;
        mem.write(at + REGS, &regs)?;
        mem.write(at + FP, &h.f)?;
        let mut rest = [0u64; 34];
        rest[0] = h.frm << 5 | h.fflags;
        mem.write(at + FCSR, &rest)?;
        h.x[RA] = frame.restorer;
        h.x[SP] = at;
        h.x[A0] = frame.signal as u64;
        h.x[A0 + 1] = at + INFO;
        h.x[A0 + 2] = at + UCONTEXT;
        h.pc = frame.handler;
        Ok(())
    }

    fn pop_frame(h: &mut Hart, mem: Mem) -> Result<Restored, Errno> {
        let at = place(h.x[SP])?;
        let regs: [u64; 32] = mem.read(at + REGS)?;
        let f: [u64; 32] = mem.read(at + FP)?;
        let fcsr: u32 = mem.read(at + FCSR)?;
        let mask = mem.read(at + UC_MASK)?;
        let stack = Stack::read(mem, at + UC_STACK)?;
        h.pc = regs[0];
        h.x = regs;
        h.x[0] = 0;
        h.f = f;
        h.fflags = u64::from(fcsr & 0x1f);
        h.frm = u64::from(fcsr >> 5 & 7);
        h.resv_addr = NO_RESERVATION;
        Ok(Restored { mask, stack })
    }
}
