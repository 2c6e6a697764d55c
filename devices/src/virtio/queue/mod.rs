//! A live virtqueue: the available side and the notification switches come from `virtio-queue`;
//! the used side is here, because a frame that spans several buffers must become visible with one
//! store of the index, which that crate cannot do.

mod chain;

use std::num::Wrapping;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use virtio_queue::{Queue, QueueOwnedT, QueueT};
use vm_memory::{Bytes, GuestAddress, GuestMemory, GuestMemoryError, Permissions};

pub use chain::{Buffers, Chain};

use crate::dma::Dma;

/// How a device tells its driver something; the face of the transport implements it.
pub trait Interrupts: Send + Sync {
    /// Buffers of queue `index` were used.
    fn queue(&self, index: u16);
    /// The configuration changed, or the device needs a reset.
    fn config(&self);
}

/// Where a queue lies and how far it has come: all there is to know to start it again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueState {
    /// Entries; a power of two.
    pub size: u16,
    /// Guest-physical address of the descriptor table.
    pub desc: u64,
    /// Guest-physical address of the available ring.
    pub avail: u64,
    /// Guest-physical address of the used ring.
    pub used: u64,
    /// Next available index to take.
    pub next_avail: u16,
    /// Next used index to fill.
    pub next_used: u16,
}

/// What makes a queue unusable. All of it is the driver's doing; the answer is
/// DEVICE_NEEDS_RESET.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The place or size of the rings is impossible.
    #[error("the rings cannot be used: {0}")]
    Layout(&'static str),
    /// The available index is further ahead than the ring is long.
    #[error("the available index jumped by more than the queue's size")]
    AvailIndex,
    /// The rings left guest memory.
    #[error("a ring could not be accessed: {0}")]
    Ring(#[source] GuestMemoryError),
    /// A descriptor chain breaks the rules.
    #[error("the descriptor chain at {head} is malformed: {what}")]
    Chain {
        /// First descriptor of the chain.
        head: u16,
        /// Which rule.
        what: &'static str,
    },
}

/// A started queue, owned by its device.
pub struct VirtQueue {
    index: u16,
    ring: Queue,
    /// `next_used` when the driver's wish for an interrupt was last looked at.
    signalled: Wrapping<u16>,
    memory: Dma,
    interrupts: Arc<dyn Interrupts>,
}

impl VirtQueue {
    /// Checks that the rings lie in guest memory, then makes the queue live.
    pub fn new(
        index: u16,
        max_size: u16,
        state: QueueState,
        event_idx: bool,
        memory: Dma,
        interrupts: Arc<dyn Interrupts>,
    ) -> Result<Self, QueueError> {
        check_layout(max_size, &state, &*memory)?;
        let ring = Queue::try_from(virtio_queue::QueueState {
            max_size,
            next_avail: state.next_avail,
            next_used: state.next_used,
            event_idx_enabled: event_idx,
            size: state.size,
            ready: true,
            desc_table: state.desc,
            avail_ring: state.avail,
            used_ring: state.used,
        })
        .map_err(|_| QueueError::Layout("bad size or alignment"))?;
        Ok(Self { index, ring, signalled: Wrapping(state.next_used), memory, interrupts })
    }

    /// The queue's number.
    pub fn index(&self) -> u16 {
        self.index
    }

    /// Entries of the ring.
    pub fn size(&self) -> u16 {
        self.ring.size()
    }

    /// The memory that its chains lie in.
    pub fn memory(&self) -> &Dma {
        &self.memory
    }

    /// Where it is and how far it has come.
    pub fn state(&self) -> QueueState {
        QueueState {
            size: self.ring.size(),
            desc: self.ring.desc_table(),
            avail: self.ring.avail_ring(),
            used: self.ring.used_ring(),
            next_avail: self.ring.next_avail(),
            next_used: self.ring.next_used(),
        }
    }

    /// Takes the next available chain into `chain`; false if there is none.
    pub fn pop(&mut self, chain: &mut Chain) -> Result<bool, QueueError> {
        let (size, table) = (self.ring.size(), GuestAddress(self.ring.desc_table()));
        let head = {
            let mut available = self.ring.iter(&*self.memory).map_err(ring_error)?;
            match available.next() {
                Some(found) => found.head_index(),
                None => return Ok(false),
            }
        };
        chain.load(&self.memory, table, size, head)?;
        Ok(true)
    }

    /// Puts the chains of the last `count` successful [`VirtQueue::pop`]s back.
    pub fn unpop(&mut self, count: u16) {
        self.ring.set_next_avail(self.ring.next_avail().wrapping_sub(count));
    }

    /// Gives a chain back to the driver; `written` bytes of its writable part were filled.
    pub fn push(&mut self, head: u16, written: u32) -> Result<(), QueueError> {
        self.push_all(&[(head, written)])
    }

    /// Gives chains back so that the driver sees all of them or none.
    pub fn push_all(&mut self, used: &[(u16, u32)]) -> Result<(), QueueError> {
        let ring = self.ring.used_ring();
        let mut next = self.ring.next_used();
        for &(head, written) in used {
            let slot = u64::from(next % self.ring.size());
            let mut element = [0; 8];
            element[..4].copy_from_slice(&u32::from(head).to_le_bytes());
            element[4..].copy_from_slice(&written.to_le_bytes());
            self.memory
                .write_slice(&element, GuestAddress(ring + 4 + 8 * slot))
                .map_err(QueueError::Ring)?;
            next = next.wrapping_add(1);
        }
        self.ring.set_next_used(next);
        self.memory
            .store(next.to_le(), GuestAddress(ring + 2), Ordering::Release)
            .map_err(QueueError::Ring)
    }

    /// Interrupts the driver if it wants to hear of what was pushed since the last call.
    pub fn signal(&mut self) -> Result<(), QueueError> {
        let now = Wrapping(self.ring.next_used());
        let before = std::mem::replace(&mut self.signalled, now);
        if now == before {
            return Ok(());
        }
        // The driver writes its wish and then looks at the used index; we store the used index
        // and then look at its wish. One of the two must see the other [VIRTIO-1.3 §2.7.10].
        fence(Ordering::SeqCst);
        let wanted = if self.ring.event_idx_enabled() {
            let event = Wrapping(self.load_avail(4 + 2 * u64::from(self.ring.size()))?);
            now - event - Wrapping(1) < now - before
        } else {
            const NO_INTERRUPT: u16 = 1;
            self.load_avail(0)? & NO_INTERRUPT == 0
        };
        if wanted {
            self.interrupts.queue(self.index);
        }
        Ok(())
    }

    /// Asks the driver not to notify while the queue is being worked off.
    pub fn suppress(&mut self) -> Result<(), QueueError> {
        self.ring.disable_notification(&*self.memory).map_err(ring_error)
    }

    /// Asks the driver to notify again; true if something has become available meanwhile, for
    /// which no notification may come.
    pub fn listen(&mut self) -> Result<bool, QueueError> {
        self.ring.enable_notification(&*self.memory).map_err(ring_error)
    }

    fn load_avail(&self, offset: u64) -> Result<u16, QueueError> {
        let at = GuestAddress(self.ring.avail_ring() + offset);
        self.memory.load(at, Ordering::Relaxed).map(u16::from_le).map_err(QueueError::Ring)
    }
}

/// Sizes and alignments of the three parts [VIRTIO-1.3 §2.7]. Address 0 is refused because
/// `virtio-queue` takes it for "not configured". After this, offsets inside a ring cannot
/// overflow.
fn check_layout(
    max_size: u16,
    state: &QueueState,
    memory: &impl GuestMemory,
) -> Result<(), QueueError> {
    let size = u64::from(state.size);
    if !state.size.is_power_of_two() || state.size > max_size {
        return Err(QueueError::Layout("the size is not a power of two within the maximum"));
    }
    let parts = [
        (state.desc, 16 * size, 16, Permissions::Read, "bad descriptor table address"),
        (state.avail, 6 + 2 * size, 2, Permissions::Read, "bad available ring address"),
        (state.used, 6 + 8 * size, 4, Permissions::Write, "bad used ring address"),
    ];
    for (at, len, align, access, what) in parts {
        let fits = at != 0
            && at.is_multiple_of(align)
            && at.checked_add(len).is_some()
            && memory.check_range(GuestAddress(at), len as usize, access);
        if !fits {
            return Err(QueueError::Layout(what));
        }
    }
    Ok(())
}

fn ring_error(error: virtio_queue::Error) -> QueueError {
    match error {
        virtio_queue::Error::InvalidAvailRingIndex => QueueError::AvailIndex,
        virtio_queue::Error::GuestMemory(e) => QueueError::Ring(e),
        _ => QueueError::Layout("the rings are not set up"),
    }
}

#[cfg(test)]
mod tests;
