//! Ways to run guest code, behind one set of traits.
//!
//! `Accelerator -> Vm -> Vcpu`: [`Vcpu::run`] executes guest code on the calling thread; device
//! accesses come out as calls of [`GuestIo`] on that thread, in program order; control comes back
//! as an [`Exit`]. One loop in `vmm` drives every accelerator. What only some can do is asked
//! for by a method that returns an `Option`.

use std::fmt::Debug;
use std::sync::Arc;

pub use arch::io::{GuestIo, PowerRequest, VcpuClock};
use arch::state::Arch;

pub mod choice;
mod error;
#[cfg(target_os = "linux")]
pub mod kvm;
mod powers;
pub mod tcg;

pub use error::Error;
pub use powers::{DebugStop, DirtyLog, Doorbells, GuestDebug, GuestTime, IrqChip, Stops, Watch};

/// Host memory behind guest memory; the owner keeps it mapped, and hands out views of it.
///
/// # Safety
/// `as_ptr()..as_ptr() + len()` is mapped readable and writable as long as the value lives, is
/// page-aligned, and never moves.
#[expect(unsafe_code, reason = "the contract that accelerators rest on when they map memory")]
pub unsafe trait HostMemory: Send + Sync {
    /// Start of the mapping.
    fn as_ptr(&self) -> *mut u8;
    /// Bytes mapped.
    fn len(&self) -> usize;
    /// Nothing is mapped.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A piece of guest-physical memory.
#[derive(Clone)]
pub struct Slot {
    /// Guest-physical address of its first byte, page-aligned.
    pub gpa: u64,
    /// What is behind it.
    pub memory: Arc<dyn HostMemory>,
    /// Stores go to [`GuestIo::write`] instead.
    pub readonly: bool,
}

/// Who models the machine's interrupt controllers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IrqChips {
    /// The machine, all of them; the accelerator's vCPUs have bare pins.
    #[default]
    Machine,
    /// The accelerator models those that belong to vCPUs (x86: the local APICs), the machine the
    /// others, which send messages through [`IrqChip::send_msi`].
    Split,
    /// The accelerator (x86: also the I/O APIC, the two 8259 and the 8254 timer; Arm: the whole
    /// GIC).
    Accelerator,
}

/// What a VM is made of, besides memory.
#[derive(Clone)]
pub struct VmConfig<A: Arch> {
    /// Number of vCPUs.
    pub vcpus: u32,
    /// What the vCPUs reach outside themselves.
    pub io: Arc<dyn GuestIo>,
    /// Guest time.
    pub clock: Arc<dyn VcpuClock>,
    /// The accelerator answers the guest's calls to its firmware (SBI, PSCI): the guest is
    /// started without firmware of its own.
    pub firmware_calls: bool,
    /// What kind of vCPUs; as [`Accelerator::model`] returned it.
    pub model: A::Model,
    /// Who models the interrupt controllers; one of [`Accelerator::irqchips`].
    pub irqchips: IrqChips,
}

/// A way to run guests of architecture `A`.
pub trait Accelerator<A: Arch>: Send + Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;
    /// The kind of vCPU that the guest gets if `asked` is wished for: parts that are optional and
    /// that the host lacks are left out.
    ///
    /// # Errors
    /// The host cannot give what was asked for by name.
    fn model(&self, asked: &A::Model) -> Result<A::Model, Error>;
    /// Who can model interrupt controllers, the fastest first.
    fn irqchips(&self) -> &'static [IrqChips];
    /// Whether it can save and restore the interrupt controllers that it models for `irqchips`,
    /// so that a running guest can go from one of its VMs to another.
    fn saves(&self, irqchips: IrqChips) -> bool;
    /// A VM without memory.
    ///
    /// # Errors
    /// What the host lacks.
    fn create_vm(&self, config: VmConfig<A>) -> Result<Box<dyn Vm<A>>, Error>;
}

/// A virtual machine.
pub trait Vm<A: Arch>: Send + Sync {
    /// Adds memory.
    ///
    /// # Errors
    /// The slot overlaps another, or does not consist of whole pages.
    fn map(&self, slot: Slot) -> Result<(), Error>;
    /// Takes away the slot that begins at `gpa`; `Ok(false)` if this accelerator cannot take
    /// memory away from a VM.
    ///
    /// # Errors
    /// No slot begins there.
    fn unmap(&self, gpa: u64) -> Result<bool, Error>;
    /// The vCPU `index`, in the state `state`. To be called once for each, on the thread that
    /// will run it, and for all of them before the first one runs. `parked`: it waits until the firmware or another vCPU starts it.
    ///
    /// # Errors
    /// There is no such vCPU, or it exists already.
    fn create_vcpu(
        &self,
        index: u32,
        state: A::State,
        parked: bool,
    ) -> Result<Box<dyn Vcpu<A>>, Error>;
    /// Drives interrupt pin `pin` of a vCPU; pins are numbered as the architecture does
    /// (RISC-V: bits of `mip`).
    fn set_pin(&self, vcpu: u32, pin: u32, level: bool);
    /// Makes [`Vcpu::run`] return [`Exit::Kicked`] soon, or at once when it is called next. Any
    /// thread.
    fn kick(&self, vcpu: u32);
    /// The deadline given to [`VcpuClock::set_alarm`] has come.
    fn alarm(&self, vcpu: u32);
    /// A device wrote guest memory: code made from it is out of date.
    fn written(&self, gpa: u64, len: usize);
    /// Has every store to the page of `gpa` reported to [`GuestIo::watched`]; `None` if this
    /// accelerator cannot.
    fn watch(&self) -> Option<&dyn Watch> {
        None
    }
    /// The interrupt controllers that the accelerator models; `None` with
    /// [`IrqChips::Machine`].
    fn irqchip(&self) -> Option<&dyn IrqChip> {
        None
    }
    /// Stores that only signal a descriptor; `None` if this accelerator cannot.
    fn doorbells(&self) -> Option<&dyn Doorbells> {
        None
    }
    /// Time that passes in the accelerator; `None` if all that the guest has is [`VcpuClock`]'s.
    fn guest_time(&self) -> Option<&dyn GuestTime> {
        None
    }
    /// Which pages the guest wrote; `None` if this accelerator cannot tell.
    fn dirty_log(&self) -> Option<&dyn DirtyLog> {
        None
    }
}

/// A virtual CPU, owned by the thread that runs it.
pub trait Vcpu<A: Arch> {
    /// Runs guest code until something ends it.
    ///
    /// # Errors
    /// The host failed; the guest cannot go on.
    fn run(&mut self) -> Result<Exit, Error>;
    /// Its registers.
    ///
    /// # Errors
    /// The host failed.
    fn state(&mut self) -> Result<A::State, Error>;
    /// Replaces its registers.
    ///
    /// # Errors
    /// The host failed, or refuses the values.
    fn set_state(&mut self, state: &A::State) -> Result<(), Error>;
    /// Whether it waits until the firmware or another vCPU starts it.
    ///
    /// # Errors
    /// The host failed.
    fn parked(&mut self) -> Result<bool, Error>;
    /// Breakpoints and single steps; `None` if this accelerator has none.
    fn debugger(&mut self) -> Option<&mut dyn GuestDebug> {
        None
    }
}

/// Why [`Vcpu::run`] returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// [`Vm::kick`] was called.
    Kicked,
    /// The guest came to one of [`GuestDebug`]'s stops.
    Debug(DebugStop),
    /// The vCPU shut itself down, as x86 processors do on a triple fault; says where.
    Shutdown(String),
    /// The vCPU cannot go on: the guest has no code to run and no way to get any (a trap handler
    /// that faults on its own first instruction, say).
    Crash(String),
}

/// How the software CPU executes code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TcgMode {
    /// Interprets what is cold, translates what is hot.
    #[default]
    Jit,
    /// Interprets everything.
    Interpreter,
}

/// An accelerator as `polyvisor info` lists it.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is, in a few words.
    pub about: String,
    /// Why it cannot be used here, if it cannot.
    pub missing: Option<String>,
}

/// Every accelerator of this build, the best first.
pub fn offers() -> Vec<Offer> {
    let about = String::from("software CPU, on any host");
    vec![choice::native_offer(), Offer { name: "tcg", about, missing: None }]
}
