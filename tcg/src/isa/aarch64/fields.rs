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
