//! The board `microvm`: what is where. A PC without its past: no firmware, no PCI, no legacy
//! interrupt controllers that a guest would have to know of; devices are told by ACPI.

use std::ops::Range;

pub use crate::window::Window;

/// Where memory stops for device registers; what is left of it goes on at [`HIGH_RAM`].
pub const LOW_RAM_MAX: u64 = 0xc000_0000;
/// Start of the memory that does not fit below the device registers.
pub const HIGH_RAM: u64 = 1 << 32;
/// Memory that no guest has: physical addresses have 52 bits at most, most hosts' 46 or fewer.
pub const RAM_MAX: u64 = 1 << 46;

/// The legacy hole, where a PC has video memory and ROMs: memory here, but not for general use.
pub const LEGACY_HOLE: Window = Window { base: 0xa_0000, size: 0x6_0000 };
/// The tables of ACPI, inside the legacy hole.
pub const ACPI_TABLES: Window = Window { base: 0xe_0000, size: 0x2_0000 };
/// I/O APIC.
pub const IOAPIC: Window = Window { base: 0xfec0_0000, size: 0x1000 };
/// Local APIC, the same for every vCPU.
pub const LAPIC: Window = Window { base: 0xfee0_0000, size: 0x1000 };

/// Ports of the CMOS real-time clock.
pub const RTC_PORTS: Window = Window { base: 0x70, size: 2 };
/// Port of the keyboard controller's data.
pub const I8042_DATA_PORT: u16 = 0x60;
/// Port of the keyboard controller's status and commands.
pub const I8042_COMMAND_PORT: u16 = 0x64;
/// Ports of the debug-exit device: a write ends the run with a status.
pub const DEBUG_EXIT_PORTS: Window = Window { base: 0xf4, size: 4 };
/// Ports of the first serial port, a 16550.
pub const UART_PORTS: Window = Window { base: 0x3f8, size: 8 };
/// Ports of ACPI's sleep, reset and event registers.
pub const POWER_PORTS: Window = Window { base: 0x600, size: 4 };
/// Offset of the sleep control register.
pub const POWER_SLEEP_CONTROL: u64 = 0;
/// Offset of the sleep status register.
pub const POWER_SLEEP_STATUS: u64 = 1;
/// Offset of the reset register.
pub const POWER_RESET: u64 = 2;
/// Offset of the register with events that wait to be told: bit 0 is the power button.
pub const POWER_EVENTS: u64 = 3;
/// What is written to the reset register.
pub const POWER_RESET_VALUE: u8 = 1;
/// The sleep type that means power-off (`\_S5`).
pub const POWER_S5: u8 = 5;

/// Global system interrupt of the serial port.
pub const UART_GSI: u32 = 4;
/// Global system interrupt of the real-time clock.
pub const RTC_GSI: u32 = 8;
/// Global system interrupt of the power button.
pub const POWER_GSI: u32 = 9;
/// Inputs of the I/O APIC, global system interrupts from 0 on.
pub const IOAPIC_PINS: u32 = 24;
/// Slots for virtio devices.
pub const VIRTIO_SLOTS: usize = 8;
/// The most vCPUs: 8-bit APIC identifiers, of which the last means all.
pub const CPUS_MAX: u32 = 254;

/// Registers of the virtio device in a slot below [`VIRTIO_SLOTS`].
pub const fn virtio(slot: usize) -> Window {
    Window { base: 0xfeb0_0000 + 0x200 * slot as u64, size: 0x200 }
}

/// Global system interrupt of the virtio device in a slot: beyond those with old meanings.
pub const fn virtio_gsi(slot: usize) -> u32 {
    16 + slot as u32
}

/// Where `size` bytes of memory are.
pub fn ram(size: u64) -> Vec<Range<u64>> {
    let low = size.min(LOW_RAM_MAX);
    let high = (size > low).then(|| HIGH_RAM..HIGH_RAM + (size - low));
    std::iter::once(0..low).chain(high).collect()
}
