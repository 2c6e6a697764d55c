//! How arguments are printed: as objdump does without aliases.

use core::fmt::{self, Display};

/// Integer registers by their ABI names [RISCV-ABI §1].
const X: [&str; 32] = [
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4",
    "a5", "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4",
    "t5", "t6",
];

/// An integer register.
pub(super) fn x(r: u8) -> &'static str {
    X[usize::from(r & 31)]
}

/// The upper 20 bits as written in assembly.
pub(super) fn hi20(imm: i32) -> u32 {
    imm as u32 >> 12
}

/// A CSR by its number; names are the business of whoever has the list.
pub(super) fn csr(csr: u16) -> Hex {
    Hex(csr)
}

/// A hexadecimal number.
pub(super) struct Hex(u16);

impl Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// Suffix of atomics.
pub(super) fn aqrl(order: u8) -> &'static str {
    ["", ".rl", ".aq", ".aqrl"][usize::from(order & 3)]
}

/// A set of accesses that a fence orders.
pub(super) fn iorw(set: u8) -> &'static str {
    const SETS: [&str; 16] = [
        "0", "w", "r", "rw", "o", "ow", "or", "orw", "i", "iw", "ir", "irw", "io", "iow", "ior",
        "iorw",
    ];
    SETS[usize::from(set & 15)]
}
