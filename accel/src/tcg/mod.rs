//! The software CPU as an accelerator: the `tcg` crate behind the traits.
#![expect(unsafe_code, reason = "passes the owner's promise about mapped memory on to tcg")]

use std::path::PathBuf;
use std::sync::Arc;

use arch::state::Arch;
pub use tcg::guest::Guest;
use tcg::mmu::host::{HostMapping, HostRange};
use tcg::vcpu::request;
use tcg::{Config, Learning, Machine, Mode};

use crate::{
    Accelerator, Error, Exit, HostMemory, IrqChips, Slot, TcgMode, Vcpu, Vm, VmConfig, Watch,
};

/// Bytes reserved for translated code, used in two halves; one holds three million guest
/// instructions.
const CODE_BYTES: usize = 128 << 20;

/// The software CPU.
#[derive(Clone, Debug, Default)]
pub struct Tcg {
    /// How code is executed.
    pub mode: TcgMode,
    /// The folder in which what is learnt about code is kept, if it is to be.
    pub learnt: Option<PathBuf>,
}

impl<A: Guest> Accelerator<A> for Tcg {
    fn name(&self) -> &'static str {
        "tcg"
    }

    fn model(&self, asked: &A::Model) -> Result<A::Model, Error> {
        Ok(asked.clone())
    }

    fn irqchips(&self) -> &'static [IrqChips] {
        &[IrqChips::Machine]
    }

    /// It models none of them.
    fn saves(&self, _: IrqChips) -> bool {
        true
    }

    fn create_vm(&self, config: VmConfig<A>) -> Result<Box<dyn Vm<A>>, Error> {
        let mode = match self.mode {
            TcgMode::Jit => Mode::Jit { threshold: Mode::DEFAULT_THRESHOLD },
            TcgMode::Interpreter => Mode::Interpreter,
        };
        let machine = Machine::<A>::new(Config {
            vcpus: config.vcpus,
            mode,
            code_bytes: CODE_BYTES,
            io: config.io,
            clock: config.clock,
            firmware_calls: config.firmware_calls,
            learning: self
                .learnt
                .clone()
                .map(|folder| Learning { folder, model: format!("{:?}", config.model) }),
        })?;
        Ok(Box::new(TcgVm { machine }))
    }
}

/// Memory of the VM's owner as tcg wants it.
struct Mapped(Arc<dyn HostMemory>);

// SAFETY: `HostMemory` promises exactly what `HostMapping` asks for, and the value is kept.
unsafe impl HostMapping for Mapped {
    fn as_ptr(&self) -> *mut u8 {
        self.0.as_ptr()
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

struct TcgVm<A: Guest> {
    machine: Arc<Machine<A>>,
}

impl<A: Guest> Drop for TcgVm<A> {
    fn drop(&mut self) {
        self.machine.keep_learnt();
    }
}

impl<A: Guest> Vm<A> for TcgVm<A> {
    fn map(&self, slot: Slot) -> Result<(), Error> {
        let host = HostRange::new(Arc::new(Mapped(slot.memory)));
        let slot = tcg::mmu::ram::Slot { gpa: slot.gpa, host, readonly: slot.readonly };
        Ok(self.machine.map(slot)?)
    }

    /// What was read through a slot may be anywhere in caches and TLBs.
    fn unmap(&self, _: u64) -> Result<bool, Error> {
        Ok(false)
    }

    fn create_vcpu(
        &self,
        index: u32,
        state: A::State,
        parked: bool,
    ) -> Result<Box<dyn Vcpu<A>>, Error> {
        if index >= self.machine.vcpus() {
            return Err(Error::Vcpu(index));
        }
        let vcpu = self.machine.vcpu(index, state, parked).ok_or(Error::Vcpu(index))?;
        Ok(Box::new(TcgVcpu { vcpu }))
    }

    fn set_pin(&self, vcpu: u32, pin: u32, level: bool) {
        self.machine.signals(vcpu).set_line(pin, level);
    }

    fn kick(&self, vcpu: u32) {
        self.machine.signals(vcpu).raise(request::KICK);
    }

    fn alarm(&self, vcpu: u32) {
        self.machine.signals(vcpu).raise(request::INTERRUPT);
    }

    fn written(&self, gpa: u64, len: usize) {
        self.machine.written(gpa, len);
    }

    fn watch(&self) -> Option<&dyn Watch> {
        Some(self)
    }
}

impl<A: Guest> Watch for TcgVm<A> {
    fn watch(&self, gpa: u64) -> Result<(), Error> {
        if self.machine.watch(gpa) { Ok(()) } else { Err(Error::NoMemory(gpa)) }
    }
}

struct TcgVcpu<A: Guest> {
    vcpu: tcg::Vcpu<A>,
}

impl<A: Guest> Vcpu<A> for TcgVcpu<A>
where
    A: Arch,
{
    fn run(&mut self) -> Result<Exit, Error> {
        Ok(match self.vcpu.run() {
            tcg::Stop::Kicked => Exit::Kicked,
            tcg::Stop::Crashed(what) => Exit::Crash(what),
            // Only user mode leaves exceptions to its caller.
            tcg::Stop::Exception(e) => Exit::Crash(format!("the guest raised {e:?}")),
        })
    }

    fn state(&mut self) -> Result<A::State, Error> {
        Ok(self.vcpu.state().clone())
    }

    fn set_state(&mut self, state: &A::State) -> Result<(), Error> {
        self.vcpu.set_state(state.clone());
        Ok(())
    }

    fn parked(&mut self) -> Result<bool, Error> {
        Ok(self.vcpu.parked())
    }
}
