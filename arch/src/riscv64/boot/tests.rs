use super::*;
use crate::boot::{Elf, Image, Segment};
use crate::riscv64::csr::{self, CsrEnv};

const MIB: u64 = 1 << 20;
const CODE: [u8; 4096] = [0x13; 4096];

fn image(image_size: u64) -> Program<'static> {
    Program::Image(Image { bytes: &CODE, text_offset: 0x20_0000, image_size })
}

/// A machine with a kernel of `kernel` bytes and an initrd.
fn direct(ram_size: u64, kernel: u64, initrd: u64) -> Result<Layout<'static>, BootError> {
    let kernel = image(kernel);
    Layout::new(
        ram_size,
        &Payload { firmware: None, kernel: Some(&kernel), initrd_len: Some(initrd) },
    )
}

#[test]
fn a_kernel_alone_starts_in_supervisor_mode() {
    let layout = direct(128 * MIB, 30 * MIB, 5_000_000).unwrap();
    assert_eq!(layout.start, Start::Kernel { pc: 0x8020_0000 });
    let load = Load { part: Part::Kernel, gpa: 0x8020_0000, bytes: &CODE };
    assert_eq!(layout.loads, [load]);
    assert_eq!(layout.fdt, 0x87e0_0000);
    let initrd = layout.initrd.clone().unwrap();
    assert_eq!((initrd.start & 0xfff, initrd.end - initrd.start), (0, 5_000_000));
    assert!(initrd.end <= layout.fdt && layout.fdt - initrd.end < 4096);
    assert_eq!(layout.reset_rom(), None);

    let model = Model::default();
    let mut boot = Hart::new(0, &model);
    assert!(layout.begin(&mut boot, &model));
    assert_eq!((boot.prv, boot.pc), (PRV_S, 0x8020_0000));
    assert_eq!((boot.x[10], boot.x[11]), (0, layout.fdt));
    assert_eq!((boot.satp, boot.mstatus & MSTATUS_SIE), (0, 0));
    let mut other = Hart::new(1, &model);
    assert!(!layout.begin(&mut other, &model), "the kernel starts the others");
    assert_eq!(other.prv, PRV_S);
}

struct Env;

impl CsrEnv for Env {
    fn time(&self) -> u64 {
        1
    }
    fn cycle(&self) -> u64 {
        2
    }
    fn instret(&self) -> u64 {
        3
    }
}

#[test]
fn the_supervisor_gets_what_the_model_has() {
    let layout = direct(128 * MIB, MIB, 0).unwrap();
    let model = Model::default();
    let mut h = Hart::new(0, &model);
    layout.begin(&mut h, &model);
    for counter in [0xc00, 0xc01, 0xc02, 0x14d] {
        assert!(csr::read(&h, counter, &Env).is_ok(), "{counter:#x}");
    }
    assert_eq!(h.menvcfg, ENVCFG_ADUE | ENVCFG_PBMTE | ENVCFG_STCE);
    let plain = Model { exts: model.exts.without(Ext::Svadu).without(Ext::Sstc) };
    let mut h = Hart::new(0, &plain);
    layout.begin(&mut h, &plain);
    assert_eq!(h.menvcfg, ENVCFG_PBMTE);
    // All exceptions but its own firmware calls are the kernel's.
    let calls = 1 << CAUSE_ECALL_S | 1 << 10 | 1 << CAUSE_ECALL_M | 1 << 14;
    assert_eq!(h.medeleg | calls, 0xffff);
    assert_eq!(h.medeleg & calls, 0);
}

#[test]
fn firmware_is_told_about_the_next_stage() {
    let (firmware, kernel) = (Program::Raw(&CODE), image(30 * MIB));
    let payload = Payload { firmware: Some(&firmware), kernel: Some(&kernel), initrd_len: None };
    let layout = Layout::new(128 * MIB, &payload).unwrap();
    assert_eq!(layout.start, Start::Firmware { pc: RAM_BASE, next: Some(0x8020_0000) });
    let rom = layout.reset_rom().unwrap();
    assert_eq!(rom.len(), 24 + 8 * 8);
    let word = |at: usize| u64::from_le_bytes(rom[at..at + 8].try_into().unwrap());
    assert_eq!((word(24), word(32)), (RAM_BASE, layout.fdt));
    assert_eq!(&rom[40..48], b"OSBI\0\0\0\0");
    assert_eq!((word(48), word(56), word(64)), (2, 0x8020_0000, 1));
    let model = Model::default();
    for hart in 0..2 {
        let mut h = Hart::new(hart, &model);
        let reset = h.clone();
        assert!(layout.begin(&mut h, &model), "firmware sorts harts out by itself");
        assert_eq!((h.prv, h.pc), (PRV_M, 0x1000));
        assert_eq!(h.diff(&reset).len(), 1);
    }
    // A boot loader as the next stage, and firmware with nothing behind it.
    let payload = Payload { kernel: Some(&firmware), ..payload };
    let layout = Layout::new(128 * MIB, &payload).unwrap();
    assert_eq!(layout.start, Start::Firmware { pc: RAM_BASE, next: Some(0x8020_0000) });
    let payload = Payload { kernel: None, ..payload };
    let layout = Layout::new(128 * MIB, &payload).unwrap();
    assert_eq!(layout.start, Start::Firmware { pc: RAM_BASE, next: None });
    assert_eq!(layout.reset_rom().unwrap()[56..64], [0; 8]);
}

use crate::CpuState;

/// An ELF program through the parser, linked to `paddr`.
fn elf(paddr: u64, mem_size: u64) -> Vec<u8> {
    let mut file = vec![0u8; 120];
    file[0..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    file[16..20].copy_from_slice(&[2, 0, 243, 0]);
    file[24..32].copy_from_slice(&(paddr + 4).to_le_bytes());
    file[32] = 64;
    file[54..58].copy_from_slice(&[56, 0, 1, 0]);
    file[64] = 1;
    for (at, value) in [(72, 0), (80, paddr), (88, paddr), (96, 120), (104, mem_size)] {
        file[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }
    file
}

#[test]
fn executables_go_where_they_are_linked() {
    let file = elf(0x8000_0000, 0x2000);
    let Ok(program) = Program::parse(&file, crate::boot::Isa::Riscv64) else { panic!() };
    let Program::Elf(Elf { ref segments, .. }) = program else { panic!() };
    let Segment { bytes, .. } = segments[0];
    let bare = Payload { firmware: Some(&program), kernel: None, initrd_len: None };
    let layout = Layout::new(16 * MIB, &bare).unwrap();
    assert_eq!(layout.start, Start::Firmware { pc: 0x8000_0004, next: None });
    assert_eq!(layout.loads, [Load { part: Part::Firmware, gpa: 0x8000_0000, bytes }]);

    for (paddr, size) in [(0x1000, 0x1000), (0x80ff_f000, 0x2000), (u64::MAX - 0x2000, 0x1000)] {
        let file = elf(paddr, size);
        let Ok(program) = Program::parse(&file, crate::boot::Isa::Riscv64) else { panic!() };
        let payload = Payload { firmware: Some(&program), ..bare };
        let error = Layout::new(16 * MIB, &payload).unwrap_err();
        assert!(matches!(error, BootError::OutsideMemory { part: Part::Firmware, .. }));
        let text = error.to_string();
        assert!(text.contains("memory is from 0x80000000 to 0x80ffffff"), "{text}");
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let says = |outcome: Result<Layout, BootError>, parts: &[&str]| {
        let text = outcome.unwrap_err().to_string();
        for part in parts {
            assert!(text.contains(part), "{text:?} lacks {part:?}");
        }
    };
    says(direct(8 * MIB, MIB, 0), &["8388608 bytes", "16 MiB"]);
    says(direct(u64::MAX, MIB, 0), &["56-bit"]);
    says(direct(1 << 56, MIB, 0), &["56-bit"]);
    says(direct(16 * MIB, 30 * MIB, 0), &["the kernel takes", "0x80200000 to 0x81ffffff"]);
    says(direct(32 * MIB, 29 * MIB, 0), &["the kernel", "the device tree", "32 MiB", "overlap"]);
    says(direct(64 * MIB, 30 * MIB, 31 * MIB), &["the kernel", "the initrd", "64 MiB"]);
    says(direct(64 * MIB, 30 * MIB, 1 << 40), &["the initrd", "more memory"]);
    says(direct(64 * MIB, 30 * MIB, u64::MAX), &["the initrd", "more memory"]);
    says(direct(64 * MIB, u64::MAX, 0), &["the kernel takes", "more memory"]);
    let none = Payload { firmware: None, kernel: None, initrd_len: Some(1) };
    says(Layout::new(64 * MIB, &none), &["nothing to boot"]);
    let raw = Program::Raw(&CODE);
    let payload = Payload { kernel: Some(&raw), ..none };
    says(Layout::new(64 * MIB, &payload), &["without a Linux header"]);
    // Firmware so large that it reaches the kernel.
    let large = vec![0x13; 3 << 20];
    let (firmware, kernel) = (Program::Raw(&large), image(MIB));
    let payload = Payload { firmware: Some(&firmware), kernel: Some(&kernel), initrd_len: None };
    says(Layout::new(64 * MIB, &payload), &["the firmware", "the kernel", "overlap"]);
}

/// In whatever memory, parts are inside of it and apart, or there is an error.
#[test]
fn parts_never_overlap() {
    let mut seed = 11u64;
    let mut next = move |limit: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % limit
    };
    let mut fits = 0;
    for _ in 0..20_000 {
        let unit = [MIB, 4096, 1][next(3) as usize];
        let (ram, kernel, initrd) =
            (next(6000 * MIB), next(300 * MIB / unit) * unit, next(5000 * MIB / unit) * unit);
        let Ok(layout) = direct(ram, kernel.max(4096), initrd.max(1)) else { continue };
        fits += 1;
        let mut parts = [
            0x8020_0000..0x8020_0000 + kernel,
            layout.fdt..layout.fdt + FDT_SIZE_MAX,
            layout.initrd.clone().unwrap(),
        ];
        parts.sort_by_key(|part| part.start);
        assert!(parts[0].start >= RAM_BASE && parts[2].end <= RAM_BASE + ram);
        assert!(parts[0].end <= parts[1].start && parts[1].end <= parts[2].start, "{parts:x?}");
        assert!(layout.fdt + FDT_SIZE_MAX <= FDT_CEILING);
    }
    assert!(fits > 2_000, "{fits}");
}

#[test]
fn a_large_initrd_goes_above_the_device_tree() {
    let initrd = direct(4096 * MIB, 30 * MIB, 1500 * MIB).unwrap().initrd.unwrap();
    assert_eq!(initrd.end, RAM_BASE + 4096 * MIB);
}
