//! What the device trees of all boards are written with `[DT-0.4]`.

use vm_fdt::{Error, FdtWriter};

use crate::Window;

/// Why there is no device tree.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FdtError {
    /// More harts than the board has room for, or none.
    #[error("a riscv64 guest has 1 to {most} CPUs, not {harts}")]
    Harts {
        /// How many there are.
        harts: usize,
        /// How many there may be.
        most: usize,
    },
    /// More virtio slots than the board has.
    #[error("the board has {most} slots for virtio devices, not {slots}")]
    VirtioSlots {
        /// How many there are.
        slots: usize,
        /// How many there may be.
        most: usize,
    },
    /// A zero byte where it would end the string.
    #[error("the kernel's command line contains a zero byte: leave it out")]
    CommandLine,
    /// The result does not fit.
    #[error("the device tree has {len} bytes, more than {limit}: shorten the command line")]
    TooLarge {
        /// How large it would be.
        len: usize,
        /// How large it may be.
        limit: u64,
    },
    /// A mistake of ours in writing it.
    #[error("the device tree could not be written: {0}")]
    Writer(#[from] Error),
}

pub(crate) type Written = Result<(), Error>;

/// Writes a node and, by `contents`, what is in it.
pub(crate) fn node(
    fdt: &mut FdtWriter,
    name: &str,
    contents: impl FnOnce(&mut FdtWriter) -> Written,
) -> Written {
    let node = fdt.begin_node(name)?;
    contents(fdt)?;
    fdt.end_node(node)
}

/// A node's name with its address.
pub(crate) fn at(name: &str, address: u64) -> String {
    format!("{name}@{address:x}")
}

pub(crate) fn reg(fdt: &mut FdtWriter, window: Window) -> Written {
    fdt.property_array_u64("reg", &[window.base, window.size])
}

pub(crate) fn compatible(fdt: &mut FdtWriter, names: &[&str]) -> Written {
    fdt.property_string_list("compatible", names.iter().map(|name| (*name).to_owned()).collect())
}
