//! How arguments are printed: as objdump does without aliases.

use core::fmt::{self, Display};

/// Integer registers by their ABI names [RISCV-psABI §1].
const X: [&str; 32] = [
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4",
    "a5", "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4",
    "t5", "t6",
];

/// An integer register.
pub(super) fn x(r: u8) -> &'static str {
    X[usize::from(r & 31)]
}

/// Floating-point registers by their ABI names [RISCV-psABI §1].
const F: [&str; 32] = [
    "ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6", "ft7", "fs0", "fs1", "fa0", "fa1", "fa2",
    "fa3", "fa4", "fa5", "fa6", "fa7", "fs2", "fs3", "fs4", "fs5", "fs6", "fs7", "fs8", "fs9",
    "fs10", "fs11", "ft8", "ft9", "ft10", "ft11",
];

/// A floating-point register.
pub(super) fn f(r: u8) -> &'static str {
    F[usize::from(r & 31)]
}

/// A rounding mode [Unpriv §20.2].
pub(super) fn rm(rm: u8) -> &'static str {
    ["rne", "rtz", "rdn", "rup", "rmm", "5", "6", "dyn"][usize::from(rm & 7)]
}

/// The rounding mode of what is exact: said only if it is not the one assemblers put there.
pub(super) fn rm_exact(mode: u8) -> &'static str {
    ["", ", rtz", ", rdn", ", rup", ", rmm", ", 5", ", 6", ", dyn"][usize::from(mode & 7)]
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
