//! A vCPU's registers, in and out.

use arch::aarch64::Cpu;
use arch::aarch64::state::NO_RESERVATION;
use arch::aarch64::sysreg::SYSREGS;
use kvm_bindings::{KVM_MP_STATE_RUNNABLE, KVM_MP_STATE_STOPPED, kvm_mp_state};
use kvm_ioctls::VcpuFd;

use super::super::KvmError;
use super::one_reg::{self, ELR_EL1, FPCR, FPSR, PC, PSTATE, SP_EL0, SP_EL1, spsr, sys, v, x};

/// TPIDR_EL0 and TPIDRRO_EL0.
const TPIDR_EL0: u16 = 3 << 14 | 3 << 11 | 13 << 7 | 2;
const TPIDRRO_EL0: u16 = 3 << 14 | 3 << 11 | 13 << 7 | 3;

/// N, Z, C and V in PSTATE.
const NZCV: u64 = 0xf << 28;

/// Replaces the registers. `fresh`: the vCPU is new, and system registers that are zero are as
/// after KVM's reset.
pub(super) fn set(fd: &VcpuFd, cpu: &Cpu, parked: bool, fresh: bool) -> Result<(), KvmError> {
    let put = |id, value: u64| one_reg::set(fd, id, value.into());
    for (number, value) in cpu.x[..31].iter().enumerate() {
        put(x(number), *value)?;
    }
    let mut stacks = cpu.sp_el;
    stacks[usize::from(cpu.has_own_stack())] = cpu.x[31];
    put(SP_EL0, stacks[0])?;
    put(SP_EL1, stacks[1])?;
    put(PC, cpu.pc)?;
    put(PSTATE, cpu.pstate & !NZCV | cpu.nzcv())?;
    put(ELR_EL1, cpu.elr_el1)?;
    for (number, value) in cpu.spsr.iter().enumerate() {
        put(spsr(number), *value)?;
    }
    if !fresh || cpu.v.iter().any(|value| *value != 0) {
        for (number, value) in cpu.v.iter().enumerate() {
            one_reg::set(fd, v(number), *value)?;
        }
    }
    put(FPSR, cpu.fpsr)?;
    put(FPCR, cpu.fpcr)?;
    put(sys(TPIDR_EL0), cpu.tpidr_el0)?;
    put(sys(TPIDRRO_EL0), cpu.tpidrro_el0)?;
    for (reg, value) in SYSREGS.iter().zip(cpu.sys) {
        if fresh && value == 0 {
            continue;
        }
        match put(sys(reg.encoding), value) {
            // A register that this processor does not have is zero, and stays so.
            Err(error) if value != 0 => return Err(error),
            _ => {}
        }
    }
    let mp_state = if parked { KVM_MP_STATE_STOPPED } else { KVM_MP_STATE_RUNNABLE };
    fd.set_mp_state(kvm_mp_state { mp_state }).map_err(KvmError::refused("what a vCPU is doing"))
}

/// The registers.
pub(super) fn get(fd: &VcpuFd) -> Result<Cpu, KvmError> {
    let take = |id| one_reg::get(fd, id).map(|value| value as u64);
    let mut cpu = Cpu::new();
    for number in 0..31 {
        cpu.x[number] = take(x(number))?;
    }
    let pstate = take(PSTATE)?;
    cpu.pstate = pstate & !NZCV;
    cpu.set_nzcv(pstate & NZCV);
    cpu.sp_el = [take(SP_EL0)?, take(SP_EL1)?];
    cpu.x[31] = cpu.sp_el[usize::from(cpu.has_own_stack())];
    cpu.pc = take(PC)?;
    cpu.elr_el1 = take(ELR_EL1)?;
    for number in 0..cpu.spsr.len() {
        cpu.spsr[number] = take(spsr(number))?;
    }
    for number in 0..cpu.v.len() {
        cpu.v[number] = one_reg::get(fd, v(number))?;
    }
    (cpu.fpsr, cpu.fpcr) = (take(FPSR)?, take(FPCR)?);
    (cpu.tpidr_el0, cpu.tpidrro_el0) = (take(sys(TPIDR_EL0))?, take(sys(TPIDRRO_EL0))?);
    for (reg, value) in SYSREGS.iter().zip(&mut cpu.sys) {
        // Not every processor has all of them.
        *value = take(sys(reg.encoding)).unwrap_or(0);
    }
    // A store exclusive may fail whenever it likes.
    cpu.exclusive_addr = NO_RESERVATION;
    Ok(cpu)
}

/// See [`crate::Vcpu::parked`].
pub(super) fn parked(fd: &VcpuFd) -> Result<bool, KvmError> {
    let state = fd.get_mp_state().map_err(KvmError::refused("what a vCPU is doing"))?;
    Ok(state.mp_state == KVM_MP_STATE_STOPPED)
}
