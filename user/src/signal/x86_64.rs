//! struct rt_sigframe of x86-64: the handler's return address, ucontext, siginfo; above it the
//! image of FXSAVE.

use arch::x86_64::fxsave;
use arch::x86_64::state::{AC, ARITHMETIC, DF, TF, event};
use arch::x86_64::{Cpu, X86_64};
use tcg::guest::Access;
use tcg::guest::x86_64::{Exception, Vector};
use tcg::mmu::user::Fault;

use super::frame::{Cause, Frame, Frames, Restored, Stack, place};
use crate::isa::x86_64::{RAX, RDI, RDX, RSI, RSP};
use crate::{Errno, Mem};

/// Offsets in the frame, bytes.
const UCONTEXT: u64 = 8;
const UC_STACK: u64 = UCONTEXT + 16;
const CONTEXT: u64 = UCONTEXT + 40;
const UC_MASK: u64 = CONTEXT + 256;
const INFO: u64 = UC_MASK + 8;
const SIZE: u64 = INFO + 128;

/// Below the stack pointer a function may keep something `[x86-64-psABI §3.2.2]`.
const RED_ZONE: u64 = 128;
/// uc_flags: the context holds SS, which is to be restored.
const UC_FLAGS: u64 = 6;
/// The selectors of a program.
const CS: u64 = 0x33;
const SS: u64 = 0x2b;

/// struct sigcontext, in words: general registers in this order, then rip and rflags.
const ORDER: [usize; 16] = [8, 9, 10, 11, 12, 13, 14, 15, 7, 6, 5, 3, 2, 0, 1, 4];
const RIP: usize = 16;
const RFLAGS: usize = 17;
const SELECTORS: usize = 18;
const ERROR: usize = 19;
const TRAP: usize = 20;
const OLD_MASK: usize = 21;
const CR2: usize = 22;
const FPSTATE: usize = 23;
const WORDS: usize = 32;

/// The flags that a frame sets.
const RESTORED_FLAGS: u64 = ARITHMETIC | DF | TF | AC;

const FPE_INTDIV: i32 = 1;
const ILL_ILLOPN: i32 = 2;
const TRAP_BRKPT: i32 = 1;
const BUS_ADRALN: i32 = 1;
const SEGV_MAPERR: i32 = 1;
const SI_KERNEL: i32 = 0x80;

/// Vector of page faults.
const PAGE_FAULT: u64 = 14;
/// Error code of a page fault: the page is there; it was a store; by a program; a fetch.
const ERROR_PRESENT: u64 = 1;
const ERROR_STORE: u64 = 2;
const ERROR_USER: u64 = 4;
const ERROR_FETCH: u64 = 16;

/// Notes what a frame says of an exception.
fn note(cpu: &mut Cpu, vector: u64, error: u64) {
    cpu.events[event::EXCEPTION_VECTOR] = vector;
    cpu.events[event::EXCEPTION_ERROR] = error;
}

fn page_fault(cpu: &mut Cpu, address: u64, access: Access, fault: Option<Fault>) -> Cause {
    let kind = match access {
        Access::Load => 0,
        Access::Store => ERROR_STORE,
        Access::Fetch => ERROR_FETCH,
    };
    let (signal, code, address) =
        fault.map_or((libc::SIGSEGV, SEGV_MAPERR, address), |f| (f.signal, f.code, f.address));
    let present = if code == SEGV_MAPERR { 0 } else { ERROR_PRESENT };
    cpu.cr2 = address;
    note(cpu, PAGE_FAULT, ERROR_USER | kind | present);
    Cause::Signal(signal, code, address)
}

impl Frames for X86_64 {
    const SYSCALL_BYTES: u64 = 2;
    const HAS_RESTORER: bool = true;
    const CLONE_TLS_LAST: bool = true;
    const MIN_SIGNAL_STACK: u64 = 2048;

    fn cause(cpu: &mut Cpu, e: Exception, fault: Option<Fault>) -> Cause {
        let at = cpu.rip;
        let vector = match e {
            Exception::Syscall => return Cause::Syscall,
            Exception::PageFault { address, access } => {
                return page_fault(cpu, address, access, fault);
            }
            Exception::Interrupt(_) => Vector::GeneralProtection,
            Exception::Fault(vector) => vector,
        };
        note(cpu, vector as u64, 0);
        match vector {
            Vector::DivideError => Cause::Signal(libc::SIGFPE, FPE_INTDIV, at),
            Vector::Debug => Cause::Signal(libc::SIGTRAP, TRAP_BRKPT, at),
            Vector::Breakpoint => {
                // The program goes on behind it.
                cpu.rip = at.wrapping_add(1);
                Cause::Signal(libc::SIGTRAP, SI_KERNEL, 0)
            }
            Vector::InvalidOpcode => Cause::Signal(libc::SIGILL, ILL_ILLOPN, at),
            Vector::AlignmentCheck => Cause::Signal(libc::SIGBUS, BUS_ADRALN, 0),
            Vector::GeneralProtection => Cause::Signal(libc::SIGSEGV, SI_KERNEL, 0),
        }
    }

    fn interrupted(_: &mut Cpu) {}

    fn push_frame(cpu: &mut Cpu, mem: Mem, frame: &Frame) -> Result<(), Errno> {
        let own_stack = frame.sp == cpu.gpr[RSP];
        let top = frame.sp.wrapping_sub(if own_stack { RED_ZONE } else { 0 });
        let fpstate = top.wrapping_sub(fxsave::BYTES as u64) & !63;
        // At its entry a function finds the stack pointer 8 above a multiple of 16.
        let at = place((fpstate.wrapping_sub(SIZE) & !15).wrapping_sub(8))?;
        let image: [u64; fxsave::BYTES / 8] = cpu.fxsave_image();
        mem.write(fpstate, &image)?;
        mem.write(at, &[frame.restorer, UC_FLAGS, 0])?;
        mem.write(at + UC_STACK, &frame.stack.words())?;
        let mut context = [0u64; WORDS];
        for (word, r) in context.iter_mut().zip(ORDER) {
            *word = cpu.gpr[r];
        }
        context[RIP] = cpu.rip;
        context[RFLAGS] = cpu.rflags();
        context[SELECTORS] = CS | SS << 48;
        context[ERROR] = cpu.events[event::EXCEPTION_ERROR];
        context[TRAP] = cpu.events[event::EXCEPTION_VECTOR];
        context[OLD_MASK] = frame.mask;
        context[CR2] = cpu.cr2;
        context[FPSTATE] = fpstate;
        mem.write::<[u64; WORDS]>(at + CONTEXT, &context)?;
        mem.write(at + UC_MASK, &frame.mask)?;
        mem.write(at + INFO, &frame.info)?;
        cpu.gpr[RDI] = frame.signal as u64;
        cpu.gpr[RSI] = at + INFO;
        cpu.gpr[RDX] = at + UCONTEXT;
        cpu.gpr[RAX] = 0;
        cpu.gpr[RSP] = at;
        cpu.rip = frame.handler;
        let rflags = cpu.rflags();
        cpu.set_rflags(rflags & !(DF | TF));
        // The handler finds the units as a new program does.
        let fresh = Cpu::new();
        (cpu.fcw, cpu.fsw, cpu.ftw, cpu.mxcsr) = (fresh.fcw, fresh.fsw, fresh.ftw, fresh.mxcsr);
        Ok(())
    }

    fn pop_frame(cpu: &mut Cpu, mem: Mem) -> Result<Restored, Errno> {
        // The return address is gone.
        let at = place(cpu.gpr[RSP].wrapping_sub(8))?;
        let context: [u64; WORDS] = mem.read(at + CONTEXT)?;
        let mask = mem.read(at + UC_MASK)?;
        let stack = Stack::read(mem, at + UC_STACK)?;
        if context[FPSTATE] == 0 {
            let fresh = Cpu::new();
            (cpu.fcw, cpu.fsw, cpu.ftw) = (fresh.fcw, fresh.fsw, fresh.ftw);
            (cpu.mxcsr, cpu.xmm, cpu.st) = (fresh.mxcsr, fresh.xmm, fresh.st);
        } else {
            let image: [u64; fxsave::BYTES / 8] = mem.read(context[FPSTATE])?;
            if !cpu.set_fxsave_image(&image) {
                return Err(Errno::EFAULT);
            }
        }
        for (word, r) in context.iter().zip(ORDER) {
            cpu.gpr[r] = *word;
        }
        cpu.rip = context[RIP];
        let rflags = cpu.rflags();
        cpu.set_rflags(rflags & !RESTORED_FLAGS | context[RFLAGS] & RESTORED_FLAGS);
        Ok(Restored { mask, stack })
    }
}
