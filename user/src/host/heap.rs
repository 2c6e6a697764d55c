//! The heap of the C library, which holds the blocks that code is decoded into.
#![expect(unsafe_code, reason = "tells the C library how to grow its heap")]

use tcg::mmu::populate::populate;

/// Bytes of heap that the smallest programs take.
const LEAST: usize = 256 << 10;

/// Has the heap be there at once as far as every program needs it, and grow in larger steps: a
/// short program would spend much of its time on page faults.
pub(crate) fn prepare() {
    #[cfg(target_env = "gnu")]
    // SAFETY: plain settings of the allocator.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 2 * LEAST as i32);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 16 * LEAST as i32);
        libc::mallopt(libc::M_TOP_PAD, LEAST as i32);
    }
    let mut bytes: Vec<u8> = Vec::with_capacity(LEAST);
    populate(bytes.spare_capacity_mut());
}
