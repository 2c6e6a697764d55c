//! Frames from the back end into receive buffers [VIRTIO-1.3 §5.1.6.4].

use super::spec::{HEADER_LEN, NUM_BUFFERS};
use crate::virtio::queue::{Chain, QueueError, VirtQueue};

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// The guest has it.
    Done,
    /// It does not fit into the buffers that the guest makes available; gone.
    Dropped,
    /// There are too few buffers now.
    NoBuffers,
}

/// Puts frames into a receive queue. Keeps its chains, so that a frame allocates nothing.
#[derive(Default)]
pub(super) struct Receiver {
    chains: Vec<Chain>,
    used: Vec<(u16, u32)>,
}

impl Receiver {
    /// Delivers `packet`, a frame with [`HEADER_LEN`] bytes of room before it for the header.
    pub(super) fn deliver(
        &mut self,
        queue: &mut VirtQueue,
        packet: &mut [u8],
        mergeable: bool,
    ) -> Result<Delivery, QueueError> {
        let count = match self.gather(queue, packet.len() as u64, mergeable)? {
            Ok(count) => count,
            Err(refusal) => return Ok(refusal),
        };
        packet[..HEADER_LEN].fill(0);
        // At most the queue's size, which is 16 bits wide.
        packet[NUM_BUFFERS..HEADER_LEN].copy_from_slice(&(count as u16).to_le_bytes());
        self.used.clear();
        let mut at = 0;
        for chain in &self.chains[..count] {
            let written = chain.writable().write(queue.memory(), 0, &packet[at..]);
            at += written;
            self.used.push((chain.head(), written as u32));
        }
        queue.push_all(&self.used)?;
        Ok(Delivery::Done)
    }

    /// Pops chains with room for `len` bytes and returns how many; on refusal all are put back.
    fn gather(
        &mut self,
        queue: &mut VirtQueue,
        len: u64,
        mergeable: bool,
    ) -> Result<Result<usize, Delivery>, QueueError> {
        let most = if mergeable { usize::from(queue.size()) } else { 1 };
        let mut room = 0;
        let mut count = 0;
        while room < len {
            if count == most {
                queue.unpop(count as u16);
                return Ok(Err(Delivery::Dropped));
            }
            if self.chains.len() == count {
                self.chains.push(Chain::new());
            }
            if !queue.pop(&mut self.chains[count])? {
                // Asked with everything taken, so that the driver notifies of the next buffer,
                // not of one that is there already and does not suffice.
                if queue.listen()? {
                    continue;
                }
                queue.unpop(count as u16);
                return Ok(Err(Delivery::NoBuffers));
            }
            room += self.chains[count].writable().len();
            count += 1;
        }
        Ok(Ok(count))
    }
}
