//! Eventfds of the caller's as `kvm-ioctls` wants them.
#![expect(unsafe_code, reason = "duplicates a descriptor and takes the new one over by number")]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd};

use vmm_sys_util::eventfd::EventFd;

use super::KvmError;

/// A second descriptor of the same eventfd: KVM tells them apart by what is behind them.
pub(super) fn duplicate(event: &dyn AsRawFd) -> Result<EventFd, KvmError> {
    // SAFETY: the call touches no memory; a number that is no descriptor is refused.
    let duplicate = unsafe { libc::fcntl(event.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 0) };
    if duplicate < 0 {
        let source = io::Error::last_os_error();
        return Err(KvmError::Refused { what: "an event descriptor", source });
    }
    // SAFETY: the call succeeded: the descriptor is open, and nobody else's.
    Ok(unsafe { EventFd::from_raw_fd(duplicate) })
}
