//! System registers of EL0, barriers, hints, cache maintenance `[ARM-ARM C5]`.

use std::mem::offset_of;

use arch::aarch64::Cpu;
use arch::aarch64::state::{fpcr, fpsr};

use super::super::Exception;

use super::flags::{nzcv, set_nzcv};
use super::{Aarch64, R, get, set, undefined, with};
use crate::builder::{At, Bin, Builder, Fence, Flow, MemOp};
use crate::guest::{Helper, Touches};
use crate::isa::aarch64::{self as isa, OneX, Pstate, Sys};
use crate::vcpu::Core;

/// System registers that have rows of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum SysReg {
    Nzcv,
    Fpcr,
    Fpsr,
    TpidrEl0,
    CtrEl0,
    DczidEl0,
}

/// Cache lines of 64 bytes; neither data nor instruction caches need cleaning for code to be seen.
const CTR_EL0: u64 = 0xb444_c004;
/// Log2 of the words that DC ZVA zeroes: 64 bytes.
const DCZID_EL0: u64 = 4;
const ZVA_BYTES: u64 = 64;
/// op0 - 2, op1, CRn, CRm, op2 of TPIDRRO_EL0.
const TPIDRRO_EL0: u16 = 1 << 14 | 3 << 11 | 13 << 7 | 3;
const CNTFRQ_EL0: u16 = 1 << 14 | 3 << 11 | 14 << 7;
const CNTVCT_EL0: u16 = CNTFRQ_EL0 | 2;

/// Translated code keeps flags of its own, which have been raised in the state when this comes.
static READ_FPSR: Helper<Aarch64> =
    Helper { name: "read_fpsr", touches: Touches::Fields, run: read_fpsr };

fn read_fpsr(core: &mut Core<Aarch64>, _: [u64; 3]) -> Result<u64, Exception> {
    Ok(core.state.fpsr)
}

static WRITE_FPSR: Helper<Aarch64> =
    Helper { name: "write_fpsr", touches: Touches::Fields, run: write_fpsr };

fn write_fpsr(core: &mut Core<Aarch64>, [v, ..]: [u64; 3]) -> Result<u64, Exception> {
    core.state.fpsr = v & fpsr::WRITABLE;
    Ok(0)
}

static WRITE_FPCR: Helper<Aarch64> =
    Helper { name: "write_fpcr", touches: Touches::Fields, run: write_fpcr };

fn write_fpcr(core: &mut Core<Aarch64>, [v, ..]: [u64; 3]) -> Result<u64, Exception> {
    core.state.fpcr = v & fpcr::WRITABLE;
    Ok(0)
}

/// The system counter, at a gigahertz.
static COUNTER: Helper<Aarch64> =
    Helper { name: "counter", touches: Touches::Fields, run: counter };

fn counter(core: &mut Core<Aarch64>, _: [u64; 3]) -> Result<u64, Exception> {
    Ok(core.machine.clock.now_ns())
}

pub(in super::super) fn mrs<B: Builder<Aarch64>>(b: &mut B, _: At, a: OneX, reg: SysReg) -> R<B> {
    let v = match reg {
        SysReg::Nzcv => nzcv(b),
        SysReg::Fpcr => b.field(offset_of!(Cpu, fpcr)),
        SysReg::Fpsr => b.call(&READ_FPSR, &[])?,
        SysReg::TpidrEl0 => b.field(offset_of!(Cpu, tpidr_el0)),
        SysReg::CtrEl0 => b.imm(CTR_EL0),
        SysReg::DczidEl0 => b.imm(DCZID_EL0),
    };
    set(b, a.rt, v);
    Ok(Flow::Next)
}

pub(in super::super) fn msr<B: Builder<Aarch64>>(b: &mut B, _: At, a: OneX, reg: SysReg) -> R<B> {
    let v = get(b, a.rt);
    let field = match reg {
        SysReg::Nzcv => {
            set_nzcv(b, v);
            return Ok(Flow::Next);
        }
        // Translated code depends on it.
        SysReg::Fpcr => {
            b.call(&WRITE_FPCR, &[v])?;
            return Ok(Flow::Resync);
        }
        SysReg::Fpsr => {
            b.call(&WRITE_FPSR, &[v])?;
            return Ok(Flow::Next);
        }
        SysReg::TpidrEl0 => offset_of!(Cpu, tpidr_el0),
        SysReg::CtrEl0 | SysReg::DczidEl0 => return undefined(b),
    };
    b.set_field(field, v);
    Ok(Flow::Next)
}

pub(in super::super) fn mrs_any<B: Builder<Aarch64>>(b: &mut B, _: At, a: isa::SysReg) -> R<B> {
    let v = match a.reg {
        TPIDRRO_EL0 => b.field(offset_of!(Cpu, tpidrro_el0)),
        CNTFRQ_EL0 => b.imm(1_000_000_000),
        CNTVCT_EL0 => b.call(&COUNTER, &[])?,
        _ => return undefined(b),
    };
    set(b, a.rt, v);
    Ok(Flow::Next)
}

/// The registers that EL0 writes have rows of their own.
pub(in super::super) fn msr_any<B: Builder<Aarch64>>(b: &mut B, _: At, _: isa::SysReg) -> R<B> {
    undefined(b)
}

pub(in super::super) fn msr_imm<B: Builder<Aarch64>>(b: &mut B, _: At, _: Pstate) -> R<B> {
    undefined(b)
}

pub(in super::super) fn sys<B: Builder<Aarch64>>(b: &mut B, _: At, _: Sys) -> R<B> {
    undefined(b)
}

pub(in super::super) fn sysl<B: Builder<Aarch64>>(b: &mut B, _: At, _: Sys) -> R<B> {
    undefined(b)
}

/// Zeroes a block.
pub(in super::super) fn dc_zva<B: Builder<Aarch64>>(b: &mut B, _: At, a: OneX) -> R<B> {
    let address = get(b, a.rt);
    let start = with(b, Bin::And, address, !(ZVA_BYTES - 1));
    let start = b.share(start);
    let zero = b.imm(0);
    for offset in (0..ZVA_BYTES).step_by(8) {
        let va = with(b, Bin::Add, start, offset);
        b.store(va, zero, MemOp::SD)?;
    }
    Ok(Flow::Next)
}

/// There are no caches to clean, but the address has to be readable.
pub(in super::super) fn dc_clean<B: Builder<Aarch64>>(b: &mut B, _: At, a: OneX) -> R<B> {
    let va = get(b, a.rt);
    b.load(va, MemOp::LBU)?;
    Ok(Flow::Next)
}

/// Stores to code are noticed as they happen: what is left is to look the code up again.
pub(in super::super) fn ic_ivau<B: Builder<Aarch64>>(_: &mut B, _: At, _: OneX) -> R<B> {
    Ok(Flow::Resync)
}

/// The barriers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Barrier {
    Dsb,
    Dmb,
    Isb,
}

/// The low bits of the option say which accesses are ordered: loads, stores, all.
pub(in super::super) fn barrier<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: isa::Barrier,
    kind: Barrier,
) -> R<B> {
    if kind == Barrier::Isb {
        return Ok(Flow::Resync);
    }
    b.fence(match (kind, a.option & 3) {
        (Barrier::Dmb, 1) => Fence::Acquire,
        (Barrier::Dmb, 2) => Fence::Release,
        _ => Fence::Full,
    });
    Ok(Flow::Next)
}

/// Hints that say something about waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Hint {
    Yield,
    Wfe,
    Wfi,
    Sev,
    Sevl,
}

/// Waiting may end at once, and programs do not wait for interrupts.
pub(in super::super) fn hint<B: Builder<Aarch64>>(_: &mut B, _: At, _: Hint) -> R<B> {
    Ok(Flow::Next)
}

pub(in super::super) fn nop<B: Builder<Aarch64>>(_: &mut B, _: At) -> R<B> {
    Ok(Flow::Next)
}

pub(in super::super) fn unknown_hint<B: Builder<Aarch64>>(_: &mut B, _: At, _: isa::Hint) -> R<B> {
    Ok(Flow::Next)
}
