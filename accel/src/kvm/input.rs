//! Inputs of the interrupt controllers that KVM models: levels, and irqfds `[KVM-API 4.75]`.

use std::os::fd::AsRawFd;

use super::vm::Shared;
use super::{KvmError, KvmVcpuArch, event};
use crate::Error;

impl<A: KvmVcpuArch> Shared<A> {
    /// Drives the input that KVM knows by `number`.
    pub(super) fn drive_input(&self, number: u32, level: bool) {
        if let Err(error) = self.fd.set_irq_line(number, level) {
            tracing::debug!("interrupt input {number:#x} leads nowhere: {error}");
        }
    }

    /// See [`crate::IrqChip::attach`].
    pub(super) fn attach_input(&self, input: u32, event: &dyn AsRawFd) -> Result<(), Error> {
        let event = event::duplicate(event)?;
        self.fd
            .register_irqfd(&event, input)
            .map_err(KvmError::refused("an interrupt's event descriptor"))?;
        Ok(())
    }

    /// See [`crate::IrqChip::detach`].
    pub(super) fn detach_input(&self, input: u32, event: &dyn AsRawFd) -> Result<(), Error> {
        let event = event::duplicate(event)?;
        self.fd
            .unregister_irqfd(&event, input)
            .map_err(KvmError::refused("the end of an interrupt's event descriptor"))?;
        Ok(())
    }
}
