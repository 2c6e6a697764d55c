//! A guest's driver for tests: it reaches a device through registers and rings, as a kernel
//! would, and can break every rule on request.

use std::sync::Arc;

use vm_memory::{Bytes, GuestAddress};

use super::device::VirtioDevice;
use super::spec::{feature, status};
use super::transport::mmio::{VirtioMmio, reg};
use super::worker::{QueueWorker, Round};
use crate::device::{Access, Device, Effect};
use crate::dma::{Dma, Memory};
use crate::testing::TestIrq;

/// Start of guest memory; two regions of half its size meet in the middle.
pub(super) const RAM: u64 = 0x8000_0000;
/// Bytes of guest memory.
pub(super) const RAM_LEN: u64 = 0x20_0000;
/// Where tests put their buffers; it runs across both regions.
pub(super) const DATA: u64 = RAM + 0x8_0000;

/// Distance between the rings of one queue and those of the next.
const RINGS_STRIDE: u64 = 0x4000;

/// One descriptor of a chain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Desc {
    pub(super) addr: u64,
    pub(super) len: u32,
    pub(super) flags: u16,
    pub(super) next: u16,
}

pub(super) const NEXT: u16 = 1;
pub(super) const WRITE: u16 = 2;
pub(super) const INDIRECT: u16 = 4;

/// A buffer for the device to read.
pub(super) fn readable(addr: u64, len: u32) -> Desc {
    Desc { addr, len, flags: 0, next: 0 }
}

/// A buffer for the device to fill.
pub(super) fn writable(addr: u64, len: u32) -> Desc {
    Desc { addr, len, flags: WRITE, next: 0 }
}

/// The driver's side of a queue.
#[derive(Clone, Copy, Default)]
pub(super) struct Ring {
    pub(super) size: u16,
    pub(super) desc: u64,
    pub(super) avail: u64,
    pub(super) used: u64,
    /// Next available index to fill.
    pub(super) avail_idx: u16,
    /// Next used index to look at.
    pub(super) used_idx: u16,
    /// Next descriptor to use; descriptors are used round and round.
    pub(super) next_desc: u16,
}

pub(super) struct Driver {
    pub(super) mmio: VirtioMmio,
    pub(super) worker: QueueWorker,
    pub(super) memory: Dma,
    pub(super) irq: Arc<TestIrq>,
    pub(super) rings: Vec<Ring>,
}

impl Driver {
    /// A device that nobody has touched.
    pub(super) fn new(device: Box<dyn VirtioDevice>) -> Self {
        let half = RAM_LEN / 2;
        let ranges =
            [(GuestAddress(RAM), half as usize), (GuestAddress(RAM + half), half as usize)];
        let memory = Arc::new(Memory::from_ranges(&ranges).unwrap());
        Self::on(device, memory)
    }

    /// The same on given memory.
    pub(super) fn on(device: Box<dyn VirtioDevice>, memory: Dma) -> Self {
        let irq = TestIrq::new();
        let queues = device.queue_max_sizes().len();
        let mmio = VirtioMmio::new(device, memory.clone(), irq.line(0)).unwrap();
        let worker = mmio.worker().unwrap();
        Self { mmio, worker, memory, irq, rings: vec![Ring::default(); queues] }
    }

    /// A device with all its queues live and all its features accepted but `without`.
    pub(super) fn started(device: Box<dyn VirtioDevice>, without: u64) -> Self {
        let mut driver = Self::new(device);
        driver.start(without);
        driver
    }

    /// Initializes the device as [VIRTIO-1.3 §3.1.1] says.
    pub(super) fn start(&mut self, without: u64) {
        self.write(reg::STATUS, 0);
        self.write(reg::STATUS, (status::ACKNOWLEDGE | status::DRIVER).into());
        let accepted = self.offered() & !without;
        self.accept(accepted);
        for index in 0..self.rings.len() {
            self.set_up_queue(index as u32, 16);
        }
        self.write(reg::STATUS, status::DRIVER_OK.into());
        assert_eq!(self.read(reg::STATUS), 0xf, "the device is not live");
    }

    pub(super) fn offered(&mut self) -> u64 {
        self.write(reg::DEVICE_FEATURES_SEL, 1);
        let high = self.read(reg::DEVICE_FEATURES);
        self.write(reg::DEVICE_FEATURES_SEL, 0);
        u64::from(high) << 32 | u64::from(self.read(reg::DEVICE_FEATURES))
    }

    pub(super) fn accept(&mut self, features: u64) {
        for half in 0..2 {
            self.write(reg::DRIVER_FEATURES_SEL, half);
            self.write(reg::DRIVER_FEATURES, (features >> (32 * half)) as u32);
        }
        self.write(reg::STATUS, status::FEATURES_OK.into());
    }

    pub(super) fn set_up_queue(&mut self, index: u32, size: u16) {
        let desc = RAM + 0x1000 + RINGS_STRIDE * u64::from(index);
        let ring =
            Ring { size, desc, avail: desc + 0x1000, used: desc + 0x2000, ..Ring::default() };
        self.poke(desc, &vec![0; RINGS_STRIDE as usize]);
        self.rings[index as usize] = ring;
        self.place_queue(index, &ring);
        self.write(reg::QUEUE_READY, 1);
    }

    /// Writes size and addresses of a queue.
    pub(super) fn place_queue(&mut self, index: u32, ring: &Ring) {
        self.write(reg::QUEUE_SEL, index);
        self.write(reg::QUEUE_SIZE, ring.size.into());
        for (low, address) in [
            (reg::QUEUE_DESC_LOW, ring.desc),
            (reg::QUEUE_DRIVER_LOW, ring.avail),
            (reg::QUEUE_DEVICE_LOW, ring.used),
        ] {
            self.write(low, address as u32);
            self.write(low + 4, (address >> 32) as u32);
        }
    }

    pub(super) fn read(&mut self, offset: u64) -> u32 {
        self.mmio.read(Access { region: 0, offset, size: 4 }) as u32
    }

    pub(super) fn write(&mut self, offset: u64, value: u32) {
        let effect = self.mmio.write(Access { region: 0, offset, size: 4 }, value.into());
        assert_eq!(effect, Effect::None);
    }

    pub(super) fn config(&mut self, offset: u64, size: u8) -> u64 {
        self.mmio.read(Access { region: 0, offset: reg::CONFIG + offset, size })
    }

    pub(super) fn needs_reset(&mut self) -> bool {
        self.read(reg::STATUS) & u32::from(status::DEVICE_NEEDS_RESET) != 0
    }

    pub(super) fn poke(&self, addr: u64, bytes: &[u8]) {
        self.memory.write_slice(bytes, GuestAddress(addr)).unwrap();
    }

    pub(super) fn peek(&self, addr: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.memory.read_slice(&mut bytes, GuestAddress(addr)).unwrap();
        bytes
    }

    pub(super) fn peek16(&self, addr: u64) -> u16 {
        u16::from_le_bytes(self.peek(addr, 2).try_into().unwrap())
    }

    /// Writes one descriptor somewhere, exactly as given.
    pub(super) fn put_desc(&self, at: u64, desc: Desc) {
        let mut raw = Vec::with_capacity(16);
        raw.extend_from_slice(&desc.addr.to_le_bytes());
        raw.extend_from_slice(&desc.len.to_le_bytes());
        raw.extend_from_slice(&desc.flags.to_le_bytes());
        raw.extend_from_slice(&desc.next.to_le_bytes());
        self.poke(at, &raw);
    }

    /// Writes a chain into a queue's table, linked properly, and makes it available. Returns its
    /// head.
    pub(super) fn offer(&mut self, queue: usize, chain: &[Desc]) -> u16 {
        let ring = self.rings[queue];
        let at = |i: usize| (ring.next_desc + i as u16) % ring.size;
        for (i, &desc) in chain.iter().enumerate() {
            let mut desc = desc;
            if i + 1 < chain.len() {
                desc.flags |= NEXT;
                desc.next = at(i + 1);
            }
            self.put_desc(ring.desc + 16 * u64::from(at(i)), desc);
        }
        self.rings[queue].next_desc = at(chain.len());
        self.publish(queue, at(0));
        at(0)
    }

    /// Makes the chain that starts at `head` available.
    pub(super) fn publish(&mut self, queue: usize, head: u16) {
        let ring = &mut self.rings[queue];
        let slot = ring.avail + 4 + 2 * u64::from(ring.avail_idx % ring.size);
        ring.avail_idx = ring.avail_idx.wrapping_add(1);
        let (index_at, index) = (ring.avail + 2, ring.avail_idx);
        self.poke(slot, &head.to_le_bytes());
        self.poke(index_at, &index.to_le_bytes());
    }

    /// Notifies, and lets the worker do what there is to do.
    pub(super) fn kick(&mut self, queue: usize) {
        self.write(reg::QUEUE_NOTIFY, queue as u32);
        self.turn();
    }

    /// One round of the worker, without waiting.
    pub(super) fn turn(&mut self) {
        assert_eq!(self.worker.turn(Some(0)).unwrap(), Round::Worked);
    }

    /// The next used element: head and length.
    pub(super) fn used(&mut self, queue: usize) -> Option<(u16, u32)> {
        let ring = self.rings[queue];
        if self.peek16(ring.used + 2) == ring.used_idx {
            return None;
        }
        let element = self.peek(ring.used + 4 + 8 * u64::from(ring.used_idx % ring.size), 8);
        self.rings[queue].used_idx = ring.used_idx.wrapping_add(1);
        let [h0, h1, _, _, len @ ..] = <[u8; 8]>::try_from(element).unwrap();
        Some((u16::from_le_bytes([h0, h1]), u32::from_le_bytes(len)))
    }

    /// Offers a chain, kicks, and expects it back; returns the length written.
    pub(super) fn round_trip(&mut self, queue: usize, chain: &[Desc]) -> u32 {
        let head = self.offer(queue, chain);
        self.kick(queue);
        let (used, len) = self.used(queue).expect("the chain did not come back");
        assert_eq!(used, head);
        len
    }

    /// Acknowledges and returns the interrupt status.
    pub(super) fn acknowledge(&mut self) -> u32 {
        let status = self.read(reg::INTERRUPT_STATUS);
        self.write(reg::INTERRUPT_ACK, status);
        status
    }
}

/// Everything but the features that a test wants to do without.
pub(super) const NO_EVENT_IDX: u64 = feature::EVENT_IDX;

/// A pseudo-random generator for tests.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// splitmix64.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(super) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}
