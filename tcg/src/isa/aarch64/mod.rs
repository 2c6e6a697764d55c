//! AArch64, the A64 instruction set: decoder, encoder and disassembler.
//!
//! Everything here is generated from the `*.decode` tables in this directory, one per chapter of
//! the manual's class descriptions; their grammar is in `tcg_meta::decode`. Guests decode with
//! them, and a JIT host encodes with them: `Insn::Madd(Reg4 { sf: true, .. }).encode()`.
//!
//! Source: [ARM-ARM C4.1], and C6.2 for single instructions. Here: integer instructions, loads and
//! stores, system instructions, floating point and vectors. Not here: half precision but for its
//! conversions, pointer authentication, memory tagging, SVE and SME. Where the manual leaves a choice for
//! should-be-one bits that are zero, the word is undefined.

pub mod fields;
mod fmt;
mod fmt_vector;

#[allow(
    clippy::collapsible_match,
    clippy::len_without_is_empty,
    clippy::unnecessary_cast,
    clippy::identity_op,
    clippy::too_many_lines,
    unused_parens,
    reason = "generated: uniform code rather than the shortest"
)]
mod table {
    use super::{fields, fmt};
    use crate::isa::pattern::Pattern;

    include!(concat!(env!("OUT_DIR"), "/aarch64.rs"));
}

pub use table::*;

#[cfg(test)]
mod tests;
