//! What the transport (vCPU threads) and the worker (its own thread) of one device share.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use vmm_sys_util::eventfd::{EFD_CLOEXEC, EFD_NONBLOCK, EventFd};

use super::device::VirtioDevice;
use super::queue::{Interrupts, QueueError};
use crate::bus::lock;

/// A device and the signals around it.
pub(super) struct Shared {
    device: Mutex<Box<dyn VirtioDevice>>,
    /// Held by a vCPU from before it waits for `device` until it is done, and passed through by
    /// the worker before each turn: a worker that takes the lock again at once would otherwise
    /// keep a vCPU out for as long as there is work.
    turnstile: Mutex<()>,
    /// One per queue; the driver's notifications arrive here.
    pub(super) doorbells: Vec<EventFd>,
    /// Makes the worker look again: the life of the device changed.
    pub(super) wake: EventFd,
    pub(super) interrupts: Arc<dyn Interrupts>,
    /// The device waits for a reset.
    broken: AtomicBool,
    generation: AtomicU32,
}

/// The device, entered from a vCPU.
pub(super) struct Entered<'a> {
    // Declared first, so that it is released first.
    pub(super) device: MutexGuard<'a, Box<dyn VirtioDevice>>,
    _turn: MutexGuard<'a, ()>,
}

impl Shared {
    pub(super) fn new(
        device: Box<dyn VirtioDevice>,
        interrupts: Arc<dyn Interrupts>,
    ) -> io::Result<Self> {
        let doorbells =
            device.queue_max_sizes().iter().map(|_| event()).collect::<Result<_, _>>()?;
        Ok(Self {
            device: Mutex::new(device),
            turnstile: Mutex::new(()),
            doorbells,
            wake: event()?,
            interrupts,
            broken: AtomicBool::new(false),
            generation: AtomicU32::new(0),
        })
    }

    /// For vCPUs: waits at most for the worker's present turn.
    pub(super) fn enter(&self) -> Entered<'_> {
        let turn = lock(&self.turnstile);
        Entered { device: lock(&self.device), _turn: turn }
    }

    /// For the worker: lets vCPUs go first.
    pub(super) fn enter_as_worker(&self) -> MutexGuard<'_, Box<dyn VirtioDevice>> {
        drop(lock(&self.turnstile));
        lock(&self.device)
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    pub(super) fn set_broken(&self, broken: bool) {
        self.broken.store(broken, Ordering::Release);
    }

    /// A queue cannot be used any more: stops all of them and tells the driver
    /// [VIRTIO-1.3 §2.1.2].
    pub(super) fn fail(&self, device: &mut dyn VirtioDevice, error: &QueueError) {
        for index in 0..self.doorbells.len() {
            device.stop_queue(index);
        }
        if !self.broken.swap(true, Ordering::AcqRel) {
            tracing::warn!(device = device.kind(), "the driver broke a queue: {error}");
        }
        self.interrupts.config();
    }

    pub(super) fn generation(&self) -> u32 {
        self.generation.load(Ordering::Acquire)
    }

    pub(super) fn set_generation(&self, generation: u32) {
        self.generation.store(generation, Ordering::Release);
    }

    pub(super) fn config_changed(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.interrupts.config();
    }
}

fn event() -> io::Result<EventFd> {
    EventFd::new(EFD_CLOEXEC | EFD_NONBLOCK)
}

/// Sets an eventfd. It can only fail by being at its limit, when it is set already.
pub(super) fn set(event: &EventFd) {
    let _already_set = event.write(1);
}

/// Clears an eventfd; not being set is no failure.
pub(super) fn clear(event: &EventFd) {
    let _was_clear = event.read();
}
