//! How the kernel knows the programs of an architecture by their first bytes.

use std::fmt::Write as _;

use crate::isa::abi::Abi;

/// Bytes that are looked at: ELF's signature, class and so on, type and machine.
const LEN: usize = 20;
/// `e_type` is 2 or 3.
const ET_EXEC: u8 = 2;

fn bytes(abi: &Abi) -> [u8; LEN] {
    let mut magic = [0; LEN];
    magic[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    magic[16] = ET_EXEC;
    magic[18..].copy_from_slice(&abi.elf_machine.to_le_bytes());
    magic
}

fn mask() -> [u8; LEN] {
    let mut mask = [0xff; LEN];
    // The ABI may be any (System V, GNU), and so may its version and what pads it, but for the
    // first byte.
    mask[7] = 0;
    mask[8..16].fill(0);
    mask[16] = 0xfe;
    mask
}

fn escaped(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // A String takes everything.
        let _ = write!(text, "\\x{byte:02x}");
        text
    })
}

/// Magic and mask as the registry takes them.
pub(super) fn of(abi: &Abi) -> (String, String) {
    (escaped(&bytes(abi)), escaped(&mask()))
}

/// The magic's end as the registry shows it: type and machine.
pub(super) fn shown(abi: &Abi) -> String {
    bytes(abi).iter().fold("magic ".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::abi::RISCV64;

    #[test]
    fn programs_are_known_by_their_machine() {
        let (magic, mask) = of(&RISCV64);
        assert!(magic.starts_with(r"\x7f\x45\x4c\x46\x02\x01\x01\x00"));
        assert!(magic.ends_with(r"\x02\x00\xf3\x00"));
        assert_eq!(mask.len(), magic.len());
        assert!(mask.ends_with(r"\xfe\xff\xff\xff"));
        assert!(shown(&RISCV64).starts_with("magic 7f454c46020101"));
    }
}
