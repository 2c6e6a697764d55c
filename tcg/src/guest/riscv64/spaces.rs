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
/// Page numbers beyond 42 bits are beyond any memory: their walks fault, whatever the space.
const PPN: u64 = (1 << ASID_SHIFT) - 1;

fn space(h: &Hart, prv: u64) -> u64 {
    let mode = h.satp >> SATP_MODE_SHIFT;
    if prv == PRV_M || mode == SATP_BARE {
        return BARE | prv;
    }
    let asid = h.satp >> 44 & 0xffff;
    let supervisor = if prv == PRV_S { SUPERVISOR } else { 0 };
    supervisor | (mode & 3) << MODE_SHIFT | asid << ASID_SHIFT | h.satp & PPN
}

/// The space of data accesses.
pub(super) fn data(h: &Hart) -> u64 {
    let prv = data_privilege(h);
    let sum = if h.mstatus & MSTATUS_SUM != 0 && prv == PRV_S { SUM } else { 0 };
    let mxr = if h.mstatus & MSTATUS_MXR != 0 { MXR } else { 0 };
    match space(h, prv) {
        bare if bare & BARE != 0 => bare,
        space => space | sum | mxr,
    }
}

/// The space of instruction fetches.
pub(super) fn fetch(h: &Hart) -> u64 {
    space(h, h.prv)
}

/// Whether translations of this address space identifier may be in the space.
pub(super) fn may_use_asid(space: u64, asid: u16) -> bool {
    space & BARE == 0 && (space >> ASID_SHIFT) as u16 == asid
}
