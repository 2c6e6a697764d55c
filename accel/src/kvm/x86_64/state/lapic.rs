//! The local APIC's registers `[SDM-3A §12.4.1]`: 32 bits in every 16 bytes of KVM's structure.

use arch::x86_64::Cpu;
use kvm_bindings::kvm_lapic_state;
use kvm_ioctls::VcpuFd;

use crate::kvm::KvmError;

/// Writes them. All zero stands for those after a reset: the version register never is.
pub(super) fn set(fd: &VcpuFd, state: &Cpu) -> Result<(), KvmError> {
    if state.lapic.iter().all(|value| *value == 0) {
        return Ok(());
    }
    let mut regs = kvm_lapic_state::default();
    for (place, value) in regs.regs.chunks_exact_mut(16).zip(state.lapic) {
        for (to, from) in place.iter_mut().zip((value as u32).to_le_bytes()) {
            *to = from as _;
        }
    }
    fd.set_lapic(&regs).map_err(KvmError::refused("the local APIC's registers"))
}

pub(super) fn get(fd: &VcpuFd, state: &mut Cpu) -> Result<(), KvmError> {
    let regs = fd.get_lapic().map_err(KvmError::refused("the local APIC's registers"))?;
    for (place, value) in regs.regs.chunks_exact(16).zip(&mut state.lapic) {
        let bytes = std::array::from_fn(|n| place[n] as u8);
        *value = u32::from_le_bytes(bytes).into();
    }
    Ok(())
}
