//! What every virtio device implements.

use std::os::fd::RawFd;

use serde_json::Value;

use super::queue::{QueueError, QueueState, VirtQueue};
use crate::device::StateError;

/// What [`VirtioDevice::process`] asks of the worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// There is more to do now; `process` stopped so that others may have the device.
    pub again: bool,
    /// Call `process` again after this many milliseconds, whatever happens meanwhile.
    pub wait_ms: Option<u64>,
    /// The configuration space changed; the driver is to be told.
    pub config_changed: bool,
}

impl Turn {
    /// Nothing to do until a descriptor is ready.
    pub const IDLE: Self = Self { again: false, wait_ms: None, config_changed: false };
    /// More to do at once.
    pub const AGAIN: Self = Self { again: true, wait_ms: None, config_changed: false };
}

/// A virtio device behind any transport.
///
/// The transport calls it under a lock, from a vCPU's thread for configuration and life cycle
/// and from the device's worker for [`VirtioDevice::process`]. It owns its queues between
/// `start_queue` and `stop_queue`, has no thread, and `process` never waits for anything but a
/// disk or a terminal to take its data.
pub trait VirtioDevice: Send {
    /// The name of the model, as in the registry (`"virtio-blk"`).
    fn kind(&self) -> &'static str;

    /// The device type [VIRTIO-1.3 §5].
    fn device_id(&self) -> u32;

    /// Feature bits of the device type that are offered; those of rings and transport are the
    /// transport's.
    fn features(&self) -> u64;

    /// The largest size of each queue, a power of two. Its length is the number of queues, and
    /// constant.
    fn queue_max_sizes(&self) -> &[u16];

    /// Reads the configuration space; bytes beyond its end read as zero.
    fn read_config(&self, offset: u64, data: &mut [u8]);

    /// Writes the configuration space; read-only and missing bytes ignore it.
    fn write_config(&mut self, offset: u64, data: &[u8]);

    /// The driver's choice among all offered features, before any queue starts.
    fn set_features(&mut self, accepted: u64);

    /// Queue `index` is live. The device takes buffers from it in `process`.
    fn start_queue(&mut self, index: usize, queue: VirtQueue);

    /// Gives queue `index` back with no request in flight; `None` if it was not started.
    fn stop_queue(&mut self, index: usize) -> Option<QueueState>;

    /// Does what can be done now, within a bounded amount of work: takes requests, moves data,
    /// gives buffers back. An error means that a queue is broken beyond use.
    fn process(&mut self) -> Result<Turn, QueueError>;

    /// Adds the descriptors of the back end that `process` waits for, with their poll(2) events.
    fn poll_fds(&self, fds: &mut Vec<(RawFd, i16)>);

    /// Forgets the driver: as new, except for what belongs to the host's side. All queues have
    /// been stopped.
    fn reset(&mut self);

    /// What the guest could observe beyond queues, features and configuration, versioned.
    fn save(&self) -> Value;

    /// The inverse of [`VirtioDevice::save`], on a device that was reset.
    fn restore(&mut self, state: &Value) -> Result<(), StateError>;
}

/// Copies `data.len()` bytes at `offset` out of a configuration space.
pub fn read_space(space: &[u8], offset: u64, data: &mut [u8]) {
    data.fill(0);
    let Some(rest) = usize::try_from(offset).ok().and_then(|at| space.get(at..)) else { return };
    let len = rest.len().min(data.len());
    data[..len].copy_from_slice(&rest[..len]);
}

/// Checks saved state of a device that has nothing to save but its version.
pub fn check_version(kind: &'static str, state: &Value, known: u64) -> Result<(), StateError> {
    match state.get("version").and_then(Value::as_u64) {
        Some(found) if found > known => Err(StateError::Version { kind, found, known }),
        Some(_) => Ok(()),
        None => Err(StateError::Malformed { kind, what: "it has no version".into() }),
    }
}
