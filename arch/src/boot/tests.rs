//! Files as they should be, cut short, and mutated.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

const LIMIT: u64 = 1 << 20;

/// A riscv64 Image of 4 KiB with an EFI stub header whose one section ends with the file.
fn riscv_image() -> Vec<u8> {
    let mut file = vec![0u8; 4096];
    file[0..2].copy_from_slice(b"MZ");
    file[8..16].copy_from_slice(&0x20_0000u64.to_le_bytes());
    file[16..24].copy_from_slice(&0x8000u64.to_le_bytes());
    file[48..56].copy_from_slice(b"RISCV\0\0\0");
    file[56..60].copy_from_slice(b"RSC\x05");
    file[60..64].copy_from_slice(&0x40u32.to_le_bytes());
    file[0x40..0x44].copy_from_slice(b"PE\0\0");
    file[0x46..0x48].copy_from_slice(&1u16.to_le_bytes());
    file[0x54..0x56].copy_from_slice(&0xa0u16.to_le_bytes());
    let section = 0x40 + 24 + 0xa0;
    file[section + 16..section + 20].copy_from_slice(&3072u32.to_le_bytes());
    file[section + 20..section + 24].copy_from_slice(&1024u32.to_le_bytes());
    file
}

fn arm_image(image_size: u64) -> Vec<u8> {
    let mut file = vec![0u8; 4096];
    file[16..24].copy_from_slice(&image_size.to_le_bytes());
    file[56..60].copy_from_slice(b"ARM\x64");
    file
}

/// A bzImage: boot sector, header and a payload of 2 KiB.
fn bzimage() -> Vec<u8> {
    let mut file = vec![0u8; 1024 + 2048];
    file[0x1f1] = 1;
    file[0x1f4] = 128;
    file[0x1fe..0x206].copy_from_slice(b"\x55\xaa\xeb\x6aHdrS");
    (file[0x207], file[0x211], file[0x236]) = (2, 1, 1);
    file[0x206] = 0xf;
    file
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zboot(compression: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut file = vec![0u8; 512];
    file[0..2].copy_from_slice(b"MZ");
    file[4..8].copy_from_slice(b"zimg");
    file[8..12].copy_from_slice(&512u32.to_le_bytes());
    file[12..16].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    file[24..24 + compression.len()].copy_from_slice(compression);
    file.extend_from_slice(payload);
    file
}

/// Two segments (one high in virtual memory) and the symbols `tohost` and `tohost2`.
fn elf(machine: u16) -> Vec<u8> {
    let mut file = vec![0u8; 64];
    file[0..4].copy_from_slice(b"\x7fELF");
    file[4..7].copy_from_slice(&[2, 1, 1]);
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    put(16, &2u16.to_le_bytes());
    put(18, &machine.to_le_bytes());
    put(24, &0xffff_ffff_8000_0004u64.to_le_bytes());
    put(32, &64u64.to_le_bytes());
    put(40, &320u64.to_le_bytes());
    put(54, &56u16.to_le_bytes());
    put(56, &2u16.to_le_bytes());
    put(58, &64u16.to_le_bytes());
    put(60, &2u16.to_le_bytes());
    let words = |file: &mut Vec<u8>, words: &[u64]| {
        words.iter().for_each(|word| file.extend_from_slice(&word.to_le_bytes()));
    };
    // Type and flags, offset, vaddr, paddr, file size, memory size, alignment.
    words(&mut file, &[1, 0, 0xffff_ffff_8000_0000, 0x8000_0000, 64, 128, 1]);
    words(&mut file, &[1, 64, 0x8000_1000, 0x8000_1000, 8, 8, 1]);
    // At 176: names, then symbols at 200, then section headers at 320.
    file.extend_from_slice(b"\0tohost2\0tohost\0");
    file.resize(200, 0);
    words(&mut file, &[1, 0x8000_1004, 8]);
    words(&mut file, &[9, 0x8000_1000, 8]);
    file.resize(320, 0);
    words(&mut file, &[2 << 32, 0, 0, 200, 48, 1, 0, 24]);
    words(&mut file, &[3 << 32, 0, 0, 176, 16, 0, 0, 0]);
    file
}

#[test]
fn linux_images() {
    let file = riscv_image();
    let expected = Image { bytes: &file, text_offset: 0x20_0000, image_size: 0x8000 };
    assert_eq!(Program::parse(&file, Isa::Riscv64), Ok(Program::Image(expected)));
    let file = arm_image(0x10_0000);
    let expected = Image { bytes: &file, text_offset: 0, image_size: 0x10_0000 };
    assert_eq!(Program::parse(&file, Isa::Aarch64), Ok(Program::Image(expected)));
    let file = arm_image(0);
    let Ok(Program::Image(image)) = Program::parse(&file, Isa::Aarch64) else { panic!() };
    assert_eq!((image.text_offset, image.image_size), (0x8_0000, 32 << 20));
    let file = arm_image(100);
    let Ok(Program::Image(image)) = Program::parse(&file, Isa::Aarch64) else { panic!() };
    assert_eq!(image.image_size, 4096, "never less than the file");
}

#[test]
fn compressed_images() {
    let image = riscv_image();
    assert!(matches!(unpack(&image, LIMIT), Ok(std::borrow::Cow::Borrowed(_))));
    for file in [
        gzip(&image),
        gzip(&gzip(&image)),
        zboot(b"gzip\0", &gzip(&image)),
        gzip(&zboot(b"gzip\0", &gzip(&image))),
    ] {
        assert_eq!(unpack(&file, LIMIT).unwrap(), image);
    }
    let four_times = (0..4).fold(image.clone(), |file, _| gzip(&file));
    assert!(matches!(unpack(&four_times, LIMIT), Err(ProgramError::Damaged { .. })));
    let found = FileKind::Compressed("gzip");
    let outcome = unpack(&gzip(&image), 4095).unwrap_err();
    assert_eq!(outcome, ProgramError::TooLarge { found, limit: 4095 });
    // A bomb costs the limit, not its size.
    let bomb = gzip(&vec![0; 64 << 20]);
    assert!(bomb.len() < 1 << 20);
    assert_eq!(unpack(&bomb, LIMIT), Err(ProgramError::TooLarge { found, limit: LIMIT }));
}

#[test]
fn executables() {
    let file = elf(243);
    let Ok(Program::Elf(elf)) = Program::parse(&file, Isa::Riscv64) else { panic!() };
    assert_eq!(elf.entry, 0x8000_0004, "as a physical address");
    assert_eq!(elf.segments.len(), 2);
    assert_eq!((elf.segments[0].bytes, elf.segments[0].mem_size), (&file[..64], 128));
    assert_eq!((elf.segments[1].bytes, elf.segments[1].paddr), (&file[64..72], 0x8000_1000));
    assert_eq!(elf.extent(), 0x8000_0000..0x8000_1008);
    assert_eq!(elf.symbol("tohost"), Some(0x8000_1000));
    assert_eq!(elf.symbol("tohost2"), Some(0x8000_1004));
    assert_eq!(elf.symbol("toho"), None);
}

#[test]
fn firmware_may_be_raw() {
    let code = 0x0000_0013_u32.to_le_bytes().repeat(100);
    assert_eq!(Program::parse_firmware(&code, Isa::Riscv64), Ok(Program::Raw(&code)));
    assert!(Program::parse(&code, Isa::Riscv64).is_err());
    for known in [&b"QFI\xfb"[..], b"", b"070701", &elf(62)] {
        assert!(Program::parse_firmware(known, Isa::Riscv64).is_err());
    }
    assert!(matches!(Program::parse_firmware(&elf(243), Isa::Riscv64), Ok(Program::Elf(_))));
}

#[test]
fn errors_say_what_the_file_is_and_what_was_expected() {
    let says = |file: &[u8], isa, parts: &[&str]| {
        let error = unpack(file, LIMIT)
            .and_then(|bytes| Program::parse(&bytes, isa).map(|_| ()))
            .unwrap_err()
            .to_string();
        for part in parts {
            assert!(error.contains(part), "{error:?} lacks {part:?}");
        }
    };
    let mut bzimage = vec![0u8; 1024];
    bzimage[0x1fe..0x206].copy_from_slice(b"\x55\xaa\xeb\x6cHdrS");
    let mut program = riscv_image();
    program[48..60].fill(0);
    says(&[], Isa::Riscv64, &["is empty", "boots a Linux Image"]);
    says(&bzimage, Isa::Riscv64, &["a Linux bzImage for x86", "the guest is riscv64"]);
    says(&arm_image(0), Isa::Riscv64, &["a Linux Image for aarch64", "the guest is riscv64"]);
    says(&gzip(&riscv_image()), Isa::Aarch64, &["Linux Image for riscv64", "guest is aarch64"]);
    says(&elf(62), Isa::Riscv64, &["an ELF file for x86_64", "built for riscv64"]);
    says(&elf(9999), Isa::Riscv64, &["an ELF file for machine 9999"]);
    says(&program, Isa::Riscv64, &["an EFI or Windows program", "boots a Linux Image"]);
    says(b"QFI\xfb....", Isa::Riscv64, &["a qcow2 disk image"]);
    says(b"\xfd7zXZ\0", Isa::Riscv64, &["compressed with xz", "unpack it first"]);
    says(&zboot(b"zstd\0", &[]), Isa::Riscv64, &["an EFI zboot", "extract the Image"]);
    says(b"hello, world", Isa::Riscv64, &["of no kind", "ELF executable for riscv64"]);
    let mut object = elf(243);
    object[16] = 1;
    says(&object, Isa::Riscv64, &["RISC-V", "an executable is needed"]);
    let mut narrow = elf(243);
    narrow[4] = 1;
    says(&narrow, Isa::Riscv64, &["of 32 bits"]);
    let mut swollen = elf(243);
    swollen[64 + 40] = 63;
    says(&swollen, Isa::Riscv64, &["larger than its memory"]);
    let mut big = riscv_image();
    big[24] = 1;
    says(&big, Isa::Riscv64, &["big-endian"]);
}

#[test]
fn missing_ends_are_noticed_wherever_the_cut_is() {
    let whole = |file: &[u8]| {
        unpack(file, LIMIT).is_ok_and(|bytes| Program::parse(&bytes, Isa::Riscv64).is_ok())
    };
    let image = riscv_image();
    for file in [image.clone(), gzip(&image), zboot(b"gzip\0", &gzip(&image))] {
        assert!(whole(&file));
        for len in 0..file.len() {
            assert!(!whole(&file[..len]), "{len} of {}", file.len());
        }
    }
    // Of an ELF file only the sections may be missing: nothing of them is loaded.
    let file = elf(243);
    for len in 0..file.len() {
        assert_eq!(whole(&file[..len]), len >= 176, "{len}");
    }
    let error = Program::parse(&image[..4000], Isa::Riscv64).unwrap_err().to_string();
    assert!(error.contains("would end at byte 4096, but there are 4000 bytes"), "{error}");
}

/// Whatever a file says, parsing ends without a panic, and what it returns lies in the file.
#[test]
fn mutated_files() {
    let mut seed = 5u64;
    let mut next = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let image = riscv_image();
    let files = [
        image.clone(),
        arm_image(0x10_0000),
        gzip(&image),
        zboot(b"gzip\0", &gzip(&image)),
        elf(243),
        elf(183),
        elf(62),
        bzimage(),
    ];
    let mut parsed = 0;
    for round in 0..60_000 {
        let mut file = files[round % files.len()].clone();
        for _ in 0..1 + next() % 4 {
            let at = next() as usize % file.len().min(0x270);
            file[at] = match next() % 4 {
                0 => 0,
                1 => 0xff,
                2 => file[at] ^ 1 << (next() % 8),
                _ => next() as u8,
            };
        }
        file.truncate(file.len() - next() as usize % 2 * (next() as usize % file.len()));
        let Ok(bytes) = unpack(&file, LIMIT) else { continue };
        for isa in [Isa::Riscv64, Isa::Aarch64, Isa::X86_64] {
            match Program::parse_firmware(&bytes, isa) {
                Ok(Program::Image(image)) => assert!(image.image_size >= image.bytes.len() as u64),
                Ok(Program::Elf(elf)) => {
                    assert!(elf.extent().start < elf.extent().end);
                    elf.symbol("tohost");
                    elf.pvh_entry();
                }
                Ok(Program::BzImage(image)) => {
                    assert!(image.payload.end <= bytes.len() as u64);
                    assert!(image.init_size >= image.payload.end - image.payload.start);
                }
                Ok(Program::Raw(_)) | Err(_) => continue,
            }
            parsed += 1;
        }
    }
    assert!(parsed > 1_000, "{parsed}");
}
