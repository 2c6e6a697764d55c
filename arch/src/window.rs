//! Blocks of an address space.

use std::ops::Range;

/// A block of physical addresses, or of I/O ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// First address.
    pub base: u64,
    /// Number of bytes.
    pub size: u64,
}

impl Window {
    /// The addresses.
    pub const fn range(self) -> Range<u64> {
        self.base..self.base + self.size
    }
}
