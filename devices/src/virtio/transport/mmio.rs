//! Virtio over MMIO, register layout version 2 [VIRTIO-1.3 §4.2.2].
//!
//! Registers are 32 bits wide and answer only aligned accesses of that width; the configuration
//! space answers any. Legacy (version 1) registers are absent, and so are shared memory regions
//! and queue reset.

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use vmm_sys_util::eventfd::EventFd;

use super::core::{Part, Transport};
use super::state::MmioV1;
use crate::bus::lock;
use crate::device::{Access, Device, Effect, StateError};
use crate::dma::Dma;
use crate::irq::IrqLine;
use crate::registry::{Bench, Specimen};
use crate::virtio::device::VirtioDevice;
use crate::virtio::queue::Interrupts;
use crate::virtio::worker::QueueWorker;

/// Bytes of the register block, the configuration space included.
pub const REGION_LEN: u64 = 0x200;

/// Offsets of the registers [VIRTIO-1.3 table 4.1].
pub mod reg {
    /// R: 0x7472_6976.
    pub const MAGIC_VALUE: u64 = 0x000;
    /// R: layout version, 2.
    pub const VERSION: u64 = 0x004;
    /// R: device type.
    pub const DEVICE_ID: u64 = 0x008;
    /// R: vendor.
    pub const VENDOR_ID: u64 = 0x00c;
    /// R: half of the offered features.
    pub const DEVICE_FEATURES: u64 = 0x010;
    /// W: which half.
    pub const DEVICE_FEATURES_SEL: u64 = 0x014;
    /// W: half of the accepted features.
    pub const DRIVER_FEATURES: u64 = 0x020;
    /// W: which half.
    pub const DRIVER_FEATURES_SEL: u64 = 0x024;
    /// W: which queue.
    pub const QUEUE_SEL: u64 = 0x030;
    /// R: its largest size.
    pub const QUEUE_SIZE_MAX: u64 = 0x034;
    /// W: its size.
    pub const QUEUE_SIZE: u64 = 0x038;
    /// RW: whether it is switched on.
    pub const QUEUE_READY: u64 = 0x044;
    /// W: number of a queue that has new buffers.
    pub const QUEUE_NOTIFY: u64 = 0x050;
    /// R: why the line is asserted.
    pub const INTERRUPT_STATUS: u64 = 0x060;
    /// W: reasons that were seen.
    pub const INTERRUPT_ACK: u64 = 0x064;
    /// RW: device status.
    pub const STATUS: u64 = 0x070;
    /// W: descriptor table, low half; the high half follows.
    pub const QUEUE_DESC_LOW: u64 = 0x080;
    /// W: descriptor table, high half.
    pub const QUEUE_DESC_HIGH: u64 = 0x084;
    /// W: available ring, low half.
    pub const QUEUE_DRIVER_LOW: u64 = 0x090;
    /// W: available ring, high half.
    pub const QUEUE_DRIVER_HIGH: u64 = 0x094;
    /// W: used ring, low half.
    pub const QUEUE_DEVICE_LOW: u64 = 0x0a0;
    /// W: used ring, high half.
    pub const QUEUE_DEVICE_HIGH: u64 = 0x0a4;
    /// W: which shared memory region.
    pub const SHM_SEL: u64 = 0x0ac;
    /// R: its length, low half; with the following three, all ones for "no such region".
    pub const SHM_LEN_LOW: u64 = 0x0b0;
    /// R: the last of them.
    pub const SHM_BASE_HIGH: u64 = 0x0bc;
    /// R: changes with the configuration space.
    pub const CONFIG_GENERATION: u64 = 0x0fc;
    /// RW: configuration space.
    pub const CONFIG: u64 = 0x100;
}

const MAGIC: u32 = u32::from_le_bytes(*b"virt");
const VENDOR: u32 = u32::from_le_bytes(*b"PLYV");

/// InterruptStatus: buffers were used.
const USED_BUFFER: u32 = 1;
/// InterruptStatus: the configuration changed.
const CONFIG_CHANGE: u32 = 2;

/// InterruptStatus and the line that follows it. Both change under one lock: a line lowered on
/// the strength of an old status would lose an interrupt.
struct LineInterrupts {
    status: Mutex<u32>,
    line: IrqLine,
}

impl LineInterrupts {
    fn change(&self, change: impl FnOnce(u32) -> u32) {
        let mut status = lock(&self.status);
        *status = change(*status);
        self.line.set(*status != 0);
    }

    fn status(&self) -> u32 {
        *lock(&self.status)
    }
}

impl Interrupts for LineInterrupts {
    fn queue(&self, _: u16) {
        self.change(|status| status | USED_BUFFER);
    }

    fn config(&self) {
        self.change(|status| status | CONFIG_CHANGE);
    }
}

/// A virtio device on the MMIO bus.
pub struct VirtioMmio {
    transport: Transport,
    interrupts: Arc<LineInterrupts>,
    shm_sel: u32,
}

impl VirtioMmio {
    /// Puts `device` behind MMIO registers: its rings lie in `memory`, its interrupts go to
    /// `line`. Fails only if the host has no descriptor left for its signals.
    pub fn new(device: Box<dyn VirtioDevice>, memory: Dma, line: IrqLine) -> io::Result<Self> {
        let interrupts = Arc::new(LineInterrupts { status: Mutex::new(0), line });
        let transport = Transport::new(device, memory, interrupts.clone())?;
        Ok(Self { transport, interrupts, shm_sel: 0 })
    }

    /// A worker that does the device's work; without one, notifications go unheard.
    pub fn worker(&self) -> io::Result<QueueWorker> {
        self.transport.worker()
    }

    /// One event per queue. An accelerator may set the event of queue `i` itself when the guest
    /// writes `i` as 32 bits to [`reg::QUEUE_NOTIFY`], and then need not tell us.
    pub fn doorbells(&self) -> &[EventFd] {
        self.transport.doorbells()
    }

    /// For the registry: stands alone, its worker's rounds being the stimulus.
    ///
    /// # Panics
    /// When the host has no descriptor left.
    pub(crate) fn specimen(device: Box<dyn VirtioDevice>, bench: &Bench) -> Specimen {
        let mmio = Self::new(device, bench.memory.clone(), bench.irq.line(0))
            .expect("making the signals of a virtio device");
        let worker = Mutex::new(mmio.worker().expect("making the signals of a worker"));
        Specimen::new(mmio).stimulated_by(move |_| {
            lock(&worker).turn(Some(0)).expect("polling the descriptors of a virtio device");
        })
    }

    fn read_register(&self, offset: u64) -> u32 {
        let t = &self.transport;
        match offset {
            reg::MAGIC_VALUE => MAGIC,
            reg::VERSION => 2,
            reg::DEVICE_ID => t.device_id(),
            reg::VENDOR_ID => VENDOR,
            reg::DEVICE_FEATURES => t.device_features(),
            reg::QUEUE_SIZE_MAX => t.queue_max_size().into(),
            reg::QUEUE_READY => t.queue_ready().into(),
            reg::INTERRUPT_STATUS => self.interrupts.status(),
            reg::STATUS => t.status().into(),
            reg::SHM_LEN_LOW..=reg::SHM_BASE_HIGH => u32::MAX,
            reg::CONFIG_GENERATION => t.config_generation(),
            _ => 0,
        }
    }

    fn write_register(&mut self, offset: u64, value: u32) {
        let t = &mut self.transport;
        match offset {
            reg::DEVICE_FEATURES_SEL => t.select_device_features(value),
            reg::DRIVER_FEATURES => t.set_driver_features(value),
            reg::DRIVER_FEATURES_SEL => t.select_driver_features(value),
            reg::QUEUE_SEL => t.select_queue(value),
            reg::QUEUE_SIZE => t.set_queue_size(value),
            reg::QUEUE_READY => t.set_queue_ready(value & 1 != 0),
            reg::QUEUE_NOTIFY => t.notify(value),
            reg::INTERRUPT_ACK => self.interrupts.change(|status| status & !value),
            reg::STATUS => {
                t.set_status(value as u8);
                if value as u8 == 0 {
                    self.interrupts.change(|_| 0);
                }
            }
            reg::QUEUE_DESC_LOW => t.set_queue_address(Part::Desc, 0, value),
            reg::QUEUE_DESC_HIGH => t.set_queue_address(Part::Desc, 1, value),
            reg::QUEUE_DRIVER_LOW => t.set_queue_address(Part::Avail, 0, value),
            reg::QUEUE_DRIVER_HIGH => t.set_queue_address(Part::Avail, 1, value),
            reg::QUEUE_DEVICE_LOW => t.set_queue_address(Part::Used, 0, value),
            reg::QUEUE_DEVICE_HIGH => t.set_queue_address(Part::Used, 1, value),
            reg::SHM_SEL => self.shm_sel = value,
            _ => {}
        }
    }
}

impl Device for VirtioMmio {
    fn kind(&self) -> &'static str {
        self.transport.kind()
    }

    fn regions(&self) -> Vec<u64> {
        vec![REGION_LEN]
    }

    fn read(&mut self, at: Access) -> u64 {
        if at.offset >= reg::CONFIG {
            let mut data = [0; 8];
            let size = usize::from(at.size).min(8);
            self.transport.read_config(at.offset - reg::CONFIG, &mut data[..size]);
            return u64::from_le_bytes(data);
        }
        if at.size == 4 { self.read_register(at.offset).into() } else { 0 }
    }

    fn write(&mut self, at: Access, value: u64) -> Effect {
        if at.offset >= reg::CONFIG {
            let size = usize::from(at.size).min(8);
            self.transport.write_config(at.offset - reg::CONFIG, &value.to_le_bytes()[..size]);
        } else if at.size == 4 {
            self.write_register(at.offset, value as u32);
        }
        Effect::None
    }

    fn reset(&mut self) {
        self.transport.reset();
        self.interrupts.change(|_| 0);
        self.shm_sel = 0;
    }

    fn save(&self) -> Value {
        let transport = self.transport.save();
        let state = MmioV1 {
            version: 1,
            interrupt_status: self.interrupts.status(),
            shm_sel: self.shm_sel,
            transport,
        };
        serde_json::to_value(state).expect("plain data always converts")
    }

    fn restore(&mut self, state: &Value) -> Result<(), StateError> {
        self.reset();
        let kind = self.kind();
        crate::virtio::device::check_version(kind, state, 1)?;
        let saved: MmioV1 = serde_json::from_value(state.clone())
            .map_err(|e| StateError::Malformed { kind, what: e.to_string() })?;
        if let Err(error) = self.transport.restore(&saved.transport) {
            self.reset();
            return Err(error);
        }
        self.shm_sel = saved.shm_sel;
        // Restoring may itself have raised something, so this adds.
        let known = saved.interrupt_status & (USED_BUFFER | CONFIG_CHANGE);
        self.interrupts.change(|status| status | known);
        Ok(())
    }
}
