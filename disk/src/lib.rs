//! Disk images: byte-addressed storage behind `virtio-blk` and behind `polyvisor img`.
//!
//! An [`Image`] is a run of bytes that is read and written at offsets, from any thread. The
//! buffers are pieces of memory ([`Buf`], [`BufMut`]) rather than slices, because most of them
//! lie in a guest's memory, which the guest may change at any moment; input and output go there
//! directly.
//!
//! Formats so far: [`raw`].

mod buf;
mod error;
mod image;
pub mod raw;

pub use buf::{Buf, BufMut};
pub use error::OpenError;
pub use image::{Image, SECTOR};
pub use raw::{OpenOptions, RawImage};
