//! Saved state of a transport; apart from the running types, so that it can stay as it is.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::virtio::queue::QueueState;

/// A transport with its device, version 1.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TransportV1 {
    pub(super) status: u8,
    pub(super) needs_reset: bool,
    pub(super) config_generation: u32,
    pub(super) device_features_sel: u32,
    pub(super) driver_features_sel: u32,
    pub(super) driver_features: u64,
    pub(super) queue_sel: u32,
    pub(super) queues: Vec<QueueV1>,
    pub(super) device: Value,
}

/// A queue, version 1.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QueueV1 {
    pub(super) ready: bool,
    size: u16,
    desc: u64,
    avail: u64,
    used: u64,
    next_avail: u16,
    next_used: u16,
}

impl QueueV1 {
    pub(super) fn new(ready: bool, state: &QueueState) -> Self {
        let &QueueState { size, desc, avail, used, next_avail, next_used } = state;
        Self { ready, size, desc, avail, used, next_avail, next_used }
    }

    pub(super) fn state(&self) -> QueueState {
        let &Self { ready: _, size, desc, avail, used, next_avail, next_used } = self;
        QueueState { size, desc, avail, used, next_avail, next_used }
    }
}

/// The MMIO face, version 1.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MmioV1 {
    pub(super) version: u64,
    pub(super) interrupt_status: u32,
    pub(super) shm_sel: u32,
    pub(super) transport: TransportV1,
}
