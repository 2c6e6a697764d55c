//! Memory that is going to be used for certain, had at once instead of page by page.
#![expect(unsafe_code, reason = "gives advice to the host's kernel")]

use super::{PAGE_MASK, PAGE_SIZE};

/// Has the host's kernel provide all of `memory` now: cheaper than a fault for each page, if most of
/// them will be touched.
pub fn populate<T>(memory: &mut [T]) {
    let start = memory.as_ptr() as usize & !(PAGE_MASK as usize);
    let end = (memory.as_ptr() as usize + size_of_val(memory)).next_multiple_of(PAGE_SIZE as usize);
    // SAFETY: the advice changes no content, and each page holds a part of `memory`, so it is
    // mapped. A kernel that does not know it (before 5.14) says so, and faults do the work.
    unsafe {
        libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_POPULATE_WRITE);
    }
}
