//! Which pages the guest wrote: by a bitmap of each slot `[KVM-API 4.8]`, or by a ring of each
//! vCPU, which costs by what was written and not by how much memory there is.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kvm_ioctls::VmFd;

use super::memory::{Memory, PAGE};
use super::page::Page;
use super::ring::{self, Ring};
use super::vm::Shared;
use super::{Kvm, KvmError, KvmVcpuArch};
use crate::{DirtyLog, Error};

/// The log of a machine.
pub(super) struct Log {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    on: bool,
    rings: Vec<Ring>,
    /// Slot and page number of what came out of the rings.
    found: BTreeSet<(u32, u64)>,
}

impl Log {
    pub(super) fn new(host: &Kvm, fd: &VmFd) -> Result<Self, KvmError> {
        if host.ring_entries > 0 {
            ring::enable(fd, host.ring_entries * ring::ENTRY_BYTES)?;
        }
        Ok(Self { state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new vCPU has its ring.
    pub(super) fn join(&self, host: &Kvm, page: &Page) -> Result<(), KvmError> {
        if host.ring_entries > 0 {
            let ring = Ring::new(page, host.ring_entries as usize)
                .map_err(|source| KvmError::Refused { what: "a dirty ring", source })?;
            self.state().rings.push(ring);
        }
        Ok(())
    }

    /// Empties the rings: one is full, or somebody wants to know.
    pub(super) fn harvest(&self, fd: &VmFd) -> Result<(), KvmError> {
        let State { rings, found, .. } = &mut *self.state();
        for ring in rings.iter_mut() {
            ring.harvest(|slot, page| {
                // The upper half numbers address spaces, of which we have one.
                found.insert((slot & 0xffff, page));
            });
        }
        match rings.is_empty() {
            true => Ok(()),
            false => ring::reset(fd)
                .map_err(|source| KvmError::Refused { what: "empty dirty rings", source }),
        }
    }
}

/// What the slots' bitmaps say.
fn bitmaps(fd: &VmFd, memory: &Memory) -> Result<BTreeSet<u64>, KvmError> {
    let mut pages = BTreeSet::new();
    for mapped in memory.slots().iter().filter(|mapped| !mapped.slot.readonly) {
        let words = fd
            .get_dirty_log(mapped.number, mapped.slot.memory.len())
            .map_err(KvmError::refused("a dirty log"))?;
        let first = mapped.slot.gpa / PAGE;
        for (at, word) in (0..).step_by(64).zip(words) {
            pages.extend((0..64).filter(|bit| word >> bit & 1 != 0).map(|bit| first + at + bit));
        }
    }
    Ok(pages)
}

impl<A: KvmVcpuArch> DirtyLog for Shared<A> {
    fn start(&self) -> Result<(), Error> {
        self.memory.log(&self.fd, true)?;
        let mut state = self.log.state();
        state.found.clear();
        state.on = true;
        Ok(())
    }

    fn take(&self) -> Result<Vec<u64>, Error> {
        if !self.log.state().on {
            return Err(KvmError::Unsupported("a dirty log that was not started").into());
        }
        if self.host.ring_entries == 0 {
            return Ok(bitmaps(&self.fd, &self.memory)?.into_iter().collect());
        }
        self.log.harvest(&self.fd)?;
        let slots = self.memory.slots();
        let found = std::mem::take(&mut self.log.state().found);
        let mut pages = BTreeSet::new();
        for (number, page) in found {
            let slot = slots.iter().find(|mapped| mapped.number == number);
            pages.extend(slot.map(|mapped| mapped.slot.gpa / PAGE + page));
        }
        Ok(pages.into_iter().collect())
    }

    fn stop(&self) -> Result<(), Error> {
        self.log.state().on = false;
        self.memory.log(&self.fd, false)
    }
}
