//! Registers by number, one at a time `[KVM-API 4.68]`.

use std::mem::offset_of;

use kvm_bindings::{
    KVM_REG_ARM_CORE, KVM_REG_ARM64, KVM_REG_ARM64_SYSREG, KVM_REG_SIZE_U32, KVM_REG_SIZE_U64,
    KVM_REG_SIZE_U128, kvm_regs, user_fpsimd_state, user_pt_regs,
};
use kvm_ioctls::VcpuFd;

use super::super::KvmError;

/// A register's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id(u64);

/// A register of `struct kvm_regs` by its offset in bytes.
const fn core(size: u64, offset: usize) -> Id {
    Id(KVM_REG_ARM64 | size | KVM_REG_ARM_CORE as u64 | (offset / 4) as u64)
}

/// X0 to X30.
pub(super) const fn x(number: usize) -> Id {
    core(KVM_REG_SIZE_U64, offset_of!(kvm_regs, regs) + 8 * number)
}

/// The stack pointer of EL0.
pub(super) const SP_EL0: Id =
    core(KVM_REG_SIZE_U64, offset_of!(kvm_regs, regs) + offset_of!(user_pt_regs, sp));
/// The stack pointer of EL1.
pub(super) const SP_EL1: Id = core(KVM_REG_SIZE_U64, offset_of!(kvm_regs, sp_el1));
/// The program counter.
pub(super) const PC: Id =
    core(KVM_REG_SIZE_U64, offset_of!(kvm_regs, regs) + offset_of!(user_pt_regs, pc));
/// PSTATE, as SPSR has it.
pub(super) const PSTATE: Id =
    core(KVM_REG_SIZE_U64, offset_of!(kvm_regs, regs) + offset_of!(user_pt_regs, pstate));
/// ELR_EL1.
pub(super) const ELR_EL1: Id = core(KVM_REG_SIZE_U64, offset_of!(kvm_regs, elr_el1));

/// SPSR_EL1 and those of AArch32's modes.
pub(super) const fn spsr(number: usize) -> Id {
    core(KVM_REG_SIZE_U64, offset_of!(kvm_regs, spsr) + 8 * number)
}

/// V0 to V31.
pub(super) const fn v(number: usize) -> Id {
    let first = offset_of!(kvm_regs, fp_regs) + offset_of!(user_fpsimd_state, vregs);
    core(KVM_REG_SIZE_U128, first + 16 * number)
}

/// FPSR.
pub(super) const FPSR: Id =
    core(KVM_REG_SIZE_U32, offset_of!(kvm_regs, fp_regs) + offset_of!(user_fpsimd_state, fpsr));
/// FPCR.
pub(super) const FPCR: Id =
    core(KVM_REG_SIZE_U32, offset_of!(kvm_regs, fp_regs) + offset_of!(user_fpsimd_state, fpcr));

/// A system register by the fields of its instructions.
pub(super) const fn sys(encoding: u16) -> Id {
    // KVM has the encodings of CNTV_CVAL_EL0 and CNTVCT_EL0 the wrong way round, for ever.
    const CVAL: u16 = 3 << 14 | 3 << 11 | 14 << 7 | 3 << 3 | 2;
    const CNT: u16 = 3 << 14 | 3 << 11 | 14 << 7 | 2;
    let encoding = match encoding {
        CVAL => CNT,
        CNT => CVAL,
        other => other,
    };
    Id(KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM64_SYSREG as u64 | encoding as u64)
}

/// The counters, which are the whole machine's.
pub(super) const CNTVCT_EL0: Id = sys(3 << 14 | 3 << 11 | 14 << 7 | 2);
pub(super) const CNTPCT_EL0: Id = sys(3 << 14 | 3 << 11 | 14 << 7 | 1);

impl Id {
    /// Bytes of the register.
    fn len(self) -> usize {
        1 << (self.0 >> 52 & 0xf)
    }
}

/// Reads a register.
pub(super) fn get(fd: &VcpuFd, id: Id) -> Result<u128, KvmError> {
    let mut bytes = [0; 16];
    fd.get_one_reg(id.0, &mut bytes[..id.len()])
        .map_err(KvmError::refused("a register's value"))?;
    Ok(u128::from_le_bytes(bytes))
}

/// Writes a register.
pub(super) fn set(fd: &VcpuFd, id: Id, value: u128) -> Result<(), KvmError> {
    let bytes = value.to_le_bytes();
    fd.set_one_reg(id.0, &bytes[..id.len()])
        .map_err(KvmError::refused("a register's new value"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_kernels() {
        assert_eq!(x(0).0, 0x6030_0000_0010_0000);
        assert_eq!(PC.0, 0x6030_0000_0010_0040);
        assert_eq!(v(0).0, 0x6040_0000_0010_0054);
        assert_eq!(FPCR.0, 0x6020_0000_0010_00d5);
        assert_eq!(sys(0xdf1a).0, 0x6030_0000_0013_df02, "cntv_cval_el0");
        assert_eq!(CNTVCT_EL0.0, 0x6030_0000_0013_df1a);
        assert_eq!(CNTPCT_EL0.0, 0x6030_0000_0013_df01);
        assert_eq!((x(1).len(), v(1).len(), FPSR.len()), (8, 16, 4));
    }
}
