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
    /// No memory there.
    #[error("there is no memory at guest-physical address {0:#x}")]
    NoMemory(u64),
}
