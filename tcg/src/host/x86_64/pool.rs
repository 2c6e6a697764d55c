//! Constants that translated code reads, behind the stubs.

/// A constant of 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Constant {
    /// The sign bit of a double.
    SignD,
    /// All bits of a double but its sign.
    RestD,
    /// The sign bit of a single; nothing above.
    SignS,
    /// All bits but the sign of the single at the bottom.
    RestS,
    /// The canonical NaN as a double.
    NanD,
    /// The canonical NaN as a boxed single.
    NanS,
}

const CONSTANTS: [[u64; 2]; 6] = [
    [1 << 63, 0],
    [u64::MAX >> 1, u64::MAX],
    [1 << 31, 0],
    [!(1 << 31), u64::MAX],
    [0x7ff8_0000_0000_0000, 0],
    [0xffff_ffff_7fc0_0000, 0],
];

/// Bytes from the start of the pool.
pub(super) fn offset(constant: Constant) -> usize {
    constant as usize * 16
}

/// The pool, to be placed at a multiple of 16.
pub(super) fn bytes() -> Vec<u8> {
    CONSTANTS.iter().flatten().flat_map(|word| word.to_le_bytes()).collect()
}
