//! poll(2) over borrowed descriptors.
#![expect(unsafe_code, reason = "poll(2) has no safe form for descriptors known by number")]

use std::io;

/// Waits until a descriptor of `fds` is ready or `timeout_ms` have passed (-1: for ever), and
/// leaves the answers in `revents`. A signal ends the wait like a timeout.
pub(super) fn poll(fds: &mut [libc::pollfd], timeout_ms: i32) -> io::Result<()> {
    // SAFETY: pointer and length are those of one exclusively borrowed slice, and poll writes
    // nothing but `revents` within it. A number that is no open descriptor yields POLLNVAL.
    let ready = unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, timeout_ms) };
    if ready >= 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    if error.kind() != io::ErrorKind::Interrupted {
        return Err(error);
    }
    for fd in fds {
        fd.revents = 0;
    }
    Ok(())
}
