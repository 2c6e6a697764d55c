//! What KVM refuses, and what it lacks.

use std::io;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum KvmError {
    /// A request that should have worked.
    #[error("KVM refused {what}: {source}")]
    Refused {
        /// What was asked for.
        what: &'static str,
        /// What it says.
        source: io::Error,
    },
    /// The kernel is too old, or built without something.
    #[error("this kernel's KVM has no {0}, which Polyvisor needs; use a newer kernel")]
    Lacks(&'static str),
    /// More vCPUs than KVM runs.
    #[error(
        "this KVM runs {max} vCPUs in one machine at most, not {asked}; ask for fewer with --cpus"
    )]
    Vcpus {
        /// As many as asked for.
        asked: u32,
        /// As many as there can be.
        max: u32,
    },
    /// The machine is put together in a way that this accelerator does not support.
    #[error("KVM does not support {0}")]
    Unsupported(&'static str),
    /// Saved registers are not those of this accelerator.
    #[error("the saved state is not of this kind of machine: {0}")]
    State(&'static str),
}

impl KvmError {
    /// For `map_err` on calls of `kvm-ioctls`.
    pub(super) fn refused(what: &'static str) -> impl Fn(kvm_ioctls::Error) -> KvmError {
        move |error| KvmError::Refused { what, source: error.into() }
    }
}
