//! What the host typed and the guest has not taken yet.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, Mutex};

use vmm_sys_util::eventfd::{EFD_CLOEXEC, EFD_NONBLOCK, EventFd};

use crate::bus::lock;
use crate::virtio::shared::{clear, set};

/// Bytes held for a guest that does not read.
const CAPACITY: usize = 64 << 10;

/// The host's end of a console's input; clones are the same end.
#[derive(Clone)]
pub struct ConsoleInput {
    bytes: Arc<Mutex<VecDeque<u8>>>,
    arrived: Arc<EventFd>,
}

impl ConsoleInput {
    pub(super) fn new() -> io::Result<Self> {
        let arrived = EventFd::new(EFD_CLOEXEC | EFD_NONBLOCK)?;
        Ok(Self { bytes: Arc::default(), arrived: Arc::new(arrived) })
    }

    /// Hands bytes to the guest, from any thread. Returns how many there was room for; the rest
    /// may be offered again later.
    pub fn receive(&self, bytes: &[u8]) -> usize {
        let mut held = lock(&self.bytes);
        let taken = bytes.len().min(CAPACITY - held.len().min(CAPACITY));
        held.extend(&bytes[..taken]);
        if taken > 0 {
            set(&self.arrived);
        }
        taken
    }

    /// Bytes that could be received now.
    pub fn room(&self) -> usize {
        CAPACITY - lock(&self.bytes).len().min(CAPACITY)
    }

    /// Becomes readable when bytes arrive.
    pub(super) fn fd(&self) -> RawFd {
        self.arrived.as_raw_fd()
    }

    /// Whether bytes are held; the descriptor becomes ready again with the next that arrive.
    pub(super) fn pending(&self) -> bool {
        clear(&self.arrived);
        !lock(&self.bytes).is_empty()
    }

    /// Lets `use_up` have the bytes held; it returns how many of them it used.
    pub(super) fn take(&self, use_up: impl FnOnce(&[u8]) -> usize) -> usize {
        let mut held = lock(&self.bytes);
        let used = use_up(held.make_contiguous());
        held.drain(..used);
        used
    }

    pub(super) fn snapshot(&self) -> Vec<u8> {
        lock(&self.bytes).iter().copied().collect()
    }

    pub(super) fn replace(&self, bytes: &[u8]) {
        let mut held = lock(&self.bytes);
        held.clear();
        held.extend(bytes.iter().take(CAPACITY));
    }
}
