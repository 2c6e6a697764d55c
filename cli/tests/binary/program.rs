//! Programs for the bare riscv64 board, as words of machine code, and the ELF files around them.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Where programs are loaded: the start of memory.
const BASE: u64 = 0x8000_0000;
/// Where `tohost` is, far enough behind for a page of its own.
const TOHOST: u64 = BASE + 0x1000;

/// `j .`: a program of which nothing is expected.
pub(crate) const FOREVER: [u32; 1] = [0x0000_006f];

/// Ends the run with `status` through `tohost`.
pub(crate) fn exit(status: u32) -> Vec<u32> {
    vec![
        0x0000_1517,                       // auipc a0, 1: tohost
        (status << 1 | 1) << 20 | 0x00593, // li a1, status << 1 | 1
        0x00b5_3023,                       // sd a1, 0(a0)
        0x0000_006f,                       // j .
    ]
}

/// Writes `value` to the test finisher.
pub(crate) fn finish(value: u32) -> Vec<u32> {
    let low = value & 0xfff;
    let high = (value >> 12) + u32::from(low >= 0x800);
    vec![
        0x0010_0537,              // lui a0, 0x100
        high << 12 | 0x0000_05b7, // lui a1, high
        low << 20 | 0x0005_859b,  // addiw a1, a1, low
        0x00b5_2023,              // sw a1, 0(a0)
        0x0000_006f,              // j .
    ]
}

/// Prints `text` on the serial port and powers off.
pub(crate) fn print(text: &[u8]) -> Vec<u32> {
    [put(text), finish(0x5555)].concat()
}

fn put(text: &[u8]) -> Vec<u32> {
    let mut code = vec![0x1000_0537]; // lui a0, 0x10000
    for byte in text {
        code.push(u32::from(*byte) << 20 | 0x593); // li a1, byte
        code.push(0x00b5_0023); // sb a1, 0(a0)
    }
    code
}

/// Jumps to where no memory is; the trap handler is there too.
pub(crate) const CRASH: [u32; 1] = [0x0000_0067];

/// Prints `>`, then what it reads from the serial port with the case of letters changed; powers
/// off when it reads a full stop.
pub(crate) fn echo() -> Vec<u32> {
    put(b">").into_iter().chain(ECHO).collect()
}

/// Prints `>`, and reads nothing.
pub(crate) fn deaf() -> Vec<u32> {
    put(b">").into_iter().chain(FOREVER).collect()
}

const ECHO: [u32; 15] = [
    0x1000_0537, // lui a0, 0x10000
    0x0055_4583, // read: lbu a1, 5(a0)
    0x0015_f593, // andi a1, a1, 1
    0xfe05_8ce3, // beqz a1, read
    0x0005_4583, // lbu a1, 0(a0)
    0x02e0_0613, // li a2, '.'
    0x00c5_8863, // beq a1, a2, off
    0x0205_c593, // xori a1, a1, 0x20
    0x00b5_0023, // sb a1, 0(a0)
    0xfe1f_f06f, // j read
    0x0010_0537, // off: lui a0, 0x100
    0x0000_55b7, // lui a1, 5
    0x5555_859b, // addiw a1, a1, 0x555
    0x00b5_2023, // sw a1, 0(a0)
    0x0000_006f, // j .
];

/// An ELF executable with one segment that holds `code`, and a symbol `tohost`.
pub(crate) fn elf(code: &[u32]) -> Vec<u8> {
    let names = b"\0tohost\0";
    let text: Vec<u8> = code.iter().flat_map(|word| word.to_le_bytes()).collect();
    let (text_at, names_at) = (64 + 56, 64 + 56 + text.len());
    let symbols_at = names_at + names.len();
    let sections_at = symbols_at + 2 * 24;
    let mut file = Vec::new();
    file.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    half(&mut file, &[2, 243]);
    word(&mut file, &[1]);
    double(&mut file, &[BASE, 64, sections_at as u64]);
    word(&mut file, &[0]);
    half(&mut file, &[64, 56, 1, 64, 3, 0]);
    // The segment.
    word(&mut file, &[1, 7]);
    double(&mut file, &[text_at as u64, BASE, BASE, text.len() as u64, 0x2000, 0x1000]);
    file.extend(&text);
    file.extend(names);
    // Symbols: none, `tohost`.
    file.extend([0; 24]);
    word(&mut file, &[1]);
    file.extend([0x11, 0]);
    half(&mut file, &[0xfff1]);
    double(&mut file, &[TOHOST, 8]);
    // Sections: none, symbols, names.
    file.extend([0; 64]);
    word(&mut file, &[0, 2]);
    double(&mut file, &[0, 0, symbols_at as u64, 48]);
    word(&mut file, &[2, 1]);
    double(&mut file, &[8, 24]);
    word(&mut file, &[0, 3]);
    double(&mut file, &[0, 0, names_at as u64, names.len() as u64]);
    word(&mut file, &[0, 0]);
    double(&mut file, &[1, 0]);
    file
}

fn half(file: &mut Vec<u8>, values: &[u16]) {
    file.extend(values.iter().flat_map(|v| v.to_le_bytes()));
}

fn word(file: &mut Vec<u8>, values: &[u32]) {
    file.extend(values.iter().flat_map(|v| v.to_le_bytes()));
}

fn double(file: &mut Vec<u8>, values: &[u64]) {
    file.extend(values.iter().flat_map(|v| v.to_le_bytes()));
}

/// A file that is removed when it is dropped.
pub(crate) struct Temporary(PathBuf);

impl Temporary {
    /// A new file with these contents, whose name ends with `name`.
    pub(crate) fn new(name: &str, contents: &[u8]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let (process, number) = (std::process::id(), NEXT.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(format!("polyvisor-{process}-{number}-{name}"));
        std::fs::write(&path, contents).expect("the folder for temporary files can be written");
        Self(path)
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Its path as an argument.
    pub(crate) fn arg(&self) -> &str {
        self.0.to_str().expect("the folder for temporary files has a name in UTF-8")
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // It may have been removed already; nothing depends on it.
        let _ = std::fs::remove_file(&self.0);
    }
}
