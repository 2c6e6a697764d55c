//! Registers of MSWI and MTIMER, at their CLINT-compatible offsets [ACLINT-1.0 §1.1].

/// Harts served.
pub const MAX_HARTS: usize = 8;
/// Frequency of MTIME in hertz: the `timebase-frequency` of the device tree.
pub const TIMEBASE_HZ: u64 = 10_000_000;
/// Bytes of the register region.
pub const REGION_LEN: u64 = 0x1_0000;

/// MSIP of hart 0; 4 bytes each [ACLINT-1.0 §3.1].
pub const MSIP: u64 = 0;
/// MTIMECMP of hart 0; 8 bytes each [ACLINT-1.0 §2.1].
pub const MTIMECMP: u64 = 0x4000;
/// MTIME [ACLINT-1.0 §2.1].
pub const MTIME: u64 = 0xbff8;

/// One register, or half of one: 64-bit registers may be accessed by 32-bit halves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Register {
    /// Software interrupt of a hart; only bit 0 exists [ACLINT-1.0 §3.2].
    Msip(usize),
    /// Time at which a hart's timer interrupt becomes pending [ACLINT-1.0 §2.3].
    Mtimecmp(usize),
    /// The counter [ACLINT-1.0 §2.2].
    Mtime,
}

impl Register {
    /// The register at `offset` for an access of `size` bytes, and the bit at which the access
    /// starts; `None` where nothing answers.
    pub fn at(offset: u64, size: u8, harts: usize) -> Option<(Self, u32)> {
        if !matches!(size, 4 | 8) || !offset.is_multiple_of(size.into()) {
            return None;
        }
        let shift = (offset % 8 * 8) as u32;
        match offset {
            MSIP..MTIMECMP => {
                let hart = (offset / 4) as usize;
                (size == 4 && hart < harts).then_some((Self::Msip(hart), 0))
            }
            MTIMECMP..MTIME => {
                let hart = ((offset - MTIMECMP) / 8) as usize;
                (hart < harts).then_some((Self::Mtimecmp(hart), shift))
            }
            MTIME..0xc000 => Some((Self::Mtime, shift)),
            _ => None,
        }
    }
}
