//! Devices by which a guest ends or restarts the machine.

pub mod acpi;
pub mod debug_exit;
pub mod finisher;
pub mod i8042;
