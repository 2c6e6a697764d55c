//! Physical memory protection `[Priv §3.7]`: sixteen entries, granularity 4 bytes.

use arch::riscv64::Hart;
use arch::riscv64::fields::*;
use arch::riscv64::state::PRV_M;

use crate::guest::Access;

#[cfg(test)]
mod tests;

/// The widest region that [`uniform_bits`] reports: all physical addresses.
pub const PHYS_BITS: u8 = 56;

/// An entry that is switched on: its first address, the one after its last, its configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Region {
    start: u64,
    end: u64,
    cfg: u8,
}

/// What may be done at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// Loads.
    pub read: bool,
    /// Stores.
    pub write: bool,
    /// Fetches.
    pub execute: bool,
}

impl Rights {
    const ALL: Rights = Rights { read: true, write: true, execute: true };
    const NONE: Rights = Rights { read: false, write: false, execute: false };

    /// Whether they include that of the access.
    pub fn allow(self, access: Access) -> bool {
        match access {
            Access::Fetch => self.execute,
            Access::Load => self.read,
            Access::Store => self.write,
        }
    }
}

/// What the mode `prv` may do with all of the `len` bytes at `gpa`. An access that an entry
/// covers in part fails, whatever the entry says.
pub fn rights(h: &Hart, gpa: u64, len: u64, prv: u64) -> Rights {
    let last = gpa.saturating_add(len.saturating_sub(1));
    for n in 0..PMP_COUNT {
        let Some(region) = region(h, n) else { continue };
        if last < region.start || gpa >= region.end {
            continue;
        }
        if gpa < region.start || last >= region.end {
            return Rights::NONE;
        }
        if prv == PRV_M && region.cfg & PMP_L == 0 {
            return Rights::ALL;
        }
        return Rights {
            read: region.cfg & PMP_R != 0,
            write: region.cfg & PMP_W != 0,
            execute: region.cfg & PMP_X != 0,
        };
    }
    if prv == PRV_M { Rights::ALL } else { Rights::NONE }
}

/// Whether the mode `prv` may access all of the `len` bytes at `gpa`.
pub fn check(h: &Hart, gpa: u64, len: u64, access: Access, prv: u64) -> bool {
    rights(h, gpa, len, prv).allow(access)
}

/// Log2 of the size of the largest naturally aligned block around `gpa` in which [`rights`] are
/// the same everywhere, because no entry begins or ends inside.
pub fn uniform_bits(h: &Hart, gpa: u64) -> u8 {
    let mut bits = PHYS_BITS;
    for region in (0..PMP_COUNT).filter_map(|n| region(h, n)) {
        // Entries behind one that covers everything do not count.
        if region.start == 0 && region.end >> PHYS_BITS != 0 {
            break;
        }
        for edge in [region.start, region.end] {
            // The edge cuts the block if they share the block's address and the edge is not
            // its beginning.
            while bits > 2 && edge >> bits == gpa >> bits && edge & ((1 << bits) - 1) != 0 {
                bits -= 1;
            }
        }
    }
    bits
}

/// The addresses that an entry covers; `None` if it is off or empty.
fn region(h: &Hart, n: usize) -> Option<Region> {
    let cfg = h.pmp_entry(n);
    let address = h.pmpaddr[n];
    let (start, end) = match cfg & PMP_A {
        PMP_A_TOR => (if n == 0 { 0 } else { h.pmpaddr[n - 1] << 2 }, address << 2),
        PMP_A_NA4 => (address << 2, (address << 2) + 4),
        PMP_A_NAPOT => {
            let size = 8 << address.trailing_ones().min(54);
            let start = (address << 2) & !(size - 1);
            (start, start + size)
        }
        _ => return None,
    };
    (start < end).then_some(Region { start, end, cfg })
}
