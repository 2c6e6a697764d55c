//! From a decoded instruction to its semantics: generated from the opcode maps.
#![allow(
    clippy::wildcard_imports,
    clippy::too_many_lines,
    clippy::unreadable_literal,
    clippy::manual_range_patterns,
    unused_imports,
    reason = "generated code names what the tables name"
)]

use super::X86_64;
use super::sem::*;
use crate::builder::*;
use crate::isa::x86_64::Insn;

include!(concat!(env!("OUT_DIR"), "/x86_64_lower.rs"));

/// Whether the row has semantics; the others are undefined instructions.
pub(super) fn is_written(row: u16) -> bool {
    WRITTEN[usize::from(row) / 64] >> (row % 64) & 1 != 0
}
