//! Guest memory as devices reach it.
//!
//! [`Dma`] is a vm-memory address space over the machine's memfd. Every write that goes through
//! it is reported to the memory's owner ([`DmaWatch`]), who keeps translated code and the dirty
//! log right; a device does nothing for that.

use std::fmt;
use std::sync::Arc;

use vm_memory::bitmap::{Bitmap, BitmapSlice, NewBitmap, WithBitmapSlice};
use vm_memory::GuestMemoryMmap;

/// Told of every write of a device to guest memory.
pub trait DmaWatch: Send + Sync {
    /// `len` bytes at guest-physical address `gpa` were written.
    fn written(&self, gpa: u64, len: usize);
}

/// The "bitmap" of a region: forwards writes to the watch.
#[derive(Clone, Default)]
pub struct DmaBitmap {
    watch: Option<Arc<dyn DmaWatch>>,
    base: u64,
}

impl DmaBitmap {
    /// For a region that starts at guest-physical address `gpa`.
    pub fn new(watch: Arc<dyn DmaWatch>, gpa: u64) -> Self {
        Self { watch: Some(watch), base: gpa }
    }
}

impl fmt::Debug for DmaBitmap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DmaBitmap({:#x})", self.base)
    }
}

impl<'a> WithBitmapSlice<'a> for DmaBitmap {
    type S = DmaBitmap;
}

impl BitmapSlice for DmaBitmap {}

impl Bitmap for DmaBitmap {
    fn mark_dirty(&self, offset: usize, len: usize) {
        if let Some(watch) = &self.watch {
            watch.written(self.base.wrapping_add(offset as u64), len);
        }
    }

    fn dirty_at(&self, _offset: usize) -> bool {
        false
    }

    fn slice_at(&self, offset: usize) -> Self {
        Self { watch: self.watch.clone(), base: self.base.wrapping_add(offset as u64) }
    }
}

impl NewBitmap for DmaBitmap {
    fn with_len(_len: usize) -> Self {
        Self::default()
    }
}

/// Guest memory for devices.
pub type Memory = GuestMemoryMmap<DmaBitmap>;

/// A shared handle on guest memory.
pub type Dma = Arc<Memory>;
