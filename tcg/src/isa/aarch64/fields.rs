//! Bitmask immediates: a rotated run of ones, repeated over the register [ARM-ARM C3.3].
//!
//! They are kept as the instruction has them, N:immr:imms in 13 bits (N is 0 in 32-bit
//! instructions).

/// Whether the bits stand for a value.
pub fn is_bitmask(bits: u32) -> bool {
    bitmask(bits as u16).is_some()
}

/// The value of N:immr:imms for a 64-bit register; a 32-bit one takes the low half.
pub fn bitmask(bits: u16) -> Option<u64> {
    let (n, immr, imms) = (u32::from(bits >> 12), u32::from(bits >> 6 & 63), u32::from(bits & 63));
    // The element's size is the position of the highest bit of N:NOT(imms).
    let selector = n << 6 | !imms & 63;
    let log = selector.checked_ilog2().filter(|&log| log > 0)?;
    let size = 1 << log;
    let ones = (imms & (size - 1)) + 1;
    if ones == size {
        return None;
    }
    let element = u64::MAX >> (64 - size);
    let run = u64::MAX >> (64 - ones);
    let by = immr & (size - 1);
    let rotated = if by == 0 { run } else { (run >> by | run << (size - by)) & element };
    Some((0..64 / size).fold(0, |value, index| value | rotated << (index * size)))
}

/// N:immr:imms that stand for `value` in a register of 64 bits, if there are.
pub fn to_bitmask(value: u64) -> Option<u16> {
    if value == 0 || value == u64::MAX {
        return None;
    }
    // The smallest element that repeats.
    let mut size = 64;
    while size > 2 && value == value.rotate_right(size / 2) {
        size /= 2;
    }
    let element = u64::MAX >> (64 - size);
    let ones = (value & element).count_ones();
    // Rotate so that the run begins at bit 0: the element repeats, so the whole word may turn.
    let start = (0..size).find(|&by| {
        let turned = value.rotate_right(by) & element;
        turned == u64::MAX >> (64 - ones)
    })?;
    let immr = (size - start) & (size - 1);
    let imms = (ones - 1) | !(2 * size - 1) & 63;
    let n = u32::from(size == 64);
    Some((n << 12 | immr << 6 | imms) as u16)
}

/// N:immr:imms that stand for `value` in a register of 32 bits.
pub fn to_bitmask_32(value: u32) -> Option<u16> {
    to_bitmask(u64::from(value) << 32 | u64::from(value))
}

/// Logarithm of the bytes of the lanes that immh:immb of a shift names.
pub fn shift_size(immhb: u8) -> u8 {
    (immhb >> 3).checked_ilog2().unwrap_or(0) as u8
}

/// The count of a shift to the right: twice the lane's bits less immh:immb.
pub fn shift_right(immhb: u8) -> u8 {
    (16 << shift_size(immhb)) - immhb
}

/// The count of a shift to the left.
pub fn shift_left(immhb: u8) -> u8 {
    immhb - (8 << shift_size(immhb))
}

/// Logarithm of the bytes of a lane, and its number, from imm5: the lowest one names the size.
pub fn lane_of(imm5: u8) -> (u8, u8) {
    let size = imm5.trailing_zeros().min(3) as u8;
    (size, imm5 >> (size + 1))
}

/// The floating-point constant of eight bits `[ARM-ARM VFPExpandImm]`.
pub fn float_constant(imm: u8, double: bool) -> u64 {
    let (sign, rest) = (u64::from(imm >> 7), u64::from(imm & 0x3f));
    let high = imm & 0x40 != 0;
    if double {
        sign << 63 | (if high { 0x3fc0 } else { 0x4000 }) << 48 | rest << 48
    } else {
        sign << 31 | (if high { 0x3e00 } else { 0x4000 }) << 16 | rest << 19
    }
}

/// The 64 bits of a move of a constant, or of the operand of its logic `[ARM-ARM AdvSIMDExpandImm]`;
/// not complemented but for moves of bytes' masks.
pub fn vector_constant(op: bool, cmode: u8, imm: u8) -> u64 {
    let imm = u64::from(imm);
    let words = |v: u64| v | v << 32;
    match cmode {
        0..=7 => words(imm << (8 * (cmode >> 1))),
        8..=11 => words((imm | imm << 16) << (8 * (cmode >> 1 & 1))),
        12 => words(imm << 8 | 0xff),
        13 => words(imm << 16 | 0xffff),
        14 if op => (0..8).filter(|i| imm >> i & 1 != 0).map(|i| 0xff << (8 * i)).sum(),
        14 => imm * 0x0101_0101_0101_0101,
        _ if op => float_constant(imm as u8, true),
        _ => words(float_constant(imm as u8, false)),
    }
}
