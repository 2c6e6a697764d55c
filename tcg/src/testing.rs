//! A door for tests outside this crate: guest memory as the machine's owner sees it, and the host
//! code of a block.

use std::sync::Arc;

use crate::absent::{NoDevices, NoTime};
use crate::guest::Guest;
use crate::machine::{Config, Machine, Mode};
use crate::mmu::PAGE_MASK;
use crate::mmu::host::{Anonymous, HostRange};
use crate::mmu::ram::{Place, Slot};

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

/// The host code of a block, an instruction a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCode {
    /// What is executed as a rule.
    pub hot: Vec<String>,
    /// The slow paths.
    pub cold: Vec<String>,
}

/// Translates the block that begins with `code`, at `gpa` in a machine without translation of
/// addresses; `None` if there is no translator for this host.
///
/// # Panics
/// If there is no block.
pub fn host_code<G: Guest>(state: G::State, gpa: u64, code: &[u8]) -> Option<HostCode> {
    const CODE_BYTES: usize = 1 << 20;
    let machine = Machine::<G>::new(Config {
        vcpus: 1,
        mode: Mode::Jit { threshold: 0 },
        code_bytes: CODE_BYTES,
        io: Arc::new(NoDevices),
        clock: Arc::new(NoTime),
        firmware_calls: false,
        learning: None,
    })
    .expect("memory for code");
    let host = HostRange::new(Arc::new(Anonymous::new(1 << 16)));
    machine.map(Slot { gpa: gpa & !PAGE_MASK, host, readonly: false }).expect("the only slot");
    write_memory(&machine, gpa, code);
    let mut vcpu = machine.vcpu(0, state, false).expect("the first vCPU");
    vcpu.core().sync_spaces();
    let block = vcpu.core().lend(gpa).expect("memory is mapped");
    let native = machine.cache.native.as_ref()?;
    let core = vcpu.core();
    match native.compile(&machine.cache, &block, &mut || core.page_of_code(&block.key)) {
        0 => panic!("the block was not translated"),
        code => Some(native.listing(code)),
    }
}
