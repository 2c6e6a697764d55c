//! x86-64: what a program at user level sees. Control registers, segments, MSRs and the x87 unit
//! are not here yet.

pub mod state;

#[cfg(test)]
mod tests;

pub use state::Cpu;

/// The architecture as a type parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct X86_64;

impl crate::Arch for X86_64 {
    const NAME: &'static str = "x86_64";
    type State = Cpu;
    type Model = ();
}
