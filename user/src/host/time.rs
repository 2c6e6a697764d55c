//! Clocks of the host, read without entering its kernel where the C library knows how.
#![expect(unsafe_code, reason = "plain calls of the C library")]

use crate::Errno;

/// Seconds and nanoseconds of a clock, by its number.
pub(crate) fn now(clock: i32) -> Result<[i64; 2], Errno> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is what the call writes.
    match unsafe { libc::clock_gettime(clock, &mut time) } {
        0 => Ok([time.tv_sec, time.tv_nsec]),
        _ => Err(Errno::last()),
    }
}
