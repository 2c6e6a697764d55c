//! CPU state by byte offset, as semantics and translated code name it.
#![expect(unsafe_code, reason = "reads and writes a struct by byte offset")]

use crate::guest::Guest;

#[inline]
fn check<S>(offset: usize) {
    assert!(offset.is_multiple_of(8) && offset + 8 <= size_of::<S>());
}

/// The 64-bit field at `offset`.
#[inline]
pub(crate) fn read<G: Guest>(state: &G::State, offset: usize) -> u64 {
    check::<G::State>(offset);
    // SAFETY: inside the state and aligned (checked); states are declared by `cpu_state!`, which
    // makes them of u64 and u128 only, so any eight bytes are a u64.
    unsafe { *std::ptr::from_ref(state).cast::<u8>().add(offset).cast::<u64>() }
}

/// Sets the 64-bit field at `offset`.
#[inline]
pub(crate) fn write<G: Guest>(state: &mut G::State, offset: usize, v: u64) {
    check::<G::State>(offset);
    // SAFETY: as in `read`, and any eight bytes may be stored there.
    unsafe { *std::ptr::from_mut(state).cast::<u8>().add(offset).cast::<u64>() = v }
}
