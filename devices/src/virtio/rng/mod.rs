//! The virtio entropy source [VIRTIO-1.3 §5.4]: one queue of buffers to fill with random bytes
//! of the host's.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::RawFd;

use serde_json::{Value, json};

use crate::device::StateError;
use crate::registry::{Bench, Specimen};
use crate::virtio::device::{Turn, VirtioDevice, check_version, read_space};
use crate::virtio::queue::{Chain, QueueError, QueueState, VirtQueue};
use crate::virtio::spec::device_id;
use crate::virtio::transport::VirtioMmio;

const KIND: &str = "virtio-rng";

/// Descriptors in the queue.
const QUEUE_SIZE: u16 = 64;

/// Buffers filled in one turn.
const TURN: u32 = 16;

/// Bytes given to one request; a driver that wants more asks again [VIRTIO-1.3 §5.4.6].
const REQUEST_MAX: u64 = 64 << 10;

/// An entropy source.
pub struct Rng {
    source: Box<dyn Read + Send>,
    queue: Option<VirtQueue>,
    chain: Chain,
}

impl Rng {
    /// Random bytes from the host's kernel.
    pub fn new() -> io::Result<Self> {
        Ok(Self::from_source(Box::new(File::open("/dev/urandom")?)))
    }

    /// Bytes from `source`, which must not block.
    pub fn from_source(source: Box<dyn Read + Send>) -> Self {
        Self { source, queue: None, chain: Chain::new() }
    }
}

/// Fills a chain; a source that fails or ends gives what it has.
fn fill(source: &mut dyn Read, queue: &VirtQueue, chain: &Chain) -> u32 {
    let wanted = chain.writable().len().min(REQUEST_MAX);
    let mut bytes = [0; 4096];
    let mut done = 0;
    while done < wanted {
        let piece = bytes.len().min((wanted - done) as usize);
        let got = match source.read(&mut bytes[..piece]) {
            Ok(0) => break,
            Ok(got) => got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                tracing::warn!("the host's source of random bytes failed: {error}");
                break;
            }
        };
        chain.writable().write(queue.memory(), done, &bytes[..got]);
        done += got as u64;
    }
    done as u32
}

impl VirtioDevice for Rng {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn device_id(&self) -> u32 {
        device_id::ENTROPY
    }

    fn features(&self) -> u64 {
        0
    }

    fn queue_max_sizes(&self) -> &[u16] {
        &[QUEUE_SIZE]
    }

    fn read_config(&self, offset: u64, data: &mut [u8]) {
        read_space(&[], offset, data);
    }

    fn write_config(&mut self, _: u64, _: &[u8]) {}

    fn set_features(&mut self, _: u64) {}

    fn start_queue(&mut self, _: usize, queue: VirtQueue) {
        self.queue = Some(queue);
    }

    fn stop_queue(&mut self, _: usize) -> Option<QueueState> {
        self.queue.take().map(|queue| queue.state())
    }

    fn process(&mut self) -> Result<Turn, QueueError> {
        let Some(queue) = &mut self.queue else { return Ok(Turn::IDLE) };
        queue.suppress()?;
        for _ in 0..TURN {
            if queue.pop(&mut self.chain)? {
                let written = fill(&mut *self.source, queue, &self.chain);
                queue.push(self.chain.head(), written)?;
            } else if !queue.listen()? {
                queue.signal()?;
                return Ok(Turn::IDLE);
            }
        }
        queue.signal()?;
        Ok(Turn::AGAIN)
    }

    fn poll_fds(&self, _: &mut Vec<(RawFd, i16)>) {}

    fn reset(&mut self) {}

    fn save(&self) -> Value {
        json!({ "version": 1 })
    }

    fn restore(&mut self, state: &Value) -> Result<(), StateError> {
        check_version(KIND, state, 1)
    }
}

/// For the registry.
pub fn specimen(bench: &Bench) -> Specimen {
    VirtioMmio::specimen(Box::new(Rng::from_source(Box::new(io::repeat(0x5a)))), bench)
}

#[cfg(test)]
mod tests;
