//! struct rt_sigframe of aarch64: siginfo, then ucontext with the integer registers and a list of
//! records, of which there is one, with the vector registers; above it a frame record, so that
//! debuggers find the interrupted function.

use arch::aarch64::state::NO_RESERVATION;
use arch::aarch64::{Aarch64, Cpu};
use tcg::guest::aarch64::Exception;
use tcg::mmu::user::Fault;

use super::frame::{Cause, Frame, Frames, Restored, Stack, place};
use crate::{Errno, Mem};

/// Offsets in the frame, bytes.
const INFO: u64 = 0;
const UCONTEXT: u64 = 128;
const UC_STACK: u64 = UCONTEXT + 16;
const UC_MASK: u64 = UCONTEXT + 40;
/// Address of the fault, x0 to x30, sp, pc, pstate.
const REGS: u64 = UCONTEXT + 176;
const PSTATE: u64 = REGS + 272;
/// A list of records that begin with their kind and length, ended by zeros.
const RECORDS: u64 = REGS + 288;
const RECORDS_SIZE: u64 = 4096;
const SIZE: u64 = RECORDS + RECORDS_SIZE;
/// Frame pointer and link register.
const FRAME_RECORD: u64 = 16;

/// Record with FPSR, FPCR and the vector registers.
const FPSIMD_MAGIC: u32 = 0x4650_8001;
const FPSIMD_SIZE: u32 = 528;
const VECTORS: u64 = RECORDS + 16;

const FP: usize = 29;
const LR: usize = 30;
const SP: usize = 31;

const ILL_ILLOPC: i32 = 1;
const TRAP_BRKPT: i32 = 1;
const BUS_ADRALN: i32 = 1;
const SEGV_MAPERR: i32 = 1;

impl Frames for Aarch64 {
    const SYSCALL_BYTES: u64 = 4;
    const HAS_RESTORER: bool = true;
    const CLONE_TLS_LAST: bool = false;
    const MIN_SIGNAL_STACK: u64 = 5120;

    fn cause(cpu: &mut Cpu, e: Exception, fault: Option<Fault>) -> Cause {
        match (e, fault) {
            (Exception::Supervisor(_), _) => Cause::Syscall,
            (Exception::Breakpoint(_), _) => Cause::Signal(libc::SIGTRAP, TRAP_BRKPT, cpu.pc),
            (Exception::Undefined(_), _) => Cause::Signal(libc::SIGILL, ILL_ILLOPC, cpu.pc),
            (Exception::Abort { .. }, Some(f)) => Cause::Signal(f.signal, f.code, f.address),
            (Exception::Abort { address, .. }, None) => {
                Cause::Signal(libc::SIGSEGV, SEGV_MAPERR, address)
            }
            (Exception::Misaligned { address, .. }, _) => {
                Cause::Signal(libc::SIGBUS, BUS_ADRALN, address)
            }
        }
    }

    fn interrupted(cpu: &mut Cpu) {
        cpu.exclusive_addr = NO_RESERVATION;
    }

    fn push_frame(cpu: &mut Cpu, mem: Mem, frame: &Frame) -> Result<(), Errno> {
        let record = (frame.sp & !15).wrapping_sub(FRAME_RECORD);
        let at = place(record.wrapping_sub(SIZE))?;
        mem.write(record, &[cpu.x[FP], cpu.x[LR]])?;
        mem.write(at + INFO, &frame.info)?;
        mem.write(at + UCONTEXT, &[0u64; 2])?;
        mem.write(at + UC_STACK, &frame.stack.words())?;
        let mut mask = [0; 16];
        mask[0] = frame.mask;
        mem.write::<[u64; 16]>(at + UC_MASK, &mask)?;
        let is_fault = matches!(frame.signal, libc::SIGSEGV | libc::SIGBUS);
        let mut regs = [0; 34];
        regs[0] = if is_fault { frame.info[2] } else { 0 };
        regs[1..33].copy_from_slice(&cpu.x);
        regs[33] = cpu.pc;
        mem.write(at + REGS, &regs)?;
        mem.write(at + PSTATE, &cpu.nzcv())?;
        let head = [FPSIMD_MAGIC, FPSIMD_SIZE, cpu.fpsr as u32, cpu.fpcr as u32];
        mem.write(at + RECORDS, &head)?;
        let mut vectors = [0; 64];
        for (halves, v) in vectors.chunks_exact_mut(2).zip(&cpu.v) {
            halves.copy_from_slice(&[*v as u64, (*v >> 64) as u64]);
        }
        mem.write(at + VECTORS, &vectors)?;
        mem.write(at + RECORDS + u64::from(FPSIMD_SIZE), &[0u64; 2])?;
        cpu.x[0] = frame.signal as u64;
        cpu.x[1] = at + INFO;
        cpu.x[2] = at + UCONTEXT;
        cpu.x[FP] = record;
        cpu.x[LR] = frame.restorer;
        cpu.x[SP] = at;
        cpu.pc = frame.handler;
        Ok(())
    }

    fn pop_frame(cpu: &mut Cpu, mem: Mem) -> Result<Restored, Errno> {
        let at = place(cpu.x[SP])?;
        let regs: [u64; 34] = mem.read(at + REGS)?;
        let pstate: u64 = mem.read(at + PSTATE)?;
        let head: [u32; 4] = mem.read(at + RECORDS)?;
        let mask = mem.read(at + UC_MASK)?;
        let stack = Stack::read(mem, at + UC_STACK)?;
        if head[..2] != [FPSIMD_MAGIC, FPSIMD_SIZE] {
            return Err(Errno::EFAULT);
        }
        let vectors: [u64; 64] = mem.read(at + VECTORS)?;
        cpu.x.copy_from_slice(&regs[1..33]);
        cpu.pc = regs[33];
        cpu.set_nzcv(pstate);
        cpu.fpsr = u64::from(head[2]);
        cpu.fpcr = u64::from(head[3]);
        for (v, halves) in cpu.v.iter_mut().zip(vectors.chunks_exact(2)) {
            *v = u128::from(halves[0]) | u128::from(halves[1]) << 64;
        }
        cpu.exclusive_addr = NO_RESERVATION;
        Ok(Restored { mask, stack })
    }
}
