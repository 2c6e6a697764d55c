//! From a decoded instruction to its semantics: generated from the tables.
#![allow(
    clippy::wildcard_imports,
    clippy::too_many_lines,
    unused_imports,
    unreachable_pub,
    reason = "generated code names what the tables name"
)]

use super::Riscv64;
use super::sem::*;
use crate::builder::*;
use crate::isa::riscv64::*;

include!(concat!(env!("OUT_DIR"), "/riscv64_lower.rs"));
