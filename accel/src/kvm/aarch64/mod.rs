//! An Arm host. KVM has the interrupt controller and the timers, and is the firmware (PSCI).

mod clock;
mod gic;
mod one_reg;
mod probe;
mod state;

use arch::aarch64::{Aarch64, Cpu};
use kvm_bindings::{
    KVM_ARM_VCPU_POWER_OFF, KVM_ARM_VCPU_PSCI_0_2, KVM_ARM_VCPU_PTRAUTH_ADDRESS,
    KVM_ARM_VCPU_PTRAUTH_GENERIC, KVM_CAP_ARM_NISV_TO_USER, KVM_CAP_ARM_PTRAUTH_ADDRESS,
    KVM_CAP_ARM_PTRAUTH_GENERIC, KVM_CAP_ARM_VM_IPA_SIZE, KVM_EXIT_ARM_NISV, kvm_enable_cap,
    kvm_vcpu_init,
};
use kvm_ioctls::{VcpuFd, VmFd};

use self::gic::Gic;
use super::page::Page;
use super::probe::Guest;
use super::vm::Shared;
use super::{Handled, Kvm, KvmArch, KvmError, KvmVcpuArch};
use crate::{Error, IrqChip, IrqChips, Stops, VmConfig};

/// Physical address bits that the board needs.
const IPA_BITS: i32 = 40;

/// What a machine has beside memory and vCPUs.
pub struct Machine {
    gic: Option<Gic>,
}

/// What a vCPU has beside its descriptor.
pub struct VcpuExtra {
    /// No registers have been set yet.
    fresh: bool,
}

impl KvmArch for Aarch64 {
    type Vm = Machine;
    type Vcpu = VcpuExtra;

    const SAVES_IRQCHIPS: bool = false;

    fn irqchips() -> &'static [IrqChips] {
        &[IrqChips::Accelerator, IrqChips::Machine]
    }

    fn model(_: &Kvm, _: &()) -> Result<(), Error> {
        Ok(())
    }

    /// The number of address bits, where it can be chosen; 0 stands for 40.
    fn machine_type(host: &Kvm) -> u64 {
        match host.fd.check_extension_raw(KVM_CAP_ARM_VM_IPA_SIZE.into()) {
            bits if bits > 0 && bits < IPA_BITS => bits as u64,
            _ => 0,
        }
    }

    fn vm(_: &Kvm, fd: &VmFd, config: &VmConfig<Self>) -> Result<Machine, Error> {
        // Otherwise KVM ends such accesses with an error that says nothing.
        if fd.check_extension_raw(KVM_CAP_ARM_NISV_TO_USER.into()) > 0 {
            let cap = kvm_enable_cap { cap: KVM_CAP_ARM_NISV_TO_USER, ..Default::default() };
            fd.enable_cap(&cap).map_err(KvmError::refused("exits on undescribed accesses"))?;
        }
        let wanted = config.irqchips == IrqChips::Accelerator;
        let gic = wanted.then(|| Gic::new(fd, config.vcpus)).transpose()?;
        Ok(Machine { gic })
    }
}

impl KvmVcpuArch for Aarch64 {
    const HAS_DEBUG: bool = false;
    /// PSCI has no call for it.
    const SHUTDOWN_FAILURE: u64 = u64::MAX;

    type Moment = clock::Moment;

    fn stop_time(_: &Shared<Self>, vcpus: &[VcpuFd]) -> Result<clock::Moment, KvmError> {
        clock::stop(vcpus)
    }

    fn start_time(
        _: &Shared<Self>,
        vcpus: &[VcpuFd],
        moment: &clock::Moment,
    ) -> Result<(), KvmError> {
        clock::start(vcpus, moment)
    }

    fn vcpu(shared: &Shared<Self>, page: &mut Page, index: u32) -> Result<VcpuExtra, Error> {
        let mut init = kvm_vcpu_init::default();
        shared
            .fd
            .get_preferred_target(&mut init)
            .map_err(KvmError::refused("the kind of its processors"))?;
        let mut features = 1 << KVM_ARM_VCPU_PSCI_0_2;
        if index != 0 {
            features |= 1 << KVM_ARM_VCPU_POWER_OFF;
        }
        let has = |cap: u32| shared.host.fd.check_extension_raw(cap.into()) > 0;
        // KVM wants both or none.
        if has(KVM_CAP_ARM_PTRAUTH_ADDRESS) && has(KVM_CAP_ARM_PTRAUTH_GENERIC) {
            features |= 1 << KVM_ARM_VCPU_PTRAUTH_ADDRESS | 1 << KVM_ARM_VCPU_PTRAUTH_GENERIC;
        }
        init.features[0] = features;
        page.fd.vcpu_init(&init).map_err(KvmError::refused("a vCPU's set-up"))?;
        if let Some(gic) = &shared.arch.gic {
            gic.vcpu_made()?;
        }
        Ok(VcpuExtra { fresh: true })
    }

    fn renew(vcpu: &mut VcpuExtra) {
        vcpu.fresh = true;
    }

    fn set_state(
        _: &Shared<Self>,
        page: &mut Page,
        vcpu: &mut VcpuExtra,
        state: &Cpu,
        parked: bool,
    ) -> Result<(), Error> {
        let fresh = std::mem::replace(&mut vcpu.fresh, false);
        Ok(state::set(&page.fd, state, parked, fresh)?)
    }

    fn state(_: &Shared<Self>, page: &mut Page, _: &mut VcpuExtra) -> Result<Cpu, Error> {
        Ok(state::get(&page.fd)?)
    }

    fn parked(page: &mut Page) -> Result<bool, Error> {
        Ok(state::parked(&page.fd)?)
    }

    fn exit(
        _: &Shared<Self>,
        _: &mut Page,
        _: &mut VcpuExtra,
        reason: u32,
    ) -> Result<Handled, Error> {
        Ok(Handled::Stuck(match reason {
            KVM_EXIT_ARM_NISV => {
                "the guest accesses a device by an instruction that KVM cannot take apart".into()
            }
            other => format!("KVM leaves the guest by exit {other}"),
        }))
    }

    /// The pins of a processor are its interrupt controller's.
    fn set_pin(_: &Shared<Self>, vcpu: u32, pin: u32, _: bool) {
        tracing::debug!("pin {pin} of vCPU {vcpu} is driven, which leads nowhere");
    }

    fn irqchip(shared: &Shared<Self>) -> Option<&dyn IrqChip> {
        shared.arch.gic.as_ref().map(|_| shared as &dyn IrqChip)
    }

    fn probe() -> Guest<Self> {
        probe::guest()
    }

    /// Known without translation alone: KVM walks no page tables for us here.
    fn pc_gpa(_: &Shared<Self>, _: &mut Page, state: &Cpu) -> Option<u64> {
        (state.sys("sctlr_el1")? & 1 == 0).then_some(state.pc)
    }

    fn set_stops(_: &mut Page, _: &Stops) -> Result<(), Error> {
        Err(KvmError::Unsupported("breakpoints on this host").into())
    }
}
