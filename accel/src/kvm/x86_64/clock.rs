//! The time stamp counter, the local APIC's deadlines, which are its values, and the paravirtual
//! clock. The local APIC's other modes and the 8254 do without them, and go on in a pause: guests
//! that have deadlines do not use them.

use arch::x86_64::Model;
use arch::x86_64::msr::{TSC, TSC_DEADLINE};
use kvm_bindings::{Msrs, kvm_clock_data, kvm_msr_entry};
use kvm_ioctls::{Cap, VcpuFd, VmFd};

use super::super::{Kvm, KvmError};
use super::structs::{set_tsc_offset, tsc_offset};
use crate::Error;

/// Whether the host can give the frequency that the model asks for.
pub(super) fn check(host: &Kvm, model: &Model) -> Result<(), Error> {
    if model.tsc_khz.is_some() && !host.fd.check_extension(Cap::TscControl) {
        return Err(Error::Model(
            "this host's processor cannot change the frequency of a guest's time stamp counter; \
             leave tsc-khz out of --cpu"
                .into(),
        ));
    }
    Ok(())
}

/// Sets it.
pub(super) fn set(fd: &VcpuFd, model: &Model) -> Result<(), KvmError> {
    match model.tsc_khz {
        Some(khz) => fd.set_tsc_khz(khz).map_err(KvmError::refused("the counter's frequency")),
        None => Ok(()),
    }
}

/// Where the clocks of a machine stood.
pub(in crate::kvm) struct Moment {
    /// The paravirtual clock, in nanoseconds.
    clock_ns: u64,
    /// The first vCPU's counter; those of the others are as far from it as their offsets say.
    tsc: u64,
    vcpus: Vec<Counter>,
}

/// A vCPU's.
struct Counter {
    /// From the host's counter, in the guest's ticks.
    offset: u64,
    /// The local APIC's timer is due then; 0 if it is not set, or works in another mode.
    deadline: u64,
}

/// Reads the clocks. A deadline is cleared, because KVM waits for it whether or not the vCPU runs.
pub(super) fn stop(vm: &VmFd, vcpus: &[VcpuFd]) -> Result<Moment, KvmError> {
    let counter = |fd| {
        let counter = Counter { offset: tsc_offset(fd)?, deadline: msr(fd, TSC_DEADLINE)? };
        if counter.deadline != 0 {
            set_msr(fd, TSC_DEADLINE, 0)?;
        }
        Ok(counter)
    };
    let clock_ns = vm.get_clock().map_err(KvmError::refused("the clock"))?.clock;
    let tsc = vcpus.first().map_or(Ok(0), |fd| msr(fd, TSC))?;
    Ok(Moment { clock_ns, tsc, vcpus: vcpus.iter().map(counter).collect::<Result<_, _>>()? })
}

/// Sets the clocks. All counters go back by the same, so that they agree as before.
pub(super) fn start(vm: &VmFd, vcpus: &[VcpuFd], moment: &Moment) -> Result<(), KvmError> {
    let Some(first) = vcpus.first() else { return Ok(()) };
    let late = msr(first, TSC)?.wrapping_sub(moment.tsc);
    for (fd, counter) in vcpus.iter().zip(&moment.vcpus) {
        let offset = counter.offset.wrapping_sub(late);
        set_tsc_offset(fd, offset)?;
        // KVMs that run no stock guests take it and forget it.
        if tsc_offset(fd)? != offset {
            return Err(KvmError::Unsupported("another time stamp counter than the host's"));
        }
    }
    for (fd, counter) in vcpus.iter().zip(&moment.vcpus).filter(|(_, c)| c.deadline != 0) {
        set_msr(fd, TSC_DEADLINE, counter.deadline)?;
    }
    let clock = kvm_clock_data { clock: moment.clock_ns, ..kvm_clock_data::default() };
    vm.set_clock(&clock).map_err(KvmError::refused("the clock"))
}

fn entry(index: u32, data: u64) -> Result<Msrs, KvmError> {
    Msrs::from_entries(&[kvm_msr_entry { index, data, ..kvm_msr_entry::default() }])
        .map_err(|_| KvmError::Unsupported("a register alone"))
}

/// A register's value; zero if the vCPU does not have it.
fn msr(fd: &VcpuFd, number: u32) -> Result<u64, KvmError> {
    let mut msrs = entry(number, 0)?;
    let count = fd.get_msrs(&mut msrs).map_err(KvmError::refused("a register's value"))?;
    Ok(if count == 1 { msrs.as_slice()[0].data } else { 0 })
}

fn set_msr(fd: &VcpuFd, number: u32, value: u64) -> Result<(), KvmError> {
    let count =
        fd.set_msrs(&entry(number, value)?).map_err(KvmError::refused("a register's new value"))?;
    if count == 1 { Ok(()) } else { Err(KvmError::State("KVM refuses the value of a register")) }
}
