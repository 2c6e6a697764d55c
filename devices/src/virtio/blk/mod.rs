//! The virtio block device [VIRTIO-1.3 §5.2], over any [`disk::Image`].
//!
//! Requests are served one by one on the worker's thread, input and output going straight to
//! guest memory. Offered: SIZE_MAX, SEG_MAX, RO, BLK_SIZE, FLUSH, TOPOLOGY, DISCARD,
//! WRITE_ZEROES. Absent: several queues, a switchable write cache, secure erase, zones.
//!
//! A request that is wrong in itself (beyond the end, not in sectors, too short) is answered with
//! an error status; only a malformed descriptor chain breaks the queue.

mod device;
mod request;
mod spec;

pub use device::{Blk, ID_LEN, specimen};

#[cfg(test)]
mod tests;
