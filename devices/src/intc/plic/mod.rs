//! The RISC-V platform-level interrupt controller, as SiFive lays it out [PLIC-1.0].
//!
//! Models priorities, pending and enable bits, thresholds, claim and completion, and
//! level-triggered gateways, with the parameters of the `virt` board: sources 1 to 95, priorities
//! of three bits, two contexts (M, then S) for each hart.
//!
//! Leaves out edge-triggered gateways: every source of the boards that use it is a level.
//!
//! `spec` has the register map, `model` the controller as a value, `device` the glue to the bus
//! and to the lines, `state` what is saved. Tested against the rules of the specification in
//! `tests`, and by the registry's conformance and fuzz tests.

mod device;
mod model;
pub mod spec;
mod state;
#[cfg(test)]
mod tests;

pub use device::{Plic, specimen};
