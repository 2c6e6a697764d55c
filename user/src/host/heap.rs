//! The heap of the C library, which holds the blocks that code is decoded into.
#![expect(unsafe_code, reason = "tells the C library how to grow its heap")]

/// Bytes that the heap grows by at least.
const STEP: i32 = 256 << 10;

/// Has the heap grow in larger steps than a small program needs, and what is as large as a jump table
/// be a mapping of its own, of whose pages only those are ever there that are used.
pub(crate) fn prepare() {
    #[cfg(target_env = "gnu")]
    // SAFETY: plain settings of the allocator.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, STEP / 2);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 16 * STEP);
        libc::mallopt(libc::M_TOP_PAD, STEP);
    }
}
