//! Address spaces of a hart as numbers: what [`Guest::data_space`](crate::guest::Guest) gives.

use arch::riscv64::Hart;
use arch::riscv64::fields::*;
use arch::riscv64::state::{PRV_M, PRV_S};

use super::mmu::data_privilege;

/// Machine mode, or translation off: one space for each privilege.
const BARE: u64 = 1 << 63;
const SUPERVISOR: u64 = 1 << 62;
const SUM: u64 = 1 << 61;
const MXR: u64 = 1 << 60;
const MODE_SHIFT: u32 = 58;
const ASID_SHIFT: u32 = 42;
const SHARED: u64 = 1 << 41;
/// Page numbers beyond 41 bits are beyond any memory: their walks fault, whatever the space.
const PPN: u64 = SHARED - 1;

fn space(h: &Hart, prv: u64) -> u64 {
    let mode = h.satp >> SATP_MODE_SHIFT;
    if prv == PRV_M || mode == SATP_BARE {
        return BARE | prv;
    }
    let asid = h.satp >> 44 & 0xffff;
    let supervisor = if prv == PRV_S { SUPERVISOR } else { 0 };
    supervisor | (mode & 3) << MODE_SHIFT | asid << ASID_SHIFT | h.satp & PPN
}

/// Supervisor mode without access to user pages sees the same in all address spaces, but for
/// pages that are not global: its space is shared.
fn shared(h: &Hart) -> u64 {
    SUPERVISOR | SHARED | (h.satp >> SATP_MODE_SHIFT & 3) << MODE_SHIFT
}

/// The space of data accesses.
pub(super) fn data(h: &Hart) -> u64 {
    let prv = data_privilege(h);
    let mxr = if h.mstatus & MSTATUS_MXR != 0 { MXR } else { 0 };
    match space(h, prv) {
        bare if bare & BARE != 0 => bare,
        _ if prv == PRV_S && h.mstatus & MSTATUS_SUM == 0 => shared(h) | mxr,
        space if prv == PRV_S => space | SUM | mxr,
        space => space | mxr,
    }
}

/// The space of instruction fetches: supervisor mode never fetches from user pages.
pub(super) fn fetch(h: &Hart) -> u64 {
    match space(h, h.prv) {
        bare if bare & BARE != 0 => bare,
        _ if h.prv == PRV_S => shared(h),
        space => space,
    }
}

/// Whether the space is used in several address spaces.
pub(super) fn is_shared(space: u64) -> bool {
    space & (BARE | SHARED) == SHARED
}

/// Whose pages are seen in a shared space.
pub(super) fn owner(h: &Hart) -> u64 {
    h.satp
}

/// Whether translations of this address space identifier, not global, may be in the space.
pub(super) fn may_use_asid(space: u64, asid: u16) -> bool {
    space & BARE == 0 && (space & SHARED != 0 || (space >> ASID_SHIFT) as u16 == asid)
}
