//! Breakpoints and single steps from outside `[KVM-API 4.87]`.

use kvm_bindings::{
    KVM_GUESTDBG_ENABLE, KVM_GUESTDBG_SINGLESTEP, KVM_GUESTDBG_USE_HW_BP, KVM_GUESTDBG_USE_SW_BP,
    kvm_debug_exit_arch, kvm_guest_debug,
};
use kvm_ioctls::VcpuFd;

use super::super::KvmError;
use crate::{DebugStop, Error, Stops};

/// Breakpoint registers of a processor.
const BREAKPOINTS: usize = 4;
/// DR7 with no breakpoint: its bit 10 is one always.
const DR7_FIXED: u64 = 1 << 10;
/// DR7: exact breakpoints.
const DR7_EXACT: u64 = 1 << 9;
/// DR6: a single step.
const DR6_STEP: u64 = 1 << 14;

pub(super) fn set(fd: &VcpuFd, stops: &Stops) -> Result<(), Error> {
    if stops.hardware.len() > BREAKPOINTS {
        return Err(KvmError::Unsupported("more than four hardware breakpoints").into());
    }
    let mut debug = kvm_guest_debug::default();
    for (wanted, flag) in [
        (stops.step, KVM_GUESTDBG_SINGLESTEP),
        (stops.software, KVM_GUESTDBG_USE_SW_BP),
        (!stops.hardware.is_empty(), KVM_GUESTDBG_USE_HW_BP),
    ] {
        if wanted {
            debug.control |= KVM_GUESTDBG_ENABLE | flag;
        }
    }
    let mut dr7 = DR7_FIXED | if stops.hardware.is_empty() { 0 } else { DR7_EXACT };
    for (number, address) in stops.hardware.iter().enumerate() {
        debug.arch.debugreg[number] = *address;
        // Enabled globally; length and kind zero mean execution.
        dr7 |= 2 << (2 * number);
    }
    debug.arch.debugreg[7] = dr7;
    fd.set_guest_debug(&debug).map_err(KvmError::refused("a debugger's stops"))?;
    Ok(())
}

/// Where the guest stopped.
pub(super) fn stop(exit: &kvm_debug_exit_arch) -> DebugStop {
    DebugStop { pc: exit.pc, step: exit.dr6 & DR6_STEP != 0 }
}
