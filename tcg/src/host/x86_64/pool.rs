//! Constants that translated code reads, behind the stubs.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::jit::codebuf::CodeBuf;

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
    /// The canonical NaN as a single with nothing above.
    NanSingle,
}

const CONSTANTS: [[u64; 2]; 7] = [
    [1 << 63, 0],
    [u64::MAX >> 1, u64::MAX],
    [1 << 31, 0],
    [!(1 << 31), u64::MAX],
    [0x7ff8_0000_0000_0000, 0],
    [0xffff_ffff_7fc0_0000, 0],
    [0x7fc0_0000, 0],
];

/// Bytes from the start of the pool.
pub(super) fn offset(constant: Constant) -> usize {
    constant as usize * 16
}

/// The pool, to be placed at a multiple of 16.
pub(super) fn bytes() -> Vec<u8> {
    CONSTANTS.iter().flatten().flat_map(|word| word.to_le_bytes()).collect()
}

/// Vectors that code asked for, behind the stubs: each once, for all blocks.
pub(super) struct Pool {
    places: Mutex<HashMap<u128, usize>>,
    start: usize,
}

impl Pool {
    /// Vectors that there is room for; whoever comes later makes its own without memory.
    const ROOM: usize = 2048;
    /// Its bytes.
    pub(super) const BYTES: usize = Self::ROOM * 16;

    /// An empty one at an offset in the code buffer, a multiple of 16.
    pub(super) fn new(start: usize) -> Self {
        Self { places: Mutex::default(), start }
    }

    /// Offset of a vector in the code buffer.
    pub(super) fn place(&self, buf: &CodeBuf, vector: u128) -> Option<usize> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let next = places.len();
        if next == Self::ROOM && !places.contains_key(&vector) {
            return None;
        }
        Some(*places.entry(vector).or_insert_with(|| {
            let at = self.start + next * 16;
            buf.write(at, &vector.to_le_bytes());
            at
        }))
    }

    /// The vector at an offset.
    pub(super) fn at(&self, place: usize) -> Option<u128> {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.iter().find(|&(_, &at)| at == place).map(|(&vector, _)| vector)
    }
}
