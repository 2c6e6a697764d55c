//! The time stamp counter's frequency.

use arch::x86_64::Model;
use kvm_ioctls::{Cap, VcpuFd};

use super::super::{Kvm, KvmError};
use crate::Error;

/// Whether the host can give the frequency that the model asks for.
pub(super) fn check(host: &Kvm, model: &Model) -> Result<(), Error> {
    if model.tsc_khz.is_some() && !host.fd.check_extension(Cap::TscControl) {
        return Err(Error::Model(
            "this host's processor cannot change the frequency of a guest's time stamp counter; \
             leave tsc-khz out of --cpu"
                .into(),
        ));
    }
    Ok(())
}

/// Sets it.
pub(super) fn set(fd: &VcpuFd, model: &Model) -> Result<(), KvmError> {
    match model.tsc_khz {
        Some(khz) => fd.set_tsc_khz(khz).map_err(KvmError::refused("the counter's frequency")),
        None => Ok(()),
    }
}
