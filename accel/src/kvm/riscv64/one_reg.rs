//! Registers by number, one at a time `[KVM-API 4.68]`.

use kvm_bindings::{
    KVM_REG_RISCV, KVM_REG_RISCV_CORE, KVM_REG_RISCV_CSR, KVM_REG_RISCV_FP_D,
    KVM_REG_RISCV_ISA_EXT, KVM_REG_RISCV_SBI_EXT, KVM_REG_RISCV_TIMER, KVM_REG_SIZE_U32,
    KVM_REG_SIZE_U64,
};
use kvm_ioctls::VcpuFd;

use super::super::KvmError;

/// A register's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id(u64);

const fn id(size: u64, kind: u32, index: u32) -> Id {
    Id(KVM_REG_RISCV as u64 | size | kind as u64 | index as u64)
}

/// The program counter (0), a general register (its number), or the mode ([`MODE`]).
pub(super) const fn core(index: u32) -> Id {
    id(KVM_REG_SIZE_U64, KVM_REG_RISCV_CORE, index)
}

/// Index of the mode among the core registers: 1 for supervisor, 0 for user mode.
pub(super) const MODE: u32 = 32;

/// A supervisor register, by its place in `struct kvm_riscv_csr`.
pub(super) const fn csr(index: u32) -> Id {
    id(KVM_REG_SIZE_U64, KVM_REG_RISCV_CSR, index)
}

/// A part of the timer, by its place in `struct kvm_riscv_timer`.
pub(super) const fn timer(index: u32) -> Id {
    id(KVM_REG_SIZE_U64, KVM_REG_RISCV_TIMER, index)
}

/// A floating-point register.
pub(super) const fn float(index: u32) -> Id {
    id(KVM_REG_SIZE_U64, KVM_REG_RISCV_FP_D, index)
}

/// Floating-point control and status.
pub(super) const FCSR: Id = id(KVM_REG_SIZE_U32 as u64, KVM_REG_RISCV_FP_D, 32);

/// Whether the hart has an extension.
pub(super) const fn extension(number: u32) -> Id {
    id(KVM_REG_SIZE_U64, KVM_REG_RISCV_ISA_EXT, number)
}

/// Whether the firmware has an extension.
pub(super) const fn sbi(number: u32) -> Id {
    id(KVM_REG_SIZE_U64, KVM_REG_RISCV_SBI_EXT, number)
}

/// Reads a register.
pub(super) fn get(fd: &VcpuFd, id: Id) -> Result<u64, KvmError> {
    let mut bytes = [0; 8];
    let len = if id == FCSR { 4 } else { 8 };
    fd.get_one_reg(id.0, &mut bytes[..len]).map_err(KvmError::refused("a register's value"))?;
    Ok(u64::from_le_bytes(bytes))
}

/// Writes a register.
pub(super) fn set(fd: &VcpuFd, id: Id, value: u64) -> Result<(), KvmError> {
    let bytes = value.to_le_bytes();
    let len = if id == FCSR { 4 } else { 8 };
    fd.set_one_reg(id.0, &bytes[..len]).map_err(KvmError::refused("a register's new value"))?;
    Ok(())
}
