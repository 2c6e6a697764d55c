//! What a file is, by its first bytes: so that a wrong one can be named.

use std::fmt;

use super::{Isa, u16_at, u32_at};

/// Kinds of files that people give as kernels, rightly or by mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// Nothing in it.
    Empty,
    /// A Linux kernel as a flat image; for x86_64 a bzImage.
    Image(Isa),
    /// An ELF file for the machine of that number `[ELF §4]`.
    Elf(u16),
    /// A compressed kernel in an EFI program, with the name of the compression.
    Zboot,
    /// Another EFI or Windows program.
    Pe,
    /// Compressed data, and the program that made it.
    Compressed(&'static str),
    /// Something else that has a name.
    Other(&'static str),
    /// Nothing known: perhaps raw machine code.
    Unknown,
}

/// Signatures at the start of a file. `xz` and `zstd` come here only if somebody gives them to
/// us: Debian's kernels are not compressed that way.
const SIGNATURES: &[(&[u8], FileKind)] = &[
    (b"\x1f\x8b", FileKind::Compressed("gzip")),
    (b"\xfd7zXZ\0", FileKind::Compressed("xz")),
    (b"\x28\xb5\x2f\xfd", FileKind::Compressed("zstd")),
    (b"BZh", FileKind::Compressed("bzip2")),
    (b"\x02\x21\x4c\x18", FileKind::Compressed("lz4")),
    (b"\x04\x22\x4d\x18", FileKind::Compressed("lz4")),
    (b"\x5d\0\0", FileKind::Compressed("lzma")),
    (b"\x89LZO", FileKind::Compressed("lzop")),
    (b"\xd0\x0d\xfe\xed", FileKind::Other("a device tree blob or FIT image")),
    (b"\x27\x05\x19\x56", FileKind::Other("a U-Boot uImage")),
    (b"070701", FileKind::Other("a cpio archive, perhaps an initrd")),
    (b"070702", FileKind::Other("a cpio archive, perhaps an initrd")),
    (b"QFI\xfb", FileKind::Other("a qcow2 disk image")),
    (b"KDMV", FileKind::Other("a VMDK disk image")),
    (b"vhdxfile", FileKind::Other("a VHDX disk image")),
    (b"#!", FileKind::Other("a script")),
    (b"!<arch>\n", FileKind::Other("an ar archive or Debian package")),
];

impl FileKind {
    /// Looks at a file.
    pub fn of(file: &[u8]) -> FileKind {
        if file.is_empty() {
            return FileKind::Empty;
        }
        // The flat images first: with an EFI stub they are PE files as well.
        if file.get(48..56) == Some(b"RISCV\0\0\0") && file.get(56..60) == Some(b"RSC\x05") {
            return FileKind::Image(Isa::Riscv64);
        }
        if file.get(56..60) == Some(b"ARM\x64") {
            return FileKind::Image(Isa::Aarch64);
        }
        if file.get(0x202..0x206) == Some(b"HdrS") && u16_at(file, 0x1fe) == Some(0xaa55) {
            return FileKind::Image(Isa::X86_64);
        }
        if file.starts_with(b"\x7fELF") {
            return elf(file);
        }
        if file.starts_with(b"MZ") {
            return if file.get(4..8) == Some(b"zimg") { FileKind::Zboot } else { portable(file) };
        }
        SIGNATURES
            .iter()
            .find(|(signature, _)| file.starts_with(signature))
            .map_or(FileKind::Unknown, |(_, kind)| *kind)
    }
}

/// The machine's number is where it is in every class; the byte order is not.
fn elf(file: &[u8]) -> FileKind {
    let machine = u16_at(file, 18).unwrap_or(0);
    FileKind::Elf(if file.get(5) == Some(&2) { machine.swap_bytes() } else { machine })
}

/// `MZ` alone may begin machine code as well, so the second signature has to be there.
fn portable(file: &[u8]) -> FileKind {
    let header = u32_at(file, 0x3c).and_then(|at| u32_at(file, usize::try_from(at).ok()?));
    if header == Some(u32::from_le_bytes(*b"PE\0\0")) { FileKind::Pe } else { FileKind::Unknown }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileKind::Empty => f.write_str("empty"),
            FileKind::Image(Isa::X86_64) => f.write_str("a Linux bzImage for x86"),
            FileKind::Image(isa) => write!(f, "a Linux Image for {isa}"),
            FileKind::Elf(machine) => match machine_name(*machine) {
                Some(name) => write!(f, "an ELF file for {name}"),
                None => write!(f, "an ELF file for machine {machine}"),
            },
            FileKind::Zboot => f.write_str("an EFI zboot kernel image"),
            FileKind::Pe => f.write_str("an EFI or Windows program"),
            FileKind::Compressed(program) => write!(f, "a file compressed with {program}"),
            FileKind::Other(name) => f.write_str(name),
            FileKind::Unknown => f.write_str("of no kind that Polyvisor knows"),
        }
    }
}

fn machine_name(machine: u16) -> Option<&'static str> {
    Some(match machine {
        3 => "32-bit x86",
        8 => "MIPS",
        20 => "32-bit PowerPC",
        21 => "64-bit PowerPC",
        22 => "S/390",
        40 => "32-bit Arm",
        62 => "x86_64",
        183 => "aarch64",
        243 => "RISC-V",
        258 => "LoongArch",
        _ => return None,
    })
}
