//! A vCPU's registers, in and out, group by group.
//!
//! The order of writing matters to KVM: control registers and the APIC's base come before the
//! local APIC, the local APIC before the timer's deadline, and what is under way comes last.

mod events;
mod fpu;
mod lapic;
mod regs;

use arch::x86_64::state::mp;
use arch::x86_64::{Cpu, X86_64};
use kvm_bindings::{
    KVM_CAP_EXCEPTION_PAYLOAD, KVM_CAP_X86_TRIPLE_FAULT_EVENT, kvm_debugregs, kvm_enable_cap,
    kvm_mp_state,
};
use kvm_ioctls::{VcpuFd, VmFd};

use super::super::KvmError;
use super::super::vm::Shared;
use super::msr;
use crate::Error;

fn enable(fd: &VmFd, cap: u32) -> bool {
    let cap = kvm_enable_cap { cap, args: [1, 0, 0, 0], ..kvm_enable_cap::default() };
    fd.enable_cap(&cap).is_ok()
}

/// Has KVM tell pending exceptions apart from those being delivered; whether it does.
pub(super) fn enable_payload(fd: &VmFd) -> bool {
    enable(fd, KVM_CAP_EXCEPTION_PAYLOAD)
}

/// Has KVM tell a pending triple fault; whether it does.
pub(super) fn enable_triple_fault(fd: &VmFd) -> bool {
    enable(fd, KVM_CAP_X86_TRIPLE_FAULT_EVENT)
}

/// Replaces all registers. `fresh`: the vCPU is new, so what is as after a reset need not be
/// written.
pub(super) fn set(
    shared: &Shared<X86_64>,
    fd: &VcpuFd,
    state: &Cpu,
    parked: bool,
    fresh: bool,
) -> Result<(), Error> {
    let machine = &shared.arch;
    let reset = Cpu::reset(true);
    regs::set_system(fd, state)?;
    fd.set_regs(&regs::general(state)).map_err(KvmError::refused("general registers"))?;
    fpu::set(fd, state, &machine.table.xsave_parts(), machine.xcr0)?;
    if machine.chips.has_local_apics() {
        let mp_state = if parked { mp::UNINITIALIZED } else { state.mp_state };
        let mp_state = kvm_mp_state { mp_state: mp_state as u32 };
        fd.set_mp_state(mp_state).map_err(KvmError::refused("what a vCPU is doing"))?;
        lapic::set(fd, state)?;
    }
    msr::set(fd, &machine.msrs, state, fresh)?;
    if !fresh || (state.dr, state.dr6, state.dr7) != (reset.dr, reset.dr6, reset.dr7) {
        let debug = kvm_debugregs {
            db: state.dr,
            dr6: state.dr6,
            dr7: state.dr7,
            ..kvm_debugregs::default()
        };
        fd.set_debug_regs(&debug).map_err(KvmError::refused("debug registers"))?;
    }
    if !fresh || state.events != reset.events {
        let events = events::to_kvm(state, machine.payload, machine.triple_fault);
        fd.set_vcpu_events(&events).map_err(KvmError::refused("pending events"))?;
    }
    Ok(())
}

/// All registers.
pub(super) fn get(shared: &Shared<X86_64>, fd: &VcpuFd) -> Result<Cpu, Error> {
    let machine = &shared.arch;
    let mut state = Cpu::default();
    let general = fd.get_regs().map_err(KvmError::refused("general registers"))?;
    regs::from_general(&mut state, &general);
    let system = fd.get_sregs().map_err(KvmError::refused("system registers"))?;
    regs::from_system(&mut state, &system);
    fpu::get(fd, &mut state, &machine.table.xsave_parts())?;
    msr::get(fd, &machine.msrs, &mut state)?;
    let debug = fd.get_debug_regs().map_err(KvmError::refused("debug registers"))?;
    (state.dr, state.dr6, state.dr7) = (debug.db, debug.dr6, debug.dr7);
    let events = fd.get_vcpu_events().map_err(KvmError::refused("pending events"))?;
    events::from_kvm(&mut state, &events);
    if machine.chips.has_local_apics() {
        let mp_state = fd.get_mp_state().map_err(KvmError::refused("what a vCPU is doing"))?;
        state.mp_state = mp_state.mp_state.into();
        lapic::get(fd, &mut state)?;
    }
    Ok(state)
}

/// See [`crate::Vcpu::parked`].
pub(super) fn parked(fd: &VcpuFd) -> Result<bool, Error> {
    // Without local APICs in KVM there is no such thing, and no answer.
    let state = fd.get_mp_state().map_or(mp::RUNNING, |state| state.mp_state.into());
    Ok(matches!(state, mp::UNINITIALIZED | mp::INIT_RECEIVED))
}
