//! Virtio devices [VIRTIO-1.3]: split rings, the modern interface only.
//!
//! Three parts meet here:
//!
//! * a **device** ([`VirtioDevice`]: [`blk`], [`net`], [`rng`], [`console`]) knows requests and a
//!   back end, and owns its queues while they are live;
//! * a **transport** ([`transport::VirtioMmio`], a [`Device`](crate::Device) on the bus) knows
//!   registers, the status machine and interrupts. A notification sets the doorbell (an eventfd)
//!   of its queue, and that is all it does on the vCPU's thread;
//! * a **worker** ([`QueueWorker`]) waits for doorbells and the back end's descriptors and lets
//!   the device work.
//!
//! How a machine puts them together:
//!
//! ```
//! # use std::sync::{Arc, Mutex};
//! # use devices::{Bus, dma::Memory, irq::IrqLine, virtio::{VirtioMmio, rng::Rng}};
//! # use vm_memory::GuestAddress;
//! # let memory = Arc::new(Memory::from_ranges(&[(GuestAddress(0x8000_0000), 0x1000)]).unwrap());
//! # let line = IrqLine::unconnected();
//! let mmio = VirtioMmio::new(Box::new(Rng::new()?), memory, line)?;
//! // Optional: let the accelerator set `mmio.doorbells()[i]` on 32-bit writes of `i` to
//! // `base + transport::mmio::reg::QUEUE_NOTIFY`.
//! let worker = mmio.worker()?;
//! let stop = worker.stop_handle();
//! let mut bus = Bus::new();
//! bus.map(0x1000_1000, 0, Arc::new(Mutex::new(mmio))).unwrap();
//! let thread = std::thread::spawn(move || worker.run());
//! // To pause (before a snapshot, say): the worker comes back and can be run again.
//! stop.stop();
//! let worker = thread.join().unwrap()?;
//! # drop(worker);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Absent on purpose: the legacy interface, packed rings, queue reset, IOMMU translation.
//!
//! Tests drive every device through its registers and rings with a driver of their own
//! (`testing.rs`), with well-formed, hostile and random rings.

pub mod blk;
pub mod console;
pub mod device;
pub mod net;
pub mod queue;
pub mod rng;
mod shared;
pub mod spec;
pub mod transport;
pub mod worker;
mod worker_poll;

pub use device::{Turn, VirtioDevice};
pub use queue::{Buffers, Chain, QueueError, QueueState, VirtQueue};
pub use transport::VirtioMmio;
pub use worker::{QueueWorker, Round, WorkerStop};

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod testing;
