//! The memory of the probe's guest.
#![expect(unsafe_code, reason = "gives a guest some pages of our own heap")]

use std::cell::UnsafeCell;

use crate::HostMemory;

/// Bytes of it.
const LEN: usize = 64 << 10;

#[repr(C, align(4096))]
struct Aligned(UnsafeCell<[u8; LEN]>);

/// See the module.
pub(super) struct Pages(Box<Aligned>);

impl Pages {
    /// Zeros, but for `image`: bytes and their offsets.
    pub(super) fn new(image: &[(usize, Vec<u8>)]) -> Self {
        let mut pages = Box::new(Aligned(UnsafeCell::new([0; LEN])));
        for (at, bytes) in image {
            pages.0.get_mut()[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        Self(pages)
    }
}

// SAFETY: the guest is the only one that touches the pages while they are shared.
unsafe impl Send for Pages {}
// SAFETY: as above: there is no access through `&self` on this side.
unsafe impl Sync for Pages {}

// SAFETY: the box owns that many bytes, aligned to a page, which stay where they are until it is
// dropped, and the cell allows that they change.
unsafe impl HostMemory for Pages {
    fn as_ptr(&self) -> *mut u8 {
        self.0.0.get().cast()
    }

    fn len(&self) -> usize {
        LEN
    }
}
