//! The state in which the first vCPU begins: descriptors, page tables, control registers.

use super::{BOOT_PARAMS, PAGE_TABLES, SMALL, Start, params};
use crate::x86_64::Cpu;
use crate::x86_64::state::{attr, seg};

/// Selectors that Linux's protocol prescribes `[LINUX-x86-boot]`.
const CODE: u64 = 0x10;
const DATA: u64 = 0x18;
const TASK: u64 = 0x20;

/// Bytes of the GDT: two empty descriptors, code, data, and a task state of two.
pub(super) const GDT_BYTES: usize = 48;

/// The whole address space, in bytes.
const FLAT_LIMIT: u64 = 0xffff_ffff;
const TASK_LIMIT: u64 = 0x67;
const FLAT_CODE: u64 = attr::P | attr::S | attr::G | attr::CODE;
const FLAT_DATA: u64 = attr::P | attr::S | attr::G | attr::DB | attr::DATA;
const TASK_STATE: u64 = attr::P | attr::TSS_BUSY;

const GIB: u64 = 1 << 30;
const MIB2: u64 = 2 << 20;
const ENTRIES: u64 = 512;
const TABLE: u64 = 4096;
/// What the page tables reach: all that a boot puts into memory, and the devices' registers.
const MAPPED: u64 = 4 * GIB;
/// Bits of a page table's entry: present, writable, accessed and dirty, a large page.
mod pte {
    pub(super) const P: u64 = 1;
    pub(super) const RW: u64 = 1 << 1;
    pub(super) const A: u64 = 1 << 5;
    pub(super) const D: u64 = 1 << 6;
    pub(super) const PS: u64 = 1 << 7;
}

const CR0_PE: u64 = 1;
const CR0_ET: u64 = 1 << 4;
const CR0_PG: u64 = 1 << 31;
const CR4_PAE: u64 = 1 << 5;
const EFER_LME: u64 = 1 << 8;
const EFER_LMA: u64 = 1 << 10;

/// General registers by number.
const RBX: usize = 3;
const RSI: usize = 6;

fn code_attributes(start: Start) -> u64 {
    match start {
        Start::Linux64 { .. } => FLAT_CODE | attr::L,
        Start::Pvh { .. } => FLAT_CODE | attr::DB,
    }
}

/// A descriptor with base 0 `[SDM-3A §3.4.5]`.
fn descriptor(attributes: u64, limit: u64) -> u64 {
    let limit = if attributes & attr::G == 0 { limit } else { limit >> 12 };
    limit & 0xffff | (attributes & 0xf0ff) << 40 | (limit & 0xf_0000) << 32
}

/// The GDT for a start.
pub(super) fn gdt(start: Start) -> [u8; GDT_BYTES] {
    let code = descriptor(code_attributes(start), FLAT_LIMIT);
    let data = descriptor(FLAT_DATA, FLAT_LIMIT);
    let mut bytes = [0; GDT_BYTES];
    let entries = [0, 0, code, data, descriptor(TASK_STATE, TASK_LIMIT), 0];
    for (slot, entry) in bytes.chunks_exact_mut(8).zip(entries) {
        slot.copy_from_slice(&u64::to_le_bytes(entry));
    }
    bytes
}

/// One table of each of the upper levels, then the directories of 2 MiB pages.
pub(super) fn page_tables() -> Vec<u8> {
    let link = |table: u64| (PAGE_TABLES + table * TABLE) | pte::P | pte::RW | pte::A;
    let directories = MAPPED / GIB;
    let mut words = vec![link(1)];
    words.resize(ENTRIES as usize, 0);
    words.extend((0..directories).map(|n| link(2 + n)));
    words.resize(2 * ENTRIES as usize, 0);
    let page = pte::P | pte::RW | pte::A | pte::D | pte::PS;
    words.extend((0..directories * ENTRIES).map(|n| (n * MIB2) | page));
    words.into_iter().flat_map(u64::to_le_bytes).collect()
}

/// In 64-bit mode at `pc`, with the boot parameters in RSI `[LINUX-x86-boot]`.
pub(super) fn linux64(cpu: &mut Cpu, pc: u64) {
    flat_segments(cpu, Start::Linux64 { pc });
    cpu.cr0 = CR0_PE | CR0_ET | CR0_PG;
    cpu.cr3 = PAGE_TABLES;
    cpu.cr4 = CR4_PAE;
    cpu.efer = EFER_LME | EFER_LMA;
    cpu.gpr[RSI] = BOOT_PARAMS;
    cpu.rip = pc;
}

/// In 32-bit protected mode without paging at `pc`, with the start info in EBX `[XEN-PVH]`.
pub(super) fn pvh(cpu: &mut Cpu, pc: u32) {
    flat_segments(cpu, Start::Pvh { pc });
    cpu.cr0 = CR0_PE | CR0_ET;
    cpu.gpr[RBX] = params::START_INFO;
    cpu.rip = pc.into();
}

fn flat_segments(cpu: &mut Cpu, start: Start) {
    for segment in [seg::ES, seg::SS, seg::DS, seg::FS, seg::GS] {
        set(cpu, segment, DATA, FLAT_DATA, FLAT_LIMIT);
    }
    set(cpu, seg::CS, CODE, code_attributes(start), FLAT_LIMIT);
    set(cpu, seg::TR, TASK, TASK_STATE, TASK_LIMIT);
    cpu.gdt_base = SMALL;
    cpu.gdt_limit = GDT_BYTES as u64 - 1;
    cpu.idt_limit = 0;
}

fn set(cpu: &mut Cpu, segment: usize, selector: u64, attributes: u64, limit: u64) {
    cpu.selector[segment] = selector;
    cpu.base[segment] = 0;
    cpu.attributes[segment] = attributes;
    cpu.limit[segment] = limit;
}
