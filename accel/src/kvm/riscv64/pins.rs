//! The external interrupt of supervisor mode, which devices drive from any thread
//! `[KVM-API 4.16]`.
#![expect(unsafe_code, reason = "KVM_INTERRUPT, from threads that have the descriptor alone")]

use std::io;
use std::os::fd::AsRawFd;
use std::sync::{Mutex, PoisonError};

use kvm_bindings::{KVM_INTERRUPT_SET, KVM_INTERRUPT_UNSET, kvm_interrupt};

use super::super::vm::Seat;

/// `_IOW(KVMIO, 0x86, struct kvm_interrupt)`.
const KVM_INTERRUPT: libc::c_ulong = 0x4004_ae86;

/// The level of one hart's pin.
#[derive(Default)]
pub(super) struct Pin(Mutex<bool>);

impl Pin {
    /// Drives the pin; before the hart exists the level is only remembered.
    pub(super) fn set(&self, seat: &Seat, level: bool) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *held = level;
        tell(seat, level);
    }

    /// Tells KVM the level once more: the hart is new, or has new registers.
    pub(super) fn refresh(&self, seat: &Seat) {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tell(seat, *held);
    }
}

fn tell(seat: &Seat, level: bool) {
    let Some(fd) = seat.fd.get() else {
        return;
    };
    let irq = if level { KVM_INTERRUPT_SET } else { KVM_INTERRUPT_UNSET } as u32;
    let interrupt = kvm_interrupt { irq };
    // SAFETY: the descriptor is a vCPU's, and the structure is what this call reads.
    let done = unsafe { libc::ioctl(fd.as_raw_fd(), KVM_INTERRUPT, &raw const interrupt) };
    if done != 0 {
        tracing::warn!("KVM does not take an interrupt: {}", io::Error::last_os_error());
    }
}
