//! A hart's registers, in and out.
//!
//! KVM runs supervisor and user mode alone. What belongs to machine mode has no register there:
//! it stays as it was when the hart came, and goes with it.

use arch::riscv64::Hart;
use arch::riscv64::fields::*;
use arch::riscv64::state::{NO_RESERVATION, PRV_S, PRV_U};
use kvm_bindings::{KVM_MP_STATE_RUNNABLE, KVM_MP_STATE_STOPPED, kvm_mp_state};
use kvm_ioctls::VcpuFd;

use super::super::KvmError;
use super::one_reg::{self, FCSR, MODE, core, csr, float, timer};

/// Places in `struct kvm_riscv_csr`.
mod place {
    pub(super) const SSTATUS: u32 = 0;
    pub(super) const SIE: u32 = 1;
    pub(super) const STVEC: u32 = 2;
    pub(super) const SSCRATCH: u32 = 3;
    pub(super) const SEPC: u32 = 4;
    pub(super) const SCAUSE: u32 = 5;
    pub(super) const STVAL: u32 = 6;
    pub(super) const SIP: u32 = 7;
    pub(super) const SATP: u32 = 8;
    pub(super) const SCOUNTEREN: u32 = 9;
    pub(super) const SENVCFG: u32 = 10;
}

/// Places in `struct kvm_riscv_timer`.
pub(super) const TIMER_FREQUENCY: u32 = 0;
pub(super) const TIMER_TIME: u32 = 1;
const TIMER_COMPARE: u32 = 2;
const TIMER_STATE: u32 = 3;

/// Interrupts of supervisor mode.
const SUPERVISOR: u64 = IRQ_SSI | IRQ_STI | IRQ_SEI;

pub(super) fn set(fd: &VcpuFd, hart: &Hart, parked: bool) -> Result<(), KvmError> {
    if !matches!(hart.prv, PRV_S | PRV_U) {
        return Err(KvmError::Unsupported("RISC-V's machine mode"));
    }
    let put = |id, value| one_reg::set(fd, id, value);
    put(core(0), hart.pc)?;
    for (index, value) in (1..).zip(&hart.x[1..]) {
        put(core(index), *value)?;
    }
    put(core(MODE), u64::from(hart.prv == PRV_S))?;
    for (index, value) in (0..).zip(hart.f) {
        put(float(index), value)?;
    }
    put(FCSR, hart.frm << 5 | hart.fflags)?;
    for (index, value) in [
        (place::SSTATUS, hart.mstatus & SSTATUS_READ),
        (place::SIE, hart.mie & SUPERVISOR),
        (place::STVEC, hart.stvec),
        (place::SSCRATCH, hart.sscratch),
        (place::SEPC, hart.sepc),
        (place::SCAUSE, hart.scause),
        (place::STVAL, hart.stval),
        // The other two have lines, which are driven anew.
        (place::SIP, hart.mip & IRQ_SSI),
        (place::SATP, hart.satp),
        (place::SCOUNTEREN, hart.scounteren),
    ] {
        put(csr(index), value)?;
    }
    // Young kernels have it.
    match put(csr(place::SENVCFG), hart.senvcfg) {
        Err(error) if hart.senvcfg != 0 => return Err(error),
        _ => {}
    }
    set_timer(fd, hart.stimecmp)?;
    let mp_state = if parked { KVM_MP_STATE_STOPPED } else { KVM_MP_STATE_RUNNABLE };
    fd.set_mp_state(kvm_mp_state { mp_state }).map_err(KvmError::refused("what a hart is doing"))
}

/// Arms the comparator. Kernels differ in whether they take its value when it is set or when it is
/// switched on, and some then take another: it is set before and after.
fn set_timer(fd: &VcpuFd, deadline: u64) -> Result<(), KvmError> {
    one_reg::set(fd, timer(TIMER_COMPARE), deadline)?;
    if deadline != u64::MAX {
        one_reg::set(fd, timer(TIMER_STATE), 1)?;
        one_reg::set(fd, timer(TIMER_COMPARE), deadline)?;
    }
    Ok(())
}

/// Where the clock of a machine stood, and what its harts' timers wait for.
pub(in crate::kvm) struct Moment {
    time: u64,
    deadlines: Vec<u64>,
}

/// Reads the clock. Without Sstc KVM waits for a deadline whether or not the hart runs, so it is
/// told that there is none.
pub(super) fn stop_time(vcpus: &[VcpuFd]) -> Result<Moment, KvmError> {
    let first = vcpus.first().ok_or(KvmError::Unsupported("time without harts"))?;
    let time = one_reg::get(first, timer(TIMER_TIME))?;
    let deadline = |fd| {
        let deadline = one_reg::get(fd, timer(TIMER_COMPARE))?;
        // It is refused where there was none.
        let _ = one_reg::set(fd, timer(TIMER_STATE), 0);
        Ok(deadline)
    };
    Ok(Moment { time, deadlines: vcpus.iter().map(deadline).collect::<Result<_, _>>()? })
}

/// Sets the clock, which all harts have together, and the timers.
pub(super) fn start_time(vcpus: &[VcpuFd], moment: &Moment) -> Result<(), KvmError> {
    let first = vcpus.first().ok_or(KvmError::Unsupported("time without harts"))?;
    one_reg::set(first, timer(TIMER_TIME), moment.time)?;
    vcpus.iter().zip(&moment.deadlines).try_for_each(|(fd, deadline)| set_timer(fd, *deadline))
}

/// Fills what KVM has into a hart that has the rest.
pub(super) fn get(fd: &VcpuFd, hart: &mut Hart) -> Result<(), KvmError> {
    let take = |id| one_reg::get(fd, id);
    hart.pc = take(core(0))?;
    for (index, value) in (1..).zip(&mut hart.x[1..]) {
        *value = take(core(index))?;
    }
    hart.prv = if take(core(MODE))? == 1 { PRV_S } else { PRV_U };
    for (index, value) in (0..).zip(&mut hart.f) {
        *value = take(float(index))?;
    }
    let fcsr = take(FCSR)?;
    (hart.fflags, hart.frm) = (fcsr & 0x1f, fcsr >> 5 & 7);
    let sstatus = take(csr(place::SSTATUS))?;
    hart.mstatus = hart.mstatus & !SSTATUS_READ | sstatus & SSTATUS_READ;
    hart.mie = hart.mie & !SUPERVISOR | take(csr(place::SIE))? & SUPERVISOR;
    let pending = take(csr(place::SIP))?;
    hart.mip = pending & IRQ_SSI;
    (hart.mip_lines, hart.mip_soft) = (0, 0);
    for (index, value) in [
        (place::STVEC, &mut hart.stvec),
        (place::SSCRATCH, &mut hart.sscratch),
        (place::SEPC, &mut hart.sepc),
        (place::SCAUSE, &mut hart.scause),
        (place::STVAL, &mut hart.stval),
        (place::SATP, &mut hart.satp),
        (place::SCOUNTEREN, &mut hart.scounteren),
    ] {
        *value = take(csr(index))?;
    }
    hart.senvcfg = take(csr(place::SENVCFG)).unwrap_or(hart.senvcfg);
    hart.stimecmp = take(timer(TIMER_COMPARE))?;
    // A store conditional may fail whenever it likes.
    hart.resv_addr = NO_RESERVATION;
    Ok(())
}

/// See [`crate::Vcpu::parked`].
pub(super) fn parked(fd: &VcpuFd) -> Result<bool, KvmError> {
    let state = fd.get_mp_state().map_err(KvmError::refused("what a hart is doing"))?;
    Ok(state.mp_state == KVM_MP_STATE_STOPPED)
}
