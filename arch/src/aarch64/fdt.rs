//! The board as a device tree `[DT-0.4]`, in the words that Linux knows.

use std::ops::Range;

use vm_fdt::{Error, FdtWriter};

use super::board::*;
use crate::fdt::{FdtError, Written, at, compatible, node, reg};

#[cfg(test)]
mod tests;

/// What the device tree has to say.
#[derive(Clone, Debug)]
pub struct Fdt<'a> {
    /// Number of processors, numbered from zero.
    pub cpus: u32,
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

const PHANDLE_GIC: u32 = 1;
const PHANDLE_CLOCK: u32 = 2;

/// The cells of an interrupt: kind, number, trigger.
const SPI: u32 = 0;
const PPI: u32 = 1;
const EDGE: u32 = 1;
const LEVEL: u32 = 4;

impl Fdt<'_> {
    /// Writes the blob.
    ///
    /// # Errors
    /// A number out of range, a command line that is no string or too long.
    pub fn build(&self) -> Result<Vec<u8>, FdtError> {
        if self.bootargs.is_some_and(|text| text.contains('\0')) {
            return Err(FdtError::CommandLine);
        }
        let mut fdt = FdtWriter::new()?;
        self.root(&mut fdt)?;
        let blob = fdt.finish()?;
        let limit = super::boot::FDT_SIZE_MAX;
        if blob.len() as u64 > limit {
            return Err(FdtError::TooLarge { len: blob.len(), limit });
        }
        Ok(blob)
    }

    fn root(&self, fdt: &mut FdtWriter) -> Written {
        let root = fdt.begin_node("")?;
        fdt.property_u32("#address-cells", 2)?;
        fdt.property_u32("#size-cells", 2)?;
        fdt.property_u32("interrupt-parent", PHANDLE_GIC)?;
        fdt.property_string("compatible", "linux,dummy-virt")?;
        fdt.property_string("model", "polyvisor,virt")?;
        self.chosen(fdt)?;
        node(fdt, &at("memory", RAM_BASE), |fdt| {
            fdt.property_string("device_type", "memory")?;
            fdt.property_array_u64("reg", &[RAM_BASE, self.ram_size])
        })?;
        node(fdt, "cpus", |fdt| self.cpus(fdt))?;
        node(fdt, "psci", |fdt| {
            compatible(fdt, &["arm,psci-1.0", "arm,psci-0.2"])?;
            fdt.property_string("method", "hvc")
        })?;
        node(fdt, "timer", |fdt| {
            compatible(fdt, &["arm,armv8-timer"])?;
            fdt.property_null("always-on")?;
            let cells: Vec<u32> = TIMER_PPIS.iter().flat_map(|ppi| [PPI, *ppi, LEVEL]).collect();
            fdt.property_array_u32("interrupts", &cells)
        })?;
        node(fdt, "apb-pclk", |fdt| {
            compatible(fdt, &["fixed-clock"])?;
            fdt.property_u32("#clock-cells", 0)?;
            fdt.property_u32("clock-frequency", PERIPHERAL_CLOCK_HZ)?;
            fdt.property_string("clock-output-names", "clk24mhz")?;
            fdt.property_phandle(PHANDLE_CLOCK)
        })?;
        self.gic(fdt)?;
        self.devices(fdt)?;
        fdt.end_node(root)
    }

    fn chosen(&self, fdt: &mut FdtWriter) -> Written {
        node(fdt, "chosen", |fdt| {
            fdt.property_string("stdout-path", &format!("/{}", at("pl011", UART.base)))?;
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
        (0..self.cpus).try_for_each(|cpu| {
            node(fdt, &at("cpu", affinity(cpu)), |fdt| {
                fdt.property_string("device_type", "cpu")?;
                compatible(fdt, &["arm,armv8"])?;
                fdt.property_string("enable-method", "psci")?;
                fdt.property_u32("reg", affinity(cpu) as u32)
            })
        })
    }

    fn gic(&self, fdt: &mut FdtWriter) -> Written {
        let redistributors = u64::from(self.cpus) * GICR_STRIDE;
        node(fdt, &at("intc", GICD.base), |fdt| {
            compatible(fdt, &["arm,gic-v3"])?;
            fdt.property_u32("#interrupt-cells", 3)?;
            fdt.property_null("interrupt-controller")?;
            fdt.property_u32("#redistributor-regions", 1)?;
            let windows = [GICD.base, GICD.size, GICR.base, redistributors];
            fdt.property_array_u64("reg", &windows)?;
            fdt.property_phandle(PHANDLE_GIC)
        })
    }

    fn devices(&self, fdt: &mut FdtWriter) -> Written {
        primecell(fdt, "pl011", UART, UART_SPI, &["uartclk", "apb_pclk"])?;
        primecell(fdt, "pl031", RTC, RTC_SPI, &["apb_pclk"])?;
        // Linux numbers devices in this order: the first slot becomes vda or eth0.
        (0..self.virtio_slots).try_for_each(|slot| {
            node(fdt, &at("virtio_mmio", virtio(slot).base), |fdt| {
                compatible(fdt, &["virtio,mmio"])?;
                reg(fdt, virtio(slot))?;
                fdt.property_null("dma-coherent")?;
                fdt.property_array_u32("interrupts", &[SPI, virtio_spi(slot), EDGE])
            })
        })
    }
}

/// A device of Arm's that is found by its identification, and fed by the one clock.
fn primecell(
    fdt: &mut FdtWriter,
    name: &str,
    window: Window,
    spi: u32,
    clocks: &[&str],
) -> Result<(), Error> {
    node(fdt, &at(name, window.base), |fdt| {
        compatible(fdt, &[&format!("arm,{name}"), "arm,primecell"])?;
        reg(fdt, window)?;
        fdt.property_array_u32("interrupts", &[SPI, spi, LEVEL])?;
        fdt.property_array_u32("clocks", &vec![PHANDLE_CLOCK; clocks.len()])?;
        let names = clocks.iter().map(|name| (*name).to_owned()).collect();
        fdt.property_string_list("clock-names", names)
    })
}
