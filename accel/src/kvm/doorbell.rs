//! Doorbells: ioeventfds `[KVM-API 4.59]`.

use std::os::fd::BorrowedFd;

use kvm_ioctls::IoEventAddress;

use super::vm::Shared;
use super::{KvmError, KvmVcpuArch, event};
use crate::{Doorbells, Error};

impl<A: KvmVcpuArch> Doorbells for Shared<A> {
    fn attach(&self, gpa: u64, value: u32, event: BorrowedFd<'_>) -> Result<(), Error> {
        let event = event::duplicate(event)?;
        self.fd
            .register_ioevent(&event, &IoEventAddress::Mmio(gpa), value)
            .map_err(KvmError::refused("a doorbell"))?;
        Ok(())
    }

    fn detach(&self, gpa: u64, value: u32, event: BorrowedFd<'_>) -> Result<(), Error> {
        let event = event::duplicate(event)?;
        self.fd
            .unregister_ioevent(&event, &IoEventAddress::Mmio(gpa), value)
            .map_err(KvmError::refused("the end of a doorbell"))?;
        Ok(())
    }
}
