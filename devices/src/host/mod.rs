//! The host's side of devices: terminals, files, sockets. The only part of this crate that may
//! differ by host operating system.

pub mod char;
pub mod nat;
pub mod tap;
pub mod terminal;
