//! Generates Rust from the instruction tables of `tcg/src/isa`.
//!
//! A table says once what an instruction looks like, how it is printed and which lowering gives it
//! its meaning; decoder, encoder, disassembler, lowering dispatch, fuzzing patterns and
//! documentation are derived from it. `tcg/build.rs` calls [`isas::generate`]; to read the result,
//! `cargo run -p tcg-meta -- show riscv64`.
//!
//! - [`decode`]: `*.decode` tables, bit patterns of 16 and 32 bits.
//! - [`x86`]: `*.map` tables, the opcode maps of x86-64.

pub mod decode;
pub mod error;
pub mod isas;
pub mod x86;
