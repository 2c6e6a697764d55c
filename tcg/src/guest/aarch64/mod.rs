//! AArch64, A64 at EL0: integer instructions, loads and stores, exclusives and atomics, floating
//! point, vectors, AES and SHA. Everything of the higher exception levels is an undefined
//! instruction as yet, and so are exclusive and atomic accesses to 16 bytes.
//!
//! There is no address translation: guest virtual addresses are guest-physical ones, and where
//! there is no memory there is an abort. An exception stops the vCPU; it is in
//! [`Local::exception`] then, with the program counter at the instruction.

mod estimate;
mod exception;
mod fp;
mod lower;
mod sem;
mod sha;
mod soft;

use std::mem::offset_of;

pub use arch::aarch64::Aarch64;
use arch::aarch64::Cpu;
use arch::aarch64::state::fpcr;

use crate::builder::{At, Builder, Fmt, FpOp, Lowered, Rm};
use crate::guest::{Access, Decoded, FpMode, Guest, Mapping, Monitored, Pending, RegFile, Syscall};
use crate::isa::aarch64::{self as isa, Ext, Insn};
use crate::softfloat::NanRule;
use crate::vcpu::{Core, request};

pub use exception::Exception;

/// What a vCPU has beside its registers.
#[derive(Debug, Default)]
pub struct Local {
    /// The exception that stopped it; whoever takes it decides how the program goes on.
    pub exception: Option<Exception>,
}

impl Guest for Aarch64 {
    type Insn = Insn;
    type Exception = Exception;
    type Local = Local;
    type Shared = ();
    type Remote = ();

    const INT: RegFile = RegFile {
        offset: offset_of!(Cpu, x),
        stride: 8,
        count: 32,
        // x0 x1 x2 sp x19 x3 x4 x20
        pins: &[0, 1, 2, 31, 19, 3, 4, 20],
    };
    const FP: RegFile =
        RegFile { offset: offset_of!(Cpu, v), stride: 16, count: 32, pins: &[0, 1, 2, 3] };
    const PC: usize = offset_of!(Cpu, pc);
    const FLAGS: usize = offset_of!(Cpu, flags);
    const INSN_ALIGN: u64 = 4;
    const INSN_MAX: usize = 4;
    const NAN_BOXED: bool = false;
    const PLACEHOLDER: Insn = Insn::PLACEHOLDER;
    const SYSCALL: Syscall = Syscall { number: 8, args: [0, 1, 2, 3, 4, 5], result: 0, bytes: 4 };

    fn mode(cpu: &Cpu) -> u32 {
        fp::mode_of(cpu)
    }

    #[inline]
    fn decode_into(bytes: &[u8], _: u32, insn: &mut Insn) -> Decoded<()> {
        let [a, b, c, d, ..] = bytes else {
            return Decoded::Short;
        };
        let word = u32::from_le_bytes([*a, *b, *c, *d]);
        if isa::decode_into(word, Ext::ALL, insn) {
            Decoded::Insn((), 4)
        } else {
            Decoded::Undefined(u64::from(word), 4)
        }
    }

    #[inline]
    fn ends_block(insn: &Insn) -> bool {
        match insn {
            Insn::B(_) | Insn::Bl(_) | Insn::Br(_) | Insn::Blr(_) | Insn::Ret(_) => true,
            Insn::Svc(_) | Insn::Hvc(_) | Insn::Smc(_) | Insn::Brk(_) | Insn::Hlt(_) => true,
            Insn::Udf(_) | Insn::Eret | Insn::Isb(_) | Insn::IcIvau(_) => true,
            // A branch back is a loop: what follows runs once.
            Insn::BCond(a) => a.imm <= 0 || a.cond >= 14,
            Insn::Cbz(a) | Insn::Cbnz(a) => a.imm <= 0,
            Insn::Tbz(a) | Insn::Tbnz(a) => a.imm <= 0,
            _ => false,
        }
    }

    #[inline]
    fn monitored(insn: &Insn) -> Monitored {
        match insn {
            Insn::Ldxrb(_) | Insn::Ldxrh(_) | Insn::LdxrW(_) | Insn::LdxrX(_) => Monitored::Load,
            Insn::LdxpW(_) | Insn::LdxpX(_) => Monitored::Load,
            Insn::Stxrb(_) | Insn::Stxrh(_) | Insn::StxrW(_) | Insn::StxrX(_) => Monitored::Store,
            Insn::StxpW(_) | Insn::StxpX(_) => Monitored::Store,
            _ => Monitored::No,
        }
    }

    #[inline]
    fn lower<B: Builder<Self>>(b: &mut B, at: At, insn: Insn, _: u32) -> Lowered<Self, B> {
        lower::lower(b, at, insn)
    }

    fn undefined(bits: u64) -> Exception {
        Exception::Undefined(bits as u32)
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
        Exception::Abort { address: va, access }
    }

    fn misaligned(va: u64, access: Access) -> Exception {
        Exception::Misaligned { address: va, access }
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
        (cpu.fpcr & fpcr::FLUSH == 0).then(|| fp::rounding_number(cpu))
    }

    fn fp_mode(mode: u32) -> FpMode {
        fp::fp_mode(mode)
    }

    fn fp_nan(mode: u32) -> NanRule {
        fp::nan_rule(mode)
    }

    fn fp_static(rm: u8) -> Option<u8> {
        (rm < 4).then_some(rm)
    }

    fn fp_raise(cpu: &mut Cpu, flags: u8) {
        fp::raise_sse(cpu, flags);
    }

    fn fp(cpu: &mut Cpu, op: FpOp, fmt: Fmt, rm: Rm, args: [u64; 3]) -> u64 {
        fp::execute(cpu, op, fmt, rm, args)
    }
}
