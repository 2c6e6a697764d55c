//! A door for tests outside this crate: guest memory as the machine's owner sees it.

use crate::guest::Guest;
use crate::machine::Machine;
use crate::mmu::PAGE_MASK;
use crate::mmu::ram::Place;

/// The parts of `len` bytes from `gpa` that lie in one page each: where, and from which byte on.
fn pieces<G: Guest>(
    machine: &Machine<G>,
    gpa: u64,
    len: usize,
) -> impl Iterator<Item = (Place, std::ops::Range<usize>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        (at < len).then(|| {
            let here = gpa + at as u64;
            let place = machine.ram.find(here).expect("tests name memory that is there");
            let start = at;
            at = len.min(at + (PAGE_MASK + 1 - (here & PAGE_MASK)) as usize);
            (place, start..at)
        })
    })
}

/// Reads guest-physical memory.
///
/// # Panics
/// If there is none.
pub fn read_memory<G: Guest>(machine: &Machine<G>, gpa: u64, out: &mut [u8]) {
    for (place, part) in pieces(machine, gpa, out.len()) {
        place.hva.read(&mut out[part]);
    }
}

/// Writes guest-physical memory, as a device would.
///
/// # Panics
/// If there is none.
pub fn write_memory<G: Guest>(machine: &Machine<G>, gpa: u64, data: &[u8]) {
    for (place, part) in pieces(machine, gpa, data.len()) {
        for (i, &byte) in data[part].iter().enumerate() {
            let here = place.hva.offset(i).expect("a piece lies in memory");
            here.store(u64::from(byte), 0);
        }
    }
    machine.written(gpa, data.len());
}
