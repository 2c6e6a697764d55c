//! The board: what is where. The map is that of the `virt` machine for which stock firmware is
//! built.

pub use crate::window::Window;

/// Memory with the code that harts run after a reset when there is firmware.
pub const RESET_ROM: Window = Window { base: 0x1000, size: 0xf000 };
/// Power off and reboot: the test finisher.
pub const FINISHER: Window = Window { base: 0x10_0000, size: 0x1000 };
/// Goldfish real-time clock.
pub const RTC: Window = Window { base: 0x10_1000, size: 0x1000 };
/// Timer and software interrupts `[ACLINT-1.0]`.
pub const ACLINT: Window = Window { base: 0x200_0000, size: 0x1_0000 };
/// External interrupts `[PLIC-1.0]`.
pub const PLIC: Window = Window { base: 0xc00_0000, size: 0x60_0000 };
/// The console's UART, a 16550 with registers of one byte.
pub const UART: Window = Window { base: 0x1000_0000, size: 0x100 };
/// Start of memory.
pub const RAM_BASE: u64 = 0x8000_0000;

/// Input clock of the UART, in hertz.
pub const UART_CLOCK_HZ: u32 = 3_686_400;
/// Rate of `time` and of the ACLINT's timer, in hertz.
pub const TIMEBASE_HZ: u32 = 10_000_000;

/// PLIC source of the UART.
pub const UART_IRQ: u32 = 10;
/// PLIC source of the real-time clock.
pub const RTC_IRQ: u32 = 11;
/// The highest PLIC source: source 0 is none.
pub const PLIC_SOURCES: u32 = 95;
/// Slots for virtio devices.
pub const VIRTIO_SLOTS: usize = 8;
/// The most harts that the ACLINT has room for, given its timer's place in the window, and the
/// PLIC, given its own.
pub const HARTS_MAX: usize = 512;

/// Registers of the virtio device in a slot below [`VIRTIO_SLOTS`].
pub const fn virtio(slot: usize) -> Window {
    Window { base: 0x1000_1000 + 0x1000 * slot as u64, size: 0x1000 }
}

/// PLIC source of the virtio device in a slot.
pub const fn virtio_irq(slot: usize) -> u32 {
    1 + slot as u32
}

/// PLIC context of a hart's machine mode; that of its supervisor mode is the next.
pub const fn plic_context(hart: usize) -> usize {
    2 * hart
}

/// What is written to the finisher to switch off.
pub const FINISHER_POWEROFF: u32 = 0x5555;
/// What is written to the finisher to start again.
pub const FINISHER_REBOOT: u32 = 0x7777;
