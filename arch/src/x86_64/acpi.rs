//! The board in the words of ACPI `[ACPI-6.5]`: processors, the I/O APIC, devices, power.
//!
//! Hardware-reduced ACPI: no timer, no fixed events, no legacy interrupt controllers, which spares
//! the guest their set-up. The power button comes as a generic event `[ACPI-6.5 §5.6.9]`.

use acpi_tables::aml::*;
use acpi_tables::fadt::{FADTBuilder, Flags};
use acpi_tables::gas::{self, GAS};
use acpi_tables::madt::{
    EnabledStatus, IoApic, LocalInterruptController, MADT, ProcessorLocalApic,
};
use acpi_tables::{Aml, AmlSink};

use super::board::*;
use crate::acpi::{Builder, OEM_ID, OEM_REVISION, OEM_TABLE_ID, Tables, TablesTooLarge, dsdt};

#[cfg(test)]
mod tests;

/// FADT: there is no VGA adapter to look for.
const NO_VGA: u16 = 1 << 2;
/// FADT: no message-signalled interrupts, and no ASPM: there is no PCI.
const NO_MSI: u16 = 1 << 3;
const NO_ASPM: u16 = 1 << 4;
/// Notification of a power button that it was pressed.
const PRESSED: u8 = 0x80;

/// Writes the tables of a machine with `cpus` processors and `virtio_slots` devices.
///
/// # Errors
/// They do not fit.
pub fn tables(cpus: u32, virtio_slots: usize) -> Result<Tables, TablesTooLarge> {
    let mut builder = Builder::new(ACPI_TABLES);
    let dsdt = builder.add(&Dsdt { virtio_slots });
    let fadt = builder.add(&fadt(dsdt));
    let madt = builder.add(&madt(cpus));
    builder.finish(&[fadt, madt])
}

fn fadt(dsdt: u64) -> acpi_tables::fadt::FADT {
    let mut fadt = FADTBuilder::new(OEM_ID, OEM_TABLE_ID, OEM_REVISION)
        .dsdt_64(dsdt)
        .flag(Flags::HwReducedAcpi)
        .flag(Flags::PwrButton)
        .flag(Flags::SlpButton)
        .flag(Flags::ResetRegSup);
    // Absent here: the keyboard controller, whose probe takes time; it only resets.
    fadt.iapc_boot_arch = (NO_VGA | NO_MSI | NO_ASPM).into();
    fadt.sleep_control_reg = power_register(POWER_SLEEP_CONTROL);
    fadt.sleep_status_reg = power_register(POWER_SLEEP_STATUS);
    fadt.reset_reg = power_register(POWER_RESET);
    fadt.reset_value = POWER_RESET_VALUE;
    fadt.finalize()
}

fn power_register(offset: u64) -> GAS {
    GAS::new(
        gas::AddressSpace::SystemIo,
        8,
        0,
        gas::AccessSize::ByteAccess,
        POWER_PORTS.base + offset,
    )
}

fn madt(cpus: u32) -> MADT {
    let lapic = LocalInterruptController::Address(LAPIC.base as u32);
    let mut madt = MADT::new(OEM_ID, OEM_TABLE_ID, OEM_REVISION, lapic);
    for cpu in 0..cpus.min(CPUS_MAX) as u8 {
        madt.add_structure(ProcessorLocalApic::new(cpu, cpu, EnabledStatus::Enabled));
    }
    madt.add_structure(IoApic::new(cpus.min(CPUS_MAX) as u8, IOAPIC.base as u32, 0));
    madt
}

struct Dsdt {
    virtio_slots: usize,
}

impl Aml for Dsdt {
    fn to_aml_bytes(&self, sink: &mut dyn AmlSink) {
        let virtio: Vec<_> = (0..self.virtio_slots).map(Virtio).collect();
        let mut devices: Vec<&dyn Aml> = vec![&Serial, &Rtc, &PowerButton, &Events];
        devices.extend(virtio.iter().map(|slot| slot as &dyn Aml));
        let s5 = Package::new(vec![&POWER_S5, &ZERO, &ZERO, &ZERO]);
        dsdt(&[&Name::new("_S5_".into(), &s5), &Scope::new("\\_SB_".into(), devices)])
            .to_aml_bytes(sink);
    }
}

const ZERO: Zero = Zero {};

/// Edge-triggered, active high, not shared: cheaper for both sides than a level to be lowered.
fn edge(gsi: u32) -> Interrupt {
    Interrupt::new(true, true, false, false, gsi)
}

fn ports(window: Window) -> IO {
    IO::new(window.base as u16, window.base as u16, 1, window.size as u8)
}

struct Serial;

impl Aml for Serial {
    fn to_aml_bytes(&self, sink: &mut dyn AmlSink) {
        let (ports, irq) = (ports(UART_PORTS), edge(UART_GSI));
        let resources = ResourceTemplate::new(vec![&ports, &irq]);
        Device::new(
            "COM1".into(),
            vec![
                &Name::new("_HID".into(), &EISAName::new("PNP0501")),
                &Name::new("_UID".into(), &ZERO),
                &Name::new("_CRS".into(), &resources),
            ],
        )
        .to_aml_bytes(sink);
    }
}

struct Rtc;

impl Aml for Rtc {
    fn to_aml_bytes(&self, sink: &mut dyn AmlSink) {
        let (ports, irq) = (ports(RTC_PORTS), edge(RTC_GSI));
        let resources = ResourceTemplate::new(vec![&ports, &irq]);
        Device::new(
            "RTC_".into(),
            vec![
                &Name::new("_HID".into(), &EISAName::new("PNP0B00")),
                &Name::new("_CRS".into(), &resources),
            ],
        )
        .to_aml_bytes(sink);
    }
}

struct PowerButton;

impl Aml for PowerButton {
    fn to_aml_bytes(&self, sink: &mut dyn AmlSink) {
        let hid = EISAName::new("PNP0C0C");
        Device::new("PWRB".into(), vec![&Name::new("_HID".into(), &hid)]).to_aml_bytes(sink);
    }
}

/// The generic event device: its interrupt means that the event register says what happened.
struct Events;

impl Aml for Events {
    fn to_aml_bytes(&self, sink: &mut dyn AmlSink) {
        let irq = edge(POWER_GSI);
        let resources = ResourceTemplate::new(vec![&irq]);
        let port = POWER_PORTS.base + POWER_EVENTS;
        let region = OpRegion::new("EVTR".into(), OpRegionSpace::SystemIO, &port, &ONE);
        let field = Field::new(
            "EVTR".into(),
            FieldAccessType::Byte,
            FieldLockRule::NoLock,
            FieldUpdateRule::WriteAsZeroes,
            vec![FieldEntry::Named(*b"EVTS", 8)],
        );
        let (events, button) = (Path::new("EVTS"), Path::new("PWRB"));
        // Reading the register clears it.
        let fetch = Store::new(&Local(0), &events);
        let masked = And::new(&Local(0), &Local(0), &ONE);
        let notify = Notify::new(&button, &PRESSED);
        let pressed = If::new(&Local(0), vec![&notify]);
        let method = Method::new("_EVT".into(), 1, true, vec![&fetch, &masked, &pressed]);
        Device::new(
            "GED_".into(),
            vec![
                &Name::new("_HID".into(), &"ACPI0013"),
                &Name::new("_UID".into(), &ZERO),
                &Name::new("_CRS".into(), &resources),
                &region,
                &field,
                &method,
            ],
        )
        .to_aml_bytes(sink);
    }
}

const ONE: One = One {};

/// Linux numbers devices in the order of this list: the first slot becomes vda or eth0.
struct Virtio(usize);

impl Aml for Virtio {
    fn to_aml_bytes(&self, sink: &mut dyn AmlSink) {
        let window = virtio(self.0);
        let memory = Memory32Fixed::new(true, window.base as u32, window.size as u32);
        let irq = edge(virtio_gsi(self.0));
        let resources = ResourceTemplate::new(vec![&memory, &irq]);
        let name = format!("VR{:02}", self.0);
        Device::new(
            name.as_str().into(),
            vec![
                &Name::new("_HID".into(), &"LNRO0005"),
                &Name::new("_UID".into(), &(self.0 as u8)),
                &Name::new("_CCA".into(), &ONE),
                &Name::new("_CRS".into(), &resources),
            ],
        )
        .to_aml_bytes(sink);
    }
}
