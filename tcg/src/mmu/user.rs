//! User mode: guest addresses are host addresses, and the host's kernel decides what may be
//! accessed.
//!
//! Translated code accesses memory with plain instructions, everything else through
//! [`crate::host::direct`]. Either may fault in the host: the handler of the host's signal asks
//! [`crate::user::CodeRange::catch`] where to go on. An access of translated code is done again
//! by the interpreter, whose own fault becomes the exception here; so whatever is to be known
//! about a fault is found out in one place, and not inside a signal handler.

use std::sync::atomic::AtomicUsize;

use super::access::combine;
use super::{PAGE_MASK, PAGE_SIZE};
use crate::builder::{MemOp, Rmw};
use crate::guest::{Access, Guest};
use crate::host::direct::{self, Answer};
use crate::vcpu::Core;

/// `si_code` of a fault for which the kernel has no address.
const SI_KERNEL: i32 = 0x80;
/// `si_code` of a fault where nothing is mapped.
pub const SEGV_MAPERR: i32 = 1;
/// `si_code` of a fault where something is mapped that does not allow the access.
pub const SEGV_ACCERR: i32 = 2;

/// Times that an access is tried again: others may make code from the page between a fault and
/// the next try, but not for ever.
const TRIES: u32 = 1000;

/// An access that the host's kernel refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Guest address of the byte that could not be accessed.
    pub address: u64,
    /// What was tried.
    pub access: Access,
    /// The host's signal: SIGSEGV or SIGBUS.
    pub signal: i32,
    /// Its `si_code`.
    pub code: i32,
}

/// Why code cannot be taken from a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotExecutable {
    /// `si_code` of the SIGSEGV that a fetch there is answered with.
    pub code: i32,
}

/// The address space of the guest's process, as its owner sees it.
///
/// Both functions must exclude each other, `drop_code` inside: otherwise a block could be made from
/// a page whose stores are not seen, or a thread could store to a page and still find old code.
pub trait UserMemory: Send + Sync {
    /// Code is going to be made from the page at `va`: says whether the guest may execute it, and
    /// if so makes stores to it fault from now on until [`Self::retry`] lets them through. Gives
    /// whether that is so for all stores: not if the memory has other addresses too.
    fn fetch(&self, va: u64) -> Result<bool, NotExecutable>;

    /// An access to `va` faulted with SIGSEGV: says whether it is to be tried again, because the
    /// process may do it and what kept it from it is gone now. If that was [`Self::fetch`], which
    /// makes stores fault: calls `drop_code` with the range of addresses that stores are let
    /// through to.
    fn retry(&self, va: u64, access: Access, drop_code: &dyn Fn(u64, u64)) -> bool;

    /// How many pages there are that [`Self::fetch`] keeps from being written: while there are any,
    /// system calls that write to memory are left to the process's owner.
    fn code_pages(&self) -> &AtomicUsize;
}

impl<G: Guest> Core<G> {
    /// User mode: the last access that faulted.
    pub fn fault(&self) -> Option<Fault> {
        self.fault
    }

    #[inline]
    pub(crate) fn direct_load(&mut self, va: u64, size: u8) -> Result<u64, G::Exception> {
        let answer = direct::load(va, size);
        if answer.fault == 0 { Ok(answer.value) } else { self.load_again(va, size, answer) }
    }

    #[inline]
    pub(crate) fn direct_store(&mut self, va: u64, v: u64, size: u8) -> Result<(), G::Exception> {
        let answer = direct::store(va, v, size);
        if answer.fault == 0 { Ok(()) } else { self.store_again(va, v, size, answer) }
    }

    #[cold]
    fn load_again(&mut self, va: u64, size: u8, first: Answer) -> Result<u64, G::Exception> {
        let (mut answer, mut tries) = (first, 0);
        while answer.fault != 0 {
            self.faulted(va, Access::Load, answer, &mut tries)?;
            answer = direct::load(va, size);
        }
        Ok(answer.value)
    }

    #[cold]
    fn store_again(
        &mut self,
        va: u64,
        v: u64,
        size: u8,
        first: Answer,
    ) -> Result<(), G::Exception> {
        let (mut answer, mut tries) = (first, 0);
        while answer.fault != 0 {
            self.faulted(va, Access::Store, answer, &mut tries)?;
            answer = direct::store(va, v, size);
        }
        Ok(())
    }

    pub(crate) fn direct_rmw(
        &mut self,
        op: Rmw,
        va: u64,
        v: u64,
        m: MemOp,
    ) -> Result<u64, G::Exception> {
        aligned::<G>(va, m)?;
        let mut tries = 0;
        loop {
            let answer = match op {
                Rmw::Swap => direct::swap(va, v, m.size),
                Rmw::Add => direct::add(va, v, m.size),
                _ => {
                    let seen = direct::load(va, m.size);
                    if seen.fault != 0 {
                        seen
                    } else {
                        let found =
                            direct::cas(va, seen.value, combine(op, seen.value, v, m), m.size);
                        if found.fault == 0 && found.value != seen.value {
                            continue;
                        }
                        found
                    }
                }
            };
            if answer.fault == 0 {
                return Ok(answer.value);
            }
            self.faulted(va, Access::Store, answer, &mut tries)?;
        }
    }

    pub(crate) fn direct_cas(
        &mut self,
        va: u64,
        old: u64,
        new: u64,
        m: MemOp,
    ) -> Result<u64, G::Exception> {
        aligned::<G>(va, m)?;
        let mut tries = 0;
        loop {
            let answer = direct::cas(va, old, new, m.size);
            if answer.fault == 0 {
                return Ok(answer.value);
            }
            self.faulted(va, Access::Store, answer, &mut tries)?;
        }
    }

    /// Reads code, of which stores are seen from now on; the bytes lie in one page.
    /// Gives whether all stores are.
    pub(crate) fn direct_fetch(&mut self, va: u64, out: &mut [u8]) -> Result<bool, G::Exception> {
        let machine = self.machine.clone();
        let Some(memory) = &machine.memory else {
            return Ok(false);
        };
        let fault = match memory.fetch(va) {
            Ok(seen) => {
                let answer = direct::copy_in(out, va);
                if answer.fault == 0 {
                    return Ok(seen);
                }
                self.fault_of(va, Access::Fetch, answer)
            }
            Err(NotExecutable { code }) => {
                Fault { address: va, access: Access::Fetch, signal: libc::SIGSEGV, code }
            }
        };
        self.fault = Some(fault);
        Err(G::bus_error(fault.address, Access::Fetch))
    }

    /// Looks after a fault: `Ok` if the access is to be tried again.
    fn faulted(
        &mut self,
        va: u64,
        access: Access,
        answer: Answer,
        tries: &mut u32,
    ) -> Result<(), G::Exception> {
        let fault = self.fault_of(va, access, answer);
        if fault.signal == libc::SIGSEGV && *tries < TRIES {
            *tries += 1;
            let machine = self.machine.clone();
            let drop_code = |start, len| machine.cache.invalidate_pages(start, len);
            if let Some(memory) = &machine.memory
                && memory.retry(fault.address, access, &drop_code)
            {
                // The running block may be among those that died.
                self.stale = true;
                return Ok(());
            }
        }
        self.fault = Some(fault);
        Err(G::bus_error(fault.address, access))
    }

    fn fault_of(&self, va: u64, access: Access, answer: Answer) -> Fault {
        let (signal, code) = ((answer.fault >> 32) as i32, answer.fault as i32);
        if code == SI_KERNEL {
            // Not an address that the processor has: nothing is mapped there.
            return Fault { address: va, access, signal: libc::SIGSEGV, code: SEGV_MAPERR };
        }
        Fault { address: answer.value, access, signal, code }
    }
}

fn aligned<G: Guest>(va: u64, m: MemOp) -> Result<(), G::Exception> {
    if G::SPLIT_ATOMICS || va.is_multiple_of(m.bytes()) {
        Ok(())
    } else {
        Err(G::misaligned(va, Access::Store))
    }
}

/// The start of the page of `va`.
pub const fn page_of(va: u64) -> u64 {
    va & !PAGE_MASK
}

/// Copies `out.len()` bytes from guest memory; the fault, if it was not all accessible.
pub fn read(va: u64, out: &mut [u8]) -> Result<(), Fault> {
    checked(direct::copy_in(out, va), va, Access::Load)
}

/// Copies `data` to guest memory; the fault, if it was not all accessible. Some of it may have been
/// stored then.
pub fn write(va: u64, data: &[u8]) -> Result<(), Fault> {
    checked(direct::copy_out(va, data), va, Access::Store)
}

/// Compares and exchanges four aligned bytes atomically; gives what was found.
pub fn exchange32(va: u64, old: u32, new: u32) -> Result<u32, Fault> {
    let answer = direct::cas(va, u64::from(old), u64::from(new), 2);
    checked(answer, va, Access::Store).map(|()| answer.value as u32)
}

fn checked(answer: Answer, va: u64, access: Access) -> Result<(), Fault> {
    match answer.fault {
        0 => Ok(()),
        fault => {
            let (signal, code) = ((fault >> 32) as i32, fault as i32);
            let address = if code == SI_KERNEL { va } else { answer.value };
            Err(Fault { address, access, signal, code })
        }
    }
}

const _: () = assert!(PAGE_SIZE == 4096, "pages are those of the host's kernel");
