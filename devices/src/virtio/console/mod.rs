//! The virtio console [VIRTIO-1.3 §5.3]: one port, bytes in and bytes out.
//!
//! Absent: several ports, the size of the terminal, emergency output.

mod device;
mod input;

pub use device::{Console, specimen};
pub use input::ConsoleInput;

#[cfg(test)]
mod tests;
