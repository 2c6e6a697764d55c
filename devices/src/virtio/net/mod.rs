//! The virtio network card [VIRTIO-1.3 §5.1] over any [`NetBackend`].
//!
//! Offered: MAC, STATUS, MTU where the back end knows it, MRG_RXBUF. Absent: checksum and
//! segmentation offloads, several queue pairs, the control queue.
//!
//! Frames go out in the order of the ring. A frame for which the guest has no buffer waits, and
//! the back end is not asked for more meanwhile; a frame that cannot fit is dropped.

pub mod backend;
mod device;
mod rx;
mod spec;

pub use backend::{FRAME_MAX, NetBackend};
pub use device::{Net, specimen};

#[cfg(test)]
mod tests;
