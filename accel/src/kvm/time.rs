//! Time that the processor and KVM count by themselves, and that stands still in a pause.
#![expect(unsafe_code, reason = "takes a duplicate of a vCPU's descriptor over by number")]

use std::os::fd::IntoRawFd;
use std::sync::{Mutex, PoisonError};

use kvm_ioctls::VcpuFd;

use super::vm::Shared;
use super::{KvmError, KvmVcpuArch};
use crate::{Error, GuestTime};

/// Where a machine's clocks stood when they were stopped.
pub(super) type Stopped<M> = Mutex<Option<M>>;

impl<A: KvmVcpuArch> GuestTime for Shared<A> {
    fn stop(&self) -> Result<(), Error> {
        let mut stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        if stopped.is_none() {
            *stopped = Some(A::stop_time(self, &self.vcpus()?)?);
        }
        Ok(())
    }

    fn go_on(&self) -> Result<(), Error> {
        let mut stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        match stopped.take() {
            Some(moment) => Ok(A::start_time(self, &self.vcpus()?, &moment)?),
            None => Ok(()),
        }
    }
}

impl<A: KvmVcpuArch> Shared<A> {
    /// The vCPUs there are, for requests from the calling thread: KVM takes them one by one.
    fn vcpus(&self) -> Result<Vec<VcpuFd>, KvmError> {
        let made = self.seats.iter().filter_map(|seat| seat.fd.get());
        made.map(|fd| {
            let duplicate = fd
                .try_clone()
                .map_err(|source| KvmError::Refused { what: "a descriptor", source })?;
            // SAFETY: the descriptor is a vCPU's of this machine, and nobody else's: it is given
            // away. Its page is mapped a second time, and not looked at.
            unsafe { self.fd.create_vcpu_from_rawfd(duplicate.into_raw_fd()) }
                .map_err(KvmError::refused("a vCPU's page"))
        })
        .collect()
    }
}
