//! The device: two queues between the guest and a back end.

use std::collections::VecDeque;
use std::os::fd::RawFd;

use serde_json::{Value, json};

use super::backend::{FRAME_MAX, NetBackend};
use super::rx::{Delivery, Receiver};
use super::spec::{self, ETHERNET_HEADER_LEN, HEADER_LEN, RECEIVEQ, TRANSMITQ, feature};
use crate::device::StateError;
use crate::registry::{Bench, Specimen};
use crate::virtio::device::{Turn, VirtioDevice, check_version, read_space};
use crate::virtio::queue::{Chain, QueueError, QueueState, VirtQueue};
use crate::virtio::spec::device_id;
use crate::virtio::transport::VirtioMmio;

const KIND: &str = "virtio-net";

/// Descriptors in each queue.
const QUEUE_SIZE: u16 = 256;

/// Frames moved each way in one turn.
const TURN: u32 = 128;

/// A network card.
pub struct Net {
    backend: Box<dyn NetBackend>,
    features: u64,
    mergeable: bool,
    config: [u8; 12],
    queues: [Option<VirtQueue>; 2],
    /// For the transmit queue.
    chain: Chain,
    receiver: Receiver,
    /// Room for one frame on its way to the guest, with its header.
    packet: Vec<u8>,
    /// Bytes of `packet` that wait for buffers, the header included.
    waiting: Option<usize>,
    /// A frame on its way from the guest.
    outgoing: Vec<u8>,
}

impl Net {
    /// A card with address `mac` on the wire that `backend` is.
    pub fn new(backend: Box<dyn NetBackend>, mac: [u8; 6]) -> Self {
        let mtu = backend.mtu();
        let mut features = feature::MAC | feature::STATUS | feature::MRG_RXBUF;
        if mtu.is_some() {
            features |= feature::MTU;
        }
        Self {
            backend,
            features,
            mergeable: false,
            config: spec::config(mac, mtu),
            queues: [None, None],
            chain: Chain::new(),
            receiver: Receiver::default(),
            packet: vec![0; HEADER_LEN + FRAME_MAX],
            waiting: None,
            outgoing: vec![0; FRAME_MAX],
        }
    }

    /// Guest to wire. True if there is more.
    fn transmit(&mut self) -> Result<bool, QueueError> {
        let Some(queue) = &mut self.queues[TRANSMITQ] else { return Ok(false) };
        queue.suppress()?;
        let mut more = true;
        for _ in 0..TURN {
            if queue.pop(&mut self.chain)? {
                let sent = self.chain.readable();
                let len = sent.len().saturating_sub(HEADER_LEN as u64);
                if (ETHERNET_HEADER_LEN as u64..=FRAME_MAX as u64).contains(&len) {
                    let frame = &mut self.outgoing[..len as usize];
                    sent.read(queue.memory(), HEADER_LEN as u64, frame);
                    self.backend.send(frame);
                }
                queue.push(self.chain.head(), 0)?;
            } else if !queue.listen()? {
                more = false;
                break;
            }
        }
        queue.signal()?;
        Ok(more)
    }

    /// Wire to guest. True if there is more that the guest has room for.
    fn receive(&mut self) -> Result<bool, QueueError> {
        let Some(queue) = &mut self.queues[RECEIVEQ] else { return Ok(false) };
        queue.suppress()?;
        let mut more = true;
        for _ in 0..TURN {
            let next = self.waiting.or_else(|| {
                let len = self.backend.receive(&mut self.packet[HEADER_LEN..])?;
                Some(HEADER_LEN + len.min(FRAME_MAX))
            });
            let Some(len) = next else {
                more = false;
                break;
            };
            self.waiting = Some(len);
            match self.receiver.deliver(queue, &mut self.packet[..len], self.mergeable)? {
                Delivery::Done | Delivery::Dropped => self.waiting = None,
                Delivery::NoBuffers => {
                    more = false;
                    break;
                }
            }
        }
        queue.signal()?;
        Ok(more)
    }
}

impl VirtioDevice for Net {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn device_id(&self) -> u32 {
        device_id::NET
    }

    fn features(&self) -> u64 {
        self.features
    }

    fn queue_max_sizes(&self) -> &[u16] {
        &[QUEUE_SIZE; 2]
    }

    fn read_config(&self, offset: u64, data: &mut [u8]) {
        read_space(&self.config, offset, data);
    }

    fn write_config(&mut self, _: u64, _: &[u8]) {}

    fn set_features(&mut self, accepted: u64) {
        self.mergeable = accepted & feature::MRG_RXBUF != 0;
    }

    fn start_queue(&mut self, index: usize, queue: VirtQueue) {
        self.queues[index] = Some(queue);
    }

    fn stop_queue(&mut self, index: usize) -> Option<QueueState> {
        self.queues[index].take().map(|queue| queue.state())
    }

    fn process(&mut self) -> Result<Turn, QueueError> {
        if self.queues.iter().all(Option::is_none) {
            return Ok(Turn::IDLE);
        }
        let sending = self.transmit()?;
        let wait_ms = self.backend.tick();
        let receiving = self.receive()?;
        Ok(Turn { again: sending | receiving, wait_ms, config_changed: false })
    }

    fn poll_fds(&self, fds: &mut Vec<(RawFd, i16)>) {
        // While a frame waits for a buffer, more of them would only make the worker spin.
        if self.queues[RECEIVEQ].is_some() && self.waiting.is_none() {
            fds.extend(self.backend.poll_fds());
        }
    }

    fn reset(&mut self) {
        self.mergeable = false;
        self.waiting = None;
        self.backend.reset();
    }

    fn save(&self) -> Value {
        // A frame that waits was never seen by the guest; the network may lose it.
        json!({ "version": 1 })
    }

    fn restore(&mut self, state: &Value) -> Result<(), StateError> {
        check_version(KIND, state, 1)
    }
}

/// For the registry: a card whose wire gives every frame back.
pub fn specimen(bench: &Bench) -> Specimen {
    struct Loopback(VecDeque<Vec<u8>>);
    impl NetBackend for Loopback {
        fn send(&mut self, frame: &[u8]) {
            if self.0.len() < 16 {
                self.0.push_back(frame.to_vec());
            }
        }
        fn receive(&mut self, buf: &mut [u8]) -> Option<usize> {
            let frame = self.0.pop_front()?;
            buf[..frame.len()].copy_from_slice(&frame);
            Some(frame.len())
        }
        fn poll_fds(&self) -> Vec<(RawFd, i16)> {
            Vec::new()
        }
        fn tick(&mut self) -> Option<u64> {
            None
        }
    }
    let mac = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
    VirtioMmio::specimen(Box::new(Net::new(Box::new(Loopback(VecDeque::new())), mac)), bench)
}
