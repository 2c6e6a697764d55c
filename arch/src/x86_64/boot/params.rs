//! What the two boot protocols hand over in memory.

use super::entry::{GDT_BYTES, gdt};
use super::{BOOT_PARAMS, CMDLINE, Layout, PAGE, SMALL, Start, memory_map};
use crate::acpi::Tables;
use crate::boot::bzimage::SETUP_HEADER;

/// Where in the page of small structures each of them is.
mod small {
    /// After the GDT.
    pub(super) const SETUP_DATA: usize = 0x100;
    pub(super) const START_INFO: usize = 0x200;
    pub(super) const MODULE: usize = 0x280;
    pub(super) const MEMORY_MAP: usize = 0x300;
}

/// Fields of Linux's boot parameters that are not in the setup header `[LINUX-zero-page]`.
mod zero {
    pub(super) const ACPI_RSDP_ADDR: usize = 0x070;
    pub(super) const EXT_RAMDISK_IMAGE: usize = 0x0c0;
    pub(super) const EXT_RAMDISK_SIZE: usize = 0x0c4;
    pub(super) const E820_ENTRIES: usize = 0x1e8;
    pub(super) const E820_TABLE: usize = 0x2d0;
}

/// Fields of the setup header `[LINUX-x86-boot]`.
mod header {
    pub(super) const BOOT_FLAG: usize = 0x1fe;
    pub(super) const MAGIC: usize = 0x202;
    pub(super) const TYPE_OF_LOADER: usize = 0x210;
    pub(super) const RAMDISK_IMAGE: usize = 0x218;
    pub(super) const RAMDISK_SIZE: usize = 0x21c;
    pub(super) const CMD_LINE_PTR: usize = 0x228;
    pub(super) const SETUP_DATA: usize = 0x250;
}

/// A boot loader without a number of its own.
const LOADER_UNDEFINED: u8 = 0xff;
/// A seed for the kernel's random numbers, as a kind of setup data.
const SETUP_RNG_SEED: u32 = 9;
/// Bytes of a seed that are passed on.
const SEED_MAX: usize = small::START_INFO - small::SETUP_DATA - 16;

struct Page(Vec<u8>);

impl Page {
    fn new(len: usize) -> Self {
        Self(vec![0; len])
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn put_u32(&mut self, at: usize, value: u32) {
        self.put(at, &value.to_le_bytes());
    }

    fn put_u64(&mut self, at: usize, value: u64) {
        self.put(at, &value.to_le_bytes());
    }
}

/// Linux's boot parameters.
pub(super) fn zero_page(layout: &Layout<'_>, acpi: &Tables, seed: &[u8]) -> Vec<u8> {
    let mut page = Page::new(PAGE as usize);
    if layout.header.is_empty() {
        // A program without a header gets the fields that say that there is one.
        page.put(header::BOOT_FLAG, &0xaa55u16.to_le_bytes());
        page.put(header::MAGIC, b"HdrS");
    } else {
        page.put(SETUP_HEADER, layout.header);
    }
    page.put(header::TYPE_OF_LOADER, &[LOADER_UNDEFINED]);
    page.put_u32(header::CMD_LINE_PTR, CMDLINE.start as u32);
    if let Some(initrd) = &layout.initrd {
        let len = initrd.end - initrd.start;
        page.put_u32(header::RAMDISK_IMAGE, initrd.start as u32);
        page.put_u32(header::RAMDISK_SIZE, len as u32);
        page.put_u32(zero::EXT_RAMDISK_IMAGE, (initrd.start >> 32) as u32);
        page.put_u32(zero::EXT_RAMDISK_SIZE, (len >> 32) as u32);
    }
    if !seed.is_empty() {
        page.put_u64(header::SETUP_DATA, SMALL + small::SETUP_DATA as u64);
    }
    page.put_u64(zero::ACPI_RSDP_ADDR, acpi.rsdp);
    let map = memory_map(layout.ram_size);
    page.put(zero::E820_ENTRIES, &[map.len() as u8]);
    for (index, (range, kind)) in map.into_iter().enumerate() {
        let at = zero::E820_TABLE + 20 * index;
        page.put_u64(at, range.start);
        page.put_u64(at + 8, range.end - range.start);
        page.put_u32(at + 16, kind);
    }
    page.0
}

/// The GDT, and the seed as setup data: link, kind, length, bytes.
pub(super) fn small_linux(seed: &[u8]) -> Vec<u8> {
    let seed = &seed[..seed.len().min(SEED_MAX)];
    let mut page = Page::new(small::SETUP_DATA + 16 + seed.len());
    page.put(0, &gdt(Start::Linux64 { pc: 0 }));
    page.put_u32(small::SETUP_DATA + 8, SETUP_RNG_SEED);
    page.put_u32(small::SETUP_DATA + 12, seed.len() as u32);
    page.put(small::SETUP_DATA + 16, seed);
    page.0
}

/// Address of PVH's start info, which the guest finds in EBX.
pub(super) const START_INFO: u64 = SMALL + small::START_INFO as u64;

/// The GDT, and the start info with what it points to `[XEN-PVH]`.
pub(super) fn small_pvh(layout: &Layout<'_>, acpi: &Tables) -> Vec<u8> {
    const MAGIC: u32 = 0x336e_c578;
    const VERSION: u32 = 1;
    let mut page = Page::new(PAGE as usize);
    page.put(0, &gdt(Start::Pvh { pc: 0 }));
    let map = memory_map(layout.ram_size);
    let info = small::START_INFO;
    page.put_u32(info, MAGIC);
    page.put_u32(info + 4, VERSION);
    page.put_u64(info + 24, CMDLINE.start);
    page.put_u64(info + 32, acpi.rsdp);
    page.put_u64(info + 40, SMALL + small::MEMORY_MAP as u64);
    page.put_u32(info + 48, map.len() as u32);
    if let Some(initrd) = &layout.initrd {
        page.put_u32(info + 12, 1);
        page.put_u64(info + 16, SMALL + small::MODULE as u64);
        page.put_u64(small::MODULE, initrd.start);
        page.put_u64(small::MODULE + 8, initrd.end - initrd.start);
    }
    for (index, (range, kind)) in map.into_iter().enumerate() {
        let at = small::MEMORY_MAP + 24 * index;
        page.put_u64(at, range.start);
        page.put_u64(at + 8, range.end - range.start);
        page.put_u32(at + 16, kind);
    }
    page.0
}

const _: () = assert!(GDT_BYTES <= small::SETUP_DATA && BOOT_PARAMS == SMALL + PAGE);
