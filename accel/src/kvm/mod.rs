//! Linux KVM: guests of the host's architecture on the host's processor `[KVM-API]`.
//!
//! | module | duty |
//! |---|---|
//! | `host` | `/dev/kvm`: opening it, and what it can do |
//! | `probe` | whether it is worth using: some KVMs interpret kernel code |
//! | `vm`, `memory` | a machine and its slots |
//! | `vcpu`, `page`, `kick` | the loop over exits; the page shared with KVM; coming back |
//! | `input` | inputs of interrupt controllers |
//! | `time` | what stands still in a pause |
//! | `doorbell`, `dirty`, `ring` | stores that signal; which pages were written, in two ways |
//! | `report` | what is told when KVM gives up |
//! | `x86_64`, `aarch64`, `riscv64` | registers, interrupt controllers and exits of one host each |
//!
//! What a host's architecture adds is behind [`KvmArch`], which is implemented for that
//! architecture alone: a guest of another one does not compile.
//!
//! Registers are not shared through the vCPU's page (`KVM_CAP_SYNC_REGS`): no exit of the loop
//! needs them, and KVM would copy them at every one.

mod dirty;
mod doorbell;
mod error;
mod event;
mod host;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod input;
mod kick;
mod memory;
mod page;
pub mod probe;
mod report;
mod ring;
mod time;
mod vcpu;
mod vm;

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "riscv64")]
mod riscv64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

pub use error::KvmError;
pub use host::{Kvm, Missing};

use arch::Arch;

use crate::{Error, Exit, IrqChip, IrqChips, Stops, VmConfig};
use kvm_ioctls::VcpuFd;
use page::Page;
use vm::Shared;

/// What the host's architecture adds.
pub trait KvmArch: Arch {
    /// What a machine has beside memory and vCPUs.
    type Vm: Send + Sync;
    /// What a vCPU has beside its descriptor.
    type Vcpu;

    /// See [`crate::Accelerator::saves`].
    const SAVES_IRQCHIPS: bool;

    /// See [`crate::Accelerator::irqchips`].
    fn irqchips() -> &'static [IrqChips];
    /// See [`crate::Accelerator::model`].
    ///
    /// # Errors
    /// The host cannot give what was asked for by name.
    fn model(host: &Kvm, asked: &Self::Model) -> Result<Self::Model, Error>;
    /// The type of machine that KVM is asked for.
    fn machine_type(host: &Kvm) -> u64;
    /// Sets a new machine up, before its vCPUs exist.
    ///
    /// # Errors
    /// KVM refuses, or lacks something.
    fn vm(host: &Kvm, fd: &kvm_ioctls::VmFd, config: &VmConfig<Self>) -> Result<Self::Vm, Error>;
}

/// The part of [`KvmArch`] that speaks of this module's own types.
trait KvmVcpuArch: KvmArch {
    /// There are breakpoints and single steps.
    const HAS_DEBUG: bool;
    /// Data of a firmware's switching off by which the guest reports a failure.
    const SHUTDOWN_FAILURE: u64;

    /// Where the clocks stood when they were stopped.
    type Moment: Send;

    /// Reads the clocks, and stops timers that would go on without the vCPUs.
    fn stop_time(shared: &Shared<Self>, vcpus: &[VcpuFd]) -> Result<Self::Moment, KvmError>;
    /// Sets the clocks, and the timers that were stopped.
    fn start_time(
        shared: &Shared<Self>,
        vcpus: &[VcpuFd],
        moment: &Self::Moment,
    ) -> Result<(), KvmError>;
    /// Sets a new vCPU up.
    fn vcpu(shared: &Shared<Self>, page: &mut Page, index: u32) -> Result<Self::Vcpu, Error>;
    /// The registers that will be set next replace those that KVM starts with, but for what a
    /// probe changed.
    fn renew(vcpu: &mut Self::Vcpu);
    /// Replaces the registers.
    fn set_state(
        shared: &Shared<Self>,
        page: &mut Page,
        vcpu: &mut Self::Vcpu,
        state: &Self::State,
        parked: bool,
    ) -> Result<(), Error>;
    /// The registers.
    fn state(
        shared: &Shared<Self>,
        page: &mut Page,
        vcpu: &mut Self::Vcpu,
    ) -> Result<Self::State, Error>;
    /// See [`crate::Vcpu::parked`].
    fn parked(page: &mut Page) -> Result<bool, Error>;
    /// Looks after an exit that only this architecture has.
    fn exit(
        shared: &Shared<Self>,
        page: &mut Page,
        vcpu: &mut Self::Vcpu,
        reason: u32,
    ) -> Result<Handled, Error>;
    /// Drives an interrupt pin of a vCPU.
    fn set_pin(shared: &Shared<Self>, vcpu: u32, pin: u32, level: bool);
    /// See [`crate::Vm::irqchip`].
    fn irqchip(shared: &Shared<Self>) -> Option<&dyn IrqChip>;
    /// See [`crate::GuestDebug`].
    fn set_stops(page: &mut Page, stops: &Stops) -> Result<(), Error>;
    /// The guest that finds out whether this KVM is worth using.
    fn probe() -> probe::Guest<Self>;
    /// Guest-physical address of the next instruction, if it can be found out.
    fn pc_gpa(shared: &Shared<Self>, page: &mut Page, state: &Self::State) -> Option<u64>;
}

/// What became of an exit.
enum Handled {
    /// The vCPU goes on.
    GoOn,
    /// `run` returns.
    Return(Exit),
    /// It means that KVM or we cannot go on; why.
    Stuck(String),
}
