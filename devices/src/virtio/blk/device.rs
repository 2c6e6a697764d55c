//! The device: its configuration, and the loop over its queue.

use std::os::fd::RawFd;
use std::path::Path;
use std::sync::Arc;

use disk::{Image, OpenOptions, RawImage, SECTOR};
use serde_json::{Value, json};
use vmm_sys_util::tempfile::TempFile;

use super::request::{Context, serve};
use super::spec::{self, feature};
use crate::device::StateError;
use crate::registry::{Bench, Specimen};
use crate::virtio::device::{Turn, VirtioDevice, check_version, read_space};
use crate::virtio::queue::{Chain, QueueError, QueueState, VirtQueue};
use crate::virtio::spec::device_id;
use crate::virtio::transport::VirtioMmio;

const KIND: &str = "virtio-blk";

/// Bytes of a disk's id.
pub const ID_LEN: usize = 20;

/// Requests served in one turn, so that a vCPU that wants the device waits for few.
const TURN: u32 = 32;

/// A disk.
pub struct Blk {
    image: Arc<dyn Image>,
    id: [u8; ID_LEN],
    features: u64,
    accepted: u64,
    config: [u8; 60],
    queue: Option<VirtQueue>,
    chain: Chain,
}

impl Blk {
    /// A disk with the contents of `image`, read-only if that is. The guest sees `id` as its
    /// serial number: the first [`ID_LEN`] bytes, filled up with zeros.
    pub fn new(image: Arc<dyn Image>, id: &str) -> Self {
        let mut padded = [0; ID_LEN];
        let len = id.len().min(ID_LEN);
        padded[..len].copy_from_slice(&id.as_bytes()[..len]);
        let changes =
            if image.readonly() { feature::RO } else { feature::DISCARD | feature::WRITE_ZEROES };
        Self {
            features: changes
                | feature::SIZE_MAX
                | feature::SEG_MAX
                | feature::BLK_SIZE
                | feature::FLUSH
                | feature::TOPOLOGY,
            accepted: 0,
            config: spec::config(image.size() / SECTOR),
            id: padded,
            image,
            queue: None,
            chain: Chain::new(),
        }
    }
}

impl VirtioDevice for Blk {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn device_id(&self) -> u32 {
        device_id::BLOCK
    }

    fn features(&self) -> u64 {
        self.features
    }

    fn queue_max_sizes(&self) -> &[u16] {
        &[spec::QUEUE_SIZE]
    }

    fn read_config(&self, offset: u64, data: &mut [u8]) {
        read_space(&self.config, offset, data);
    }

    fn write_config(&mut self, _: u64, _: &[u8]) {}

    fn set_features(&mut self, accepted: u64) {
        self.accepted = accepted;
    }

    fn start_queue(&mut self, _: usize, queue: VirtQueue) {
        self.queue = Some(queue);
    }

    fn stop_queue(&mut self, _: usize) -> Option<QueueState> {
        self.queue.take().map(|queue| queue.state())
    }

    fn process(&mut self) -> Result<Turn, QueueError> {
        let Some(queue) = &mut self.queue else { return Ok(Turn::IDLE) };
        let context = Context {
            image: &*self.image,
            id: &self.id,
            write_through: self.accepted & feature::FLUSH == 0,
        };
        let memory = queue.memory().clone();
        queue.suppress()?;
        for _ in 0..TURN {
            if !queue.pop(&mut self.chain)? {
                if queue.listen()? {
                    continue;
                }
                return Ok(Turn::IDLE);
            }
            let written = serve(&context, &memory, &self.chain);
            queue.push(self.chain.head(), written)?;
            // At once: the guest may well be waiting for this very block.
            queue.signal()?;
        }
        Ok(Turn::AGAIN)
    }

    fn poll_fds(&self, _: &mut Vec<(RawFd, i16)>) {}

    fn reset(&mut self) {
        self.accepted = 0;
    }

    fn save(&self) -> Value {
        json!({ "version": 1 })
    }

    fn restore(&mut self, state: &Value) -> Result<(), StateError> {
        check_version(KIND, state, 1)
    }
}

/// For the registry: a disk of one mebibyte.
///
/// # Panics
/// When the host has no place for a temporary file of that size.
pub fn specimen(bench: &Bench) -> Specimen {
    let file = TempFile::new().expect("making a temporary file").into_file();
    file.set_len(1 << 20).expect("growing a temporary file to a mebibyte");
    let image = RawImage::from_file(file, Path::new("specimen"), OpenOptions::default());
    let image = Arc::new(image.expect("opening a temporary file as a disk image"));
    VirtioMmio::specimen(Box::new(Blk::new(image, "specimen")), bench)
}
