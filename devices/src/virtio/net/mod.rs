//! The virtio network card [VIRTIO-1.3 §5.1].

pub mod backend;

pub use backend::NetBackend;
