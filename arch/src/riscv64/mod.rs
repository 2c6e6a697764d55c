//! RISC-V, 64 bits: the specifications of 2024, one hart of the RVA22-like profile that
//! stock Linux distributions are built for.

pub mod board;
pub mod boot;
pub mod csr;
pub mod fdt;
pub mod fields;
pub mod model;
pub mod state;

#[cfg(test)]
mod tests;

pub use model::{Ext, Exts, Model};
pub use state::Hart;

/// The architecture as a type parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Riscv64;

impl crate::Arch for Riscv64 {
    const NAME: &'static str = "riscv64";
    type State = Hart;
    type Model = Model;
}
