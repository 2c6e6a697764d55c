//! Virtio devices.

pub mod net;
