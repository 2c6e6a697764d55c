//! Which registers and flags instructions read and write: a builder that only listens.
//!
//! A host's translator asks it ahead of emitting a block, to know whether a register that it has
//! in hand will be wanted again, and whether anybody asks for the flags of an operation.

use std::marker::PhantomData;

use crate::builder::*;
use crate::guest::{Guest, Helper};
use crate::ops::{self, flags};

/// The registers of one instruction, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Integer registers read.
    pub(crate) reads: u64,
    /// Integer registers written.
    pub(crate) writes: u64,
    /// Arithmetic flags read, as bits of their image ([`ops::flags`]).
    pub(crate) flags_read: u64,
    /// Arithmetic flags overwritten in any case.
    pub(crate) flags_written: u64,
    /// It may leave the block.
    pub(crate) branches: bool,
}

/// All arithmetic flags.
pub(crate) const ALL_FLAGS: u64 = flags::O | flags::C | flags::P | flags::A | flags::Z | flags::S;

/// The flags that an operation may change; `count` is its second operand, where that is known.
pub(crate) fn changed_flags(op: FlagOp, count: Option<u64>) -> u64 {
    match op {
        FlagOp::Shl | FlagOp::Shr | FlagOp::Sar | FlagOp::Rol | FlagOp::Ror if count == Some(0) => {
            0
        }
        FlagOp::Rol | FlagOp::Ror => flags::C | flags::O,
        FlagOp::Inc | FlagOp::Dec => ALL_FLAGS & !flags::C,
        FlagOp::Carry => flags::C,
        _ => ALL_FLAGS,
    }
}

/// The flags that an operation changes whatever its operands are.
fn overwritten_flags(op: FlagOp, count: Option<u64>) -> u64 {
    match op {
        FlagOp::Shl | FlagOp::Shr | FlagOp::Sar | FlagOp::Rol | FlagOp::Ror if count.is_none() => 0,
        _ => changed_flags(op, count),
    }
}

/// The flags that a condition looks at.
fn asked_flags(c: FlagCond) -> u64 {
    match c {
        FlagCond::Overflow | FlagCond::NoOverflow => flags::O,
        FlagCond::Carry | FlagCond::NoCarry => flags::C,
        FlagCond::Zero | FlagCond::NonZero => flags::Z,
        FlagCond::BelowEq | FlagCond::Above => flags::C | flags::Z,
        FlagCond::Sign | FlagCond::NoSign => flags::S,
        FlagCond::Parity | FlagCond::NoParity => flags::P,
        FlagCond::Less | FlagCond::GreaterEq => flags::S | flags::O,
        FlagCond::LessEq | FlagCond::Greater => flags::S | flags::O | flags::Z,
    }
}

/// Listens to one instruction.
pub(crate) struct Probe<G> {
    usage: Usage,
    guest: PhantomData<G>,
}

/// The usage of an instruction.
pub(crate) fn usage<G: Guest>(at: At, insn: G::Insn, mode: u32) -> Usage {
    let mut probe = Probe::<G> { usage: Usage::default(), guest: PhantomData };
    let Ok(flow) = G::lower(&mut probe, at, insn, mode);
    probe.usage.branches = !matches!(flow, Flow::Next);
    probe.usage
}

type Probed = Result<Option<u64>, std::convert::Infallible>;

impl<G: Guest> Probe<G> {
    /// Flags that the instruction itself has set before count as read too: that errs on the safe
    /// side.
    fn reads_flags(&mut self, flags: u64) {
        self.usage.flags_read |= flags;
    }
}

impl<G: Guest> Builder<G> for Probe<G> {
    /// A constant, if it is one.
    type V = Option<u64>;
    type F = ();
    type Trap = std::convert::Infallible;

    fn get(&mut self, r: u8) -> Option<u64> {
        self.usage.reads |= 1 << r;
        None
    }
    fn set(&mut self, r: u8, _: Option<u64>) {
        self.usage.writes |= 1 << r;
    }
    fn imm(&mut self, value: u64) -> Option<u64> {
        Some(value)
    }
    fn field(&mut self, field: usize) -> Option<u64> {
        if field == G::FLAGS {
            self.reads_flags(ALL_FLAGS);
        }
        None
    }
    fn set_field(&mut self, field: usize, _: Option<u64>) {
        if field == G::FLAGS {
            self.usage.flags_written = ALL_FLAGS;
        }
    }
    fn share(&mut self, v: Option<u64>) -> Option<u64> {
        v
    }
    fn bin(&mut self, op: Bin, w: Width, a: Option<u64>, b: Option<u64>) -> Option<u64> {
        Some(ops::bin(op, w, a?, b?))
    }
    fn un(&mut self, op: Un, w: Width, a: Option<u64>) -> Option<u64> {
        Some(ops::un(op, w, a?))
    }
    fn cmp(&mut self, _: Cond, _: Width, _: Option<u64>, _: Option<u64>) -> Option<u64> {
        None
    }
    fn select(&mut self, _: Option<u64>, _: Option<u64>, _: Option<u64>) -> Option<u64> {
        None
    }
    fn load(&mut self, _: Option<u64>, _: MemOp) -> Probed {
        Ok(None)
    }
    fn store(&mut self, _: Option<u64>, _: Option<u64>, _: MemOp) -> Result<(), Self::Trap> {
        Ok(())
    }
    fn rmw(&mut self, _: Rmw, _: Option<u64>, _: Option<u64>, _: MemOp) -> Probed {
        Ok(None)
    }
    fn cas(&mut self, _: Option<u64>, _: Option<u64>, _: Option<u64>, _: MemOp) -> Probed {
        Ok(None)
    }
    fn fence(&mut self, _: Fence) {}
    fn when(
        &mut self,
        _: Option<u64>,
        f: impl FnOnce(&mut Self) -> Result<(), Self::Trap>,
    ) -> Result<(), Self::Trap> {
        // What may or may not be written is not known to be overwritten.
        let before = (self.usage.writes, self.usage.flags_written);
        f(self)?;
        self.usage.reads |= self.usage.writes & !before.0;
        (self.usage.writes, self.usage.flags_written) = before;
        Ok(())
    }
    /// Helpers may look at the flags.
    fn call(&mut self, _: &'static Helper<G>, _: &[Option<u64>]) -> Probed {
        self.reads_flags(ALL_FLAGS);
        Ok(None)
    }
    fn flags(&mut self, op: FlagOp, _: Width, _: Option<u64>, b: Option<u64>, _: Option<u64>) {
        self.usage.flags_written |= overwritten_flags(op, b);
    }
    fn flag(&mut self, c: FlagCond) -> Option<u64> {
        self.reads_flags(asked_flags(c));
        None
    }
    fn fget(&mut self, _: u8, _: Fmt) {}
    fn fset(&mut self, _: u8, _: Fmt, (): ()) {}
    fn fload(&mut self, _: Option<u64>, _: Fmt) -> Result<(), Self::Trap> {
        Ok(())
    }
    fn fstore(&mut self, _: Option<u64>, (): (), _: Fmt) -> Result<(), Self::Trap> {
        Ok(())
    }
    fn fp2(&mut self, _: Fp2, _: Fmt, _: Rm, (): (), (): ()) {}
    fn fp3(&mut self, _: Fp3, _: Fmt, _: Rm, (): (), (): (), (): ()) {}
    fn fsqrt(&mut self, _: Fmt, _: Rm, (): ()) {}
    fn fsgnj(&mut self, _: Sgn, _: Fmt, (): (), (): ()) {}
    fn fcmp(&mut self, _: FCond, _: Fmt, (): (), (): ()) -> Option<u64> {
        None
    }
    fn fcvt_int(&mut self, _: Fmt, _: IntTy, _: Rm, (): ()) -> Option<u64> {
        None
    }
    fn fcvt_from_int(&mut self, _: Fmt, _: IntTy, _: Rm, _: Option<u64>) {}
    fn fcvt(&mut self, _: Fmt, _: Fmt, _: Rm, (): ()) {}
    fn fclass(&mut self, _: Fmt, (): ()) -> Option<u64> {
        None
    }
    fn fbits(&mut self, _: Fmt, (): ()) -> Option<u64> {
        None
    }
    fn fraw(&mut self, _: Fmt, _: Option<u64>) {}
}
