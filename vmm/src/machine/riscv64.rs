//! The riscv64 board `virt`: its devices, their wires, and its boot.

mod boot;

use std::sync::{Arc, Mutex};

use accel::IrqChips;
use api::MachineSpec;
use arch::Arch;
use arch::riscv64::fields::{IRQ_MEI, IRQ_MSI, IRQ_MTI, IRQ_SEI};
use arch::riscv64::{Model, Riscv64, board};
use devices::intc::aclint::Aclint;
use devices::intc::aclint::spec::MAX_HARTS;
use devices::intc::plic::Plic;
use devices::irq::IrqLine;
use devices::power::finisher::Finisher;
use devices::rtc::goldfish::GoldfishRtc;
use devices::serial::uart16550::Uart16550;

use self::boot::Virt;
use super::frame::{Frame, Limits};
use super::life::{Board, Booted, Parts};
use super::link::Link;
use super::{accelerator, handover};
use crate::error::Error;
use crate::memory::Want;

const LIMITS: Limits =
    Limits { isa: api::Isa::Riscv64, cpus: MAX_HARTS as u32, virtio_slots: board::VIRTIO_SLOTS };

/// Puts a machine together.
pub(super) fn build(spec: &MachineSpec) -> Result<(Parts<Riscv64>, Booted<Riscv64>), Error> {
    LIMITS.check(spec)?;
    arch::model::only("max", spec.board.cpu.as_deref(), Riscv64::NAME)?;
    let accel = accelerator::find::<Riscv64>(&spec.accel)?;
    let (handover, model) =
        handover::plan(&spec.accel, &*accel, &Model::default(), IrqChips::Machine)?;
    let virt = Virt::open(spec, model)?;
    let mut frame = Frame::new(spec, &wants(spec, &virt)?)?;
    let harts = spec.board.cpus;
    let plic = Plic::new(external_pins(&frame.link, harts));
    frame.virtio(board::virtio, |slot| plic.line(board::virtio_irq(slot)))?;
    let booted = virt.boot(&frame.memory)?;
    let console = frame.console()?;

    let uart = Uart16550::new(plic.line(board::UART_IRQ), Box::new(console.sink.clone()));
    let uart = Arc::new(Mutex::new(uart));
    let rtc = GoldfishRtc::new(frame.clock(), plic.line(board::RTC_IRQ));
    let pins = |irq| (0..harts).map(|hart| pin(&frame.link, hart, irq)).collect();
    let aclint = Aclint::new(frame.clock(), pins(IRQ_MSI), pins(IRQ_MTI));
    frame.place(board::FINISHER.base, 0, Arc::new(Mutex::new(Finisher)));
    frame.place(board::RTC.base, 0, rtc);
    frame.place(board::ACLINT.base, 0, aclint);
    frame.place(board::PLIC.base, 0, Arc::new(Mutex::new(plic)));
    frame.place(board::UART.base, 0, uart.clone());
    Ok((frame.finish(accel, handover, Box::new(virt), uart, console), booted))
}

fn wants(spec: &MachineSpec, virt: &Virt) -> Result<Vec<Want>, Error> {
    arch::riscv64::boot::fits(spec.board.memory)?;
    let mut wants = vec![Want { gpa: board::RAM_BASE, len: spec.board.memory, readonly: false }];
    if virt.needs_rom() {
        let rom = board::RESET_ROM;
        wants.push(Want { gpa: rom.base, len: rom.size, readonly: true });
    }
    Ok(wants)
}

/// Pins of a hart are bits of `mip`.
fn pin(link: &Arc<Link>, hart: u32, irq: u64) -> IrqLine {
    link.pin(hart, irq.trailing_zeros())
}

/// The PLIC's contexts: machine and supervisor mode of each hart.
fn external_pins(link: &Arc<Link>, harts: u32) -> Vec<IrqLine> {
    (0..harts).flat_map(|hart| [IRQ_MEI, IRQ_SEI].map(|irq| pin(link, hart, irq))).collect()
}
