//! AArch64: registers at EL0 and EL1.

pub mod board;
pub mod boot;
pub mod fdt;
pub mod state;
pub mod sysreg;

#[cfg(test)]
mod tests;

pub use state::Cpu;

/// The architecture as a type parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aarch64;

impl crate::Arch for Aarch64 {
    const NAME: &'static str = "aarch64";
    type State = Cpu;
    type Model = ();
}
