//! Operands: reading and writing registers, parts of registers, and memory.

use std::mem::offset_of;

use arch::x86_64::Cpu;

use super::{Value, X86_64};
use crate::builder::{At, Bin, Builder, MemOp, Un, Width};
use crate::isa::x86_64::{self as isa, Insn, Mem, Operand, Segment};

use Width::{W8, W16, W32, W64};

/// The engine's name for an operand size.
#[inline]
pub(super) fn size(w: isa::Width) -> Width {
    match w {
        isa::Width::B => W8,
        isa::Width::W => W16,
        isa::Width::D => W32,
        isa::Width::Q => W64,
    }
}

/// Width of an operand.
#[inline]
pub(super) fn width(operand: Operand) -> Width {
    match operand {
        Operand::Gpr(_, w) | Operand::Imm(w) => size(w),
        Operand::Mem(bytes) | Operand::Destination(bytes) => match bytes {
            1 => W8,
            2 => W16,
            4 => W32,
            _ => W64,
        },
        _ => W8,
    }
}

/// An access of a width, zero-extending.
#[inline]
pub(super) fn access(w: Width) -> MemOp {
    MemOp::new(w as u8, false)
}

/// The low `w` bits of a value, zero-extended.
#[inline]
pub(super) fn zext<B: Builder<X86_64>>(b: &mut B, w: Width, v: B::V) -> B::V {
    match w {
        W8 => b.un(Un::Zext8, W64, v),
        W16 => b.un(Un::Zext16, W64, v),
        W32 => b.un(Un::Zext32, W64, v),
        W64 => v,
    }
}

/// The low `w` bits of a value, sign-extended to 64.
#[inline]
pub(super) fn sext<B: Builder<X86_64>>(b: &mut B, w: Width, v: B::V) -> B::V {
    match w {
        W8 => b.un(Un::Sext8, W64, v),
        W16 => b.un(Un::Sext16, W64, v),
        W32 => b.un(Un::Sext32, W64, v),
        W64 => v,
    }
}

/// `v op constant`, 64 bits wide.
#[inline]
pub(super) fn with<B: Builder<X86_64>>(b: &mut B, op: Bin, v: B::V, constant: u64) -> B::V {
    let constant = b.imm(constant);
    b.bin(op, W64, v, constant)
}

/// The address of a memory operand, without its segment.
pub(super) fn offset<B: Builder<X86_64>>(b: &mut B, at: At, mem: &Mem) -> B::V {
    let disp = mem.disp as u64;
    let w = if mem.addr32 { W32 } else { W64 };
    let base = match mem.base {
        Some(Mem::RIP) => {
            let target = at.next().wrapping_add(disp);
            return b.imm(target & w.mask());
        }
        Some(base) => Some(b.get(base)),
        None => None,
    };
    let index = mem.index.map(|(index, scale)| {
        let index = b.get(index);
        if scale == 0 {
            return index;
        }
        let scale = b.imm(u64::from(scale));
        b.bin(Bin::Shl, w, index, scale)
    });
    let sum = match (base, index) {
        (Some(base), Some(index)) => b.bin(Bin::Add, w, base, index),
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => return b.imm(disp & w.mask()),
    };
    let disp = b.imm(disp);
    let sum = b.bin(Bin::Add, w, sum, disp);
    zext(b, w, sum)
}

/// Adds the base of the segment, which only FS and GS have.
pub(super) fn linear<B: Builder<X86_64>>(b: &mut B, segment: Segment, offset: B::V) -> B::V {
    let field = match segment {
        Segment::Fs => offset_of!(Cpu, fs_base),
        Segment::Gs => offset_of!(Cpu, gs_base),
        _ => return offset,
    };
    let base = b.field(field);
    b.bin(Bin::Add, W64, base, offset)
}

/// The address of a memory operand, to be used more than once.
pub(super) fn address<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> B::V {
    let offset = offset(b, at, &insn.mem);
    let va = linear(b, insn.mem.segment, offset);
    let plain = !insn.mem.addr32 && !matches!(insn.mem.segment, Segment::Fs | Segment::Gs);
    // What is part of an access anyway is not computed before.
    if plain { va } else { b.share(va) }
}

/// An operand that is read and then written: the address is computed once.
#[derive(Clone, Copy)]
pub(super) enum Place<V> {
    /// A register or part of one.
    Register(Operand),
    /// Memory.
    Memory(V, MemOp),
}

/// Finds the operand.
pub(super) fn place<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    operand: Operand,
) -> Place<B::V> {
    match operand {
        Operand::Mem(_) => Place::Memory(address(b, at, insn), access(width(operand))),
        _ => Place::Register(operand),
    }
}

/// Reads what is there.
pub(super) fn load<B: Builder<X86_64>>(b: &mut B, insn: &Insn, place: Place<B::V>) -> Value<B> {
    Ok(match place {
        Place::Memory(va, m) => b.load(va, m)?,
        Place::Register(operand) => register(b, insn, operand),
    })
}

/// Writes the low bits of `v` there.
pub(super) fn store<B: Builder<X86_64>>(
    b: &mut B,
    place: Place<B::V>,
    v: B::V,
) -> Result<(), B::Trap> {
    match place {
        Place::Memory(va, m) => b.store(va, v, m)?,
        Place::Register(operand) => set(b, operand, v),
    }
    Ok(())
}

/// Reads an operand.
pub(super) fn read<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    operand: Operand,
) -> Value<B> {
    match operand {
        Operand::Mem(_) => {
            let offset = offset(b, at, &insn.mem);
            let va = linear(b, insn.mem.segment, offset);
            b.load(va, access(width(operand)))
        }
        _ => Ok(register(b, insn, operand)),
    }
}

/// A register or a constant; 64 bits, of which the low ones are meant.
fn register<B: Builder<X86_64>>(b: &mut B, insn: &Insn, operand: Operand) -> B::V {
    match operand {
        Operand::Gpr(r, _) => b.get(r),
        Operand::High(r) => {
            let whole = b.get(r);
            with(b, Bin::Shr, whole, 8)
        }
        _ => b.imm(insn.value(operand) as u64),
    }
}

/// Writes an operand.
pub(super) fn write<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    operand: Operand,
    v: B::V,
) -> Result<(), B::Trap> {
    let place = place(b, at, insn, operand);
    store(b, place, v)
}

/// Writes a register, merging it with the rest of the old one where it is narrow.
pub(super) fn set<B: Builder<X86_64>>(b: &mut B, operand: Operand, v: B::V) {
    if let Operand::Gpr(r, _) | Operand::High(r) = operand {
        let merged = merge(b, operand, v);
        b.set(r, merged);
    }
}

/// The register's new value: 32-bit results are zero-extended, narrower ones leave the rest.
pub(super) fn merge<B: Builder<X86_64>>(b: &mut B, operand: Operand, v: B::V) -> B::V {
    let (r, low, shift) = match operand {
        Operand::High(r) => (r, W8, 8),
        Operand::Gpr(_, isa::Width::Q) => return v,
        Operand::Gpr(_, isa::Width::D) => return zext(b, W32, v),
        Operand::Gpr(r, w) => (r, size(w), 0),
        _ => return v,
    };
    let old = b.get(r);
    let rest = with(b, Bin::And, old, !(low.mask() << shift));
    let part = zext(b, low, v);
    let part = if shift == 0 { part } else { with(b, Bin::Shl, part, shift) };
    b.bin(Bin::Or, W64, rest, part)
}
