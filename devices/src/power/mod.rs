//! Devices by which a guest ends or restarts the machine.

pub mod finisher;
