//! x86-64: the opcode maps, and what is made of them. [SDM-2]
//!
//! - `*.map`: the rows; `one-byte.map` explains the notation and lists the vendors' differences.
//! - [`encode`]: the assembler of the JIT host.

pub mod encode;
