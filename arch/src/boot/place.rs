//! Where in memory everything that is booted goes.

use std::fmt;
use std::ops::Range;

use super::{Elf, Isa};

/// A part of memory that the boot fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Part {
    Firmware,
    Kernel,
    Initrd,
    Fdt,
    /// What the boot protocol hands over: parameters, command line, page tables, tables of the
    /// firmware.
    Params,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Firmware => "the firmware",
            Part::Kernel => "the kernel",
            Part::Initrd => "the initrd",
            Part::Fdt => "the device tree",
            Part::Params => "the space for boot parameters",
        })
    }
}

/// Why a machine cannot be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BootError {
    /// Neither kernel nor firmware.
    #[error("there is nothing to boot: give a kernel, firmware, or both")]
    Nothing,
    /// A kernel without a header, and no firmware that would know what to do with it.
    #[error(
        "the kernel is a flat image without a Linux header: start it as firmware, or give \
         firmware that starts it"
    )]
    RawKernel,
    /// A program in another architecture's format.
    #[error("the kernel has a format that no {isa} guest starts: choose a kernel for {isa}")]
    WrongFormat {
        /// The guest.
        isa: Isa,
    },
    /// The board has no place for firmware.
    #[error(
        "the board of {isa} guests starts kernels itself and has no place for firmware: leave out \
         --firmware"
    )]
    Firmware {
        /// The guest.
        isa: Isa,
    },
    /// A part is linked to addresses where no memory is.
    #[error(
        "{part} takes the addresses {:#x} to {:#x}, but memory is from {:#x} to {:#x}: give the \
         machine more memory, or a program that is linked for this board",
        .range.start, .range.end - 1, .ram.start, .ram.end - 1
    )]
    OutsideMemory {
        /// Which one.
        part: Part,
        /// Where it would be.
        range: Range<u64>,
        /// Where memory is.
        ram: Range<u64>,
    },
    /// Two parts in the same place.
    #[error(
        "{first} ({:#x} to {:#x}) and {second} ({:#x} to {:#x}) overlap: they do not fit into \
         {} MiB of memory; give the machine more, or smaller files",
        .first_range.start, .first_range.end - 1, .second_range.start, .second_range.end - 1,
        .ram_size >> 20
    )]
    Overlap {
        /// One of them.
        first: Part,
        /// Where it is.
        first_range: Range<u64>,
        /// The other.
        second: Part,
        /// Where it is.
        second_range: Range<u64>,
        /// How much memory there is, in bytes.
        ram_size: u64,
    },
    /// Memory of no use.
    #[error(
        "{size} bytes of memory are too little for this {isa} guest: {} MiB are the least",
        .least.div_ceil(1 << 20)
    )]
    TooLittleMemory {
        /// How much there is.
        size: u64,
        /// The guest.
        isa: Isa,
        /// How much it takes, in bytes.
        least: u64,
    },
    /// Memory beyond physical addresses.
    #[error("{size} bytes of memory are more than {address_bits}-bit physical addresses can reach")]
    TooMuchMemory {
        /// How much there is.
        size: u64,
        /// Width of the addresses.
        address_bits: u8,
    },
    /// A command line that the kernel would cut off.
    #[error("the kernel's command line has {len} bytes, but this kernel takes {limit}: shorten it")]
    CommandLine {
        /// Its length.
        len: usize,
        /// The most that the kernel takes.
        limit: usize,
    },
    /// A zero byte where it would end the string.
    #[error("the kernel's command line contains a zero byte: leave it out")]
    CommandLineZero,
}

/// Bytes to be copied to memory before the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load<'a> {
    /// What they belong to.
    pub part: Part,
    /// Where.
    pub gpa: u64,
    /// What.
    pub bytes: &'a [u8],
}

const PAGE: u64 = 4096;

/// Places found so far.
pub(crate) struct Places<'a> {
    ram: Range<u64>,
    taken: Vec<(Part, Range<u64>)>,
    loads: Vec<Load<'a>>,
}

impl<'a> Places<'a> {
    /// Nothing is placed yet; `ram` is the memory that the boot may use.
    pub(crate) fn new(ram: Range<u64>) -> Self {
        Self { ram, taken: Vec::new(), loads: Vec::new() }
    }

    /// Places an executable at its own addresses; returns its first instruction.
    pub(crate) fn elf(&mut self, part: Part, elf: &Elf<'a>) -> Result<u64, BootError> {
        for segment in &elf.segments {
            self.loads.push(Load { part, gpa: segment.paddr, bytes: segment.bytes });
        }
        self.take(part, elf.extent())?;
        Ok(elf.entry)
    }

    /// Places bytes at `gpa` that take `size` bytes of memory there.
    pub(crate) fn flat(
        &mut self,
        part: Part,
        gpa: u64,
        bytes: &'a [u8],
        size: u64,
    ) -> Result<(), BootError> {
        self.take(part, gpa..gpa.saturating_add(size))?;
        self.loads.push(Load { part, gpa, bytes });
        Ok(())
    }

    /// Places the initrd below `top`, or at the end of memory if only that leaves room.
    pub(crate) fn initrd(&mut self, top: u64, len: u64) -> Result<Range<u64>, BootError> {
        let below = |top: u64| {
            let start = top.saturating_sub(len) & !(PAGE - 1);
            start..start.saturating_add(len)
        };
        let (first, last) = (below(top), below(self.ram.end));
        match self.take(Part::Initrd, first.clone()) {
            Ok(()) => Ok(first),
            Err(error) => self.take(Part::Initrd, last.clone()).map(|()| last).map_err(|_| error),
        }
    }

    /// Keeps a range of memory for `part`.
    pub(crate) fn take(&mut self, part: Part, range: Range<u64>) -> Result<(), BootError> {
        if range.start < self.ram.start || range.end > self.ram.end {
            return Err(BootError::OutsideMemory { part, range, ram: self.ram.clone() });
        }
        let other =
            self.taken.iter().find(|(_, r)| range.start < r.end && r.start < range.end).cloned();
        if let Some((first, first_range)) = other {
            return Err(BootError::Overlap {
                first,
                first_range,
                second: part,
                second_range: range,
                ram_size: self.ram.end - self.ram.start,
            });
        }
        self.taken.push((part, range));
        Ok(())
    }

    /// What to copy.
    pub(crate) fn into_loads(self) -> Vec<Load<'a>> {
        self.loads
    }
}
