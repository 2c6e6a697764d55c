//! The interrupt controller, GICv3, in KVM `[KVM-API devices/arm-vgic-v3]`.

use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use arch::aarch64::Aarch64;
use arch::aarch64::board::{GICD, GICR, SPIS};
use kvm_bindings::{
    KVM_ARM_IRQ_TYPE_SHIFT, KVM_ARM_IRQ_TYPE_SPI, KVM_DEV_ARM_VGIC_CTRL_INIT,
    KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_GRP_NR_IRQS,
    KVM_VGIC_V3_ADDR_TYPE_DIST, KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION, kvm_create_device,
    kvm_device_attr, kvm_device_type_KVM_DEV_TYPE_ARM_VGIC_V3,
};
use kvm_ioctls::{DeviceFd, VmFd};

use super::super::KvmError;
use super::super::vm::Shared;
use crate::{Error, IrqChip};

/// Interrupts of a vCPU's own, which come first in the GIC's numbers.
const PRIVATE: u32 = 32;
/// Numbers of interrupts come in steps of this.
const STEP: u32 = 32;

/// The controller of a machine.
pub(super) struct Gic {
    device: DeviceFd,
    /// vCPUs that are still to be made: then it begins to work.
    missing: AtomicU32,
}

impl Gic {
    /// A controller for `vcpus` vCPUs, none of which exists.
    pub(super) fn new(fd: &VmFd, vcpus: u32) -> Result<Self, KvmError> {
        let mut wanted =
            kvm_create_device { type_: kvm_device_type_KVM_DEV_TYPE_ARM_VGIC_V3, fd: 0, flags: 0 };
        let device = fd.create_device(&mut wanted).map_err(|_| {
            KvmError::Lacks("interrupt controller GICv3 (KVM_DEV_TYPE_ARM_VGIC_V3)")
        })?;
        let gic = Self { device, missing: AtomicU32::new(vcpus) };
        let interrupts = (PRIVATE + SPIS).next_multiple_of(STEP);
        gic.set(KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, Some(&u64::from(interrupts)))?;
        gic.set(KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST.into(), Some(&GICD.base))?;
        // How many, where, and the number of the region: 0.
        let redistributors = u64::from(vcpus) << 52 | GICR.base;
        gic.set(
            KVM_DEV_ARM_VGIC_GRP_ADDR,
            KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION.into(),
            Some(&redistributors),
        )?;
        Ok(gic)
    }

    fn set(&self, group: u32, attr: u64, value: Option<&u64>) -> Result<(), KvmError> {
        let addr = value.map_or(0, |value| std::ptr::from_ref(value) as u64);
        let attr = kvm_device_attr { flags: 0, group, attr, addr };
        self.device
            .set_device_attr(&attr)
            .map_err(KvmError::refused("the interrupt controller's settings"))
    }

    /// A vCPU was made. With the last one the controller begins to work.
    pub(super) fn vcpu_made(&self) -> Result<(), KvmError> {
        if self.missing.fetch_sub(1, SeqCst) > 1 {
            return Ok(());
        }
        self.set(KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT.into(), None)
    }
}

impl IrqChip for Shared<Aarch64> {
    fn set_line(&self, input: u32, level: bool) {
        let number = KVM_ARM_IRQ_TYPE_SPI << KVM_ARM_IRQ_TYPE_SHIFT | (PRIVATE + input);
        self.drive_input(number, level);
    }

    fn send_msi(&self, _: u64, _: u32) -> Result<(), Error> {
        Err(KvmError::Unsupported("message-signalled interrupts on this machine").into())
    }

    fn attach(&self, input: u32, event: &dyn AsRawFd) -> Result<(), Error> {
        self.attach_input(input, event)
    }

    fn detach(&self, input: u32, event: &dyn AsRawFd) -> Result<(), Error> {
        self.detach_input(input, event)
    }

    fn save(&self) -> Result<Vec<u8>, Error> {
        Err(KvmError::Unsupported("saving the interrupt controller GICv3").into())
    }

    fn restore(&self, _: &[u8]) -> Result<(), Error> {
        Err(KvmError::Unsupported("restoring the interrupt controller GICv3").into())
    }
}
