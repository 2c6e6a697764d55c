//! Which extensions a hart has: those of the machine that the host has too.

use arch::riscv64::board::TIMEBASE_HZ;
use arch::riscv64::{Ext, Exts, Model};
use kvm_bindings::*;
use kvm_ioctls::VcpuFd;

use super::super::{Kvm, KvmError};
use super::one_reg::{self, extension, sbi, timer};
use super::state::TIMER_FREQUENCY;
use crate::Error;

/// KVM's numbers for extensions; those without one are in every hart that runs Linux.
const EXTENSIONS: &[(Ext, u32)] = &[
    (Ext::A, KVM_RISCV_ISA_EXT_ID_KVM_RISCV_ISA_EXT_A),
    (Ext::C, KVM_RISCV_ISA_EXT_ID_KVM_RISCV_ISA_EXT_C),
    (Ext::D, KVM_RISCV_ISA_EXT_ID_KVM_RISCV_ISA_EXT_D),
    (Ext::F, KVM_RISCV_ISA_EXT_ID_KVM_RISCV_ISA_EXT_F),
    (Ext::M, KVM_RISCV_ISA_EXT_ID_KVM_RISCV_ISA_EXT_M),
    (Ext::Sstc, KVM_RISCV_ISA_EXT_ID_KVM_RISCV_ISA_EXT_SSTC),
    (Ext::Svadu, KVM_RISCV_ISA_EXT_ID_KVM_RISCV_ISA_EXT_SVADU),
    (Ext::Svinval, KVM_RISCV_ISA_EXT_ID_KVM_RISCV_ISA_EXT_SVINVAL),
    (Ext::Svnapot, KVM_RISCV_ISA_EXT_ID_KVM_RISCV_ISA_EXT_SVNAPOT),
    (Ext::Svpbmt, KVM_RISCV_ISA_EXT_ID_KVM_RISCV_ISA_EXT_SVPBMT),
    (Ext::Zba, KVM_RISCV_ISA_EXT_ID_KVM_RISCV_ISA_EXT_ZBA),
    (Ext::Zbb, KVM_RISCV_ISA_EXT_ID_KVM_RISCV_ISA_EXT_ZBB),
    (Ext::Zbs, KVM_RISCV_ISA_EXT_ID_KVM_RISCV_ISA_EXT_ZBS),
    (Ext::Zicond, KVM_RISCV_ISA_EXT_ID_KVM_RISCV_ISA_EXT_ZICOND),
];

/// Faults on clear accessed and dirty bits: the opposite of Svadu.
const SVADE: u32 = KVM_RISCV_ISA_EXT_ID_KVM_RISCV_ISA_EXT_SVADE;

/// Firmware calls that the software CPU answers too; a guest that asks once for what there is may
/// go from one to the other. The console's is answered by us.
const CALLS: &[(u32, bool)] = &[
    (KVM_RISCV_SBI_EXT_ID_KVM_RISCV_SBI_EXT_DBCN, true),
    (KVM_RISCV_SBI_EXT_ID_KVM_RISCV_SBI_EXT_PMU, false),
    (KVM_RISCV_SBI_EXT_ID_KVM_RISCV_SBI_EXT_STA, false),
    (KVM_RISCV_SBI_EXT_ID_KVM_RISCV_SBI_EXT_SUSP, false),
    (KVM_RISCV_SBI_EXT_ID_KVM_RISCV_SBI_EXT_EXPERIMENTAL, false),
    (KVM_RISCV_SBI_EXT_ID_KVM_RISCV_SBI_EXT_VENDOR, false),
];

/// What a hart of a machine of its own has.
pub(super) fn of_host(host: &Kvm, asked: &Model) -> Result<Model, Error> {
    let vm = host.fd.create_vm().map_err(KvmError::refused("a virtual machine"))?;
    let fd = vm.create_vcpu(0).map_err(KvmError::refused("a vCPU"))?;
    let frequency = one_reg::get(&fd, timer(TIMER_FREQUENCY))?;
    if frequency != u64::from(TIMEBASE_HZ) {
        return Err(Error::Unusable(format!(
            "this host's timer runs at {frequency} Hz and the machine's at {TIMEBASE_HZ}, which \
             KVM cannot convert; use --accel tcg"
        )));
    }
    let has = |number: u32| one_reg::get(&fd, extension(number)).is_ok();
    let mut exts = Exts::BASE;
    for ext in asked.exts.iter() {
        let number = EXTENSIONS.iter().find(|(known, _)| *known == ext);
        if number.is_none_or(|(_, number)| has(*number)) {
            exts = exts.with(ext);
        }
    }
    // Where the host could do without, it may also be told to.
    if exts.has(Ext::Svadu) && apply_svadu(&fd, true).is_err() {
        exts = exts.without(Ext::Svadu);
    }
    Ok(Model { exts })
}

fn apply_svadu(fd: &VcpuFd, wanted: bool) -> Result<(), KvmError> {
    one_reg::set(fd, extension(KVM_RISCV_ISA_EXT_ID_KVM_RISCV_ISA_EXT_SVADU), wanted.into())?;
    // Kernels that know one of the two know both, or do without the other.
    let _ = one_reg::set(fd, extension(SVADE), (!wanted).into());
    Ok(())
}

/// Gives a new hart those extensions, and its firmware those calls. What the host does not let go
/// of stays, unused: the device tree does not tell of it.
pub(super) fn apply(fd: &VcpuFd, model: &Model) -> Result<(), KvmError> {
    for (ext, number) in EXTENSIONS.iter().filter(|(ext, _)| *ext != Ext::Svadu) {
        let wanted = model.exts.has(*ext);
        match one_reg::set(fd, extension(*number), wanted.into()) {
            Err(error) if wanted => return Err(error),
            _ => {}
        }
    }
    match apply_svadu(fd, model.exts.has(Ext::Svadu)) {
        Err(error) if model.exts.has(Ext::Svadu) => return Err(error),
        _ => {}
    }
    for (number, wanted) in CALLS {
        if one_reg::set(fd, sbi(*number), (*wanted).into()).is_err() {
            tracing::debug!("KVM's firmware does not change its calls {number}");
        }
    }
    Ok(())
}
