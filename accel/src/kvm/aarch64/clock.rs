//! The counters of the generic timer `[ARM-ARM D12.1]`. Timers compare with them, and KVM looks at
//! those of a vCPU only when it enters it or waits for it.

use kvm_ioctls::VcpuFd;

use super::super::KvmError;
use super::one_reg::{self, CNTPCT_EL0, CNTVCT_EL0};

/// Where the counters stood.
pub(in crate::kvm) struct Moment {
    virtual_: u128,
    /// Kernels before 6.4 give guests the host's own.
    physical: Option<u128>,
}

pub(super) fn stop(vcpus: &[VcpuFd]) -> Result<Moment, KvmError> {
    let first = vcpus.first().ok_or(KvmError::Unsupported("time without vCPUs"))?;
    Ok(Moment {
        virtual_: one_reg::get(first, CNTVCT_EL0)?,
        physical: one_reg::get(first, CNTPCT_EL0).ok(),
    })
}

/// What is set for one vCPU counts for all of the machine.
pub(super) fn start(vcpus: &[VcpuFd], moment: &Moment) -> Result<(), KvmError> {
    let first = vcpus.first().ok_or(KvmError::Unsupported("time without vCPUs"))?;
    one_reg::set(first, CNTVCT_EL0, moment.virtual_)?;
    moment.physical.map_or(Ok(()), |value| one_reg::set(first, CNTPCT_EL0, value))
}
