//! The board `virt`: what is where. The map is that of the `virt` machine for which stock
//! firmware is built.

pub use crate::window::Window;

/// Distributor of the interrupt controller `[GICv3 §12.8]`.
pub const GICD: Window = Window { base: 0x800_0000, size: 0x1_0000 };
/// Interrupt translation service, for message-signalled interrupts.
pub const GITS: Window = Window { base: 0x808_0000, size: 0x2_0000 };
/// Redistributors, one after another.
pub const GICR: Window = Window { base: 0x80a_0000, size: 0xf6_0000 };
/// Bytes of one vCPU's redistributor.
pub const GICR_STRIDE: u64 = 0x2_0000;
/// The console's UART, a PL011.
pub const UART: Window = Window { base: 0x900_0000, size: 0x1000 };
/// Real-time clock, a PL031.
pub const RTC: Window = Window { base: 0x901_0000, size: 0x1000 };
/// Start of memory.
pub const RAM_BASE: u64 = 0x4000_0000;
/// The most memory: 40-bit physical addresses, which every host with KVM gives its guests.
pub const RAM_MAX: u64 = (1 << 40) - RAM_BASE;

/// Rate of the clock that UART and RTC are fed with, in hertz.
pub const PERIPHERAL_CLOCK_HZ: u32 = 24_000_000;

/// Shared peripheral interrupt of the UART, counted from 0 (32 in the GIC's own numbers).
pub const UART_SPI: u32 = 1;
/// Shared peripheral interrupt of the real-time clock.
pub const RTC_SPI: u32 = 2;
/// How many shared peripheral interrupts the board has.
pub const SPIS: u32 = 64;
/// Slots for virtio devices.
pub const VIRTIO_SLOTS: usize = 32;
/// Private peripheral interrupts of the timers, counted from 0 (16 in the GIC's own numbers): of
/// the secure world, of the kernel, virtual, of a hypervisor.
pub const TIMER_PPIS: [u32; 4] = [13, 14, 11, 10];
/// The most vCPUs: as many as there are redistributors.
pub const CPUS_MAX: u32 = (GICR.size / GICR_STRIDE) as u32;

/// Registers of the virtio device in a slot below [`VIRTIO_SLOTS`].
pub const fn virtio(slot: usize) -> Window {
    Window { base: 0xa00_0000 + 0x200 * slot as u64, size: 0x200 }
}

/// Shared peripheral interrupt of the virtio device in a slot.
pub const fn virtio_spi(slot: usize) -> u32 {
    16 + slot as u32
}

/// MPIDR_EL1's affinity of a vCPU: sixteen to a cluster, as far as a GIC's message to several
/// reaches `[GICv3 §12.11.5]`.
pub const fn affinity(cpu: u32) -> u64 {
    let cpu = cpu as u64;
    (cpu & 0xf) | (cpu >> 4 & 0xff) << 8
}
