//! Time as devices see it: a clock to read and one-shot timers to arm. Neither is the host's
//! clock: `vmm` decides what they follow (real time, or counted instructions).

use std::sync::{Arc, Mutex, Weak};

use crate::bus::lock;

/// Guest time.
pub trait Clock: Send + Sync {
    /// Nanoseconds since the machine was started; monotonic, stops while the machine is paused.
    fn now_ns(&self) -> u64;
    /// Wall-clock time, nanoseconds since 1970-01-01 UTC.
    fn wall_ns(&self) -> u64;
    /// A new, disarmed timer; `fire` runs on a thread of the machine's, without device locks, so
    /// it may take the lock of the device that it belongs to.
    fn timer(&self, fire: Box<dyn Fn() + Send + Sync>) -> Box<dyn Timer>;
}

/// A one-shot timer. Dropping it disarms it.
pub trait Timer: Send + Sync {
    /// Fires once when [`Clock::now_ns`] reaches `deadline_ns` (at once if that has passed);
    /// `None` disarms. Replaces any earlier deadline.
    fn arm(&self, deadline_ns: Option<u64>);
}

/// A shared clock.
pub type ClockRef = Arc<dyn Clock>;

/// A disarmed timer that runs `fire` on a device, under the device's lock. Construct the device
/// with [`Arc::new_cyclic`] to have the handle; a device that is gone is not fired on.
pub fn device_timer<D: Send + 'static>(
    clock: &dyn Clock,
    device: &Weak<Mutex<D>>,
    fire: impl Fn(&mut D) + Send + Sync + 'static,
) -> Box<dyn Timer> {
    let device = device.clone();
    clock.timer(Box::new(move || {
        if let Some(device) = device.upgrade() {
            fire(&mut lock(&device));
        }
    }))
}
