//! A RISC-V host with the H extension. Interrupt controllers are the machine's; KVM is the
//! firmware, but for its console.

mod firmware;
mod model;
mod one_reg;
mod pins;
mod probe;
mod state;

use std::sync::Mutex;

use arch::riscv64::fields::IRQ_SEI;
use arch::riscv64::{Hart, Model, Riscv64};
use kvm_bindings::KVM_EXIT_RISCV_SBI;
use kvm_ioctls::{VcpuFd, VmFd};
use tcg::guest::Access;
use tcg::guest::riscv64::mmu;

use self::pins::Pin;
use super::memory::Memory;
use super::page::Page;
use super::probe::Guest;
use super::vm::Shared;
use super::{Handled, Kvm, KvmArch, KvmError, KvmVcpuArch};
use crate::{Error, IrqChip, IrqChips, Stops, VmConfig};

/// Nanoseconds of a tick of `time`.
const TICK_NS: u64 = 1_000_000_000 / arch::riscv64::board::TIMEBASE_HZ as u64;

/// What a machine has beside memory and vCPUs.
pub struct Machine {
    pins: Box<[Pin]>,
    /// Guest time is not set yet: it is all harts' together.
    timeless: Mutex<bool>,
}

/// What a vCPU has beside its descriptor: the registers that KVM does not have.
pub struct VcpuExtra {
    machine_mode: Hart,
    index: u32,
}

impl KvmArch for Riscv64 {
    type Vm = Machine;
    type Vcpu = VcpuExtra;

    const SAVES_IRQCHIPS: bool = true;

    fn irqchips() -> &'static [IrqChips] {
        &[IrqChips::Machine]
    }

    fn model(host: &Kvm, asked: &Model) -> Result<Model, Error> {
        model::of_host(host, asked)
    }

    fn machine_type(_: &Kvm) -> u64 {
        0
    }

    fn vm(_: &Kvm, _: &VmFd, config: &VmConfig<Self>) -> Result<Machine, Error> {
        if !config.firmware_calls {
            return Err(Error::Unusable(
                "KVM runs no RISC-V firmware and no bare programs, which need machine mode; use \
                 --accel tcg"
                    .into(),
            ));
        }
        let pins = (0..config.vcpus).map(|_| Pin::default()).collect();
        Ok(Machine { pins, timeless: Mutex::new(true) })
    }
}

impl KvmVcpuArch for Riscv64 {
    const HAS_DEBUG: bool = false;
    /// `[SBI-2.0 §10]`: a failure of the system.
    const SHUTDOWN_FAILURE: u64 = 1;

    type Moment = state::Moment;

    fn stop_time(_: &Shared<Self>, vcpus: &[VcpuFd]) -> Result<state::Moment, KvmError> {
        state::stop_time(vcpus)
    }

    fn start_time(
        _: &Shared<Self>,
        vcpus: &[VcpuFd],
        moment: &state::Moment,
    ) -> Result<(), KvmError> {
        state::start_time(vcpus, moment)
    }

    fn vcpu(shared: &Shared<Self>, page: &mut Page, index: u32) -> Result<VcpuExtra, Error> {
        model::apply(&page.fd, &shared.config.model)?;
        Ok(VcpuExtra { machine_mode: Hart::default(), index })
    }

    /// All registers are set always.
    fn renew(_: &mut VcpuExtra) {}

    fn set_state(
        shared: &Shared<Self>,
        page: &mut Page,
        vcpu: &mut VcpuExtra,
        state: &Hart,
        parked: bool,
    ) -> Result<(), Error> {
        let mut timeless =
            shared.arch.timeless.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if std::mem::replace(&mut *timeless, false) {
            let now = shared.config.clock.now_ns() / TICK_NS;
            one_reg::set(&page.fd, one_reg::timer(state::TIMER_TIME), now)?;
        }
        drop(timeless);
        state::set(&page.fd, state, parked)?;
        vcpu.machine_mode = state.clone();
        let place = vcpu.index as usize;
        shared.arch.pins[place].refresh(&shared.seats[place]);
        Ok(())
    }

    fn state(_: &Shared<Self>, page: &mut Page, vcpu: &mut VcpuExtra) -> Result<Hart, Error> {
        let mut hart = vcpu.machine_mode.clone();
        state::get(&page.fd, &mut hart)?;
        Ok(hart)
    }

    fn parked(page: &mut Page) -> Result<bool, Error> {
        Ok(state::parked(&page.fd)?)
    }

    fn exit(
        shared: &Shared<Self>,
        page: &mut Page,
        _: &mut VcpuExtra,
        reason: u32,
    ) -> Result<Handled, Error> {
        match reason {
            KVM_EXIT_RISCV_SBI => firmware::answer(page, &*shared.config.io, &shared.memory),
            other => return Ok(Handled::Stuck(format!("KVM leaves the guest by exit {other}"))),
        }
        Ok(Handled::GoOn)
    }

    /// Machine mode's pins lead nowhere, and the timer is KVM's.
    fn set_pin(shared: &Shared<Self>, vcpu: u32, pin: u32, level: bool) {
        if pin != IRQ_SEI.trailing_zeros() {
            return;
        }
        if let (Some(seat), Some(pin)) = (shared.seat(vcpu), shared.arch.pins.get(vcpu as usize)) {
            pin.set(seat, level);
        }
    }

    fn irqchip(_: &Shared<Self>) -> Option<&dyn IrqChip> {
        None
    }

    fn probe() -> Guest<Self> {
        probe::guest()
    }

    fn pc_gpa(shared: &Shared<Self>, _: &mut Page, state: &Hart) -> Option<u64> {
        mmu::walk(state, state.pc, Access::Fetch, state.prv, &Ptes(&shared.memory))
            .ok()
            .map(|found| found.gpa)
    }

    fn set_stops(_: &mut Page, _: &Stops) -> Result<(), Error> {
        Err(KvmError::Unsupported("breakpoints on this host").into())
    }
}

/// Guest memory as the page walk sees it: a report changes nothing.
struct Ptes<'a>(&'a Memory);

impl mmu::PhysMem for Ptes<'_> {
    fn read_pte(&self, gpa: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        (self.0.read(gpa, &mut bytes) == 8).then(|| u64::from_le_bytes(bytes))
    }

    fn cas_pte(&self, _: u64, _: u64, _: u64) -> Option<bool> {
        Some(true)
    }
}
