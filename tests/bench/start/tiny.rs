//! The smallest guest: prints a character, and asks for the machine's end in the ways that the
//! monitors know.

/// Machine code that means the same in 32-bit and in 64-bit mode.
const CODE: &[u8] = &[
    0x66, 0xba, 0xf8, 0x03, // mov dx, 0x3f8: the serial port
    0xb0, b'!', 0xee, // mov al, '!'; out dx, al
    0xb0, b'\n', 0xee, // the same for the end of the line
    0xf4, // hlt
    0xeb, 0xfd, // jmp back to it
];
const ADDRESS: u64 = 0x20_0000;
const NOTE_AT: usize = 0x200;
const CODE_AT: usize = 0x1000;

/// An ELF executable with a note for PVH's entry.
pub(crate) fn elf() -> Vec<u8> {
    let mut file = vec![0; CODE_AT];
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"\x7fELF\x02\x01\x01");
    put(16, &2u16.to_le_bytes());
    put(18, &62u16.to_le_bytes());
    put(20, &1u32.to_le_bytes());
    put(24, &ADDRESS.to_le_bytes());
    put(32, &64u64.to_le_bytes());
    for (at, value) in [(52, 64u16), (54, 56), (56, 2)] {
        put(at, &value.to_le_bytes());
    }
    let len = CODE.len() as u64;
    let headers: [(u32, u32, [u64; 6]); 2] = [
        (1, 7, [CODE_AT as u64, ADDRESS, ADDRESS, len, 0x1000, 0x1000]),
        (4, 4, [NOTE_AT as u64, 0, 0, 20, 20, 4]),
    ];
    for (n, (kind, flags, fields)) in headers.into_iter().enumerate() {
        let at = 64 + n * 56;
        put(at, &kind.to_le_bytes());
        put(at + 4, &flags.to_le_bytes());
        for (i, field) in fields.into_iter().enumerate() {
            put(at + 8 + i * 8, &field.to_le_bytes());
        }
    }
    put(NOTE_AT, &[4, 0, 0, 0, 4, 0, 0, 0, 18, 0, 0, 0]);
    put(NOTE_AT + 12, b"Xen\0");
    put(NOTE_AT + 16, &(ADDRESS as u32).to_le_bytes());
    file.extend_from_slice(CODE);
    file
}
