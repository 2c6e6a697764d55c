use super::*;
use crate::boot::{ProgramError, bzimage};
use crate::x86_64::acpi;
use crate::x86_64::state::{attr, seg};

const MIB: u64 = 1 << 20;

/// A bzImage of a header, one sector of real-mode code and a payload of 4 KiB.
fn bz_file() -> Vec<u8> {
    let mut file = vec![0u8; 1024 + 4096];
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    put(0x1f1, &[1]);
    put(0x1f4, &256u32.to_le_bytes());
    put(0x1fe, &0xaa55u16.to_le_bytes());
    put(0x200, &[0xeb, 0x6a]);
    put(0x202, b"HdrS");
    put(0x206, &0x20fu16.to_le_bytes());
    put(0x211, &[1]);
    put(0x22c, &0x7fff_ffffu32.to_le_bytes());
    put(0x236, &1u16.to_le_bytes());
    put(0x238, &100u32.to_le_bytes());
    put(0x258, &(16 * MIB).to_le_bytes());
    put(0x260, &(50 * MIB as u32).to_le_bytes());
    file
}

fn parse(file: &[u8]) -> Result<Program<'_>, ProgramError> {
    Program::parse(file, Isa::X86_64)
}

fn layout<'a>(ram_size: u64, kernel: &Program<'a>, initrd: u64) -> Result<Layout<'a>, BootError> {
    let payload =
        Payload { kernel: Some(kernel), cmdline: "console=ttyS0", initrd_len: Some(initrd) };
    Layout::new(ram_size, &payload)
}

fn made(layout: &Layout<'_>, gpa: u64) -> Vec<u8> {
    let made = layout.made(&acpi::tables(1, 0).unwrap(), &[7; 32]);
    made.into_iter().find(|made| made.gpa == gpa).unwrap().bytes
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

#[test]
fn a_bzimage_starts_in_64_bit_mode() {
    let file = bz_file();
    let kernel = parse(&file).unwrap();
    let layout = layout(128 * MIB, &kernel, 5_000_000).unwrap();
    assert_eq!(layout.start, Start::Linux64 { pc: 16 * MIB + bzimage::ENTRY_64 });
    assert_eq!((&layout.loads[..], &layout.from_file), (&[][..], &Some((16 * MIB, 1024..5120))));
    let initrd = layout.initrd.clone().unwrap();
    assert_eq!((initrd.start & 0xfff, initrd.end - initrd.start), (0, 5_000_000));
    assert!(128 * MIB - initrd.end < 4096);

    let zero = made(&layout, BOOT_PARAMS);
    assert_eq!(&zero[0x202..0x206], b"HdrS");
    assert_eq!((zero[0x210], u32_at(&zero, 0x228)), (0xff, 0x8000));
    assert_eq!(u64::from(u32_at(&zero, 0x218)), initrd.start);
    assert_eq!(u32_at(&zero, 0x21c), 5_000_000);
    assert_eq!(u64_at(&zero, 0x70), 0xe_0000);
    assert_eq!(zero[0x1e8], 3);
    assert_eq!((u64_at(&zero, 0x2d0), u64_at(&zero, 0x2d8)), (0, 0xa_0000));
    assert_eq!((u64_at(&zero, 0x2f8), u64_at(&zero, 0x300)), (MIB, 127 * MIB));
    assert_eq!(made(&layout, CMDLINE.start), b"console=ttyS0\0");
    let seed = (u64_at(&zero, 0x250) - SMALL) as usize;
    let small = made(&layout, SMALL);
    assert_eq!((u64_at(&small, seed), u32_at(&small, seed + 8)), (0, 9));
    assert_eq!((u32_at(&small, seed + 12), &small[seed + 16..]), (32, &[7; 32][..]));
    // Linux's selectors: 64-bit code and data, from 0 to the end.
    assert_eq!(u64_at(&small, 0x10), 0x00af_9b00_0000_ffff);
    assert_eq!(u64_at(&small, 0x18), 0x00cf_9300_0000_ffff);
}

#[test]
fn the_first_vcpu_runs_with_paging_and_the_others_wait() {
    let file = bz_file();
    let layout = layout(128 * MIB, &parse(&file).unwrap(), 0).unwrap();
    let mut cpu = Cpu::reset(true);
    assert!(layout.begin(0, &mut cpu));
    assert_eq!((cpu.rip, cpu.gpr[6]), (16 * MIB + 0x200, BOOT_PARAMS));
    assert_eq!((cpu.cr0, cpu.cr4, cpu.efer), (0x8000_0011, 0x20, 0x500));
    assert_eq!(cpu.attributes[seg::CS] & (attr::L | attr::DB), attr::L);
    assert_eq!((cpu.selector[seg::CS], cpu.selector[seg::SS]), (0x10, 0x18));
    let mut other = Cpu::reset(false);
    assert!(!layout.begin(1, &mut other));
    assert_eq!(other, Cpu::reset(false));

    // Any address below 4 GiB is mapped to itself.
    let tables = made(&layout, cpu.cr3);
    for address in [0x7000u64, 16 * MIB, 0x7fff_ffff, 0xfee0_0000] {
        let entry =
            |table: u64, index: u64| u64_at(&tables, (table - cpu.cr3 + index * 8) as usize);
        let pdpt = entry(cpu.cr3, 0) & !0xfff;
        let directory = entry(pdpt, address >> 30) & !0xfff;
        let page = entry(directory, address >> 21 & 0x1ff);
        assert_eq!(page & !0x1f_ffff, address & !0x1f_ffff, "{address:#x}");
        assert_eq!(page & 0x83, 0x83, "present, writable, large");
    }
    assert_eq!(PAGE_TABLES + tables.len() as u64, PARAMS_END);
}

/// An executable of one segment at 2 MiB; with a note that tells a PVH entry, or without.
fn elf_file(pvh: bool) -> Vec<u8> {
    let mut file = vec![0u8; 512];
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"\x7fELF\x02\x01\x01");
    put(16, &2u16.to_le_bytes());
    put(18, &62u16.to_le_bytes());
    put(24, &(2 * MIB).to_le_bytes());
    put(32, &64u64.to_le_bytes());
    put(54, &56u16.to_le_bytes());
    put(56, &2u16.to_le_bytes());
    let mut header = |n: usize, kind: u32, fields: [u64; 5]| {
        let at = 64 + n * 56;
        put(at, &kind.to_le_bytes());
        for (i, field) in fields.into_iter().enumerate() {
            put(at + 8 + i * 8, &field.to_le_bytes());
        }
    };
    header(0, 1, [256, 2 * MIB, 2 * MIB, 256, MIB]);
    header(1, if pvh { 4 } else { 0 }, [200, 0, 0, 40, 40]);
    // A note of another owner, and the one that matters.
    put(200, &[4, 0, 0, 0, 1, 0, 0, 0, 18, 0, 0, 0]);
    put(212, b"GNU\0\x01\0\0\0");
    put(220, &[4, 0, 0, 0, 4, 0, 0, 0, 18, 0, 0, 0]);
    put(232, b"Xen\0\x34\x12\x20\0");
    file
}

#[test]
fn an_elf_kernel_says_how_it_wants_to_be_entered() {
    let file = elf_file(true);
    let direct = layout(64 * MIB, &parse(&file).unwrap(), 4096).unwrap();
    assert_eq!(direct.start, Start::Pvh { pc: 0x20_1234 });
    let mut cpu = Cpu::reset(true);
    direct.begin(0, &mut cpu);
    assert_eq!((cpu.cr0, cpu.rip, cpu.efer), (0x11, 0x20_1234, 0));
    let small = made(&direct, SMALL);
    let info = (cpu.gpr[3] - SMALL) as usize;
    assert_eq!((u32_at(&small, info), u32_at(&small, info + 4)), (0x336e_c578, 1));
    assert_eq!((u32_at(&small, info + 12), u64_at(&small, info + 24)), (1, 0x8000));
    let module = (u64_at(&small, info + 16) - SMALL) as usize;
    assert_eq!((u64_at(&small, module), u64_at(&small, module + 8)), (64 * MIB - 4096, 4096));
    assert_eq!(u32_at(&small, info + 48), 3);

    let file = elf_file(false);
    let plain = layout(64 * MIB, &parse(&file).unwrap(), 0).unwrap();
    assert_eq!(plain.start, Start::Linux64 { pc: 2 * MIB });
    assert_eq!(&made(&plain, BOOT_PARAMS)[0x202..0x206], b"HdrS");
}

#[test]
fn memory_beyond_the_device_registers_goes_on_at_4_gib() {
    assert_eq!((ram(64 * MIB).len(), ram(64 * MIB)[0].end), (1, 64 * MIB));
    assert_eq!(ram(5 << 30), [0..0xc000_0000, 1 << 32..(1 << 32) + (2 << 30)]);
    let file = bz_file();
    let layout = layout(5 << 30, &parse(&file).unwrap(), 4096).unwrap();
    assert_eq!(layout.initrd, Some(0x7fff_f000..0x8000_0000), "as the kernel's header says");
    assert_eq!(made(&layout, BOOT_PARAMS)[0x1e8], 4);
}

#[test]
fn what_does_not_fit_is_told() {
    let file = bz_file();
    let kernel = parse(&file).unwrap();
    let says = |error: BootError, words: &str| {
        let text = error.to_string();
        assert!(text.contains(words), "{text}");
    };
    says(layout(32 * MIB, &kernel, 0).unwrap_err(), "66 MiB are the least");
    says(layout(MIB, &kernel, 0).unwrap_err(), "too little");
    says(layout(1 << 50, &kernel, 0).unwrap_err(), "46-bit");
    says(layout(128 * MIB, &kernel, 100 * MIB).unwrap_err(), "overlap");
    let with = |cmdline: &str| {
        Layout::new(128 * MIB, &Payload { kernel: Some(&kernel), cmdline, initrd_len: None })
    };
    assert!(with(&"x".repeat(100)).is_ok());
    says(with(&"x".repeat(101)).unwrap_err(), "takes 100");
    says(with("a\0b").unwrap_err(), "zero byte");
    let nothing = Payload { kernel: None, cmdline: "", initrd_len: None };
    says(Layout::new(128 * MIB, &nothing).unwrap_err(), "nothing to boot");
}

#[test]
fn kernels_that_cannot_be_started_are_told_apart() {
    let says = |change: &dyn Fn(&mut Vec<u8>), words: &str| {
        let mut file = bz_file();
        change(&mut file);
        let text = parse(&file).unwrap_err().to_string();
        assert!(text.contains(words), "{text}");
    };
    says(&|file| file[0x236] = 0, "64-bit kernel");
    says(&|file| file[0x206] = 4, "64-bit kernel");
    says(&|file| file[0x211] = 0, "zImage");
    says(&|file| file.truncate(3000), "cut short");
    says(&|file| file.truncate(0x210), "cut short");
    says(&|file| file[0x25f] = 0x80, "impossible");
    says(&|file| file.truncate(100), "bzImage");
    let (file, len) = (bz_file(), bz_file().len() as u64);
    let prefix = &file[..bzimage::PREFIX as usize];
    let image = BzImage::of_prefix(prefix, len).unwrap().map(Program::BzImage);
    assert_eq!(image, parse(&file));
    assert!(BzImage::of_prefix(prefix, len - 1).unwrap().is_err());
    assert_eq!(BzImage::of_prefix(b"\x7fELF", 4), None);
    let error = Program::parse(&bz_file(), Isa::Riscv64).unwrap_err().to_string();
    assert!(error.contains("choose a kernel built for riscv64"), "{error}");
}
