//! The board as a device tree `[DT-0.4]`, in the words that Linux, OpenSBI and U-Boot know.

use std::ops::Range;

use vm_fdt::FdtWriter;

use super::Model;
use super::board::*;
pub use crate::fdt::FdtError;
use crate::fdt::{Written, at, compatible, node, reg};

#[cfg(test)]
mod tests;

/// What the device tree has to say.
#[derive(Clone, Debug)]
pub struct Fdt<'a> {
    /// Number of harts, numbered from zero.
    pub harts: usize,
    /// What they are.
    pub model: &'a Model,
    /// Memory, in bytes.
    pub ram_size: u64,
    /// How many virtio slots there are, whether or not they have a device.
    pub virtio_slots: usize,
    /// The kernel's command line.
    pub bootargs: Option<&'a str>,
    /// Where the initrd is.
    pub initrd: Option<Range<u64>>,
    /// Random bytes with which the kernel seeds its generator; empty for none.
    pub rng_seed: &'a [u8],
}

/// Cells of an interrupt at a hart's own controller: the bit in `mip`.
const IRQ_M_SOFT: u32 = 3;
const IRQ_M_TIMER: u32 = 7;
const IRQ_S_EXT: u32 = 9;
const IRQ_M_EXT: u32 = 11;

const PHANDLE_PLIC: u32 = 1;
const PHANDLE_FINISHER: u32 = 2;

/// Of a hart and of its interrupt controller, which share a number line.
fn phandle_cpu(hart: usize) -> u32 {
    3 + 2 * hart as u32
}

fn phandle_intc(hart: usize) -> u32 {
    phandle_cpu(hart) + 1
}

impl Fdt<'_> {
    /// Writes the blob.
    ///
    /// # Errors
    /// A number out of range, a command line that is no string or too long.
    pub fn build(&self) -> Result<Vec<u8>, FdtError> {
        if !(1..=HARTS_MAX).contains(&self.harts) {
            return Err(FdtError::Harts { harts: self.harts, most: HARTS_MAX });
        }
        if self.virtio_slots > VIRTIO_SLOTS {
            return Err(FdtError::VirtioSlots { slots: self.virtio_slots, most: VIRTIO_SLOTS });
        }
        if self.bootargs.is_some_and(|text| text.contains('\0')) {
            return Err(FdtError::CommandLine);
        }
        let mut fdt = FdtWriter::new()?;
        self.root(&mut fdt)?;
        let blob = fdt.finish()?;
        // Firmware adds nodes in place: leave it half of the room.
        let limit = super::boot::FDT_SIZE_MAX / 2;
        if blob.len() as u64 > limit {
            return Err(FdtError::TooLarge { len: blob.len(), limit });
        }
        Ok(blob)
    }

    fn root(&self, fdt: &mut FdtWriter) -> Written {
        let root = fdt.begin_node("")?;
        fdt.property_u32("#address-cells", 2)?;
        fdt.property_u32("#size-cells", 2)?;
        fdt.property_string("compatible", "riscv-virtio")?;
        fdt.property_string("model", "polyvisor,virt")?;
        self.chosen(fdt)?;
        node(fdt, "aliases", |fdt| fdt.property_string("serial0", &path("serial", UART)))?;
        node(fdt, &at("memory", RAM_BASE), |fdt| {
            fdt.property_string("device_type", "memory")?;
            fdt.property_array_u64("reg", &[RAM_BASE, self.ram_size])
        })?;
        node(fdt, "cpus", |fdt| self.cpus(fdt))?;
        for (name, value) in [("poweroff", FINISHER_POWEROFF), ("reboot", FINISHER_REBOOT)] {
            node(fdt, name, |fdt| {
                fdt.property_string("compatible", &format!("syscon-{name}"))?;
                fdt.property_u32("regmap", PHANDLE_FINISHER)?;
                fdt.property_u32("offset", 0)?;
                fdt.property_u32("value", value)
            })?;
        }
        node(fdt, "soc", |fdt| {
            fdt.property_u32("#address-cells", 2)?;
            fdt.property_u32("#size-cells", 2)?;
            fdt.property_string("compatible", "simple-bus")?;
            fdt.property_null("ranges")?;
            self.interrupt_controllers(fdt)?;
            self.devices(fdt)
        })?;
        fdt.end_node(root)
    }

    fn chosen(&self, fdt: &mut FdtWriter) -> Written {
        node(fdt, "chosen", |fdt| {
            fdt.property_string("stdout-path", &path("serial", UART))?;
            if let Some(bootargs) = self.bootargs {
                fdt.property_string("bootargs", bootargs)?;
            }
            if let Some(initrd) = &self.initrd {
                fdt.property_u64("linux,initrd-start", initrd.start)?;
                fdt.property_u64("linux,initrd-end", initrd.end)?;
            }
            if !self.rng_seed.is_empty() {
                fdt.property("rng-seed", self.rng_seed)?;
            }
            Ok(())
        })
    }

    fn cpus(&self, fdt: &mut FdtWriter) -> Written {
        fdt.property_u32("#address-cells", 1)?;
        fdt.property_u32("#size-cells", 0)?;
        fdt.property_u32("timebase-frequency", TIMEBASE_HZ)?;
        for hart in 0..self.harts {
            self.cpu(fdt, hart)?;
        }
        node(fdt, "cpu-map", |fdt| {
            node(fdt, "cluster0", |fdt| {
                (0..self.harts).try_for_each(|hart| {
                    node(fdt, &format!("core{hart}"), |fdt| {
                        fdt.property_u32("cpu", phandle_cpu(hart))
                    })
                })
            })
        })
    }

    fn cpu(&self, fdt: &mut FdtWriter, hart: usize) -> Written {
        node(fdt, &at("cpu", hart as u64), |fdt| {
            fdt.property_string("device_type", "cpu")?;
            fdt.property_u32("reg", hart as u32)?;
            fdt.property_string("status", "okay")?;
            fdt.property_string("compatible", "riscv")?;
            fdt.property_string("riscv,isa", &self.model.isa_string())?;
            fdt.property_string("riscv,isa-base", "rv64i")?;
            let names = self.model.exts.iter().map(|ext| ext.name().to_owned()).collect();
            fdt.property_string_list("riscv,isa-extensions", names)?;
            fdt.property_string("mmu-type", "riscv,sv57")?;
            fdt.property_phandle(phandle_cpu(hart))?;
            node(fdt, "interrupt-controller", |fdt| {
                fdt.property_string("compatible", "riscv,cpu-intc")?;
                fdt.property_null("interrupt-controller")?;
                fdt.property_u32("#interrupt-cells", 1)?;
                fdt.property_phandle(phandle_intc(hart))
            })
        })
    }

    fn interrupt_controllers(&self, fdt: &mut FdtWriter) -> Written {
        let of_each_hart = |irqs: [u32; 2]| -> Vec<u32> {
            (0..self.harts)
                .flat_map(|hart| irqs.map(|irq| [phandle_intc(hart), irq]))
                .flatten()
                .collect()
        };
        node(fdt, &at("clint", ACLINT.base), |fdt| {
            compatible(fdt, &["sifive,clint0", "riscv,clint0"])?;
            reg(fdt, ACLINT)?;
            fdt.property_array_u32("interrupts-extended", &of_each_hart([IRQ_M_SOFT, IRQ_M_TIMER]))
        })?;
        node(fdt, &at("plic", PLIC.base), |fdt| {
            compatible(fdt, &["sifive,plic-1.0.0", "riscv,plic0"])?;
            reg(fdt, PLIC)?;
            fdt.property_u32("#address-cells", 0)?;
            fdt.property_u32("#interrupt-cells", 1)?;
            fdt.property_null("interrupt-controller")?;
            fdt.property_array_u32("interrupts-extended", &of_each_hart([IRQ_M_EXT, IRQ_S_EXT]))?;
            fdt.property_u32("riscv,ndev", PLIC_SOURCES)?;
            fdt.property_phandle(PHANDLE_PLIC)
        })
    }

    fn devices(&self, fdt: &mut FdtWriter) -> Written {
        node(fdt, &at("serial", UART.base), |fdt| {
            fdt.property_string("compatible", "ns16550a")?;
            reg(fdt, UART)?;
            fdt.property_u32("clock-frequency", UART_CLOCK_HZ)?;
            interrupt(fdt, UART_IRQ)
        })?;
        node(fdt, &at("rtc", RTC.base), |fdt| {
            fdt.property_string("compatible", "google,goldfish-rtc")?;
            reg(fdt, RTC)?;
            interrupt(fdt, RTC_IRQ)
        })?;
        node(fdt, &at("test", FINISHER.base), |fdt| {
            compatible(fdt, &["sifive,test1", "sifive,test0", "syscon"])?;
            reg(fdt, FINISHER)?;
            fdt.property_phandle(PHANDLE_FINISHER)
        })?;
        // Linux numbers devices in this order: the first slot becomes vda or eth0.
        (0..self.virtio_slots).try_for_each(|slot| {
            node(fdt, &at("virtio_mmio", virtio(slot).base), |fdt| {
                fdt.property_string("compatible", "virtio,mmio")?;
                reg(fdt, virtio(slot))?;
                interrupt(fdt, virtio_irq(slot))
            })
        })
    }
}

/// The path of a device on the board.
fn path(name: &str, window: Window) -> String {
    format!("/soc/{}", at(name, window.base))
}

fn interrupt(fdt: &mut FdtWriter, irq: u32) -> Written {
    fdt.property_u32("interrupt-parent", PHANDLE_PLIC)?;
    fdt.property_u32("interrupts", irq)
}
