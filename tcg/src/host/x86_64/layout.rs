//! Where translated code finds the core's parts, as operands relative to rbp.

use std::mem::offset_of;

use super::asm::Mem;
use super::regs::{BIAS, RAX, RBP, Reg};
use crate::guest::Guest;
use crate::jit::cell::Cell;
use crate::mmu::host::Entry;
use crate::mmu::tlb::Tables;
use crate::vcpu::{Core, Hot};

/// A field of the guest's state.
pub(super) const fn field(offset: usize) -> Mem {
    Mem::base(RBP, offset as i32 - BIAS)
}

/// An integer register of the guest's state.
pub(super) const fn int<G: Guest>(r: u8) -> Mem {
    field(G::INT.offset + r as usize * G::INT.stride)
}

/// A vector register of the guest's state.
pub(super) const fn vec<G: Guest>(r: u8) -> Mem {
    field(G::FP.offset + r as usize * G::FP.stride)
}

const fn hot<G: Guest>(offset: usize) -> Mem {
    field(offset_of!(Core<G>, hot) + offset)
}

/// The key of the data space.
pub(super) const fn key<G: Guest>() -> Mem {
    hot::<G>(offset_of!(Hot, key))
}

/// The jump table's address.
pub(super) const fn jumps<G: Guest>() -> Mem {
    hot::<G>(offset_of!(Hot, jumps))
}

/// Whether a helper asked for a look at everything.
pub(super) const fn resync<G: Guest>() -> Mem {
    hot::<G>(offset_of!(Hot, resync))
}

/// The guest's SSE control word.
pub(super) const fn guest_mxcsr<G: Guest>() -> Mem {
    hot::<G>(offset_of!(Hot, guest_mxcsr))
}

/// Ours.
pub(super) const fn host_mxcsr<G: Guest>() -> Mem {
    hot::<G>(offset_of!(Hot, host_mxcsr))
}

/// Where a register is kept around calls.
pub(super) const fn saved<G: Guest>(r: Reg) -> Mem {
    hot::<G>(offset_of!(Hot, saved) + r as usize * 8)
}

/// Where a vector register is kept around calls.
pub(super) const fn saved_vec<G: Guest>(r: Reg) -> Mem {
    hot::<G>(offset_of!(Hot, saved_vec) + r as usize * 16)
}

/// A place for a value that no register is left for; also arguments of calls.
pub(super) const fn spill<G: Guest>(n: usize) -> Mem {
    hot::<G>(offset_of!(Hot, spill) + n * 8)
}

/// Where the pinned register `n` is in a free loop while its host's register is another's: an
/// offset from the core.
pub(super) const fn parked<G: Guest>(n: usize) -> usize {
    offset_of!(Core<G>, hot) + offset_of!(Hot, parked) + n * 8
}

/// A place for a vector that no register is left for; the first are arguments of calls.
pub(super) const fn spill_vec<G: Guest>(n: usize) -> Mem {
    hot::<G>(offset_of!(Hot, spill_vec) + n * 16)
}

/// What a group of accesses shares.
pub(super) const fn group<G: Guest>(slot: u8) -> Mem {
    hot::<G>(offset_of!(Hot, groups) + slot as usize * 8)
}

/// Details of an exit.
pub(super) const fn exit<G: Guest>(n: usize) -> Mem {
    hot::<G>(offset_of!(Hot, exit) + n * 8)
}

/// The request word of the vCPU's signals.
pub(super) fn request<G: Guest>() -> Mem {
    Mem::base(RBP, -(Cell::<G>::REQUEST_BEFORE_CORE as i32) - BIAS)
}

/// Whether the thread may use what it has cached ([`crate::vcpu::Signals::set_inside`]); a byte.
pub(super) fn inside<G: Guest>() -> Mem {
    Mem::base(RBP, -(Cell::<G>::INSIDE_BEFORE_CORE as i32) - BIAS)
}

const fn tlb<G: Guest>(store: bool) -> usize {
    let table = if store { offset_of!(Tables, store) } else { offset_of!(Tables, load) };
    Cell::<G>::TABLES_BEHIND_CORE + table
}

/// The tag of the TLB entry whose offset is in rax.
pub(super) const fn tlb_tag<G: Guest>(store: bool) -> Mem {
    let disp = (tlb::<G>(store) + Entry::TAG) as i32 - BIAS;
    Mem::indexed(RBP, RAX, 0, disp)
}

/// Its addend.
pub(super) const fn tlb_addend<G: Guest>(store: bool) -> Mem {
    let disp = (tlb::<G>(store) + Entry::ADDEND) as i32 - BIAS;
    Mem::indexed(RBP, RAX, 0, disp)
}
