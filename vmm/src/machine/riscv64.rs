//! The riscv64 board `virt`: its devices, their wires, and its boot.

mod boot;

use std::sync::{Arc, Mutex, OnceLock};

use api::MachineSpec;
use arch::riscv64::fields::{IRQ_MEI, IRQ_MSI, IRQ_MTI, IRQ_SEI};
use arch::riscv64::{Model, Riscv64, board};
use devices::Bus;
use devices::clock::ClockRef;
use devices::device::Device;
use devices::dma::DmaWatch;
use devices::host::char::CharBackend;
use devices::intc::aclint::Aclint;
use devices::intc::aclint::spec::MAX_HARTS;
use devices::intc::plic::Plic;
use devices::irq::IrqLine;
use devices::power::finisher::Finisher;
use devices::rtc::goldfish::GoldfishRtc;
use devices::serial::uart16550::Uart16550;

use self::boot::Virt;
use super::backends::Backends;
use super::control::Control;
use super::life::{Board, Booted, Parts};
use super::link::Link;
use super::virtio::{self, Slot};
use crate::clock::MachineClock;
use crate::console::{ConsoleInput, SharedSink};
use crate::error::Error;
use crate::io::{FirmwareConsole, MachineIo};
use crate::memory::{GuestMemory, Want};
use crate::worker::Worker;

/// Bytes of a page of the guest's.
const PAGE: u64 = 4096;

/// Puts a machine together. The console comes last: with it a terminal changes its mode.
pub(super) fn build(spec: &MachineSpec) -> Result<(Parts<Riscv64>, Booted<Riscv64>), Error> {
    check(spec)?;
    let accel = super::accelerator::<Riscv64>(spec.accel)?;
    let virt = Virt::open(spec, accel.model(&Model::default())?)?;
    let link = Arc::new(Link::default());
    let control = Arc::new(Control::new(link.clone()));
    let memory = memory(spec, &virt, &link)?;
    let clock = clock(&link)?;
    let plic = Plic::new(external_pins(&link, spec.board.cpus));
    let mut backends = Backends::new(&spec.backends)?;
    let slots = virtio::fill(&spec.devices, &mut backends, &memory.dma(), |slot| {
        plic.line(board::virtio_irq(slot))
    })?;
    let booted = virt.boot(&memory)?;
    let console = backends.char(spec.board.console.as_deref())?;
    backends.finish()?;

    let CharBackend { sink, reader, terminal, .. } = console;
    let sink = SharedSink::new(sink);
    let uart = Uart16550::new(plic.line(board::UART_IRQ), Box::new(sink.clone()));
    let uart = Arc::new(Mutex::new(uart));
    let escape = terminal.is_some();
    let input = reader.map(|reader| ConsoleInput { reader, escape, uart: uart.clone() });
    let rtc = GoldfishRtc::new(clock.clone() as ClockRef, plic.line(board::RTC_IRQ));
    let mut bus = Bus::new();
    place(&mut bus, board::FINISHER.base, Arc::new(Mutex::new(Finisher)));
    place(&mut bus, board::RTC.base, rtc);
    place(&mut bus, board::ACLINT.base, aclint(&link, &clock, spec.board.cpus));
    place(&mut bus, board::PLIC.base, Arc::new(Mutex::new(plic)));
    place(&mut bus, board::UART.base, uart.clone());
    let workers = place_virtio(&mut bus, slots);
    let console = FirmwareConsole { output: sink, uart };
    let io = MachineIo { bus, control: control.clone(), console, htif: OnceLock::new() };
    let parts = Parts {
        input,
        input_thread: None,
        workers,
        accel,
        board: Box::new(virt),
        io: Arc::new(io),
        clock,
        memory,
        control,
        link,
        terminal,
    };
    Ok((parts, booted))
}

/// What the types of the specification allow and this board does not.
fn check(spec: &MachineSpec) -> Result<(), Error> {
    let cpus = spec.board.cpus;
    if !(1..=MAX_HARTS as u32).contains(&cpus) {
        return Err(Error::Spec(format!(
            "a riscv64 machine has 1 to {MAX_HARTS} CPUs, not {cpus}; choose another number"
        )));
    }
    if !spec.board.memory.is_multiple_of(PAGE) {
        return Err(Error::Spec(format!(
            "{} bytes of memory are no whole number of pages; use a multiple of {PAGE}",
            spec.board.memory
        )));
    }
    let devices = spec.devices.len();
    if devices > board::VIRTIO_SLOTS {
        return Err(Error::Spec(format!(
            "the machine has {} slots for virtio devices, and {devices} are asked for (one may be \
             the entropy source that every machine gets); use fewer disks or networks",
            board::VIRTIO_SLOTS
        )));
    }
    Ok(())
}

fn memory(spec: &MachineSpec, virt: &Virt, link: &Arc<Link>) -> Result<GuestMemory, Error> {
    let mut wants = vec![Want { gpa: board::RAM_BASE, len: spec.board.memory, readonly: false }];
    if virt.needs_rom() {
        let rom = board::RESET_ROM;
        wants.push(Want { gpa: rom.base, len: rom.size, readonly: true });
    }
    let watch: Arc<dyn DmaWatch> = link.clone();
    arch::riscv64::boot::fits(spec.board.memory)?;
    Ok(GuestMemory::new(&wants, &watch)?)
}

fn clock(link: &Arc<Link>) -> Result<Arc<MachineClock>, Error> {
    let link = link.clone();
    MachineClock::start(Box::new(move |vcpu| link.alarm(vcpu)))
        .map(Arc::new)
        .map_err(|source| Error::Host { what: "a thread for timers", source })
}

/// Pins of a hart are bits of `mip`.
fn pin(link: &Arc<Link>, hart: u32, irq: u64) -> IrqLine {
    link.pin(hart, irq.trailing_zeros())
}

/// The PLIC's contexts: machine and supervisor mode of each hart.
fn external_pins(link: &Arc<Link>, harts: u32) -> Vec<IrqLine> {
    (0..harts).flat_map(|hart| [IRQ_MEI, IRQ_SEI].map(|irq| pin(link, hart, irq))).collect()
}

fn aclint(link: &Arc<Link>, clock: &Arc<MachineClock>, harts: u32) -> Arc<Mutex<Aclint>> {
    let pins = |irq| (0..harts).map(|hart| pin(link, hart, irq)).collect();
    Aclint::new(clock.clone() as ClockRef, pins(IRQ_MSI), pins(IRQ_MTI))
}

/// Puts a device with one region at its place.
fn place(bus: &mut Bus, base: u64, device: Arc<Mutex<dyn Device>>) {
    bus.map(base, 0, device).expect("the places of the board's devices do not overlap");
}

fn place_virtio(bus: &mut Bus, slots: Vec<Slot>) -> Vec<Worker> {
    let place = |(index, Slot { device, worker })| {
        place(bus, board::virtio(index).base, Arc::new(Mutex::new(device)));
        worker
    };
    slots.into_iter().enumerate().map(place).collect()
}
