//! Being built.

pub mod isa;
