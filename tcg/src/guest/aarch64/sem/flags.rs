//! The condition flags. The state keeps the carry as a borrow, the opposite of Arm's C
//! ([`arch::aarch64::Cpu::flags`]): additions store it inverted, and conditions ask accordingly.

use arch::aarch64::state::{C, N, V, Z, flags_image};

use super::super::Exception;
use super::{Aarch64, FLAGS, R, get, set, width, with};
use crate::builder::{At, Bin, Builder, FlagCond, FlagOp, Flow, Un, Width};
use crate::guest::{Helper, Touches};
use crate::isa::aarch64::{CondCmp, CondCmpImm, CondSel, Reg3, Rmif, Setf};
use crate::ops::flags;
use crate::vcpu::Core;

use Width::W64;

/// Sets NZCV from an addition, subtraction or bitwise operation.
pub(super) fn set_flags<B: Builder<Aarch64>>(
    b: &mut B,
    op: Bin,
    w: Width,
    x: B::V,
    y: B::V,
    r: B::V,
) {
    let op = match op {
        Bin::Add => FlagOp::AddInverted,
        Bin::Sub => FlagOp::Sub,
        _ => FlagOp::LogicInverted,
    };
    b.flags(op, w, x, y, r);
}

/// The first of the conditions that always hold.
const ALWAYS: u8 = 14;

/// Whether the condition holds `[ARM-ARM C1.2]`; `None`: always.
pub(super) fn condition<B: Builder<Aarch64>>(b: &mut B, cond: u8) -> Option<B::V> {
    const CONDITIONS: [FlagCond; 14] = [
        FlagCond::Zero,
        FlagCond::NonZero,
        FlagCond::NoCarry,
        FlagCond::Carry,
        FlagCond::Sign,
        FlagCond::NoSign,
        FlagCond::Overflow,
        FlagCond::NoOverflow,
        FlagCond::Above,
        FlagCond::BelowEq,
        FlagCond::GreaterEq,
        FlagCond::Less,
        FlagCond::Greater,
        FlagCond::LessEq,
    ];
    CONDITIONS.get(usize::from(cond)).map(|&c| b.flag(c))
}

/// x + y + C, or x - y - 1 + C.
fn with_carry<B: Builder<Aarch64>>(b: &mut B, a: Reg3, op: Bin, flags: bool) -> R<B> {
    let w = width(a.sf);
    let x = get(b, a.rn);
    let y = get(b, a.rm);
    let carry = b.flag(if op == Bin::Add { FlagCond::NoCarry } else { FlagCond::Carry });
    let r = b.bin(op, w, x, y);
    let r = b.bin(op, w, r, carry);
    set(b, a.rd, r);
    if flags {
        set_flags(b, op, w, x, y, r);
    }
    Ok(Flow::Next)
}

pub(in super::super) fn adc<B: Builder<Aarch64>>(b: &mut B, _: At, a: Reg3) -> R<B> {
    with_carry(b, a, Bin::Add, false)
}

pub(in super::super) fn adcs<B: Builder<Aarch64>>(b: &mut B, _: At, a: Reg3) -> R<B> {
    with_carry(b, a, Bin::Add, true)
}

pub(in super::super) fn sbc<B: Builder<Aarch64>>(b: &mut B, _: At, a: Reg3) -> R<B> {
    with_carry(b, a, Bin::Sub, false)
}

pub(in super::super) fn sbcs<B: Builder<Aarch64>>(b: &mut B, _: At, a: Reg3) -> R<B> {
    with_carry(b, a, Bin::Sub, true)
}

/// What the second operand of a conditional comparison is.
#[derive(Clone, Copy)]
enum Second {
    Register(u8),
    Immediate(u8),
}

/// Compares if the condition holds; else the flags become `nzcv`.
fn conditional_compare<B: Builder<Aarch64>>(
    b: &mut B,
    op: Bin,
    w: Width,
    (rn, second): (u8, Second),
    (cond, nzcv): (u8, u8),
) -> R<B> {
    let holds = match condition(b, cond) {
        Some(holds) => b.share(holds),
        None => b.imm(1),
    };
    let otherwise = b.imm(flags_image(u64::from(nzcv) << 28));
    b.set_field(FLAGS, otherwise);
    b.when(holds, |b| {
        let x = get(b, rn);
        let y = match second {
            Second::Register(rm) => get(b, rm),
            Second::Immediate(imm) => b.imm(u64::from(imm)),
        };
        let r = b.bin(op, w, x, y);
        set_flags(b, op, w, x, y, r);
        Ok(())
    })?;
    Ok(Flow::Next)
}

pub(in super::super) fn ccmp<B: Builder<Aarch64>>(b: &mut B, _: At, a: CondCmp, op: Bin) -> R<B> {
    let operands = (a.rn, Second::Register(a.rm));
    conditional_compare(b, op, width(a.sf), operands, (a.cond, a.nzcv))
}

pub(in super::super) fn ccmp_imm<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: CondCmpImm,
    op: Bin,
) -> R<B> {
    let operands = (a.rn, Second::Immediate(a.imm));
    conditional_compare(b, op, width(a.sf), operands, (a.cond, a.nzcv))
}

/// What becomes of the second register of a conditional select.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Select {
    /// CSEL.
    Same,
    /// CSINC.
    Increment,
    /// CSINV.
    Invert,
    /// CSNEG.
    Negate,
}

pub(in super::super) fn csel<B: Builder<Aarch64>>(
    b: &mut B,
    _: At,
    a: CondSel,
    kind: Select,
) -> R<B> {
    let w = width(a.sf);
    // CSET: zero, or one where the inverted condition holds.
    if (kind, a.rn, a.rm) == (Select::Increment, super::SP, super::SP)
        && let (true, Some(set_if)) = (a.cond < ALWAYS, condition(b, a.cond ^ 1))
    {
        set(b, a.rd, set_if);
        return Ok(Flow::Next);
    }
    let x = get(b, a.rn);
    let x = super::zext(b, w, x);
    let Some(holds) = condition(b, a.cond) else {
        set(b, a.rd, x);
        return Ok(Flow::Next);
    };
    let y = get(b, a.rm);
    let y = match kind {
        Select::Same => super::zext(b, w, y),
        Select::Increment => {
            let one = b.imm(1);
            b.bin(Bin::Add, w, y, one)
        }
        Select::Invert => b.un(Un::Not, w, y),
        Select::Negate => b.un(Un::Neg, w, y),
    };
    let v = b.select(holds, x, y);
    set(b, a.rd, v);
    Ok(Flow::Next)
}

/// NZCV in bits 31 to 28.
pub(super) fn nzcv<B: Builder<Aarch64>>(b: &mut B) -> B::V {
    let image = b.field(FLAGS);
    let image = b.share(image);
    let part = |b: &mut B, mask: u64, up: u64| {
        let bits = with(b, Bin::And, image, mask);
        with(b, Bin::Shl, bits, up)
    };
    let nz = part(b, flags::S | flags::Z, 16);
    let not_c = part(b, flags::C, 21);
    let c = with(b, Bin::Xor, not_c, C);
    let v = part(b, flags::O, 28);
    let cv = b.bin(Bin::Or, W64, c, v);
    b.bin(Bin::Or, W64, nz, cv)
}

/// Sets NZCV from bits 31 to 28.
pub(super) fn set_nzcv<B: Builder<Aarch64>>(b: &mut B, v: B::V) {
    let v = b.share(v);
    let part = |b: &mut B, mask: u64, down: u64| {
        let bits = with(b, Bin::And, v, mask);
        with(b, Bin::Shr, bits, down)
    };
    let nz = part(b, N | Z, 16);
    let c = part(b, C, 21);
    let not_c = with(b, Bin::Xor, c, flags::C | flags::FIXED);
    let o = part(b, V, 28);
    let co = b.bin(Bin::Or, W64, not_c, o);
    let image = b.bin(Bin::Or, W64, nz, co);
    b.set_field(FLAGS, image);
}

pub(in super::super) fn cfinv<B: Builder<Aarch64>>(b: &mut B, _: At) -> R<B> {
    let inverted = b.flag(FlagCond::NoCarry);
    b.flags(FlagOp::Carry, W64, inverted, inverted, inverted);
    Ok(Flow::Next)
}

/// A change of NZCV as a whole, in plain Rust: old flags and arguments to new flags.
macro_rules! nzcv_helper {
    ($name:ident, $function:ident, |$old:ident, $args:ident| $new:expr) => {
        static $name: Helper<Aarch64> =
            Helper { name: stringify!($function), touches: Touches::Fields, run: $function };

        fn $function(core: &mut Core<Aarch64>, $args: [u64; 3]) -> Result<u64, Exception> {
            let $old = core.state.nzcv();
            let _ = $args;
            core.state.set_nzcv($new);
            Ok(0)
        }
    };
}

const fn bit(flag: u64, on: bool) -> u64 {
    if on { flag } else { 0 }
}

nzcv_helper!(AXFLAG, axflag_helper, |old, args| {
    bit(Z, old & (Z | V) != 0) | bit(C, old & (C | V) == C)
});

nzcv_helper!(XAFLAG, xaflag_helper, |old, args| {
    let (c, z) = (old & C != 0, old & Z != 0);
    bit(N, !c && !z) | bit(Z, z && c) | bit(C, c || z) | bit(V, !c && z)
});

// A value, rotated right, gives the flags that the mask names.
nzcv_helper!(RMIF, rmif_helper, |old, args| {
    let [value, lsb, mask] = args;
    let new = (value.rotate_right(lsb as u32) & mask) << 28;
    old & !(mask << 28) | new
});

// Value and width: zero, sign, and whether the bit above the sign differs from it.
nzcv_helper!(SETF, setf_helper, |old, args| {
    let [value, bits, _] = args;
    let top = value >> (bits - 1) & 1;
    let zero = value & (u64::MAX >> (64 - bits)) == 0;
    old & C | bit(N, top != 0) | bit(Z, zero) | bit(V, value >> bits & 1 != top)
});

/// Floating-point flags from the form of other architectures to Arm's.
pub(in super::super) fn xaflag<B: Builder<Aarch64>>(b: &mut B, _: At) -> R<B> {
    b.call(&XAFLAG, &[])?;
    Ok(Flow::Next)
}

/// And back.
pub(in super::super) fn axflag<B: Builder<Aarch64>>(b: &mut B, _: At) -> R<B> {
    b.call(&AXFLAG, &[])?;
    Ok(Flow::Next)
}

pub(in super::super) fn rmif<B: Builder<Aarch64>>(b: &mut B, _: At, a: Rmif) -> R<B> {
    let v = get(b, a.rn);
    let (lsb, mask) = (b.imm(u64::from(a.lsb)), b.imm(u64::from(a.mask)));
    b.call(&RMIF, &[v, lsb, mask])?;
    Ok(Flow::Next)
}

pub(in super::super) fn setf<B: Builder<Aarch64>>(b: &mut B, _: At, a: Setf, w: Width) -> R<B> {
    let v = get(b, a.rn);
    let bits = b.imm(u64::from(w.bits()));
    b.call(&SETF, &[v, bits])?;
    Ok(Flow::Next)
}
