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

mod error;
pub mod tcg;

pub use error::Error;

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

/// What a VM is made of, besides memory.
#[derive(Clone)]
pub struct VmConfig {
    /// Number of vCPUs.
    pub vcpus: u32,
    /// What the vCPUs reach outside themselves.
    pub io: Arc<dyn GuestIo>,
    /// Guest time.
    pub clock: Arc<dyn VcpuClock>,
    /// The accelerator answers the guest's calls to its firmware (SBI, PSCI): the guest is
    /// started without firmware of its own.
    pub firmware_calls: bool,
}

/// A way to run guests of architecture `A`.
pub trait Accelerator<A: Arch>: Send + Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;
    /// A VM without memory.
    ///
    /// # Errors
    /// What the host lacks.
    fn create_vm(&self, config: VmConfig) -> Result<Box<dyn Vm<A>>, Error>;
}

/// A virtual machine.
pub trait Vm<A: Arch>: Send + Sync {
    /// Adds memory.
    ///
    /// # Errors
    /// The slot overlaps another, or does not consist of whole pages.
    fn map(&self, slot: Slot) -> Result<(), Error>;
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
}

/// Reporting of stores to chosen pages.
pub trait Watch {
    /// Watches the page of `gpa`. To be called before the vCPUs run.
    ///
    /// # Errors
    /// There is no memory at `gpa`.
    fn watch(&self, gpa: u64) -> Result<(), Error>;
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
}

/// Why [`Vcpu::run`] returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// [`Vm::kick`] was called.
    Kicked,
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
    pub about: &'static str,
    /// Why it cannot be used here, if it cannot.
    pub missing: Option<String>,
}

/// Every accelerator of this build, the best first.
pub fn offers() -> Vec<Offer> {
    vec![Offer { name: "tcg", about: "software CPU, on any host", missing: None }]
}
