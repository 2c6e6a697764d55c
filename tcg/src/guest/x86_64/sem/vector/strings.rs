//! PCMPESTRI and its kin: text in vectors. What C libraries use is an operation of the builder, the
//! rest a helper. [SDM-2B PCMPISTRI]

use super::super::operand;
use super::{high, immediate, read, register};
use crate::builder::{At, Bin, Builder, Flow, Un, Width};
use crate::guest::x86_64::sem::{FLAGS, R, reg::RCX};
use crate::guest::x86_64::{Exception, X86_64};
use crate::guest::{Helper, Touches};
use crate::isa::x86_64::{self as isa, Insn, Operand};
use crate::ops::text;
use crate::vcpu::Core;

/// Whether lengths are given, and whether the result is a number or a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super::super) enum StrCompare {
    ExplicitMask,
    ExplicitIndex,
    ImplicitMask,
    ImplicitIndex,
}

/// In the helper's first argument: the immediate, the register of the first operand, these.
const REGISTER_SHIFT: u32 = 8;
const EXPLICIT: u64 = 1 << 16;
const MASK: u64 = 1 << 17;
const WIDE: u64 = 1 << 18;

/// In the immediate: the result is the highest element's number, or a mask of whole elements.
const HIGHEST_OR_LANES: u8 = 0x40;

static COMPARE: Helper<X86_64> =
    Helper { name: "string_compare", touches: Touches::Registers, run: compare };

pub(in super::super::super) fn string_compare<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    how: StrCompare,
) -> R<B> {
    let y = read(b, at, insn, insn.operands[1])?;
    let n = immediate(insn);
    if n & HIGHEST_OR_LANES == 0
        && let StrCompare::ImplicitIndex | StrCompare::ImplicitMask = how
    {
        let x = b.xget(register(insn.operands[0]));
        return Ok(short(b, x, y, n, how));
    }
    let low = b.xlane(Width::W64, y, 0);
    let upper = high(b, y);
    let upper = b.xlane(Width::W64, upper, 0);
    let mut what = u64::from(n) | u64::from(register(insn.operands[0])) << REGISTER_SHIFT;
    if matches!(how, StrCompare::ExplicitIndex | StrCompare::ExplicitMask) {
        what |= EXPLICIT;
    }
    let mask = matches!(how, StrCompare::ExplicitMask | StrCompare::ImplicitMask);
    if mask {
        what |= MASK;
    }
    if insn.row().text().starts_with("pcmpestri64") || insn.row().text().starts_with("pcmpestrm64")
    {
        what |= WIDE;
    }
    let what = b.imm(what);
    let index = b.call(&COMPARE, &[what, low, upper])?;
    if !mask {
        operand::set(b, Operand::Gpr(RCX, isa::Width::D), index);
    }
    Ok(Flow::Next)
}

/// Texts that end in zeros, and a result in the order of bits.
fn short<B: Builder<X86_64>>(b: &mut B, x: B::F, y: B::F, n: u8, how: StrCompare) -> Flow<B::V> {
    let result = b.xtext(x, y, n);
    let result = b.share(result);
    let image = operand::with(b, Bin::Shr, result, 16);
    b.set_field(FLAGS, image);
    if how == StrCompare::ImplicitMask {
        let found = operand::with(b, Bin::And, result, 0xffff);
        let nothing = b.ximm(0);
        let found = b.xinsert(Width::W64, nothing, 0, found);
        b.xset(0, found);
    } else {
        // Behind the last element is the number for none.
        let end = if n & 1 != 0 { 8 } else { 16 };
        let found = operand::with(b, Bin::Or, result, 1 << end);
        let index = b.un(Un::Ctz, Width::W32, found);
        operand::set(b, Operand::Gpr(RCX, isa::Width::D), index);
    }
    Flow::Next
}

fn compare(core: &mut Core<X86_64>, [what, low, upper]: [u64; 3]) -> Result<u64, Exception> {
    let n = what as u8;
    let cpu = &mut core.state;
    let length = |r: usize| {
        let value = cpu.gpr[r];
        let signed = if what & WIDE != 0 { value as i64 } else { i64::from(value as i32) };
        (what & EXPLICIT != 0).then_some(signed.unsigned_abs())
    };
    let x = cpu.xmm[(what >> REGISTER_SHIFT & 15) as usize];
    let y = u128::from(upper) << 64 | u128::from(low);
    let (result, image) = text::compare(x, y, n, [length(0), length(2)]);
    cpu.flags = image;
    let count = if n & 1 != 0 { 8 } else { 16 };
    if what & MASK == 0 {
        return Ok(match (result, n & HIGHEST_OR_LANES) {
            (0, _) => count as u64,
            (_, 0) => result.trailing_zeros().into(),
            _ => (31 - result.leading_zeros()).into(),
        });
    }
    cpu.xmm[0] = if n & HIGHEST_OR_LANES == 0 {
        result.into()
    } else {
        let bits = 128 / count;
        let lane = u128::MAX >> (128 - bits);
        (0..count).filter(|j| result >> j & 1 != 0).fold(0, |m, j| m | lane << (bits * j))
    };
    Ok(0)
}
