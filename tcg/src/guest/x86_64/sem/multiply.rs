//! Multiplication and division.

use super::super::Vector;
use super::super::exception::RAISE;
use super::operand::{read, set, sext, width, with, zext};
use super::reg::{RAX, RDX};
use super::{R, Value, X86_64};
use crate::builder::{At, Bin, Builder, Cond, FlagOp, Flow, Un, Width};
use crate::guest::{Helper, Touches};
use crate::isa::x86_64::{self as isa, Insn, Operand};
use crate::vcpu::Core;

use super::super::Exception;
use Width::{W8, W16, W32, W64};

/// The registers that hold the low and high half of a product or dividend.
fn halves(w: Width) -> (Operand, Operand) {
    match w {
        W8 => (Operand::Gpr(RAX, isa::Width::B), Operand::High(RAX)),
        W16 => (Operand::Gpr(RAX, isa::Width::W), Operand::Gpr(RDX, isa::Width::W)),
        W32 => (Operand::Gpr(RAX, isa::Width::D), Operand::Gpr(RDX, isa::Width::D)),
        W64 => (Operand::Gpr(RAX, isa::Width::Q), Operand::Gpr(RDX, isa::Width::Q)),
    }
}

pub(in super::super) fn mul<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let w = width(insn.operands[0]);
    let y = read(b, at, insn, insn.operands[0])?;
    let x = b.get(RAX);
    let (low, high) = if w == W64 {
        let low = b.bin(Bin::Mul, W64, x, y);
        (low, b.bin(Bin::MulHighU, W64, x, y))
    } else {
        let (x, y) = (zext(b, w, x), zext(b, w, y));
        let product = b.bin(Bin::Mul, W64, x, y);
        let product = b.share(product);
        (product, with(b, Bin::Shr, product, u64::from(w.bits())))
    };
    let (low, high) = (b.share(low), b.share(high));
    set_halves(b, w, low, high);
    b.flags(FlagOp::MulU, w, x, y, low);
    Ok(Flow::Next)
}

fn set_halves<B: Builder<X86_64>>(b: &mut B, w: Width, low: B::V, high: B::V) {
    let (low_half, high_half) = halves(w);
    set(b, low_half, low);
    set(b, high_half, high);
}

/// IMUL with one operand: both halves are kept.
pub(in super::super) fn imul1<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let w = width(insn.operands[0]);
    let y = read(b, at, insn, insn.operands[0])?;
    let x = b.get(RAX);
    let (low, high) = if w == W64 {
        (b.bin(Bin::Mul, W64, x, y), b.bin(Bin::MulHighS, W64, x, y))
    } else {
        let (x, y) = (sext(b, w, x), sext(b, w, y));
        let product = b.bin(Bin::Mul, W64, x, y);
        let product = b.share(product);
        (product, with(b, Bin::Shr, product, u64::from(w.bits())))
    };
    let (low, high) = (b.share(low), b.share(high));
    set_halves(b, w, low, high);
    b.flags(FlagOp::MulS, w, x, y, low);
    Ok(Flow::Next)
}

/// IMUL with two or three operands: the low half is kept.
pub(in super::super) fn imul<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let [to, x, y, _] = insn.operands;
    let (x, y) = if y == Operand::None { (to, x) } else { (x, y) };
    let w = width(to);
    let x = read(b, at, insn, x)?;
    let y = read(b, at, insn, y)?;
    let low = b.bin(Bin::Mul, w, x, y);
    set(b, to, low);
    b.flags(FlagOp::MulS, w, x, y, low);
    Ok(Flow::Next)
}

/// The dividend in the low bits of one value: twice `w` wide, extended by `sign`.
fn dividend<B: Builder<X86_64>>(b: &mut B, w: Width, signed: bool) -> B::V {
    let low = b.get(RAX);
    let whole = match w {
        W8 => return if signed { sext(b, W16, low) } else { zext(b, W16, low) },
        _ => {
            let high = b.get(RDX);
            let low = zext(b, w, low);
            let high = zext(b, w, high);
            let high = with(b, Bin::Shl, high, u64::from(w.bits()));
            b.bin(Bin::Or, W64, low, high)
        }
    };
    if w == W16 && signed { sext(b, W32, whole) } else { whole }
}

/// #DE if `bad` is not zero.
fn check<B: Builder<X86_64>>(b: &mut B, bad: B::V) -> Result<(), B::Trap> {
    b.when(bad, |b| {
        let what = b.imm(Vector::DivideError as u64);
        b.call(&RAISE, &[what])?;
        Ok(())
    })
}

/// Division of up to 64 bits by up to 32: quotient and remainder, which fit or raise #DE.
fn divide_narrow<B: Builder<X86_64>>(
    b: &mut B,
    w: Width,
    divisor: B::V,
    signed: bool,
) -> Result<(), B::Trap> {
    let divisor = if signed { sext(b, w, divisor) } else { zext(b, w, divisor) };
    let divisor = b.share(divisor);
    let dividend = dividend(b, w, signed);
    let dividend = b.share(dividend);
    let quotient = b.bin(if signed { Bin::DivS } else { Bin::DivU }, W64, dividend, divisor);
    let quotient = b.share(quotient);
    let zero = b.imm(0);
    let by_zero = b.cmp(Cond::Eq, W64, divisor, zero);
    let kept = if signed { sext(b, w, quotient) } else { zext(b, w, quotient) };
    let too_large = b.cmp(Cond::Ne, W64, quotient, kept);
    let bad = b.bin(Bin::Or, W64, by_zero, too_large);
    check(b, bad)?;
    let product = b.bin(Bin::Mul, W64, quotient, divisor);
    let remainder = b.bin(Bin::Sub, W64, dividend, product);
    let remainder = b.share(remainder);
    set_halves(b, w, quotient, remainder);
    Ok(())
}

/// Division of 128 bits by 64. Nearly always the dividend is one of 64 bits, extended, and the
/// quotient fits for certain; what is left is done by a helper.
fn divide_wide<B: Builder<X86_64>>(b: &mut B, divisor: B::V, signed: bool) -> Result<(), B::Trap> {
    let divisor = b.share(divisor);
    let (low, high) = (b.get(RAX), b.get(RDX));
    let zero = b.imm(0);
    let extended = if signed { with(b, Bin::Sar, low, 63) } else { zero };
    let plain = b.cmp(Cond::Eq, W64, high, extended);
    let plain = b.share(plain);
    // Neither 0 nor, of signed divisors, -1.
    let fits = if signed {
        let above = with(b, Bin::Add, divisor, 1);
        let one = b.imm(1);
        b.cmp(Cond::Gtu, W64, above, one)
    } else {
        b.cmp(Cond::Ne, W64, divisor, zero)
    };
    let plain = b.bin(Bin::And, W64, plain, fits);
    let plain = b.share(plain);
    let odd = with(b, Bin::Xor, plain, 1);
    let odd = b.share(odd);
    b.when(plain, |b| {
        let low = b.get(RAX);
        let op = if signed { Bin::DivS } else { Bin::DivU };
        let quotient = b.bin(op, W64, low, divisor);
        finish_wide(b, divisor, quotient);
        Ok(())
    })?;
    b.when(odd, |b| {
        let (low, high) = (b.get(RAX), b.get(RDX));
        let quotient = b.call(if signed { &IDIV } else { &DIV }, &[low, high, divisor])?;
        finish_wide(b, divisor, quotient);
        Ok(())
    })
}

/// The quotient, and the remainder that it leaves.
fn finish_wide<B: Builder<X86_64>>(b: &mut B, divisor: B::V, quotient: B::V) {
    let quotient = b.share(quotient);
    // What the low half lacks is the remainder: it fits into 64 bits.
    let product = b.bin(Bin::Mul, W64, quotient, divisor);
    let low = b.get(RAX);
    let remainder = b.bin(Bin::Sub, W64, low, product);
    let remainder = b.share(remainder);
    set_halves(b, W64, quotient, remainder);
}

static DIV: Helper<X86_64> = Helper { name: "div", touches: Touches::Fields, run: div128 };
static IDIV: Helper<X86_64> = Helper { name: "idiv", touches: Touches::Fields, run: idiv128 };

const DIVIDE_ERROR: Exception = Exception::Fault(Vector::DivideError);

fn div128(_: &mut Core<X86_64>, [low, high, divisor]: [u64; 3]) -> Result<u64, Exception> {
    let dividend = u128::from(high) << 64 | u128::from(low);
    let quotient = dividend.checked_div(u128::from(divisor)).ok_or(DIVIDE_ERROR)?;
    u64::try_from(quotient).map_err(|_| DIVIDE_ERROR)
}

fn idiv128(_: &mut Core<X86_64>, [low, high, divisor]: [u64; 3]) -> Result<u64, Exception> {
    let dividend = (u128::from(high) << 64 | u128::from(low)) as i128;
    let quotient = dividend.checked_div(i128::from(divisor as i64)).ok_or(DIVIDE_ERROR)?;
    i64::try_from(quotient).map(|q| q as u64).map_err(|_| DIVIDE_ERROR)
}

fn divide<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn, signed: bool) -> R<B> {
    let w = width(insn.operands[0]);
    let divisor: B::V = divisor(b, at, insn)?;
    match (w, signed) {
        (W64, _) => divide_wide(b, divisor, signed)?,
        _ => divide_narrow(b, w, divisor, signed)?,
    }
    Ok(Flow::Next)
}

fn divisor<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> Value<B> {
    read(b, at, insn, insn.operands[0])
}

pub(in super::super) fn div<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    divide(b, at, insn, false)
}

pub(in super::super) fn idiv<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    divide(b, at, insn, true)
}

/// MULX: both halves into registers of choice, flags untouched.
pub(in super::super) fn mulx<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let [high_to, low_to, from, _] = insn.operands;
    let w = width(high_to);
    let y = read(b, at, insn, from)?;
    let x = b.get(RDX);
    let (low, high) = if w == W64 {
        (b.bin(Bin::Mul, W64, x, y), b.bin(Bin::MulHighU, W64, x, y))
    } else {
        let (x, y) = (b.un(Un::Zext32, W64, x), b.un(Un::Zext32, W64, y));
        let product = b.bin(Bin::Mul, W64, x, y);
        let product = b.share(product);
        (product, with(b, Bin::Shr, product, 32))
    };
    // Of equal destinations the high half stays.
    set(b, low_to, low);
    set(b, high_to, high);
    Ok(Flow::Next)
}
