//! Real-time clocks.

pub mod cmos;
pub mod goldfish;
pub mod pl031;
