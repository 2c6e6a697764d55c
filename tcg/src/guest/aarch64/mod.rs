//! AArch64, A64 at EL0: the integer instructions, loads and stores, exclusives and atomics.
//! Floating point, vectors and everything of the higher exception levels are undefined
//! instructions as yet, and so are exclusive and atomic accesses to 16 bytes.
//!
//! There is no address translation: guest virtual addresses are guest-physical ones, and where
//! there is no memory there is an abort. An exception stops the vCPU; it is in
//! [`Local::exception`] then, with the program counter at the instruction.

mod exception;
mod lower;
mod sem;

use std::mem::offset_of;

pub use arch::aarch64::Aarch64;
use arch::aarch64::Cpu;

use crate::builder::{At, Builder, Fmt, FpOp, Lowered, Rm};
use crate::guest::{Access, Decoded, FpMode, Guest, Mapping, Pending, RegFile};
use crate::isa::aarch64::{self as isa, Ext, Insn};
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

    fn mode(_: &Cpu) -> u32 {
        0
    }

    fn decode(bytes: &[u8], _: u32) -> Decoded<Insn> {
        let [a, b, c, d, ..] = bytes else {
            return Decoded::Short;
        };
        let word = u32::from_le_bytes([*a, *b, *c, *d]);
        match isa::decode(word, Ext::ALL) {
            Some(insn) => Decoded::Insn(insn, 4),
            None => Decoded::Undefined(u64::from(word), 4),
        }
    }

    fn ends_block(insn: Insn) -> bool {
        match insn {
            Insn::B(_) | Insn::Bl(_) | Insn::Br(_) | Insn::Blr(_) | Insn::Ret(_) => true,
            Insn::Svc(_) | Insn::Hvc(_) | Insn::Smc(_) | Insn::Brk(_) | Insn::Hlt(_) => true,
            Insn::Udf(_) | Insn::Eret | Insn::Isb(_) | Insn::IcIvau(_) => true,
            // A branch back is a loop: what follows runs once.
            Insn::BCond(a) => a.imm < 0 || a.cond >= 14,
            Insn::Cbz(a) | Insn::Cbnz(a) => a.imm < 0,
            Insn::Tbz(a) | Insn::Tbnz(a) => a.imm < 0,
            _ => false,
        }
    }

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

    fn fp_rounding(_: &Cpu) -> Option<u8> {
        Some(0)
    }

    fn fp_mode(_: u32) -> FpMode {
        FpMode::Nearest
    }

    fn fp_static(_: u8) -> Option<u8> {
        None
    }

    fn fp_raise(_: &mut Cpu, _: u8) {}

    /// No instruction here computes in floating point.
    fn fp(_: &mut Cpu, op: FpOp, _: Fmt, _: Rm, _: [u64; 3]) -> u64 {
        unreachable!("{op:?}: no row with semantics comes here")
    }
}
