//! Memory slots: which host memory is behind which guest-physical addresses.
#![expect(unsafe_code, reason = "tells the kernel to use host memory as the guest's, and reads it")]

use std::sync::{Mutex, MutexGuard, PoisonError};

use kvm_bindings::{KVM_MEM_LOG_DIRTY_PAGES, KVM_MEM_READONLY, kvm_userspace_memory_region};
use kvm_ioctls::VmFd;

use super::KvmError;
use crate::{Error, Slot};

/// Bytes of a page, of guest and host.
pub(super) const PAGE: u64 = 4096;

/// A slot as KVM has it.
#[derive(Clone)]
pub(super) struct Mapped {
    /// KVM's number for it.
    pub(super) number: u32,
    pub(super) slot: Slot,
}

impl Mapped {
    fn end(&self) -> u64 {
        self.slot.gpa + self.slot.memory.len() as u64
    }
}

/// All slots of a VM.
#[derive(Default)]
pub(super) struct Memory {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    slots: Vec<Mapped>,
    logging: bool,
}

impl Memory {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a slot.
    pub(super) fn map(&self, vm: &VmFd, slot: Slot) -> Result<(), Error> {
        let len = slot.memory.len() as u64;
        let whole = (slot.gpa | len | slot.memory.as_ptr() as u64).is_multiple_of(PAGE) && len > 0;
        let Some(end) = slot.gpa.checked_add(len).filter(|_| whole) else {
            return Err(Error::Pages { gpa: slot.gpa, len });
        };
        let mut state = self.state();
        if state.slots.iter().any(|other| slot.gpa < other.end() && other.slot.gpa < end) {
            return Err(Error::Overlap { gpa: slot.gpa, len });
        }
        let numbers = 0..=state.slots.len() as u32;
        let number = numbers
            .into_iter()
            .find(|n| state.slots.iter().all(|other| other.number != *n))
            .unwrap_or_default();
        let mapped = Mapped { number, slot };
        set(vm, &mapped, len, state.logging)?;
        state.slots.push(mapped);
        Ok(())
    }

    /// Takes the slot at `gpa` away.
    pub(super) fn unmap(&self, vm: &VmFd, gpa: u64) -> Result<(), Error> {
        let mut state = self.state();
        let at = state.slots.iter().position(|mapped| mapped.slot.gpa == gpa);
        let at = at.ok_or(Error::NoMemory(gpa))?;
        set(vm, &state.slots[at], 0, false)?;
        state.slots.swap_remove(at);
        Ok(())
    }

    /// The slots at this moment.
    pub(super) fn slots(&self) -> Vec<Mapped> {
        self.state().slots.clone()
    }

    /// Whether stores are logged from now on. Read-only slots have none.
    pub(super) fn log(&self, vm: &VmFd, logging: bool) -> Result<(), Error> {
        let mut state = self.state();
        state.logging = logging;
        for mapped in &state.slots {
            set(vm, mapped, mapped.slot.memory.len() as u64, logging)?;
        }
        Ok(())
    }

    /// Writes a byte; `None` where the guest has no memory that it may write.
    #[cfg(target_arch = "riscv64")]
    pub(super) fn write_byte(&self, gpa: u64, byte: u8) -> Option<()> {
        self.write(gpa, &[byte])
    }

    /// Writes bytes; `None` where the guest has no memory that it may write for all of them.
    pub(super) fn write(&self, gpa: u64, bytes: &[u8]) -> Option<()> {
        let state = self.state();
        let end = gpa.checked_add(bytes.len() as u64)?;
        let holds = |m: &&Mapped| m.slot.gpa <= gpa && end <= m.end() && !m.slot.readonly;
        let mapped = state.slots.iter().find(holds)?;
        let start = (gpa - mapped.slot.gpa) as usize;
        for (at, byte) in bytes.iter().enumerate() {
            // SAFETY: inside the slot's mapping, which `HostMemory` keeps, and which the guest may
            // access meanwhile, so the access is volatile.
            unsafe { mapped.slot.memory.as_ptr().add(start + at).write_volatile(*byte) };
        }
        Some(())
    }

    /// Copies from guest memory; how many bytes there are.
    pub(super) fn read(&self, gpa: u64, into: &mut [u8]) -> usize {
        let state = self.state();
        let holds = |m: &&Mapped| (m.slot.gpa..m.end()).contains(&gpa);
        let Some(mapped) = state.slots.iter().find(holds) else {
            return 0;
        };
        let len = into.len().min((mapped.end() - gpa) as usize);
        for (at, byte) in into[..len].iter_mut().enumerate() {
            let offset = (gpa - mapped.slot.gpa) as usize + at;
            // SAFETY: inside the slot's mapping, which `HostMemory` keeps; the guest may write it
            // meanwhile, so the access is volatile and its value not relied on.
            *byte = unsafe { mapped.slot.memory.as_ptr().add(offset).read_volatile() };
        }
        len
    }
}

/// Adds, changes or (with no length) deletes a slot.
fn set(vm: &VmFd, mapped: &Mapped, len: u64, logging: bool) -> Result<(), KvmError> {
    let flag = |wanted: bool, flag: u32| if wanted { flag } else { 0 };
    let readonly = mapped.slot.readonly;
    let region = kvm_userspace_memory_region {
        slot: mapped.number,
        flags: flag(readonly, KVM_MEM_READONLY)
            | flag(logging && !readonly, KVM_MEM_LOG_DIRTY_PAGES),
        guest_phys_addr: mapped.slot.gpa,
        memory_size: len,
        userspace_addr: mapped.slot.memory.as_ptr() as u64,
    };
    // SAFETY: the region is mapped, as `HostMemory` promises, and kept as long as the slot is in
    // `State::slots`, which lives as long as the VM.
    unsafe { vm.set_user_memory_region(region) }.map_err(KvmError::refused("a memory slot"))
}
