//! The lives of a machine: from power-on or reset to the next reset or the end.

use std::sync::Arc;

use accel::{Accelerator, IrqChip, IrqChips, Vm, VmConfig};
use arch::Arch;
use devices::bus::{Shared, lock};
use devices::host::terminal::RawTerminal;
use devices::virtio::VirtioMmio;
use devices::virtio::transport::mmio::reg::QUEUE_NOTIFY;

use super::Outcome;
use super::control::{Control, Event};
use super::handover::Handover;
use super::htif::Htif;
use super::link::Link;
use crate::clock::MachineClock;
use crate::console::{ConsoleInput, InputThread};
use crate::error::Error;
use crate::io::MachineIo;
use crate::memory::GuestMemory;
use crate::vcpu::{self, Begin, VcpuThread};
use crate::worker::Worker;

/// How a machine begins a life.
pub(crate) struct Booted<A: Arch> {
    /// One for each vCPU.
    pub(crate) vcpus: Vec<Begin<A>>,
    /// Guest-physical address of `tohost`, if the program has it.
    pub(crate) tohost: Option<u64>,
    /// Registers of the accelerator's interrupt controllers, if the guest is running already.
    pub(crate) irqchips: Option<Vec<u8>>,
}

/// What a board does at power-on.
pub(crate) trait Board<A: Arch>: Send {
    /// Fills memory, which is zero, and says how the vCPUs begin.
    fn boot(&self, memory: &GuestMemory) -> Result<Booted<A>, Error>;
    /// The accelerator answers calls to the firmware.
    fn firmware_calls(&self) -> bool;
    /// What kind of vCPUs, as the accelerator gives them.
    fn model(&self) -> A::Model;
    /// Who models the interrupt controllers.
    fn irqchips(&self) -> IrqChips;
}

/// A machine with all its parts.
pub(crate) struct Parts<A: Arch> {
    /// Until the first life has begun.
    pub(crate) input: Option<ConsoleInput>,
    pub(crate) input_thread: Option<InputThread>,
    pub(crate) workers: Vec<Worker>,
    /// The virtio devices, and where their registers are.
    pub(crate) virtio: Vec<(u64, Shared<VirtioMmio>)>,
    /// What runs the guest.
    pub(crate) accel: Box<dyn Accelerator<A>>,
    /// What takes it over, by turns, and how often.
    pub(crate) handover: Option<Handover<A>>,
    pub(crate) board: Box<dyn Board<A>>,
    pub(crate) io: Arc<MachineIo>,
    pub(crate) clock: Arc<MachineClock>,
    pub(crate) memory: GuestMemory,
    pub(crate) control: Arc<Control>,
    pub(crate) link: Arc<Link>,
    pub(crate) terminal: Option<RawTerminal>,
}

impl<A: Arch> Parts<A> {
    /// Runs the machine to its end. `first` is what the boot gave.
    pub(crate) fn run(mut self, first: Booted<A>) -> Result<Outcome, Error> {
        let outcome = self.lives(first);
        self.control.end();
        drop(self.input_thread.take());
        self.clock.end();
        // Last, when nothing prints any more.
        drop(self.terminal.take());
        outcome
    }

    fn lives(&mut self, first: Booted<A>) -> Result<Outcome, Error> {
        let mut booted = first;
        loop {
            let (event, taken) = self.live(booted)?;
            return Ok(match event {
                Event::Handover => {
                    let handover = self.handover.as_mut().expect("nobody else asks for it");
                    handover.next(&mut self.accel);
                    tracing::info!("{} takes the guest over", self.accel.name());
                    booted = taken.ok_or_else(|| Error::Panic("machine".into()))?;
                    continue;
                }
                Event::Reset => {
                    tracing::info!("the machine is reset");
                    self.memory.clear()?;
                    booted = self.board.boot(&self.memory)?;
                    continue;
                }
                Event::PowerOff => Outcome::PoweredOff,
                Event::Failed => Outcome::Failed,
                Event::Exit(status) => Outcome::Exit(status),
                Event::Crashed(report) => Outcome::Crashed(report),
                Event::Quit => Outcome::Quit,
                Event::Error(error) => return Err(error),
            });
        }
    }

    /// One life. The VM is new, and unless it takes a running guest over the devices are reset:
    /// nothing of the last life is left then but what the host's side keeps (disks, connections).
    /// The guest is returned if another VM is to take it over.
    fn live(&mut self, booted: Booted<A>) -> Result<(Event, Option<Booted<A>>), Error> {
        let vcpus = booted.vcpus.len() as u32;
        let tohost = booted.tohost;
        let vm: Arc<dyn Vm<A>> = Arc::from(self.accel.create_vm(VmConfig {
            vcpus,
            io: self.io.clone(),
            clock: self.clock.clone(),
            firmware_calls: self.board.firmware_calls(),
            model: self.board.model(),
            irqchips: self.board.irqchips(),
        })?);
        for slot in self.memory.slots() {
            vm.map(slot)?;
        }
        if let Some(tohost) = booted.tohost {
            self.watch_tohost(&*vm, tohost)?;
        }
        self.attach_doorbells(&*vm)?;
        self.link.connect(vm.clone(), vcpus);
        match (&booted.irqchips, vm.irqchip()) {
            // After connecting, so that the vCPUs' pins get their levels.
            (None, _) => self.reset_devices(),
            (Some(saved), chip) => {
                chip.map_or(Ok(()), |chip| chip.restore(saved))?;
                self.link.drive_again();
            }
        }
        self.control.begin(vcpus);
        let mut threads = Vec::new();
        if let Err(error) = self.spawn(&vm, booted.vcpus, &mut threads) {
            self.control.post(Event::Error(error));
        }
        self.control.wait(self.handover.as_ref().map(|handover| handover.every));
        self.link.kick_all();
        // A panic was told by the thread itself.
        let left: Vec<_> =
            threads.into_iter().map(|thread| thread.join().unwrap_or_default()).collect();
        let irqchips = vm.irqchip().map_or(Ok(Vec::new()), IrqChip::save);
        self.link.disconnect();
        let event = self.control.take().unwrap_or(Event::Quit);
        if !matches!(event, Event::Handover) {
            self.workers.iter_mut().for_each(Worker::stop);
            return Ok((event, None));
        }
        let left: Option<Vec<Begin<A>>> = left.into_iter().collect();
        let irqchips = Some(irqchips?);
        Ok((event, left.map(|vcpus| Booted { vcpus, tohost, irqchips })))
    }

    fn reset_devices(&self) {
        for device in self.io.bus.devices() {
            lock(&device).reset();
        }
    }

    /// Has the accelerator signal the queues' events by itself, if it can.
    fn attach_doorbells(&self, vm: &dyn Vm<A>) -> Result<(), Error> {
        let Some(doorbells) = vm.doorbells() else { return Ok(()) };
        for (base, device) in &self.virtio {
            for (queue, event) in (0..).zip(lock(device).doorbells()) {
                doorbells.attach(base + QUEUE_NOTIFY, queue, event)?;
            }
        }
        Ok(())
    }

    fn spawn(
        &mut self,
        vm: &Arc<dyn Vm<A>>,
        begins: Vec<Begin<A>>,
        threads: &mut Vec<VcpuThread<A>>,
    ) -> Result<(), Error> {
        for worker in &mut self.workers {
            worker.start(&self.control)?;
        }
        if let Some(input) = self.input.take() {
            let thread = InputThread::start(input, self.control.clone())
                .map_err(|source| Error::Host { what: "a thread for console input", source })?;
            self.input_thread = Some(thread);
        }
        let count = begins.len() as u32;
        for (index, begin) in (0..).zip(begins) {
            let thread = vcpu::spawn((index, count), vm.clone(), begin, self.control.clone())
                .map_err(|source| Error::Host { what: "a thread for a vCPU", source })?;
            threads.push(thread);
        }
        Ok(())
    }

    fn watch_tohost(&self, vm: &dyn Vm<A>, tohost: u64) -> Result<(), Error> {
        let Some(watch) = vm.watch() else {
            let name = self.accel.name();
            tracing::warn!("{name} cannot watch `tohost`: the program's exit goes unseen");
            return Ok(());
        };
        watch.watch(tohost)?;
        // The same in every life.
        self.io.htif.get_or_init(|| Htif::new(tohost, self.memory.dma()));
        Ok(())
    }
}
