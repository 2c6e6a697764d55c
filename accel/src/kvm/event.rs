//! Eventfds of the caller's as `kvm-ioctls` wants them.
#![expect(unsafe_code, reason = "takes a descriptor over by number")]

use std::os::fd::{BorrowedFd, FromRawFd, IntoRawFd};

use vmm_sys_util::eventfd::EventFd;

use super::KvmError;

/// A second descriptor of the same eventfd: KVM tells them apart by what is behind them.
pub(super) fn duplicate(event: BorrowedFd<'_>) -> Result<EventFd, KvmError> {
    let owned = event
        .try_clone_to_owned()
        .map_err(|source| KvmError::Refused { what: "an event descriptor", source })?;
    // SAFETY: the descriptor is open, and nobody else's from here on.
    Ok(unsafe { EventFd::from_raw_fd(owned.into_raw_fd()) })
}
