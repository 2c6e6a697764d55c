//! Doorbells: ioeventfds `[KVM-API 4.59]`.

use std::os::fd::AsRawFd;

use kvm_ioctls::IoEventAddress;

use super::vm::Shared;
use super::{KvmError, KvmVcpuArch, event};
use crate::{Doorbells, Error};

impl<A: KvmVcpuArch> Doorbells for Shared<A> {
    fn attach(&self, gpa: u64, value: u32, event: &dyn AsRawFd) -> Result<(), Error> {
        let event = event::duplicate(event)?;
        self.fd
            .register_ioevent(&event, &IoEventAddress::Mmio(gpa), value)
            .map_err(KvmError::refused("a doorbell"))?;
        Ok(())
    }

    fn detach(&self, gpa: u64, value: u32, event: &dyn AsRawFd) -> Result<(), Error> {
        let event = event::duplicate(event)?;
        self.fd
            .unregister_ioevent(&event, &IoEventAddress::Mmio(gpa), value)
            .map_err(KvmError::refused("the end of a doorbell"))?;
        Ok(())
    }
}
