//! What goes wrong on the host's side.

/// A host failure; guest failures are answered inside the guest.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Memory could not be added.
    #[error(transparent)]
    Slot(#[from] tcg::mmu::ram::SlotError),
    /// The translator could not be set up.
    #[error(transparent)]
    Native(#[from] tcg::NativeError),
    /// No such vCPU, or it is taken.
    #[error("vCPU {0} does not exist or runs already")]
    Vcpu(u32),
    /// Memory that does not consist of whole pages.
    #[error("{len:#x} bytes of memory at {gpa:#x} are no whole pages")]
    Pages {
        /// Guest-physical address.
        gpa: u64,
        /// Bytes.
        len: u64,
    },
    /// Memory where there is some already.
    #[error("{len:#x} bytes of memory at {gpa:#x} overlap with others")]
    Overlap {
        /// Guest-physical address.
        gpa: u64,
        /// Bytes.
        len: u64,
    },
    /// The host cannot give the guest the CPU that was asked for.
    #[error("{0}")]
    Model(String),
    /// The accelerator that was asked for cannot be used.
    #[error("{0}")]
    Unusable(String),
    /// The accelerator gave up on a vCPU; says why, with its registers.
    #[error("it cannot go on with the guest: {0}")]
    Stuck(String),
    /// KVM.
    #[cfg(target_os = "linux")]
    #[error(transparent)]
    Kvm(#[from] crate::kvm::KvmError),
    /// No memory there.
    #[error("there is no memory at guest-physical address {0:#x}")]
    NoMemory(u64),
}

impl Error {
    /// Whether what the user asked for is at fault, rather than the host.
    pub fn is_input(&self) -> bool {
        matches!(self, Error::Model(_) | Error::Unusable(_))
    }
}
