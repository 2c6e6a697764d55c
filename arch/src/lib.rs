//! What a guest machine *is*: register state, system registers, models, boards, boot protocols.
//!
//! Data and pure functions only: no input or output, no unsafe, no host. What instructions *do*
//! is the business of `tcg`; how a machine is put together is that of `vmm`.

pub mod aarch64;
pub mod acpi;
pub mod boot;
pub mod fdt;
pub mod io;
pub mod model;
pub mod riscv64;
pub mod state;
mod window;
pub mod x86_64;

pub use state::{Arch, CpuState, Group, Reg, RegDiff};
pub use window::Window;
