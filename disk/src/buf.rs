//! Pieces of memory to read into and to write from.
//!
//! A piece comes from an ordinary slice, or from a [`VolatileSlice`] of guest memory. The latter
//! may be changed by the guest at any time, so no `&[u8]` to it may exist; what can be done with
//! a piece is to hand its address to the kernel.

use std::marker::PhantomData;

use vm_memory::VolatileSlice;
use vm_memory::bitmap::BitmapSlice;

/// Memory to write to an image. For `'a`, its bytes may be read by the kernel.
#[derive(Clone, Copy, Debug)]
pub struct Buf<'a> {
    start: *const u8,
    len: usize,
    memory: PhantomData<&'a [u8]>,
}

/// Memory to fill from an image. For `'a`, its bytes may be read and written by the kernel.
///
/// Whoever hands out guest memory this way reports it as written afterwards; nothing here does.
#[derive(Debug)]
pub struct BufMut<'a> {
    start: *mut u8,
    len: usize,
    memory: PhantomData<&'a mut [u8]>,
}

impl Buf<'_> {
    /// Bytes in it.
    pub fn len(&self) -> usize {
        self.len
    }

    /// No byte at all.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn start(&self) -> *const u8 {
        self.start
    }
}

impl BufMut<'_> {
    /// Bytes in it.
    pub fn len(&self) -> usize {
        self.len
    }

    /// No byte at all.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn start(&self) -> *mut u8 {
        self.start
    }
}

impl<'a> From<&'a [u8]> for Buf<'a> {
    fn from(slice: &'a [u8]) -> Self {
        Self { start: slice.as_ptr(), len: slice.len(), memory: PhantomData }
    }
}

impl<'a> From<&'a mut [u8]> for BufMut<'a> {
    fn from(slice: &'a mut [u8]) -> Self {
        Self { start: slice.as_mut_ptr(), len: slice.len(), memory: PhantomData }
    }
}

// The guards only matter to vm-memory's Xen mappings, which this workspace does not enable.

impl<'a, B: BitmapSlice> From<&VolatileSlice<'a, B>> for Buf<'a> {
    fn from(slice: &VolatileSlice<'a, B>) -> Self {
        Self { start: slice.ptr_guard().as_ptr(), len: slice.len(), memory: PhantomData }
    }
}

impl<'a, B: BitmapSlice> From<&VolatileSlice<'a, B>> for BufMut<'a> {
    fn from(slice: &VolatileSlice<'a, B>) -> Self {
        Self { start: slice.ptr_guard_mut().as_ptr(), len: slice.len(), memory: PhantomData }
    }
}
