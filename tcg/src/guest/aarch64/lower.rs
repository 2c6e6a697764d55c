//! From a decoded instruction to its semantics: generated from the tables.
#![allow(
    clippy::wildcard_imports,
    clippy::too_many_lines,
    unused_imports,
    unreachable_pub,
    reason = "generated code names what the tables name"
)]

use super::Aarch64;
use super::sem::*;
use super::soft::Soft;
use crate::builder::*;
use crate::isa::aarch64::Insn;

include!(concat!(env!("OUT_DIR"), "/aarch64_lower.rs"));
