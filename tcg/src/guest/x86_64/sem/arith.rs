//! Addition, subtraction, logic, comparison, exchange-and-add.

use super::operand::{Place, access, address, load, merge, place, read, set, store, width, zext};
use super::reg::RAX;
use super::{R, X86_64};
use crate::builder::{At, Bin, Builder, Cond, FlagCond, FlagOp, Flow, Rmw, Un, Width};
use crate::isa::x86_64::{self as isa, Insn, Operand};

use Width::W64;

/// The operations of two operands that share one shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Alu {
    Add,
    Or,
    Adc,
    Sbb,
    And,
    Sub,
    Xor,
}

impl Alu {
    fn bin(self) -> Bin {
        match self {
            Alu::Add | Alu::Adc => Bin::Add,
            Alu::Sub | Alu::Sbb => Bin::Sub,
            Alu::And => Bin::And,
            Alu::Or => Bin::Or,
            Alu::Xor => Bin::Xor,
        }
    }

    fn flags(self) -> FlagOp {
        match self {
            Alu::Add | Alu::Adc => FlagOp::Add,
            Alu::Sub | Alu::Sbb => FlagOp::Sub,
            Alu::And | Alu::Or | Alu::Xor => FlagOp::Logic,
        }
    }

    fn rmw(self) -> Rmw {
        match self {
            Alu::And => Rmw::And,
            Alu::Or => Rmw::Or,
            Alu::Xor => Rmw::Xor,
            _ => Rmw::Add,
        }
    }

    fn carries(self) -> bool {
        matches!(self, Alu::Adc | Alu::Sbb)
    }
}

pub(in super::super) fn alu<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn, op: Alu) -> R<B> {
    let [to, from, ..] = insn.operands;
    let w = width(to);
    // The idioms that make zero, and all ones from the carry, depend on no register.
    let same = to == from && matches!(to, Operand::Gpr(..));
    let y =
        if same && matches!(op, Alu::Xor | Alu::Sub) { b.imm(0) } else { read(b, at, insn, from)? };
    let carry = op.carries().then(|| b.flag(FlagCond::Carry));
    let place = place(b, at, insn, to);
    if let (Place::Memory(va, m), true) = (place, insn.lock) {
        let operand = match carry {
            Some(carry) => b.bin(Bin::Add, w, y, carry),
            None => y,
        };
        let negative = op.bin() == Bin::Sub;
        let change = if negative { b.un(Un::Neg, w, operand) } else { operand };
        if !b.wants_flags() {
            b.update(op.rmw(), va, change, m)?;
            return Ok(Flow::Next);
        }
        let x = b.rmw(op.rmw(), va, change, m)?;
        let r = b.bin(op.bin(), w, x, operand);
        b.flags(op.flags(), w, x, y, r);
        return Ok(Flow::Next);
    }
    let x = if same && matches!(op, Alu::Xor | Alu::Sub) { y } else { load(b, insn, place)? };
    let r = b.bin(op.bin(), w, x, y);
    let r = match carry {
        Some(carry) => b.bin(op.bin(), w, r, carry),
        None => r,
    };
    store(b, place, r)?;
    b.flags(op.flags(), w, x, y, r);
    Ok(Flow::Next)
}

pub(in super::super) fn compare<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let [x, y, ..] = insn.operands;
    let w = width(x);
    let x = read(b, at, insn, x)?;
    let y = read(b, at, insn, y)?;
    let r = b.bin(Bin::Sub, w, x, y);
    b.flags(FlagOp::Sub, w, x, y, r);
    Ok(Flow::Next)
}

pub(in super::super) fn test<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let [x, y, ..] = insn.operands;
    let w = width(x);
    let x = read(b, at, insn, x)?;
    let y = read(b, at, insn, y)?;
    let r = b.bin(Bin::And, w, x, y);
    b.flags(FlagOp::Logic, w, x, y, r);
    Ok(Flow::Next)
}

pub(in super::super) fn not<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let to = insn.operands[0];
    let place = place(b, at, insn, to);
    if let (Place::Memory(va, m), true) = (place, insn.lock) {
        let ones = b.imm(u64::MAX);
        b.update(Rmw::Xor, va, ones, m)?;
        return Ok(Flow::Next);
    }
    let x = load(b, insn, place)?;
    let r = b.un(Un::Not, width(to), x);
    store(b, place, r)?;
    Ok(Flow::Next)
}

pub(in super::super) fn neg<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let to = insn.operands[0];
    let w = width(to);
    let place = place(b, at, insn, to);
    let x = load(b, insn, place)?;
    let zero = b.imm(0);
    let r = b.un(Un::Neg, w, x);
    if let (Place::Memory(va, m), true) = (place, insn.lock) {
        // Again, if somebody else wrote between.
        let found = b.cas(va, x, r, m)?;
        let failed = b.cmp(Cond::Ne, w, found, x);
        b.flags(FlagOp::Sub, w, zero, x, r);
        return Ok(Flow::Branch(failed, at.pc));
    }
    store(b, place, r)?;
    b.flags(FlagOp::Sub, w, zero, x, r);
    Ok(Flow::Next)
}

/// INC and DEC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Step {
    Inc,
    Dec,
}

pub(in super::super) fn step<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn, op: Step) -> R<B> {
    let to = insn.operands[0];
    let w = width(to);
    let (bin, flags) = match op {
        Step::Inc => (Bin::Add, FlagOp::Inc),
        Step::Dec => (Bin::Sub, FlagOp::Dec),
    };
    let place = place(b, at, insn, to);
    let one = b.imm(1);
    if let (Place::Memory(va, m), true) = (place, insn.lock) {
        let by = b.imm(if op == Step::Inc { 1 } else { u64::MAX });
        if !b.wants_flags() {
            b.update(Rmw::Add, va, by, m)?;
            return Ok(Flow::Next);
        }
        let x = b.rmw(Rmw::Add, va, by, m)?;
        let r = b.bin(bin, w, x, one);
        b.flags(flags, w, x, one, r);
        return Ok(Flow::Next);
    }
    let x = load(b, insn, place)?;
    let r = b.bin(bin, w, x, one);
    store(b, place, r)?;
    b.flags(flags, w, x, one, r);
    Ok(Flow::Next)
}

/// Two writes of one instruction; they may be to parts of one register, the second on top.
fn set_both<B: Builder<X86_64>>(b: &mut B, first: (Operand, B::V), second: (Operand, B::V)) {
    // Values were read before: `set` of the second merges with what the first left.
    set(b, first.0, first.1);
    set(b, second.0, second.1);
}

pub(in super::super) fn xadd<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let [to, from, ..] = insn.operands;
    let w = width(to);
    let y = read(b, at, insn, from)?;
    let place = place(b, at, insn, to);
    let (x, r) = match place {
        Place::Memory(va, m) if insn.lock => {
            let x = b.rmw(Rmw::Add, va, y, m)?;
            (x, b.bin(Bin::Add, w, x, y))
        }
        Place::Memory(va, m) => {
            let x = b.load(va, m)?;
            let r = b.bin(Bin::Add, w, x, y);
            b.store(va, r, m)?;
            (x, r)
        }
        Place::Register(_) => {
            let x = load(b, insn, place)?;
            (x, b.bin(Bin::Add, w, x, y))
        }
    };
    let (x, y) = (b.share(x), b.share(y));
    match place {
        Place::Memory(..) => set(b, from, x),
        Place::Register(to) => set_both(b, (from, x), (to, r)),
    }
    b.flags(FlagOp::Add, w, x, y, r);
    Ok(Flow::Next)
}

/// The accumulator of that width.
fn accumulator(w: Width) -> Operand {
    Operand::Gpr(
        RAX,
        match w {
            Width::W8 => isa::Width::B,
            Width::W16 => isa::Width::W,
            Width::W32 => isa::Width::D,
            W64 => isa::Width::Q,
        },
    )
}

pub(in super::super) fn cmpxchg<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let [to, from, ..] = insn.operands;
    let w = width(to);
    let y = read(b, at, insn, from)?;
    let expected = b.get(RAX);
    let place = place(b, at, insn, to);
    let found = match place {
        Place::Memory(va, m) if insn.lock => b.cas(va, expected, y, m)?,
        _ => load(b, insn, place)?,
    };
    let found = zext(b, w, found);
    let found = b.share(found);
    let equal = b.cmp(Cond::Eq, w, found, expected);
    let equal = b.share(equal);
    let difference = b.bin(Bin::Sub, w, expected, found);
    let new_rax = accumulator_after(b, w, equal, found);
    match place {
        Place::Memory(va, m) => {
            if !insn.lock {
                let new = b.select(equal, y, found);
                b.store(va, new, m)?;
            }
            b.set(RAX, new_rax);
        }
        Place::Register(to) => {
            let y = b.share(y);
            b.set(RAX, new_rax);
            // Untouched if they differed: not even a 32-bit register is zero-extended.
            if let Operand::Gpr(r, _) | Operand::High(r) = to {
                let whole = b.get(r);
                let merged = merge(b, to, y);
                let new = b.select(equal, merged, whole);
                b.set(r, new);
            }
        }
    }
    b.flags(FlagOp::Sub, w, expected, found, difference);
    Ok(Flow::Next)
}

/// The accumulator's register after CMPXCHG: untouched if the values were equal.
fn accumulator_after<B: Builder<X86_64>>(b: &mut B, w: Width, equal: B::V, found: B::V) -> B::V {
    let whole = b.get(RAX);
    let merged = merge(b, accumulator(w), found);
    let new = b.select(equal, whole, merged);
    b.share(new)
}

/// Exchange; with memory it is atomic, LOCK or not `[SDM-2B §4.3]`.
pub(in super::super) fn xchg<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let [x, y, ..] = insn.operands;
    let w = width(x);
    if let Operand::Mem(_) = x {
        let va = address(b, at, insn);
        let v = read(b, at, insn, y)?;
        let old = b.rmw(Rmw::Swap, va, v, access(w))?;
        set(b, y, old);
        return Ok(Flow::Next);
    }
    let v = read(b, at, insn, x)?;
    let u = read(b, at, insn, y)?;
    set_both(b, (x, u), (y, v));
    Ok(Flow::Next)
}
