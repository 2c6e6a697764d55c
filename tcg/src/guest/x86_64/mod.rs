//! x86-64, 64-bit mode at user level: the integer instructions. Segments other than the bases of
//! FS and GS, paging, ports, the x87 unit and vectors are undefined instructions as yet.
//!
//! There is no address translation: guest virtual addresses are guest-physical ones, and where
//! there is no memory there is a page fault. An exception stops the vCPU; it is in
//! [`Local::exception`] then, with the program counter at the instruction.

mod cpuid;
mod exception;
mod fp;
mod lower;
mod sem;
mod x87;

use std::mem::offset_of;

use arch::x86_64::Cpu;
pub use arch::x86_64::X86_64;

use crate::builder::{At, Builder, Fmt, FpOp, Lowered, Rm};
use crate::guest::{
    Access, BulkRegisters, Decoded, FpMode, Guest, Mapping, Pending, RegFile, Syscall,
};
use crate::isa::x86_64::{self as isa, DecodeError, Insn, Op};
use crate::softfloat::NanRule;
use crate::vcpu::{Core, request};

pub use exception::{Exception, Vector};

/// Whether the instructions of a row of the maps ([`isa::ROWS`]) do anything; the others are
/// undefined as yet.
pub fn has_semantics(row: u16) -> bool {
    lower::is_written(row)
}

/// What CPUID says, of the first processor: eax, ebx, ecx, edx.
pub fn identify(leaf: u32, subleaf: u32) -> [u32; 4] {
    let cpuid::Leaf { eax, ebx, ecx, edx } = cpuid::leaf(leaf, subleaf, 0);
    [eax, ebx, ecx, edx]
}

/// What a vCPU has beside its registers.
#[derive(Debug, Default)]
pub struct Local {
    /// The exception that stopped it; whoever takes it decides how the program goes on.
    pub exception: Option<Exception>,
}

impl Guest for X86_64 {
    type Insn = Insn;
    type Exception = Exception;
    type Local = Local;
    type Shared = ();
    type Remote = ();

    const INT: RegFile = RegFile {
        offset: offset_of!(Cpu, gpr),
        stride: 8,
        count: 16,
        // rax rdx rsp rsi rdi rcx rbx rbp
        pins: &[0, 2, 4, 6, 7, 1, 3, 5],
    };
    const FP: RegFile =
        RegFile { offset: offset_of!(Cpu, xmm), stride: 16, count: 16, pins: &[0, 1, 2, 3] };
    const PC: usize = offset_of!(Cpu, rip);
    const FLAGS: usize = offset_of!(Cpu, flags);
    const INSN_ALIGN: u64 = 1;
    const INSN_MAX: usize = isa::MAX_LEN;
    const SPLIT_ATOMICS: bool = true;
    const NAN_BOXED: bool = false;
    const PLACEHOLDER: Insn = Insn::PLACEHOLDER;
    const BULK: Option<BulkRegisters> =
        Some(BulkRegisters { count: 1, from: 6, to: 7, value: 0, down: offset_of!(Cpu, df) });
    const SYSCALL: Syscall = Syscall { number: 0, args: [7, 6, 2, 10, 8, 9], result: 0, bytes: 2 };

    fn mode(_: &Cpu) -> u32 {
        0
    }

    #[inline]
    fn decode_into(bytes: &[u8], _: u32, insn: &mut Insn) -> Decoded<()> {
        match isa::decode_into(bytes, insn) {
            Ok(len) if lower::is_written(insn.row) => Decoded::Insn((), len),
            Ok(len) => Decoded::Undefined(Vector::InvalidOpcode as u64, len),
            Err(DecodeError::Truncated) => Decoded::Short,
            Err(DecodeError::TooLong) => {
                Decoded::Undefined(Vector::GeneralProtection as u64, isa::MAX_LEN as u8)
            }
            Err(DecodeError::Undefined) => Decoded::Undefined(Vector::InvalidOpcode as u64, 1),
        }
    }

    #[inline]
    fn ends_block(insn: &Insn) -> bool {
        match insn.op() {
            Op::Jmp | Op::Call | Op::Ret | Op::Int | Op::Int1 | Op::Int3 => true,
            Op::Syscall | Op::Hlt | Op::Cli | Op::Sti => true,
            // A branch back is a loop: what follows runs once.
            Op::J | Op::Loop | Op::Loope | Op::Loopne | Op::Jrcxz => insn.imm < 0,
            _ => insn.rep != isa::Rep::None && insn.row().string(),
        }
    }

    #[inline]
    fn lower<B: Builder<Self>>(b: &mut B, at: At, insn: Insn, _: u32) -> Lowered<Self, B> {
        lower::lower(b, at, &insn)
    }

    fn undefined(bits: u64) -> Exception {
        Exception::Fault(if bits == Vector::GeneralProtection as u64 {
            Vector::GeneralProtection
        } else {
            Vector::InvalidOpcode
        })
    }

    fn data_space(_: &Cpu) -> u64 {
        0
    }

    fn fetch_space(_: &Cpu) -> u64 {
        0
    }

    fn translate(core: &mut Core<Self>, va: u64, access: Access) -> Result<Mapping, Exception> {
        if core.machine.ram.find(va).is_none() {
            return Err(Self::bus_error(va, access));
        }
        Ok(Mapping {
            gpa: va,
            cacheable: true,
            writable: true,
            readable: true,
            page_bits: 12,
            global: true,
        })
    }

    fn bus_error(va: u64, access: Access) -> Exception {
        Exception::PageFault { address: va, access }
    }

    /// Locked accesses that are not aligned are legal on processors; outside of user mode they are
    /// treated as by one that reports them.
    fn misaligned(_: u64, _: Access) -> Exception {
        Exception::Fault(Vector::AlignmentCheck)
    }

    fn deliver(core: &mut Core<Self>, e: Exception) {
        core.local.exception = Some(e);
        core.signals().raise(request::KICK);
    }

    fn interrupt(_: &mut Core<Self>, _: bool) -> Pending {
        Pending::None
    }

    fn remote(_: &mut Core<Self>, (): ()) {}

    fn park(_: &mut Core<Self>) {}

    fn parked(_: &Core<Self>) -> bool {
        false
    }

    fn halted(_: &mut Core<Self>) -> bool {
        false
    }

    fn fp_rounding(cpu: &Cpu) -> Option<u8> {
        Some(fp::rounding(cpu))
    }

    fn fp_flushing(cpu: &Cpu) -> u32 {
        fp::flushing(cpu)
    }

    fn fp_mode(_: u32) -> FpMode {
        FpMode::Host
    }

    fn fp_static(rm: u8) -> Option<u8> {
        Some(rm & 3)
    }

    fn fp_nan(_: u32) -> NanRule {
        NanRule::X86
    }

    fn fp_raise(cpu: &mut Cpu, flags: u8) {
        cpu.mxcsr |= u64::from(flags);
    }

    fn fp(cpu: &mut Cpu, op: FpOp, fmt: Fmt, rm: Rm, args: [u64; 3]) -> u64 {
        fp::execute(cpu, op, fmt, rm, args)
    }
}
