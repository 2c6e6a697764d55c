//! Model-specific registers: which belong to the state, and those that KVM leaves to us.

use arch::x86_64::Cpu;
use arch::x86_64::msr::MSRS;
use kvm_bindings::{
    KVM_CAP_X86_USER_SPACE_MSR, KVM_MSR_EXIT_REASON_FILTER, KVM_MSR_EXIT_REASON_INVAL,
    KVM_MSR_EXIT_REASON_UNKNOWN, Msrs, kvm_enable_cap, kvm_msr_entry,
};
use kvm_ioctls::{Cap, MsrFilterDefaultAction, MsrFilterRange, MsrFilterRangeFlags, VcpuFd, VmFd};

use super::super::page::Page;
use super::super::{Kvm, KvmError};

/// Machine check banks that the guest is told of; ours say nothing ever.
const MCA_BANKS: [(u32, u32); 1] = [(0x400, 128)];

/// Has accesses to registers that KVM does not know come to us, and to the machine check banks,
/// which KVM would let the guest write but whose contents nobody saves.
pub(super) fn leave_to_us(fd: &VmFd) -> Result<(), KvmError> {
    if !fd.check_extension(Cap::X86UserSpaceMsr) || !fd.check_extension(Cap::X86MsrFilter) {
        // KVM answers itself then: by a general protection fault, as we do.
        return Ok(());
    }
    let reasons =
        KVM_MSR_EXIT_REASON_UNKNOWN | KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_FILTER;
    let cap = kvm_enable_cap {
        cap: KVM_CAP_X86_USER_SPACE_MSR,
        args: [reasons.into(), 0, 0, 0],
        ..kvm_enable_cap::default()
    };
    fd.enable_cap(&cap).map_err(KvmError::refused("exits on model-specific registers"))?;
    // A bit for each register of a range: zero denies it.
    const DENIED: [u8; 16] = [0; 16];
    let ranges = MCA_BANKS.map(|(base, msr_count)| MsrFilterRange {
        flags: MsrFilterRangeFlags::READ | MsrFilterRangeFlags::WRITE,
        base,
        msr_count,
        bitmap: &DENIED,
    });
    fd.set_msr_filter(MsrFilterDefaultAction::ALLOW, &ranges)
        .map_err(KvmError::refused("a filter of model-specific registers"))
}

fn is_bank(number: u32) -> bool {
    MCA_BANKS.iter().any(|(base, count)| (*base..base + count).contains(&number))
}

/// A register that KVM leaves to us: without machine check banks' contents there is nothing to
/// read, and any other does not exist.
pub(super) fn read(page: &mut Page) {
    let number = page.msr().number;
    let value = is_bank(number).then_some(0);
    tracing::debug!("the guest reads MSR {number:#x}: {value:x?}");
    page.set_msr(value);
}

pub(super) fn write(page: &mut Page) {
    let msr = page.msr();
    tracing::debug!("the guest writes {:#x} to MSR {:#x}", msr.value, msr.number);
    page.set_msr(is_bank(msr.number).then_some(msr.value));
}

/// Places of the registers of the state that this KVM has.
pub(super) fn known(host: &Kvm) -> Result<Vec<usize>, KvmError> {
    let list = host
        .fd
        .get_msr_index_list()
        .map_err(KvmError::refused("the list of model-specific registers"))?;
    let known = list.as_slice();
    // KVM does not list the MTRRs, and has always had them.
    let has = |number: &u32| known.contains(number) || matches!(number, 0x200..=0x26f | 0x2ff);
    let places = MSRS.iter().enumerate().filter(|(_, msr)| has(&msr.number));
    Ok(places.map(|(place, _)| place).collect())
}

/// As many entries as KVM takes in one call.
fn batch(places: &[usize], value: impl Fn(usize) -> u64) -> Result<Msrs, KvmError> {
    let entry = |place: &usize| kvm_msr_entry {
        index: MSRS[*place].number,
        data: value(*place),
        ..kvm_msr_entry::default()
    };
    let entries: Vec<kvm_msr_entry> = places.iter().map(entry).collect();
    Msrs::from_entries(&entries).map_err(|_| KvmError::Unsupported("so many registers"))
}

/// Reads the registers; those that this guest does not have stay zero.
pub(super) fn get(fd: &VcpuFd, places: &[usize], state: &mut Cpu) -> Result<(), KvmError> {
    let mut left = places;
    while !left.is_empty() {
        let mut msrs = batch(left, |_| 0)?;
        let count = fd.get_msrs(&mut msrs).map_err(KvmError::refused("a register's value"))?;
        for (place, entry) in left.iter().zip(&msrs.as_slice()[..count]) {
            state.msr[*place] = entry.data;
        }
        // KVM stops at the first one that it does not give.
        left = left.get(count + 1..).unwrap_or_default();
    }
    Ok(())
}

/// Writes the registers. With `fresh` those that a new vCPU has anyway are left out.
pub(super) fn set(fd: &VcpuFd, places: &[usize], state: &Cpu, fresh: bool) -> Result<(), KvmError> {
    let reset = Cpu::reset(true);
    let differs = |place: &usize| !fresh || state.msr[*place] != reset.msr[*place];
    let wanted: Vec<usize> = places.iter().copied().filter(differs).collect();
    let mut left = &wanted[..];
    while !left.is_empty() {
        let msrs = batch(left, |place| state.msr[place])?;
        let count = fd.set_msrs(&msrs).map_err(KvmError::refused("a register's new value"))?;
        if let Some(refused) = left.get(count) {
            // A register that the guest does not have is zero, and stays so.
            if state.msr[*refused] != 0 {
                tracing::debug!("KVM refuses a value for {}", MSRS[*refused].name);
                return Err(KvmError::State("KVM refuses the value of a register"));
            }
        }
        left = left.get(count + 1..).unwrap_or_default();
    }
    Ok(())
}
