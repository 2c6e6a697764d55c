//! PCMPESTRI and its kin: text in vectors, by a helper. [SDM-2B PCMPISTRI]

use super::super::operand;
use super::{high, immediate, read, register};
use crate::builder::{At, Builder, Flow, Width};
use crate::guest::x86_64::sem::{R, reg::RCX};
use crate::guest::x86_64::{Exception, X86_64};
use crate::guest::{Helper, Touches};
use crate::isa::x86_64::{self as isa, Insn, Operand};
use crate::ops::flags;
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

static COMPARE: Helper<X86_64> =
    Helper { name: "string_compare", touches: Touches::Registers, run: compare };

pub(in super::super::super) fn string_compare<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    how: StrCompare,
) -> R<B> {
    let y = read(b, at, insn, insn.operands[1])?;
    let low = b.xlane(Width::W64, y, 0);
    let upper = high(b, y);
    let upper = b.xlane(Width::W64, upper, 0);
    let mut what =
        u64::from(immediate(insn)) | u64::from(register(insn.operands[0])) << REGISTER_SHIFT;
    if matches!(how, StrCompare::ExplicitIndex | StrCompare::ExplicitMask) {
        what |= EXPLICIT;
    }
    let mask = matches!(how, StrCompare::ExplicitMask | StrCompare::ImplicitMask);
    if mask {
        what |= MASK;
    }
    if insn.row().text.starts_with("pcmpestri64") || insn.row().text.starts_with("pcmpestrm64") {
        what |= WIDE;
    }
    let what = b.imm(what);
    let index = b.call(&COMPARE, &[what, low, upper])?;
    if !mask {
        operand::set(b, Operand::Gpr(RCX, isa::Width::D), index);
    }
    Ok(Flow::Next)
}

/// The elements of a vector, extended as the immediate says.
struct Text {
    elements: [i32; 16],
    len: usize,
}

impl Text {
    fn new(v: u128, n: u64, length: Option<u64>) -> Self {
        let count = if n & 1 != 0 { 8 } else { 16 };
        let elements = std::array::from_fn(|i| match n & 3 {
            _ if i >= count => 0,
            0 => i32::from((v >> (8 * i)) as u8),
            1 => i32::from((v >> (16 * i)) as u16),
            2 => i32::from((v >> (8 * i)) as i8),
            _ => i32::from((v >> (16 * i)) as i16),
        });
        let len = match length {
            Some(length) => length.min(count as u64) as usize,
            None => elements[..count].iter().position(|&e| e == 0).unwrap_or(count),
        };
        Self { elements, len }
    }
}

fn compare(core: &mut Core<X86_64>, [what, low, upper]: [u64; 3]) -> Result<u64, Exception> {
    let n = what & 0xff;
    let cpu = &mut core.state;
    let length = |r: usize| {
        let value = cpu.gpr[r];
        let signed = if what & WIDE != 0 { value as i64 } else { i64::from(value as i32) };
        (what & EXPLICIT != 0).then_some(signed.unsigned_abs())
    };
    let x = cpu.xmm[(what >> REGISTER_SHIFT & 15) as usize];
    let y = u128::from(upper) << 64 | u128::from(low);
    let count = if n & 1 != 0 { 8 } else { 16 };
    let all = (1u32 << count) - 1;
    let (a, b, first);
    if n & 0b1101 == 0 || n & 0b1101 == 0b1000 {
        // What C libraries search with.
        let (x, y) = (Bytes::new(x, length(0)), Bytes::new(y, length(2)));
        first = if n & 0b1100 == 0 { x.any(&y) } else { x.each(&y) };
        (a, b) = (x.len, y.len);
    } else {
        let (x, y) = (Text::new(x, n, length(0)), Text::new(y, n, length(2)));
        first = (0..count).filter(|&j| matches(&x, &y, n, j, count)).fold(0, |m, j| m | 1 << j);
        (a, b) = (x.len, y.len);
    }
    let valid = (1u32 << b) - 1;
    let result = match n >> 4 & 3 {
        1 => !first & all,
        3 => first ^ valid,
        _ => first,
    };
    let bit = |flag: u64, on: bool| if on { flag } else { 0 };
    cpu.flags = flags::FIXED
        | bit(flags::C, result != 0)
        | bit(flags::Z, b < count)
        | bit(flags::S, a < count)
        | bit(flags::O, result & 1 != 0);
    if what & MASK == 0 {
        return Ok(match (result, n & 0x40) {
            (0, _) => count as u64,
            (_, 0) => result.trailing_zeros().into(),
            _ => (31 - result.leading_zeros()).into(),
        });
    }
    cpu.xmm[0] = if n & 0x40 == 0 {
        result.into()
    } else {
        let bits = 128 / count;
        let lane = u128::MAX >> (128 - bits);
        (0..count).filter(|j| result >> j & 1 != 0).fold(0, |m, j| m | lane << (bits * j))
    };
    Ok(0)
}

/// A text of bytes, for comparisons whose elements' signs do not matter.
struct Bytes {
    bytes: [u8; 16],
    len: usize,
}

impl Bytes {
    fn new(v: u128, length: Option<u64>) -> Self {
        const ONES: u128 = u128::MAX / 0xff;
        // The lowest bit set is that of the first zero.
        let zeros = v.wrapping_sub(ONES) & !v & ONES << 7;
        let len = match length {
            Some(length) => length.min(16) as usize,
            None => (zeros.trailing_zeros() / 8) as usize,
        };
        Self { bytes: v.to_le_bytes(), len }
    }

    /// Which elements of `other` are among these.
    fn any(&self, other: &Self) -> u32 {
        let mut found = [0; 16];
        for &byte in &self.bytes[..self.len] {
            for (found, &other) in found.iter_mut().zip(&other.bytes) {
                *found |= u8::from(byte == other);
            }
        }
        bits(found) & ((1 << other.len) - 1)
    }

    /// Which elements are the same, or behind the end of both.
    fn each(&self, other: &Self) -> u32 {
        let same = bits(std::array::from_fn(|i| u8::from(self.bytes[i] == other.bytes[i])));
        let (inside, others) = ((1u32 << self.len) - 1, (1u32 << other.len) - 1);
        same & inside & others | !inside & !others & 0xffff
    }
}

/// Bytes that are 0 or 1 as bits.
fn bits(bytes: [u8; 16]) -> u32 {
    let all = u128::from_le_bytes(bytes);
    // Each byte's bit comes to its place in the uppermost byte, and no two to the same.
    let eight = |half: u64| (half.wrapping_mul(0x0102_0408_1020_4080) >> 56) as u32;
    eight(all as u64) | eight((all >> 64) as u64) << 8
}

/// Whether element j of b is what the aggregation looks for; elements behind the end of a text
/// count as the aggregation says [SDM-1 §14.10.2, table 4-7 of SDM-2B §4.1.6].
fn matches(a: &Text, b: &Text, n: u64, j: usize, count: usize) -> bool {
    let equal = |i: usize, j: usize| a.elements[i] == b.elements[j];
    match n >> 2 & 3 {
        // Any of the set.
        0 => j < b.len && (0..a.len).any(|i| equal(i, j)),
        // In one of the ranges.
        1 => {
            j < b.len
                && (0..a.len / 2)
                    .any(|i| (a.elements[2 * i]..=a.elements[2 * i + 1]).contains(&b.elements[j]))
        }
        // The same element, or both behind the end.
        2 => match (j < a.len, j < b.len) {
            (true, true) => equal(j, j),
            (inside, other) => inside == other,
        },
        // The whole of a begins here, as far as b is seen.
        _ => (0..a.len.min(count - j)).all(|i| j + i < b.len && equal(i, j + i)),
    }
}
