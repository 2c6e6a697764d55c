//! x86-64: registers at every level, and model-specific registers.

pub mod acpi;
pub mod board;
pub mod boot;
pub mod feature;
pub mod fxsave;
pub mod model;
pub mod msr;
pub mod state;

#[cfg(test)]
mod tests;

pub use model::Model;
pub use state::Cpu;

/// The architecture as a type parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct X86_64;

impl crate::Arch for X86_64 {
    const NAME: &'static str = "x86_64";
    type State = Cpu;
    type Model = Model;
}
