//! x86-64: the opcode maps, and what is made of them. [SDM-2]
//!
//! - `*.map`: the rows; `one-byte.map` explains the notation and lists the vendors' differences.
//! - [`encode`]: the assembler of the JIT host.
//! - [`ROWS`]: the rows as data; [`sample`] makes random encodings of one, for fuzzing and coverage.
//! - [`decode`]: the decoder of the guest, giving an [`Insn`]; it prints itself in Intel syntax.

mod decode;
mod display;
pub mod encode;
mod insn;
mod pattern;

pub use decode::{DecodeError, Decoded, MAX_LEN, decode, decode_into};
pub use insn::{
    Code, Feature, Insn, Kind, Mem, Method, Op, Operand, ROWS, Rep, Row, Segment, Width,
};
pub use pattern::sample;
