//! Exceptions and interrupts: which is taken, how it is entered, how software returns.
//! `[Priv §3.1.6]` to `[Priv §3.1.9]`, `[Priv §3.3]`.

use arch::riscv64::Hart;
use arch::riscv64::fields::*;
use arch::riscv64::state::{NO_RESERVATION, PRV_M, PRV_S, PRV_U};

#[cfg(test)]
mod tests;

/// What a trap tells its handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exception {
    /// `mcause`: an exception code, or an interrupt's with the top bit set.
    pub cause: u64,
    /// `mtval`: the address, or the instruction's bits.
    pub tval: u64,
}

/// The instruction is not allowed in this mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Illegal;

/// Interrupts in the order in which they are taken `[Priv §3.1.9]`: MEI MSI MTI SEI SSI STI.
const PRIORITY: [u64; 6] = [11, 3, 7, 9, 1, 5];

/// Enters the handler of an exception of the instruction at `pc`, or of an interrupt before it.
pub fn enter(h: &mut Hart, e: Exception) {
    let interrupt = e.cause & CAUSE_INTERRUPT != 0;
    let code = e.cause & !CAUSE_INTERRUPT;
    let delegated = if interrupt { h.mideleg } else { h.medeleg };
    // Code between LR and SC that was left must not find its reservation again elsewhere.
    h.resv_addr = NO_RESERVATION;
    let vector = if h.prv <= PRV_S && code < 64 && delegated >> code & 1 != 0 {
        h.scause = e.cause;
        h.sepc = h.pc;
        h.stval = e.tval;
        let spie = if h.mstatus & MSTATUS_SIE != 0 { MSTATUS_SPIE } else { 0 };
        let spp = if h.prv == PRV_S { MSTATUS_SPP } else { 0 };
        h.mstatus &= !(MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP);
        h.mstatus |= spie | spp;
        h.prv = PRV_S;
        h.stvec
    } else {
        h.mcause = e.cause;
        h.mepc = h.pc;
        h.mtval = e.tval;
        let mpie = if h.mstatus & MSTATUS_MIE != 0 { MSTATUS_MPIE } else { 0 };
        h.mstatus &= !(MSTATUS_MIE | MSTATUS_MPIE | MSTATUS_MPP);
        h.mstatus |= mpie | h.prv << MSTATUS_MPP_SHIFT;
        h.prv = PRV_M;
        h.mtvec
    };
    let vectored = interrupt && vector & 3 == 1;
    h.pc = (vector & !3).wrapping_add(if vectored { code.wrapping_mul(4) } else { 0 });
}

/// The interrupt to take now, as the cause to [`enter`] with; `None` if there is none, or none
/// that is enabled.
pub fn pending_interrupt(h: &Hart) -> Option<u64> {
    let pending = h.mip & h.mie;
    if pending == 0 {
        return None;
    }
    let machine = h.prv < PRV_M || h.mstatus & MSTATUS_MIE != 0;
    let supervisor = h.prv < PRV_S || h.prv == PRV_S && h.mstatus & MSTATUS_SIE != 0;
    let first = |set: u64| PRIORITY.into_iter().find(|code| set >> code & 1 != 0);
    let mut taken = None;
    if machine {
        taken = first(pending & !h.mideleg);
    }
    if taken.is_none() && supervisor {
        taken = first(pending & h.mideleg);
    }
    taken.map(|code| CAUSE_INTERRUPT | code)
}

/// `mret`.
///
/// # Errors
/// Below machine mode.
pub fn mret(h: &mut Hart) -> Result<(), Illegal> {
    if h.prv != PRV_M {
        return Err(Illegal);
    }
    let to = (h.mstatus & MSTATUS_MPP) >> MSTATUS_MPP_SHIFT;
    let mie = if h.mstatus & MSTATUS_MPIE != 0 { MSTATUS_MIE } else { 0 };
    let mprv = if to == PRV_M { h.mstatus & MSTATUS_MPRV } else { 0 };
    h.mstatus &= !(MSTATUS_MIE | MSTATUS_MPP | MSTATUS_MPRV);
    h.mstatus |= mie | mprv | MSTATUS_MPIE;
    h.prv = to;
    h.pc = return_address(h, h.mepc);
    Ok(())
}

/// `sret`.
///
/// # Errors
/// In user mode, and in supervisor mode if TSR traps it.
pub fn sret(h: &mut Hart) -> Result<(), Illegal> {
    if h.prv == PRV_U || h.prv == PRV_S && h.mstatus & MSTATUS_TSR != 0 {
        return Err(Illegal);
    }
    let to = if h.mstatus & MSTATUS_SPP != 0 { PRV_S } else { PRV_U };
    let sie = if h.mstatus & MSTATUS_SPIE != 0 { MSTATUS_SIE } else { 0 };
    h.mstatus &= !(MSTATUS_SIE | MSTATUS_SPP | MSTATUS_MPRV);
    h.mstatus |= sie | MSTATUS_SPIE;
    h.prv = to;
    h.pc = return_address(h, h.sepc);
    Ok(())
}

/// Whether `wfi` may be executed. To wait in user mode, or where TW forbids it, would have to
/// end within a bounded time; here the bound is zero.
///
/// # Errors
/// In user mode, and in supervisor mode if TW is set.
pub fn wfi(h: &Hart) -> Result<(), Illegal> {
    match h.prv {
        PRV_M => Ok(()),
        PRV_S if h.mstatus & MSTATUS_TW == 0 => Ok(()),
        _ => Err(Illegal),
    }
}

/// Whether a hart in `wfi` goes on: an interrupt is pending, be it globally disabled
/// `[Priv §3.3.3]`.
pub fn wakes(h: &Hart) -> bool {
    h.mip & h.mie != 0
}

/// Whether `sfence.vma` and `sinval.vma` may be executed.
///
/// # Errors
/// In user mode, and in supervisor mode if TVM traps them.
pub fn fence_vma(h: &Hart) -> Result<(), Illegal> {
    match h.prv {
        PRV_M => Ok(()),
        PRV_S if h.mstatus & MSTATUS_TVM == 0 => Ok(()),
        _ => Err(Illegal),
    }
}

/// Whether `sfence.w.inval` and `sfence.inval.ir` may be executed; TVM does not concern them.
///
/// # Errors
/// In user mode.
pub fn fence_inval(h: &Hart) -> Result<(), Illegal> {
    if h.prv == PRV_U { Err(Illegal) } else { Ok(()) }
}

/// The exception of `ecall` in the present mode.
pub fn ecall(h: &Hart) -> Exception {
    Exception { cause: CAUSE_ECALL_U + h.prv, tval: 0 }
}

/// Without compressed instructions bit 1 of a return address counts as zero.
fn return_address(h: &Hart, epc: u64) -> u64 {
    const MISA_C: u64 = 1 << 2;
    if h.misa & MISA_C != 0 { epc & !1 } else { epc & !3 }
}
