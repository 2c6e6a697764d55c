//! The device: two queues between a terminal and the guest.

use std::io;
use std::os::fd::RawFd;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::input::ConsoleInput;
use crate::device::StateError;
use crate::host::char::{CharSink, NullSink};
use crate::registry::{Bench, Specimen};
use crate::virtio::device::{Turn, VirtioDevice, check_version, read_space};
use crate::virtio::queue::{Chain, QueueError, QueueState, VirtQueue};
use crate::virtio::spec::device_id;
use crate::virtio::transport::VirtioMmio;

const KIND: &str = "virtio-console";

/// Descriptors in each queue.
const QUEUE_SIZE: u16 = 64;

/// Queue numbers [VIRTIO-1.3 §5.3.2].
const RECEIVEQ: usize = 0;
const TRANSMITQ: usize = 1;

/// Buffers taken from each queue in one turn.
const TURN: u32 = 32;

/// Bytes of output carried at a time.
const PIECE: usize = 4096;

/// Bytes of output written from one buffer; a driver has no reason to send more, and the rest is
/// dropped.
const OUTPUT_MAX: u64 = 1 << 20;

/// A console.
pub struct Console {
    sink: Box<dyn CharSink>,
    input: ConsoleInput,
    queues: [Option<VirtQueue>; 2],
    chain: Chain,
}

impl Console {
    /// A console that prints to `sink`. Fails only if the host has no descriptor left.
    pub fn new(sink: Box<dyn CharSink>) -> io::Result<Self> {
        Ok(Self { sink, input: ConsoleInput::new()?, queues: [None, None], chain: Chain::new() })
    }

    /// Where to type.
    pub fn input(&self) -> ConsoleInput {
        self.input.clone()
    }

    /// Guest to host. True if there is more.
    fn transmit(&mut self) -> Result<bool, QueueError> {
        let Some(queue) = &mut self.queues[TRANSMITQ] else { return Ok(false) };
        queue.suppress()?;
        let mut more = true;
        for _ in 0..TURN {
            if queue.pop(&mut self.chain)? {
                print(&mut *self.sink, queue, &self.chain);
                queue.push(self.chain.head(), 0)?;
            } else if !queue.listen()? {
                more = false;
                break;
            }
        }
        queue.signal()?;
        Ok(more)
    }

    /// Host to guest. True if there is more that the guest has room for.
    fn receive(&mut self) -> Result<bool, QueueError> {
        let Some(queue) = &mut self.queues[RECEIVEQ] else { return Ok(false) };
        queue.suppress()?;
        let mut more = true;
        for _ in 0..TURN {
            if !self.input.pending() {
                more = false;
                break;
            }
            if queue.pop(&mut self.chain)? {
                let room = self.chain.writable();
                let written = self.input.take(|bytes| room.write(queue.memory(), 0, bytes));
                queue.push(self.chain.head(), written as u32)?;
            } else if !queue.listen()? {
                more = false;
                break;
            }
        }
        queue.signal()?;
        Ok(more)
    }
}

fn print(sink: &mut dyn CharSink, queue: &VirtQueue, chain: &Chain) {
    let mut bytes = [0; PIECE];
    let mut at = 0;
    while at < OUTPUT_MAX {
        let len = chain.readable().read(queue.memory(), at, &mut bytes);
        if len == 0 {
            break;
        }
        sink.write(&bytes[..len]);
        at += len as u64;
    }
}

impl VirtioDevice for Console {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn device_id(&self) -> u32 {
        device_id::CONSOLE
    }

    fn features(&self) -> u64 {
        0
    }

    fn queue_max_sizes(&self) -> &[u16] {
        &[QUEUE_SIZE; 2]
    }

    fn read_config(&self, offset: u64, data: &mut [u8]) {
        // Columns, rows, ports and the emergency register: none is offered, all read as zero.
        read_space(&[], offset, data);
    }

    fn write_config(&mut self, _: u64, _: &[u8]) {}

    fn set_features(&mut self, _: u64) {}

    fn start_queue(&mut self, index: usize, queue: VirtQueue) {
        self.queues[index] = Some(queue);
    }

    fn stop_queue(&mut self, index: usize) -> Option<QueueState> {
        self.queues[index].take().map(|queue| queue.state())
    }

    fn process(&mut self) -> Result<Turn, QueueError> {
        let again = self.transmit()? | self.receive()?;
        Ok(Turn { again, ..Turn::IDLE })
    }

    fn poll_fds(&self, fds: &mut Vec<(RawFd, i16)>) {
        if self.queues[RECEIVEQ].is_some() {
            fds.push((self.input.fd(), libc::POLLIN));
        }
    }

    fn reset(&mut self) {
        self.input.replace(&[]);
    }

    fn save(&self) -> Value {
        let state = ConsoleV1 { version: VERSION, input: self.input.snapshot() };
        serde_json::to_value(state).expect("plain data always converts")
    }

    fn restore(&mut self, state: &Value) -> Result<(), StateError> {
        check_version(KIND, state, VERSION)?;
        let saved: ConsoleV1 = serde_json::from_value(state.clone())
            .map_err(|e| StateError::Malformed { kind: KIND, what: e.to_string() })?;
        self.input.replace(&saved.input);
        Ok(())
    }
}

/// Version of the saved state.
const VERSION: u64 = 1;

/// Saved state, version 1.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConsoleV1 {
    version: u64,
    /// Typed, and not yet taken by the guest.
    input: Vec<u8>,
}

/// For the registry: a console whose output goes nowhere.
///
/// # Panics
/// When the host has no descriptor left.
pub fn specimen(bench: &Bench) -> Specimen {
    let console = Console::new(Box::new(NullSink)).expect("making the signal of a console");
    VirtioMmio::specimen(Box::new(console), bench)
}
