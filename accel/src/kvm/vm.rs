//! A virtual machine.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};

use kvm_ioctls::VmFd;

use super::dirty::Log;
use super::kick::Kick;
use super::memory::Memory;
use super::probe::Switch;
use super::time::Stopped;
use super::vcpu::KvmVcpu;
use super::{Kvm, KvmError, KvmVcpuArch};
use crate::{DirtyLog, Doorbells, Error, GuestTime, IrqChip, Slot, Vcpu, Vm, VmConfig};

/// What a machine's vCPUs and everybody else share.
pub(super) struct Shared<A: KvmVcpuArch> {
    /// Before `fd`, which outlives the threads that use what follows.
    pub(super) seats: Box<[Seat]>,
    pub(super) fd: VmFd,
    pub(super) memory: Memory,
    pub(super) log: Log,
    pub(super) config: VmConfig<A>,
    pub(super) host: Kvm,
    pub(super) arch: A::Vm,
    pub(super) stopped: Stopped<A::Moment>,
    /// This machine is yet to be probed.
    pub(super) probe: Option<Arc<Switch>>,
}

/// The place of one vCPU.
#[derive(Default)]
pub(super) struct Seat {
    taken: AtomicBool,
    pub(super) kick: Arc<Kick>,
    /// The vCPU's descriptor, for interrupts from other threads.
    pub(super) fd: OnceLock<OwnedFd>,
}

pub(super) struct KvmVm<A: KvmVcpuArch> {
    shared: Arc<Shared<A>>,
}

impl<A: KvmVcpuArch> KvmVm<A> {
    pub(super) fn new(host: &Kvm, mut config: VmConfig<A>) -> Result<Self, Error> {
        let max = host.fd.get_max_vcpus().try_into().unwrap_or(u32::MAX);
        if config.vcpus > max {
            return Err(KvmError::Vcpus { asked: config.vcpus, max }.into());
        }
        if !A::irqchips().contains(&config.irqchips) {
            return Err(KvmError::Unsupported("interrupt controllers placed like that").into());
        }
        let probed = host.on_probation.as_ref().is_some_and(|first| first.swap(false, SeqCst));
        let probe = probed.then(|| Arc::new(Switch::new(config.io.clone())));
        if let Some(probe) = &probe {
            config.io = probe.clone();
        }
        let fd = create(host, A::machine_type(host))?;
        let log = Log::new(host, &fd)?;
        let arch = A::vm(host, &fd, &config)?;
        let seats = (0..config.vcpus).map(|_| Seat::default()).collect();
        let memory = Memory::default();
        let host = host.clone();
        let stopped = Stopped::default();
        let shared = Shared { seats, fd, memory, log, config, host, arch, stopped, probe };
        Ok(Self { shared: Arc::new(shared) })
    }
}

/// A signal that happens to arrive makes KVM give up half-way.
fn create(host: &Kvm, machine_type: u64) -> Result<VmFd, KvmError> {
    loop {
        match host.fd.create_vm_with_type(machine_type) {
            Err(error) if error.errno() == libc::EINTR => {}
            done => return done.map_err(KvmError::refused("a virtual machine")),
        }
    }
}

impl<A: KvmVcpuArch> Shared<A> {
    pub(super) fn seat(&self, vcpu: u32) -> Option<&Seat> {
        self.seats.get(vcpu as usize)
    }
}

impl<A: KvmVcpuArch> Vm<A> for KvmVm<A> {
    fn map(&self, slot: Slot) -> Result<(), Error> {
        self.shared.memory.map(&self.shared.fd, slot)
    }

    fn unmap(&self, gpa: u64) -> Result<bool, Error> {
        self.shared.memory.unmap(&self.shared.fd, gpa).map(|()| true)
    }

    fn create_vcpu(
        &self,
        index: u32,
        state: A::State,
        parked: bool,
    ) -> Result<Box<dyn Vcpu<A>>, Error> {
        let seat = self.shared.seat(index).ok_or(Error::Vcpu(index))?;
        if seat.taken.swap(true, SeqCst) {
            return Err(Error::Vcpu(index));
        }
        Ok(Box::new(KvmVcpu::new(self.shared.clone(), index, &state, parked)?))
    }

    fn set_pin(&self, vcpu: u32, pin: u32, level: bool) {
        A::set_pin(&self.shared, vcpu, pin, level);
    }

    fn kick(&self, vcpu: u32) {
        if let Some(seat) = self.shared.seat(vcpu) {
            seat.kick.send();
        }
    }

    /// KVM has the timers of its guests itself, and sets no alarm.
    fn alarm(&self, _: u32) {}

    /// The processor sees to its own caches.
    fn written(&self, _: u64, _: usize) {}

    fn irqchip(&self) -> Option<&dyn IrqChip> {
        A::irqchip(&self.shared)
    }

    fn doorbells(&self) -> Option<&dyn Doorbells> {
        Some(&*self.shared)
    }

    fn guest_time(&self) -> Option<&dyn GuestTime> {
        Some(&*self.shared)
    }

    fn dirty_log(&self) -> Option<&dyn DirtyLog> {
        Some(&*self.shared)
    }
}
