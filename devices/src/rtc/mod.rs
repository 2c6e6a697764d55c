//! Real-time clocks.

pub mod cmos;
pub mod goldfish;
