//! Numbers that all virtio devices and transports share [VIRTIO-1.3].

/// Device types [VIRTIO-1.3 §5].
pub mod device_id {
    /// Network card.
    pub const NET: u32 = 1;
    /// Block device.
    pub const BLOCK: u32 = 2;
    /// Console.
    pub const CONSOLE: u32 = 3;
    /// Entropy source.
    pub const ENTROPY: u32 = 4;
}

/// Feature bits that belong to the rings and the transport [VIRTIO-1.3 §6].
pub mod feature {
    /// VIRTIO_F_INDIRECT_DESC: a descriptor may point at a table of descriptors.
    pub const INDIRECT_DESC: u64 = 1 << 28;
    /// VIRTIO_F_EVENT_IDX: both sides say from which index on they want to be told.
    pub const EVENT_IDX: u64 = 1 << 29;
    /// VIRTIO_F_VERSION_1: the modern interface; we have no other.
    pub const VERSION_1: u64 = 1 << 32;
}

/// Bits of the device status field [VIRTIO-1.3 §2.1].
pub mod status {
    /// The guest has found the device.
    pub const ACKNOWLEDGE: u8 = 1;
    /// The guest has a driver for it.
    pub const DRIVER: u8 = 2;
    /// The driver runs; queues are live.
    pub const DRIVER_OK: u8 = 4;
    /// Both sides agree on the features.
    pub const FEATURES_OK: u8 = 8;
    /// The device cannot go on without a reset.
    pub const DEVICE_NEEDS_RESET: u8 = 64;
    /// The driver has given up.
    pub const FAILED: u8 = 128;
}
