//! Address translation: the page walk of Sv39, Sv48 and Sv57 as a pure function of the hart and
//! of memory. `[Priv §10.3.2]`, `[Priv §10.4]` to `[Priv §10.6]`; Svnapot `[Priv §11]`, Svpbmt
//! `[Priv §12]`, Svade and Svadu `[Priv §14]`.

use arch::riscv64::Hart;
use arch::riscv64::fields::*;
use arch::riscv64::state::{PRV_M, PRV_S, PRV_U};

use super::pmp;
use super::trap::Exception;
use crate::guest::Access;

#[cfg(test)]
mod tests;

/// Memory as the page walk sees it.
pub trait PhysMem {
    /// Reads a page table entry at a multiple of 8; `None` where no memory is.
    fn read_pte(&self, gpa: u64) -> Option<u64>;
    /// Replaces `old` by `new` atomically; `Some(false)` if something else was there, `None`
    /// where memory cannot be written.
    fn cas_pte(&self, gpa: u64, old: u64, new: u64) -> Option<bool>;
}

/// What a walk found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    /// Guest-physical address of the accessed byte.
    pub gpa: u64,
    /// Log2 of the page's size: 12, 16, 21, 30, 39, 48; [`pmp::PHYS_BITS`] without translation.
    /// The mapping is linear in it, and a fence for any of its addresses concerns all of it.
    pub page_bits: u8,
    /// Log2 of the block around the address in which the rights below hold: at most `page_bits`.
    /// Below 12, PMP cuts the 4 KiB page: keep nothing, and ask [`pmp::check`] about all bytes
    /// of each access.
    pub rights_bits: u8,
    /// Loads are allowed, in this mode and with the present SUM and MXR.
    pub readable: bool,
    /// Stores are allowed, and the page is dirty already.
    pub writable: bool,
    /// Fetches are allowed.
    pub executable: bool,
    /// The page is user mode's.
    pub user: bool,
    /// The mapping is in all address spaces.
    pub global: bool,
}

const PTE_V: u64 = 1 << 0;
const PTE_R: u64 = 1 << 1;
const PTE_W: u64 = 1 << 2;
const PTE_X: u64 = 1 << 3;
const PTE_U: u64 = 1 << 4;
const PTE_G: u64 = 1 << 5;
const PTE_A: u64 = 1 << 6;
const PTE_D: u64 = 1 << 7;
const PTE_PPN_SHIFT: u32 = 10;
const PTE_PPN: u64 = (1 << 44) - 1;
const PTE_RESERVED: u64 = 0x7f << 54;
const PTE_PBMT: u64 = 3 << 61;
const PTE_N: u64 = 1 << 63;

/// How often a walk starts again because another hart changed the entry under it. Each time the
/// other hart has come further, so that honest ones need one or two; a guest that changes its
/// entry for ever gets a page fault, as it may at any moment of such a race.
const RACES: usize = 64;

/// The mode that data accesses have: MPRV lends machine mode another `[Priv §3.1.6.3]`.
pub fn data_privilege(h: &Hart) -> u64 {
    if h.prv == PRV_M && h.mstatus & MSTATUS_MPRV != 0 {
        (h.mstatus & MSTATUS_MPP) >> MSTATUS_MPP_SHIFT
    } else {
        h.prv
    }
}

/// Translates `va` for an access in the mode `prv` (for data, [`data_privilege`]), and sets the
/// entry's A and D bits if `menvcfg.ADUE` asks for it.
///
/// # Errors
/// The page fault or access fault that the architecture demands, `tval` being `va`.
pub fn walk(
    h: &Hart,
    va: u64,
    access: Access,
    prv: u64,
    mem: &dyn PhysMem,
) -> Result<Translation, Exception> {
    let walk = Walk { h, va, access, prv, mem };
    let mode = h.satp >> SATP_MODE_SHIFT;
    if prv == PRV_M || mode == SATP_BARE {
        return walk.bare();
    }
    let levels = match mode {
        SATP_SV39 => 3,
        SATP_SV48 => 4,
        _ => 5,
    };
    for _ in 0..RACES {
        if let Some(translation) = walk.table(levels)? {
            return Ok(translation);
        }
    }
    Err(walk.page_fault())
}

/// The arguments of [`walk`].
struct Walk<'a> {
    h: &'a Hart,
    va: u64,
    access: Access,
    prv: u64,
    mem: &'a dyn PhysMem,
}

impl Walk<'_> {
    fn page_fault(&self) -> Exception {
        let cause = match self.access {
            Access::Fetch => CAUSE_FETCH_PAGE,
            Access::Load => CAUSE_LOAD_PAGE,
            Access::Store => CAUSE_STORE_PAGE,
        };
        Exception { cause, tval: self.va }
    }

    fn access_fault(&self) -> Exception {
        let cause = match self.access {
            Access::Fetch => CAUSE_FETCH_ACCESS,
            Access::Load => CAUSE_LOAD_ACCESS,
            Access::Store => CAUSE_STORE_ACCESS,
        };
        Exception { cause, tval: self.va }
    }

    /// No translation: the virtual address is the physical one.
    fn bare(&self) -> Result<Translation, Exception> {
        if self.va >> pmp::PHYS_BITS != 0 {
            return Err(self.access_fault());
        }
        self.protect(Translation {
            gpa: self.va,
            page_bits: pmp::PHYS_BITS,
            rights_bits: pmp::PHYS_BITS,
            readable: true,
            writable: true,
            executable: true,
            user: false,
            global: false,
        })
    }

    /// One walk through `levels` levels; `None` if the entry changed under it.
    fn table(&self, levels: u32) -> Result<Option<Translation>, Exception> {
        // Bits above the translated ones copy the highest of them.
        let unused = 64 - (12 + 9 * levels);
        if ((self.va << unused) as i64 >> unused) as u64 != self.va {
            return Err(self.page_fault());
        }
        let mut table = (self.h.satp & SATP_PPN) << 12;
        let mut global = false;
        for level in (0..levels).rev() {
            let shift = 12 + 9 * level;
            let at = table + (self.va >> shift & 0x1ff) * 8;
            let pte = self.read(at)?;
            if pte & PTE_V == 0 || pte & (PTE_R | PTE_W) == PTE_W || pte & PTE_RESERVED != 0 {
                return Err(self.page_fault());
            }
            global |= pte & PTE_G != 0;
            if pte & (PTE_R | PTE_X) != 0 {
                return self.leaf(at, pte, shift, global);
            }
            if pte & (PTE_A | PTE_D | PTE_U | PTE_PBMT | PTE_N) != 0 {
                return Err(self.page_fault());
            }
            table = (pte >> PTE_PPN_SHIFT & PTE_PPN) << 12;
        }
        Err(self.page_fault())
    }

    /// The walk's own load; its mode is the supervisor's `[Priv §3.7.2]`.
    fn read(&self, at: u64) -> Result<u64, Exception> {
        if !pmp::check(self.h, at, 8, Access::Load, PRV_S) {
            return Err(self.access_fault());
        }
        self.mem.read_pte(at).ok_or_else(|| self.access_fault())
    }

    fn leaf(
        &self,
        at: u64,
        pte: u64,
        shift: u32,
        global: bool,
    ) -> Result<Option<Translation>, Exception> {
        let rights = self.rights(pte);
        let mut ppn = pte >> PTE_PPN_SHIFT & PTE_PPN;
        let mut page_bits = shift;
        if pte & PTE_N != 0 {
            // The one size there is: 64 KiB, marked by 1000 in the low bits of the number.
            if shift != 12 || ppn & 0xf != 8 {
                return Err(self.page_fault());
            }
            ppn &= !0xf;
            page_bits = 16;
        }
        let pbmt = pte & PTE_PBMT;
        let pbmt_reserved = pbmt == PTE_PBMT || self.h.menvcfg & ENVCFG_PBMTE == 0;
        let misaligned = (ppn << 12) & ((1 << page_bits) - 1) != 0;
        if !rights.allow(self.access) || pbmt != 0 && pbmt_reserved || misaligned {
            return Err(self.page_fault());
        }
        let Some(pte) = self.mark(at, pte)? else { return Ok(None) };
        let offset = self.va & ((1 << page_bits) - 1);
        self.protect(Translation {
            gpa: ppn << 12 | offset,
            page_bits: page_bits as u8,
            rights_bits: page_bits as u8,
            readable: rights.read,
            writable: rights.write && pte & PTE_D != 0,
            executable: rights.execute,
            user: pte & PTE_U != 0,
            global,
        })
        .map(Some)
    }

    /// What the entry allows this mode `[Priv §3.1.6.3]`.
    fn rights(&self, pte: u64) -> pmp::Rights {
        let user = pte & PTE_U != 0;
        let foreign = user != (self.prv == PRV_U);
        let sum = self.prv == PRV_S && self.h.mstatus & MSTATUS_SUM != 0;
        let data = !foreign || user && sum;
        let mxr = self.h.mstatus & MSTATUS_MXR != 0;
        pmp::Rights {
            read: data && (pte & PTE_R != 0 || mxr && pte & PTE_X != 0),
            write: data && pte & PTE_W != 0,
            execute: !foreign && pte & PTE_X != 0,
        }
    }

    /// Sees to A, and to D for a store; the entry as it is then, or `None` if it changed.
    fn mark(&self, at: u64, pte: u64) -> Result<Option<u64>, Exception> {
        let needed = if self.access == Access::Store { PTE_A | PTE_D } else { PTE_A };
        if pte & needed == needed {
            return Ok(Some(pte));
        }
        if self.h.menvcfg & ENVCFG_ADUE == 0 {
            return Err(self.page_fault());
        }
        if !pmp::check(self.h, at, 8, Access::Store, PRV_S) {
            return Err(self.access_fault());
        }
        let marked = pte | needed;
        match self.mem.cas_pte(at, pte, marked) {
            Some(true) => Ok(Some(marked)),
            Some(false) => Ok(None),
            None => Err(self.access_fault()),
        }
    }

    /// Takes away what physical memory protection forbids.
    fn protect(&self, found: Translation) -> Result<Translation, Exception> {
        let rights_bits = pmp::uniform_bits(self.h, found.gpa).min(found.page_bits);
        let rights = pmp::rights(self.h, found.gpa, 1, self.prv);
        if !rights.allow(self.access) {
            return Err(self.access_fault());
        }
        Ok(Translation {
            rights_bits,
            readable: found.readable && rights.read,
            writable: found.writable && rights.write,
            executable: found.executable && rights.execute,
            ..found
        })
    }
}
