//! The part of a transport that is the same on every bus: status, features, queues,
//! configuration, life cycle [VIRTIO-1.3 §2, §3].

use std::io;
use std::sync::Arc;

use vmm_sys_util::eventfd::EventFd;

use super::state::{QueueV1, TransportV1};
use crate::device::StateError;
use crate::dma::Dma;
use crate::virtio::device::VirtioDevice;
use crate::virtio::queue::{Interrupts, QueueState, VirtQueue};
use crate::virtio::shared::{Shared, set};
use crate::virtio::spec::{feature, status};
use crate::virtio::worker::QueueWorker;

/// Features that rings and transport offer for every device.
const TRANSPORT_FEATURES: u64 = feature::VERSION_1 | feature::EVENT_IDX | feature::INDIRECT_DESC;

/// Status bits that a driver may set.
const DRIVER_BITS: u8 =
    status::ACKNOWLEDGE | status::DRIVER | status::FEATURES_OK | status::DRIVER_OK | status::FAILED;

/// The three parts of a queue whose addresses the driver sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Descriptor table.
    Desc,
    /// Available ring ("driver area").
    Avail,
    /// Used ring ("device area").
    Used,
}

/// A queue as the driver has set it up so far.
#[derive(Clone, Copy)]
struct Slot {
    max_size: u16,
    ready: bool,
    state: QueueState,
}

impl Slot {
    fn new(max_size: u16) -> Self {
        Self { max_size, ready: false, state: QueueState { size: max_size, ..Default::default() } }
    }
}

/// A virtio device behind its registers, whatever they look like.
pub struct Transport {
    shared: Arc<Shared>,
    memory: Dma,
    kind: &'static str,
    device_id: u32,
    offered: u64,
    status: u8,
    device_features_sel: u32,
    driver_features_sel: u32,
    driver_features: u64,
    queue_sel: u32,
    slots: Vec<Slot>,
}

impl Transport {
    /// Takes a device in. Fails only if the host has no descriptor left for its signals.
    pub fn new(
        device: Box<dyn VirtioDevice>,
        memory: Dma,
        interrupts: Arc<dyn Interrupts>,
    ) -> io::Result<Self> {
        Ok(Self {
            memory,
            kind: device.kind(),
            device_id: device.device_id(),
            offered: device.features() | TRANSPORT_FEATURES,
            status: 0,
            device_features_sel: 0,
            driver_features_sel: 0,
            driver_features: 0,
            queue_sel: 0,
            slots: device.queue_max_sizes().iter().map(|&max| Slot::new(max)).collect(),
            shared: Arc::new(Shared::new(device, interrupts)?),
        })
    }

    /// A worker for the device. More than one may exist; one is enough.
    pub fn worker(&self) -> io::Result<QueueWorker> {
        QueueWorker::new(self.shared.clone())
    }

    /// The event of each queue that stands for the driver's notification; whoever sets it has
    /// notified the queue.
    pub fn doorbells(&self) -> &[EventFd] {
        &self.shared.doorbells
    }

    /// The model's name.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The device type.
    pub fn device_id(&self) -> u32 {
        self.device_id
    }

    /// Selects the half that [`Transport::device_features`] shows.
    pub fn select_device_features(&mut self, half: u32) {
        self.device_features_sel = half;
    }

    /// The selected half of the offered features.
    pub fn device_features(&self) -> u32 {
        half(self.offered, self.device_features_sel)
    }

    /// Selects the half that [`Transport::set_driver_features`] writes.
    pub fn select_driver_features(&mut self, half: u32) {
        self.driver_features_sel = half;
    }

    /// Sets the selected half of the driver's features; not once they are agreed upon.
    pub fn set_driver_features(&mut self, value: u32) {
        if self.status & status::FEATURES_OK == 0 {
            set_half(&mut self.driver_features, self.driver_features_sel, value);
        }
    }

    /// Selects the queue that the following methods are about.
    pub fn select_queue(&mut self, index: u32) {
        self.queue_sel = index;
    }

    /// Largest size of the selected queue; 0 if there is no such queue.
    pub fn queue_max_size(&self) -> u16 {
        self.selected().map_or(0, |slot| slot.max_size)
    }

    /// Sets the size of the selected queue. Nonsense is found out when the queue starts.
    pub fn set_queue_size(&mut self, size: u32) {
        self.edit(|slot| slot.state.size = size.try_into().unwrap_or(0));
    }

    /// Sets one half (0 = low) of the address of a part of the selected queue.
    pub fn set_queue_address(&mut self, part: Part, half: u32, value: u32) {
        self.edit(|slot| {
            let address = match part {
                Part::Desc => &mut slot.state.desc,
                Part::Avail => &mut slot.state.avail,
                Part::Used => &mut slot.state.used,
            };
            set_half(address, half, value);
        });
    }

    /// Whether the selected queue is switched on.
    pub fn queue_ready(&self) -> bool {
        self.selected().is_some_and(|slot| slot.ready)
    }

    /// Switches the selected queue on or off.
    pub fn set_queue_ready(&mut self, ready: bool) {
        let index = self.queue_sel as usize;
        let Some(slot) = self.slots.get_mut(index) else { return };
        if slot.ready == ready {
            return;
        }
        slot.ready = ready;
        if ready {
            slot.state.next_avail = 0;
            slot.state.next_used = 0;
            if self.is_live() {
                self.start_queues(index..index + 1);
            }
        } else {
            self.shared.enter().device.stop_queue(index);
            set(&self.shared.wake);
        }
    }

    /// The driver notifies queue `index`. Only sets its doorbell.
    pub fn notify(&self, index: u32) {
        if let Some(doorbell) = self.shared.doorbells.get(index as usize) {
            set(doorbell);
        }
    }

    /// The device status field.
    pub fn status(&self) -> u8 {
        if self.shared.is_broken() { self.status | status::DEVICE_NEEDS_RESET } else { self.status }
    }

    /// Writes the device status field: 0 resets, other bits are only ever added, and those that
    /// make no sense yet are not [VIRTIO-1.3 §2.1, §3.1.1].
    pub fn set_status(&mut self, value: u8) {
        if value == 0 {
            self.reset_driver_side();
            return;
        }
        let mut added = value & DRIVER_BITS & !self.status;
        if added & status::FEATURES_OK != 0 && !self.features_acceptable() {
            added &= !status::FEATURES_OK;
        }
        if (self.status | added) & status::FEATURES_OK == 0 {
            added &= !status::DRIVER_OK;
        }
        self.status |= added;
        if added & status::FEATURES_OK != 0 {
            self.shared.enter().device.set_features(self.driver_features);
        }
        if added & status::DRIVER_OK != 0 && !self.shared.is_broken() {
            self.start_queues(0..self.slots.len());
        }
    }

    /// Reads the device's configuration space.
    pub fn read_config(&self, offset: u64, data: &mut [u8]) {
        self.shared.enter().device.read_config(offset, data);
    }

    /// Writes the device's configuration space.
    pub fn write_config(&mut self, offset: u64, data: &[u8]) {
        self.shared.enter().device.write_config(offset, data);
    }

    /// Changes whenever the device changed its configuration space.
    pub fn config_generation(&self) -> u32 {
        self.shared.generation()
    }

    /// As new.
    pub fn reset(&mut self) {
        self.reset_driver_side();
        self.shared.set_generation(0);
    }

    /// The driver's reset [VIRTIO-1.3 §2.4]: complete when this returns.
    fn reset_driver_side(&mut self) {
        {
            let mut entered = self.shared.enter();
            for index in 0..self.slots.len() {
                entered.device.stop_queue(index);
            }
            entered.device.reset();
            self.shared.set_broken(false);
        }
        set(&self.shared.wake);
        self.status = 0;
        self.device_features_sel = 0;
        self.driver_features_sel = 0;
        self.driver_features = 0;
        self.queue_sel = 0;
        for slot in &mut self.slots {
            *slot = Slot::new(slot.max_size);
        }
    }

    fn features_acceptable(&self) -> bool {
        self.status & status::DRIVER != 0
            && self.driver_features & !self.offered == 0
            && self.driver_features & feature::VERSION_1 != 0
    }

    fn is_live(&self) -> bool {
        self.status & status::DRIVER_OK != 0 && !self.shared.is_broken()
    }

    fn selected(&self) -> Option<&Slot> {
        self.slots.get(self.queue_sel as usize)
    }

    /// Changes the selected queue unless it is switched on.
    fn edit(&mut self, change: impl FnOnce(&mut Slot)) {
        let slot = self.slots.get_mut(self.queue_sel as usize);
        if let Some(slot) = slot.filter(|slot| !slot.ready) {
            change(slot);
        }
    }

    /// Starts those queues of the range that are switched on.
    fn start_queues(&self, range: std::ops::Range<usize>) {
        let mut entered = self.shared.enter();
        for index in range {
            let slot = &self.slots[index];
            if !slot.ready {
                continue;
            }
            match self.live_queue(index, slot.state) {
                Ok(queue) => entered.device.start_queue(index, queue),
                Err(error) => return self.shared.fail(&mut **entered.device, &error),
            }
        }
        // The driver may have filled a ring before it switched the device on.
        set(&self.shared.wake);
    }

    fn live_queue(
        &self,
        index: usize,
        state: QueueState,
    ) -> Result<VirtQueue, crate::virtio::queue::QueueError> {
        VirtQueue::new(
            index as u16,
            self.slots[index].max_size,
            state,
            self.driver_features & feature::EVENT_IDX != 0,
            self.memory.clone(),
            self.shared.interrupts.clone(),
        )
    }

    /// Everything, for a snapshot. The device's queues are stopped for the moment of looking at
    /// them, so that nothing is in flight.
    pub(super) fn save(&self) -> TransportV1 {
        let mut entered = self.shared.enter();
        let queues = (0..self.slots.len())
            .map(|index| {
                let mut slot = self.slots[index];
                if let Some(state) = entered.device.stop_queue(index) {
                    slot.state = state;
                    match self.live_queue(index, state) {
                        Ok(queue) => entered.device.start_queue(index, queue),
                        Err(error) => self.shared.fail(&mut **entered.device, &error),
                    }
                }
                QueueV1::new(slot.ready, &slot.state)
            })
            .collect();
        TransportV1 {
            status: self.status,
            needs_reset: self.shared.is_broken(),
            config_generation: self.shared.generation(),
            device_features_sel: self.device_features_sel,
            driver_features_sel: self.driver_features_sel,
            driver_features: self.driver_features,
            queue_sel: self.queue_sel,
            queues,
            device: entered.device.save(),
        }
    }

    /// The inverse, on a transport that was reset.
    pub(super) fn restore(&mut self, saved: &TransportV1) -> Result<(), StateError> {
        let malformed = |what: &str| StateError::Malformed { kind: self.kind, what: what.into() };
        if saved.queues.len() != self.slots.len() {
            return Err(malformed("it has another number of queues"));
        }
        if saved.status & !DRIVER_BITS != 0 {
            return Err(malformed("its status has bits that no driver sets"));
        }
        let agreed = saved.status & status::FEATURES_OK != 0;
        if agreed && saved.driver_features & !self.offered != 0 {
            return Err(malformed("its driver uses features that this device does not offer"));
        }
        self.status = saved.status;
        self.device_features_sel = saved.device_features_sel;
        self.driver_features_sel = saved.driver_features_sel;
        self.driver_features = saved.driver_features;
        self.queue_sel = saved.queue_sel;
        for (slot, queue) in self.slots.iter_mut().zip(&saved.queues) {
            slot.ready = queue.ready;
            slot.state = queue.state();
        }
        self.shared.set_generation(saved.config_generation);
        {
            let mut entered = self.shared.enter();
            if agreed {
                entered.device.set_features(saved.driver_features);
            }
            entered.device.restore(&saved.device)?;
            self.shared.set_broken(saved.needs_reset);
        }
        if self.is_live() {
            self.start_queues(0..self.slots.len());
        }
        Ok(())
    }
}

fn half(value: u64, half: u32) -> u32 {
    match half {
        0 => value as u32,
        1 => (value >> 32) as u32,
        _ => 0,
    }
}

fn set_half(value: &mut u64, half: u32, bits: u32) {
    match half {
        0 => *value = *value & !0xffff_ffff | u64::from(bits),
        1 => *value = *value & 0xffff_ffff | u64::from(bits) << 32,
        _ => {}
    }
}
