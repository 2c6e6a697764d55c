//! Rows of instruction tables as data, for fuzzing and coverage.

/// What a row of a table matches.
#[derive(Clone, Copy, Debug)]
pub struct Pattern {
    /// Name of the row.
    pub name: &'static str,
    /// Section of the table.
    pub section: &'static str,
    /// Extensions needed, as the bits of the instruction set's `Ext`.
    pub ext: u64,
    /// Length in bits.
    pub width: u8,
    /// Fixed bits.
    pub mask: u32,
    /// Values of the fixed bits.
    pub bits: u32,
    /// Bits that a decoder ignores; zero from the encoder.
    pub ignored: u32,
    /// (mask, bits) of words that are something else.
    pub excluded: &'static [(u32, u32)],
    /// What holds besides.
    pub predicates: &'static [fn(u32) -> bool],
    /// Arguments with the bits that hold them.
    pub fields: &'static [(&'static str, u32)],
}

impl Pattern {
    /// Whether the word is of this row. Rows in braces overlap: the first one that matches counts.
    pub fn matches(&self, word: u32) -> bool {
        word & self.mask == self.bits
            && self.excluded.iter().all(|&(mask, bits)| word & mask != bits)
            && self.predicates.iter().all(|holds| holds(word))
    }

    /// A word of this row from random bits; ignored bits are zero. `None` if these bits make
    /// something else: try others.
    pub fn sample(&self, random: u32) -> Option<u32> {
        let variable = !(self.mask | self.ignored) & (u32::MAX >> (32 - u32::from(self.width)));
        let word = self.bits | random & variable;
        self.matches(word).then_some(word)
    }
}
