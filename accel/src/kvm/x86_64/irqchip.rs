//! Interrupt controllers in KVM: all of them with the interval timer, or the local APICs alone.

use std::os::fd::AsRawFd;

use arch::x86_64::X86_64;
use kvm_bindings::{
    KVM_CAP_SPLIT_IRQCHIP, KVM_PIT_SPEAKER_DUMMY, kvm_enable_cap, kvm_msi, kvm_pit_config,
};
use kvm_ioctls::{Cap, VmFd};

use super::super::KvmError;
use super::super::vm::Shared;
use super::structs;
use crate::{Error, IrqChip, IrqChips};

/// Inputs of the I/O APIC that KVM reserves routes for when it is the machine's.
const SPLIT_INPUTS: u64 = 24;

/// Which controllers are KVM's.
pub(super) struct Chips {
    kind: IrqChips,
}

impl Chips {
    pub(super) fn new(fd: &VmFd, kind: IrqChips) -> Result<Self, KvmError> {
        match kind {
            IrqChips::Machine => {}
            IrqChips::Split => {
                if !fd.check_extension(Cap::SplitIrqchip) {
                    return Err(KvmError::Lacks("local APICs alone (KVM_CAP_SPLIT_IRQCHIP)"));
                }
                let cap = kvm_enable_cap {
                    cap: KVM_CAP_SPLIT_IRQCHIP,
                    args: [SPLIT_INPUTS, 0, 0, 0],
                    ..kvm_enable_cap::default()
                };
                fd.enable_cap(&cap).map_err(KvmError::refused("local APICs"))?;
            }
            IrqChips::Accelerator => {
                fd.create_irq_chip().map_err(KvmError::refused("interrupt controllers"))?;
                // With the port of the speaker, which older kernels read while they calibrate
                // their clocks.
                let pit =
                    kvm_pit_config { flags: KVM_PIT_SPEAKER_DUMMY, ..kvm_pit_config::default() };
                fd.create_pit2(pit).map_err(KvmError::refused("an interval timer"))?;
            }
        }
        Ok(Self { kind })
    }

    /// Vectors and state of vCPUs are KVM's.
    pub(super) fn has_local_apics(&self) -> bool {
        self.kind != IrqChips::Machine
    }
}

impl IrqChip for Shared<X86_64> {
    fn set_line(&self, input: u32, level: bool) {
        self.drive_input(input, level);
    }

    fn send_msi(&self, address: u64, data: u32) -> Result<(), Error> {
        let msi = kvm_msi {
            address_lo: address as u32,
            address_hi: (address >> 32) as u32,
            data,
            ..kvm_msi::default()
        };
        self.fd.signal_msi(msi).map_err(KvmError::refused("a message-signalled interrupt"))?;
        Ok(())
    }

    fn attach(&self, input: u32, event: &dyn AsRawFd) -> Result<(), Error> {
        self.attach_input(input, event)
    }

    fn detach(&self, input: u32, event: &dyn AsRawFd) -> Result<(), Error> {
        self.detach_input(input, event)
    }

    fn save(&self) -> Result<Vec<u8>, Error> {
        match self.config.irqchips {
            IrqChips::Accelerator => Ok(structs::save_chips(&self.fd)?),
            _ => Ok(Vec::new()),
        }
    }

    fn restore(&self, saved: &[u8]) -> Result<(), Error> {
        match self.config.irqchips {
            IrqChips::Accelerator => Ok(structs::restore_chips(&self.fd, saved)?),
            _ if saved.is_empty() => Ok(()),
            _ => Err(KvmError::State("it has interrupt controllers that this one has not").into()),
        }
    }
}
