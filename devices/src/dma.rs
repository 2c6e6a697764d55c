//! Guest memory as devices reach it.
//!
//! [`Dma`] is a vm-memory address space over the machine's memory. Every write that goes through
//! it is reported to the memory's owner ([`DmaWatch`]), who keeps translated code and the dirty
//! log right; a device does nothing for that.

use std::fmt;
use std::sync::Arc;

use vm_memory::GuestMemoryMmap;
use vm_memory::bitmap::{Bitmap, BitmapSlice, NewBitmap, WithBitmapSlice};

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

    fn whole(&self) -> DmaSlice<'_> {
        DmaSlice { watch: self.watch.as_deref(), base: self.base }
    }
}

impl fmt::Debug for DmaBitmap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DmaBitmap({:#x})", self.base)
    }
}

impl<'a> WithBitmapSlice<'a> for DmaBitmap {
    type S = DmaSlice<'a>;
}

impl Bitmap for DmaBitmap {
    fn mark_dirty(&self, offset: usize, len: usize) {
        self.whole().mark_dirty(offset, len);
    }

    fn dirty_at(&self, _offset: usize) -> bool {
        false
    }

    fn slice_at(&self, offset: usize) -> DmaSlice<'_> {
        self.whole().slice_at(offset)
    }
}

impl NewBitmap for DmaBitmap {
    fn with_len(_len: usize) -> Self {
        Self::default()
    }
}

/// A part of a [`DmaBitmap`]; borrowed, because one is made for every access of a device.
#[derive(Clone, Copy)]
pub struct DmaSlice<'a> {
    watch: Option<&'a dyn DmaWatch>,
    base: u64,
}

impl fmt::Debug for DmaSlice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DmaSlice({:#x})", self.base)
    }
}

impl<'a> WithBitmapSlice<'_> for DmaSlice<'a> {
    type S = DmaSlice<'a>;
}

impl BitmapSlice for DmaSlice<'_> {}

impl Bitmap for DmaSlice<'_> {
    fn mark_dirty(&self, offset: usize, len: usize) {
        if let Some(watch) = self.watch {
            watch.written(self.base.wrapping_add(offset as u64), len);
        }
    }

    fn dirty_at(&self, _offset: usize) -> bool {
        false
    }

    fn slice_at(&self, offset: usize) -> Self {
        Self { watch: self.watch, base: self.base.wrapping_add(offset as u64) }
    }
}

/// Guest memory for devices.
pub type Memory = GuestMemoryMmap<DmaBitmap>;

/// A shared handle on guest memory.
pub type Dma = Arc<Memory>;

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::Ordering;

    use vm_memory::mmap::MmapRegionBuilder;
    use vm_memory::{Bytes, GuestAddress, GuestRegionMmap};

    use super::*;

    #[derive(Default)]
    struct Log(Mutex<Vec<(u64, usize)>>);

    impl DmaWatch for Log {
        fn written(&self, gpa: u64, len: usize) {
            self.0.lock().unwrap().push((gpa, len));
        }
    }

    #[test]
    fn every_kind_of_write_is_reported_at_its_address() {
        let log = Arc::new(Log::default());
        let region =
            MmapRegionBuilder::new_with_bitmap(0x2000, DmaBitmap::new(log.clone(), 0x8000_0000))
                .with_mmap_prot(libc::PROT_READ | libc::PROT_WRITE)
                .with_mmap_flags(libc::MAP_ANONYMOUS | libc::MAP_PRIVATE)
                .build()
                .unwrap();
        let region = GuestRegionMmap::new(region, GuestAddress(0x8000_0000)).unwrap();
        let memory = Memory::from_regions(vec![region]).unwrap();
        memory.write_slice(&[1, 2, 3], GuestAddress(0x8000_0010)).unwrap();
        memory.store(7u16, GuestAddress(0x8000_1002), Ordering::Release).unwrap();
        memory.write_obj(7u64, GuestAddress(0x8000_1008)).unwrap();
        let mut byte = [0; 1];
        memory.read_slice(&mut byte, GuestAddress(0x8000_0010)).unwrap();
        assert_eq!(*log.0.lock().unwrap(), [(0x8000_0010, 3), (0x8000_1002, 2), (0x8000_1008, 8)]);
    }
}
