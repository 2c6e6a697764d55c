//! Accesses of CSRs. What kernels do at each trap and each critical section is in line, as long as
//! it changes nothing that the engine has derived other state from; the rest is
//! [`super::super::system`]'s.

use std::mem::offset_of;

use arch::riscv64::Hart;
use arch::riscv64::fields::{MSTATUS_SD, MSTATUS_SIE, SSTATUS_READ, SSTATUS_WRITE};

use super::super::{FS_DIRTY, FS_OFF, MODE_FS, privilege, system};
use super::{R, Riscv64, fflags, frm, get, set};
use crate::builder::{At, Bin, Builder, Cond, Flow, Un, Width};
use crate::isa::riscv64::{CsrI, CsrR, Insn};

/// What a CSR instruction does; the number is the low part of funct3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum CsrOp {
    /// Replace.
    Write = 1,
    /// Set bits.
    Set = 2,
    /// Clear bits.
    Clear = 3,
}

/// A CSR instruction.
#[derive(Clone, Copy)]
pub(in super::super) struct CsrAccess {
    csr: u16,
    pub(super) rd: u8,
    op: CsrOp,
    /// A register, or the number itself.
    source: Result<u8, u8>,
}

const FFLAGS: u16 = 0x001;
const FRM: u16 = 0x002;
const SSTATUS: u16 = 0x100;

/// A CSR that only holds a value `[Priv §10.1]`, `[Priv §3.1]`: its field, and the bits that it has.
fn value_of(csr: u16) -> Option<(usize, u64)> {
    Some(match csr {
        0x140 => (offset_of!(Hart, sscratch), u64::MAX),
        0x141 => (offset_of!(Hart, sepc), !1),
        0x142 => (offset_of!(Hart, scause), u64::MAX),
        0x143 => (offset_of!(Hart, stval), u64::MAX),
        0x340 => (offset_of!(Hart, mscratch), u64::MAX),
        0x341 => (offset_of!(Hart, mepc), !1),
        0x342 => (offset_of!(Hart, mcause), u64::MAX),
        0x343 => (offset_of!(Hart, mtval), u64::MAX),
        _ => return None,
    })
}

impl CsrAccess {
    /// `None` of all other instructions.
    pub(in super::super) fn of(insn: Insn) -> Option<Self> {
        let (csr, rd, op, source) = match insn {
            Insn::Csrrw(a) => (a.csr, a.rd, CsrOp::Write, Ok(a.rs1)),
            Insn::Csrrs(a) => (a.csr, a.rd, CsrOp::Set, Ok(a.rs1)),
            Insn::Csrrc(a) => (a.csr, a.rd, CsrOp::Clear, Ok(a.rs1)),
            Insn::Csrrwi(a) => (a.csr, a.rd, CsrOp::Write, Err(a.uimm)),
            Insn::Csrrsi(a) => (a.csr, a.rd, CsrOp::Set, Err(a.uimm)),
            Insn::Csrrci(a) => (a.csr, a.rd, CsrOp::Clear, Err(a.uimm)),
            _ => return None,
        };
        Some(Self { csr, rd, op, source })
    }

    /// Whether anybody gets the old value.
    pub(super) fn reads(&self) -> bool {
        self.op != CsrOp::Write || self.rd != 0
    }

    pub(super) fn writes(&self) -> bool {
        self.op == CsrOp::Write || !matches!(self.source, Ok(0) | Err(0))
    }

    fn operand<B: Builder<Riscv64>>(&self, b: &mut B) -> B::V {
        match self.source {
            Ok(rs1) => get(b, rs1),
            Err(number) => b.imm(number.into()),
        }
    }

    /// What is written where `old` was, of the bits in `mask`.
    pub(super) fn written<B: Builder<Riscv64>>(&self, b: &mut B, old: B::V, mask: u64) -> B::V {
        let v = self.operand(b);
        let v = if mask == u64::MAX { v } else { and(b, v, mask) };
        match self.op {
            CsrOp::Write => v,
            CsrOp::Set => b.bin(Bin::Or, Width::W64, old, v),
            CsrOp::Clear => and_not(b, old, v),
        }
    }

    /// The instruction as [`system::CSR`] takes it.
    fn bits(&self) -> u32 {
        let (rd, source, immediate) = match self.source {
            Ok(rs1) => (u32::from(self.rd), u32::from(rs1), 0),
            Err(number) => (u32::from(self.rd), u32::from(number), 4),
        };
        u32::from(self.csr) << 20
            | source << 15
            | (self.op as u32 | immediate) << 12
            | rd << 7
            | 0x73
    }

    fn call<B: Builder<Riscv64>>(&self, b: &mut B) -> Result<B::V, B::Trap> {
        let bits = b.imm(u64::from(self.bits()));
        let v = self.operand(b);
        b.call(&system::CSR, &[bits, v])
    }
}

fn and<B: Builder<Riscv64>>(b: &mut B, v: B::V, mask: u64) -> B::V {
    let mask = b.imm(mask);
    b.bin(Bin::And, Width::W64, v, mask)
}

fn and_not<B: Builder<Riscv64>>(b: &mut B, v: B::V, not: B::V) -> B::V {
    let kept = b.un(Un::Not, Width::W64, not);
    b.bin(Bin::And, Width::W64, v, kept)
}

fn by_call<B: Builder<Riscv64>>(b: &mut B, a: CsrAccess) -> R<B> {
    let old = a.call(b)?;
    set(b, a.rd, old);
    let matters = a.writes() && system::csr_write_matters(a.csr);
    Ok(if matters { Flow::ResyncIfAsked } else { Flow::Next })
}

pub(in super::super) fn csr<B: Builder<Riscv64>>(b: &mut B, _: At, a: CsrR, op: CsrOp) -> R<B> {
    by_call(b, CsrAccess { csr: a.csr, rd: a.rd, op, source: Ok(a.rs1) })
}

pub(in super::super) fn csri<B: Builder<Riscv64>>(b: &mut B, _: At, a: CsrI, op: CsrOp) -> R<B> {
    by_call(b, CsrAccess { csr: a.csr, rd: a.rd, op, source: Err(a.uimm) })
}

/// The access in line; `None` where it takes a call.
pub(in super::super) fn csr_in_line<B: Builder<Riscv64>>(
    b: &mut B,
    a: CsrAccess,
    mode: u32,
) -> Option<R<B>> {
    let fs = mode & MODE_FS;
    match a.csr {
        FFLAGS if fs == FS_DIRTY => Some(fflags(b, a)),
        FRM if fs != FS_OFF && !a.writes() => Some(frm(b, a.rd)),
        csr if privilege(mode) < u64::from(csr >> 8 & 3) => None,
        SSTATUS if a.op == CsrOp::Write => None,
        // Whether SD is set shows at run time: floating point makes the state dirty.
        SSTATUS if fs != FS_OFF && fs != FS_DIRTY && a.rd != 0 => None,
        SSTATUS => Some(status(b, a, fs)),
        csr => value_of(csr).map(|(field, mask)| value(b, a, field, mask)),
    }
}

/// Whether a C library's quiet comparison is all that three instructions do: they read `fflags`,
/// compare, and write back what was read.
pub(in super::super) fn compares_quietly([keep, compare, restore]: [Insn; 3]) -> bool {
    let (Insn::FltS(a) | Insn::FltD(a) | Insn::FleS(a) | Insn::FleD(a)) = compare else {
        return false;
    };
    let flags = |insn| CsrAccess::of(insn).filter(|access| access.csr == FFLAGS);
    let (Some(kept), Some(restored)) = (flags(keep), flags(restore)) else { return false };
    let restores = restored.op == CsrOp::Write && restored.source == Ok(kept.rd);
    !kept.writes() && restores && !restored.reads() && kept.rd != 0 && kept.rd != a.rd
}

/// A CSR that only holds a value.
fn value<B: Builder<Riscv64>>(b: &mut B, a: CsrAccess, field: usize, mask: u64) -> R<B> {
    let old = b.field(field);
    let old = if mask == u64::MAX { old } else { and(b, old, mask) };
    let old = if a.reads() { b.share(old) } else { old };
    if a.writes() {
        let new = a.written(b, old, mask);
        b.set_field(field, new);
    }
    set(b, a.rd, old);
    Ok(Flow::Next)
}

/// Sets or clears bits of `sstatus`, which lets interrupts in or keeps them out and nothing else;
/// calls if another bit changes, or if an interrupt may be waiting.
fn status<B: Builder<Riscv64>>(b: &mut B, a: CsrAccess, fs: u32) -> R<B> {
    const OTHERS: u64 = SSTATUS_WRITE & !MSTATUS_SIE;
    let field = offset_of!(Hart, mstatus);
    let old = (a.rd != 0).then(|| {
        let status = b.field(field);
        let seen = and(b, status, SSTATUS_READ);
        let sd = b.imm(if fs == FS_DIRTY { MSTATUS_SD } else { 0 });
        let seen = b.bin(Bin::Or, Width::W64, seen, sd);
        b.share(seen)
    });
    let mut flow = Flow::Next;
    if a.writes() {
        // Of numbers in the instruction one bit counts.
        let others = match a.source {
            Ok(rs1) => {
                let v = get(b, rs1);
                let v = and(b, v, OTHERS);
                let status = b.field(field);
                Some(if a.op == CsrOp::Set {
                    and_not(b, v, status)
                } else {
                    b.bin(Bin::And, Width::W64, v, status)
                })
            }
            Err(_) => None,
        };
        let waiting = (a.op == CsrOp::Set).then(|| {
            let (mip, mie) = (b.field(offset_of!(Hart, mip)), b.field(offset_of!(Hart, mie)));
            b.bin(Bin::And, Width::W64, mip, mie)
        });
        let asked = match (others, waiting) {
            (Some(a), Some(w)) => Some(b.bin(Bin::Or, Width::W64, a, w)),
            (asked, None) | (None, asked) => asked,
        };
        if let Some(asked) = asked {
            let zero = b.imm(0);
            let asked = b.cmp(Cond::Ne, Width::W64, asked, zero);
            b.when(asked, |b| a.call(b).map(|_| ()))?;
            flow = Flow::ResyncIfAsked;
        }
        let status = b.field(field);
        let new = a.written(b, status, MSTATUS_SIE);
        b.set_field(field, new);
    }
    if let Some(old) = old {
        set(b, a.rd, old);
    }
    Ok(flow)
}
