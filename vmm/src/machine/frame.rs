//! What the machines of all boards are put together from.

use std::sync::{Arc, Mutex, OnceLock};

use accel::Accelerator;
use api::{Isa, MachineSpec};
use arch::{Arch, Window};
use devices::Bus;
use devices::bus::Shared;
use devices::clock::ClockRef;
use devices::device::Device;
use devices::dma::DmaWatch;
use devices::host::char::{CharBackend, CharReader};
use devices::host::terminal::RawTerminal;
use devices::irq::IrqLine;
use devices::serial::SerialPort;
use devices::virtio::VirtioMmio;

use super::backends::Backends;
use super::control::{Control, Event};
use super::handover::Handover;
use super::life::{Board, Parts};
use super::link::Link;
use super::virtio::{self, Slot};
use crate::clock::MachineClock;
use crate::console::{ConsoleInput, PowerButton, SharedSink};
use crate::error::Error;
use crate::io::{FirmwareConsole, MachineIo};
use crate::memory::{GuestMemory, Want};
use crate::worker::Worker;

/// Bytes of a page of the guest's.
const PAGE: u64 = 4096;

/// What a board has room for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) isa: Isa,
    pub(super) cpus: u32,
    pub(super) virtio_slots: usize,
}

impl Limits {
    /// What the types of the specification allow and this board does not.
    pub(super) fn check(&self, spec: &MachineSpec) -> Result<(), Error> {
        let Limits { isa, cpus: cpus_max, virtio_slots } = self;
        let cpus = spec.board.cpus;
        if !(1..=*cpus_max).contains(&cpus) {
            return Err(Error::Spec(format!(
                "{} {isa} machine has 1 to {cpus_max} CPUs, not {cpus}; choose another number",
                if *isa == Isa::Riscv64 { "a" } else { "an" },
            )));
        }
        if !spec.board.memory.is_multiple_of(PAGE) {
            return Err(Error::Spec(format!(
                "{} bytes of memory are no whole number of pages; use a multiple of {PAGE}",
                spec.board.memory
            )));
        }
        let devices = spec.devices.len();
        if devices > *virtio_slots {
            return Err(Error::Spec(format!(
                "the machine has {virtio_slots} slots for virtio devices, and {devices} are asked \
                 for (one may be the entropy source that every machine gets); use fewer disks or \
                 networks"
            )));
        }
        Ok(())
    }
}

/// A machine that is being put together.
pub(super) struct Frame<'s> {
    spec: &'s MachineSpec,
    pub(super) link: Arc<Link>,
    pub(super) memory: GuestMemory,
    clock: Arc<MachineClock>,
    control: Arc<Control>,
    backends: Backends<'s>,
    bus: Bus,
    ports: Bus,
    workers: Vec<Worker>,
    virtio: Vec<(u64, Shared<VirtioMmio>)>,
    /// Presses the board's power button, if it has one.
    pub(super) power_button: Option<PowerButton>,
}

/// The host's side of the serial port.
pub(super) struct Console {
    /// What the port sends.
    pub(super) sink: SharedSink,
    reader: Option<CharReader>,
    terminal: Option<RawTerminal>,
}

impl<'s> Frame<'s> {
    /// Memory, a clock, and buses without devices.
    pub(super) fn new(spec: &'s MachineSpec, wants: &[Want]) -> Result<Self, Error> {
        let link = Arc::new(Link::default());
        let watch: Arc<dyn DmaWatch> = link.clone();
        let control = Arc::new(Control::new(link.clone()));
        let (alarms, failed) = (link.clone(), control.clone());
        let clock = MachineClock::new(
            Box::new(move |vcpu| alarms.alarm(vcpu)),
            Box::new(move |source| {
                failed.post(Event::Error(Error::Host { what: "a thread for timers", source }));
            }),
        );
        Ok(Self {
            spec,
            memory: GuestMemory::new(wants, &watch)?,
            clock: Arc::new(clock),
            control,
            backends: Backends::new(&spec.backends)?,
            bus: Bus::new(),
            ports: Bus::new(),
            workers: Vec::new(),
            virtio: Vec::new(),
            power_button: None,
            link,
        })
    }

    /// Guest time, as devices see it.
    pub(super) fn clock(&self) -> ClockRef {
        self.clock.clone()
    }

    /// Puts region `region` of a device into memory at `base`.
    pub(super) fn place(&mut self, base: u64, region: u8, device: Arc<Mutex<dyn Device>>) {
        self.bus.map(base, region, device).expect("the places of the board's devices differ");
    }

    /// Puts region `region` of a device at I/O port `base`.
    pub(super) fn place_ports(&mut self, base: u64, region: u8, device: Arc<Mutex<dyn Device>>) {
        self.ports.map(base, region, device).expect("the ports of the board's devices differ");
    }

    /// Makes the virtio devices; `window` and `line` are those of a slot.
    pub(super) fn virtio(
        &mut self,
        window: impl Fn(usize) -> Window,
        line: impl Fn(usize) -> IrqLine,
    ) -> Result<(), Error> {
        let dma = self.memory.dma();
        let slots = virtio::fill(&self.spec.devices, &mut self.backends, &dma, line)?;
        for (index, Slot { device, worker }) in slots.into_iter().enumerate() {
            let device = Arc::new(Mutex::new(device));
            self.place(window(index).base, 0, device.clone());
            self.workers.push(worker);
            self.virtio.push((window(index).base, device));
        }
        Ok(())
    }

    /// Opens the console: last of all, because with it a terminal changes its mode.
    pub(super) fn console(&mut self) -> Result<Console, Error> {
        let opened = self.backends.char(self.spec.board.console.as_deref())?;
        self.backends.check_all_taken()?;
        let CharBackend { sink, reader, terminal, .. } = opened;
        Ok(Console { sink: SharedSink::new(sink), reader, terminal })
    }

    /// The finished machine.
    pub(super) fn finish<A: Arch>(
        self,
        accel: Box<dyn Accelerator<A>>,
        handover: Option<Handover<A>>,
        board: Box<dyn Board<A>>,
        uart: Shared<dyn SerialPort>,
        console: Console,
    ) -> Parts<A> {
        let Console { sink, reader, terminal } = console;
        let escape = terminal.is_some();
        let power_button = self.power_button;
        let input =
            reader.map(|reader| ConsoleInput { reader, escape, uart: uart.clone(), power_button });
        let io = MachineIo {
            bus: self.bus,
            ports: self.ports,
            control: self.control.clone(),
            console: FirmwareConsole { output: sink, uart },
            htif: OnceLock::new(),
        };
        Parts {
            input,
            input_thread: None,
            workers: self.workers,
            virtio: self.virtio,
            accel,
            handover,
            board,
            io: Arc::new(io),
            clock: self.clock,
            memory: self.memory,
            control: self.control,
            link: self.link,
            terminal,
        }
    }
}
