//! Comparisons of texts in vectors, as SSE4.2 has them [SDM-2B PCMPISTRI].

use super::flags;

/// Which elements of `y` the comparison that `n` names finds, as bits, and the image of the flags.
/// Without a length a text ends before its first zero.
pub fn compare(x: u128, y: u128, n: u8, lengths: [Option<u64>; 2]) -> (u32, u64) {
    let count = if n & 1 != 0 { 8 } else { 16 };
    let all = (1u32 << count) - 1;
    let (a, b, first);
    if n & 0b1101 == 0 || n & 0b1101 == 0b1000 {
        // What C libraries search with.
        let (x, y) = (Bytes::new(x, lengths[0]), Bytes::new(y, lengths[1]));
        first = if n & 0b1100 == 0 { x.any(&y) } else { x.each(&y) };
        (a, b) = (x.len, y.len);
    } else {
        let (x, y) = (Text::new(x, n, lengths[0]), Text::new(y, n, lengths[1]));
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
    let image = flags::FIXED
        | bit(flags::C, result != 0)
        | bit(flags::Z, b < count)
        | bit(flags::S, a < count)
        | bit(flags::O, result & 1 != 0);
    (result, image)
}

/// What [`Builder::xtext`](crate::builder::Builder::xtext) gives.
pub fn packed(x: u128, y: u128, n: u8) -> u64 {
    let (result, image) = compare(x, y, n, [None; 2]);
    u64::from(result) | image << 16
}

/// The elements of a vector, extended as the immediate says.
struct Text {
    elements: [i32; 16],
    len: usize,
}

impl Text {
    fn new(v: u128, n: u8, length: Option<u64>) -> Self {
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
fn matches(a: &Text, b: &Text, n: u8, j: usize, count: usize) -> bool {
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
