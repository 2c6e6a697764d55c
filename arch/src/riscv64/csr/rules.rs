//! What the rows of `sysregs.table` cannot say with a field and a mask.
//!
//! `read_x`, `write_x` and `guard_x` are what the table calls `x()` and `x`; their second
//! argument is the offset of the number in its row (for guards, the number itself).

use super::super::fields::*;
use super::super::state::{PRV_M, PRV_S};
use super::super::{Ext, Hart};
use super::{CsrEffect, CsrEnv};

/// Number of `mip`.
pub(super) const MIP: u16 = 0x344;

/// Interrupts that the supervisor's registers can show.
const SUPERVISOR_INTERRUPTS: u64 = IRQ_SSI | IRQ_STI | IRQ_SEI;

/// Replaces the bits of `mask`; `effect` if that changed the field.
pub(super) fn assign(field: &mut u64, value: u64, mask: u64, effect: CsrEffect) -> CsrEffect {
    let old = *field;
    *field = (old & !mask) | (value & mask);
    effect.when(*field != old)
}

// Floating point.

pub(super) fn guard_float(h: &Hart, _num: u16, env: &dyn CsrEnv) -> bool {
    env.exts().has(Ext::F) && h.mstatus & MSTATUS_FS != 0
}

pub(super) fn read_fcsr(h: &Hart, _n: usize, _env: &dyn CsrEnv) -> u64 {
    h.frm << 5 | h.fflags
}

pub(super) fn write_fflags(h: &mut Hart, _n: usize, value: u64, _env: &dyn CsrEnv) -> CsrEffect {
    h.fflags = value & 0x1f;
    dirty_float(h)
}

pub(super) fn write_frm(h: &mut Hart, _n: usize, value: u64, _env: &dyn CsrEnv) -> CsrEffect {
    let changed = assign(&mut h.frm, value, 7, CsrEffect::MODE);
    changed | dirty_float(h)
}

pub(super) fn write_fcsr(h: &mut Hart, n: usize, value: u64, env: &dyn CsrEnv) -> CsrEffect {
    write_fflags(h, n, value, env) | write_frm(h, n, value >> 5, env)
}

/// `[Priv §3.1.6.6]`: a write of floating-point state makes it dirty.
fn dirty_float(h: &mut Hart) -> CsrEffect {
    assign(&mut h.mstatus, MSTATUS_FS, MSTATUS_FS, CsrEffect::MODE)
}

// Counters.

/// `[Priv §3.1.11]`, `[Priv §10.1.5]`: each lower mode needs the bit of the mode above.
pub(super) fn guard_counter(h: &Hart, num: u16, env: &dyn CsrEnv) -> bool {
    let bit = 1 << (num & 31);
    env.exts().has(Ext::Zicntr)
        && (h.prv == PRV_M
            || h.mcounteren & bit != 0 && (h.prv == PRV_S || h.scounteren & bit != 0))
}

pub(super) fn read_time(_h: &Hart, _n: usize, env: &dyn CsrEnv) -> u64 {
    env.time()
}

/// While a counter stands still, its offset is its value.
pub(super) fn read_cycle(h: &Hart, _n: usize, env: &dyn CsrEnv) -> u64 {
    if h.mcountinhibit & COUNTER_CY != 0 {
        h.cycle_offset
    } else {
        env.cycle().wrapping_add(h.cycle_offset)
    }
}

pub(super) fn read_instret(h: &Hart, _n: usize, env: &dyn CsrEnv) -> u64 {
    if h.mcountinhibit & COUNTER_IR != 0 {
        h.instret
    } else {
        env.instret().wrapping_add(h.instret)
    }
}

pub(super) fn write_mcycle(h: &mut Hart, _n: usize, value: u64, env: &dyn CsrEnv) -> CsrEffect {
    let running = h.mcountinhibit & COUNTER_CY == 0;
    h.cycle_offset = if running { value.wrapping_sub(env.cycle()) } else { value };
    CsrEffect::NONE
}

/// The write takes the place of this instruction's own increment `[Priv §3.1.10]`.
pub(super) fn write_minstret(h: &mut Hart, _n: usize, value: u64, env: &dyn CsrEnv) -> CsrEffect {
    let running = h.mcountinhibit & COUNTER_IR == 0;
    let after = env.instret().wrapping_add(1);
    h.instret = if running { value.wrapping_sub(after) } else { value };
    CsrEffect::NONE
}

pub(super) fn write_mcountinhibit(
    h: &mut Hart,
    n: usize,
    value: u64,
    env: &dyn CsrEnv,
) -> CsrEffect {
    let (cycle, instret) = (read_cycle(h, n, env), read_instret(h, n, env));
    h.mcountinhibit = value & (COUNTER_CY | COUNTER_IR);
    // The counters keep their values; what they count from depends on whether they run.
    let running = |bit| h.mcountinhibit & bit == 0;
    let base = |bit, count| if running(bit) { count } else { 0 };
    let (cycle_base, instret_base) =
        (base(COUNTER_CY, env.cycle()), base(COUNTER_IR, env.instret()));
    h.cycle_offset = cycle.wrapping_sub(cycle_base);
    h.instret = instret.wrapping_sub(instret_base);
    CsrEffect::NONE
}

// Status.

pub(super) fn read_mstatus(h: &Hart, _n: usize, _env: &dyn CsrEnv) -> u64 {
    with_sd(h.mstatus)
}

pub(super) fn read_sstatus(h: &Hart, _n: usize, _env: &dyn CsrEnv) -> u64 {
    with_sd(h.mstatus & SSTATUS_READ)
}

/// SD summarises FS `[Priv §3.1.6.6]`.
fn with_sd(status: u64) -> u64 {
    if status & MSTATUS_FS == MSTATUS_FS { status | MSTATUS_SD } else { status }
}

pub(super) fn write_mstatus(h: &mut Hart, _n: usize, value: u64, env: &dyn CsrEnv) -> CsrEffect {
    // MPP = 2 is no mode: the field keeps what it has.
    let mpp = if value & MSTATUS_MPP == 2 << MSTATUS_MPP_SHIFT { 0 } else { MSTATUS_MPP };
    set_status(h, value, MSTATUS_WRITE & !MSTATUS_MPP | mpp, env)
}

pub(super) fn write_sstatus(h: &mut Hart, _n: usize, value: u64, env: &dyn CsrEnv) -> CsrEffect {
    set_status(h, value, SSTATUS_WRITE, env)
}

fn set_status(h: &mut Hart, value: u64, mask: u64, env: &dyn CsrEnv) -> CsrEffect {
    let old = h.mstatus;
    let mask = if env.exts().has(Ext::F) { mask } else { mask & !MSTATUS_FS };
    h.mstatus = (old & !mask) | (value & mask);
    status_effect(old, h.mstatus)
}

/// What a change of `mstatus` means to the engine.
fn status_effect(old: u64, new: u64) -> CsrEffect {
    let changed = old ^ new;
    let mprv = changed & MSTATUS_MPRV != 0 || new & MSTATUS_MPRV != 0 && changed & MSTATUS_MPP != 0;
    let traps = MSTATUS_FS | MSTATUS_TVM | MSTATUS_TW | MSTATUS_TSR;
    CsrEffect::TRANSLATION.when(mprv || changed & (MSTATUS_SUM | MSTATUS_MXR) != 0)
        | CsrEffect::MODE.when(mprv || changed & traps != 0)
        | CsrEffect::INTERRUPTS.when(changed & (MSTATUS_MIE | MSTATUS_SIE) != 0)
}

// Interrupts.

pub(super) fn read_sie(h: &Hart, _n: usize, _env: &dyn CsrEnv) -> u64 {
    h.mie & h.mideleg
}

pub(super) fn write_sie(h: &mut Hart, _n: usize, value: u64, _env: &dyn CsrEnv) -> CsrEffect {
    let mask = h.mideleg & SUPERVISOR_INTERRUPTS;
    assign(&mut h.mie, value, mask, CsrEffect::INTERRUPTS)
}

pub(super) fn read_sip(h: &Hart, _n: usize, _env: &dyn CsrEnv) -> u64 {
    h.mip & h.mideleg
}

/// Only SSIP is the supervisor's to write `[Priv §10.1.3]`.
pub(super) fn write_sip(h: &mut Hart, _n: usize, value: u64, _env: &dyn CsrEnv) -> CsrEffect {
    let mask = h.mideleg & IRQ_SSI;
    assign(&mut h.mip, value, mask, CsrEffect::INTERRUPTS)
}

/// `mip` as software has written it, without what the lines add.
pub(super) fn written_mip(h: &Hart) -> u64 {
    h.mip & !IRQ_SEI | h.mip_soft
}

/// `[Priv §3.1.9]`: SSIP, STIP unless `stimecmp` drives it, and software's half of SEIP.
pub(super) fn write_mip(h: &mut Hart, _n: usize, value: u64, _env: &dyn CsrEnv) -> CsrEffect {
    let old = h.mip;
    let stip = if h.menvcfg & ENVCFG_STCE != 0 { 0 } else { IRQ_STI };
    let mask = IRQ_SSI | stip;
    h.mip_soft = value & IRQ_SEI;
    h.mip = (old & !(mask | IRQ_SEI)) | (value & mask) | h.mip_soft | (h.mip_lines & IRQ_SEI);
    CsrEffect::INTERRUPTS.when(h.mip != old)
}

pub(super) fn guard_stimecmp(h: &Hart, _num: u16, env: &dyn CsrEnv) -> bool {
    let enabled = h.mcounteren & COUNTER_TM != 0 && h.menvcfg & ENVCFG_STCE != 0;
    env.exts().has(Ext::Sstc) && (h.prv == PRV_M || enabled)
}

// Traps.

pub(super) fn write_mtvec(h: &mut Hart, _n: usize, value: u64, _env: &dyn CsrEnv) -> CsrEffect {
    h.mtvec = legal_tvec(h.mtvec, value);
    CsrEffect::NONE
}

pub(super) fn write_stvec(h: &mut Hart, _n: usize, value: u64, _env: &dyn CsrEnv) -> CsrEffect {
    h.stvec = legal_tvec(h.stvec, value);
    CsrEffect::NONE
}

/// Direct and vectored are the modes there are `[Priv §3.1.7]`; another one keeps the old mode.
fn legal_tvec(old: u64, value: u64) -> u64 {
    if value & 2 == 0 { value } else { value & !3 | old & 3 }
}

pub(super) fn read_mepc(h: &Hart, _n: usize, env: &dyn CsrEnv) -> u64 {
    aligned_pc(h.mepc, env)
}

pub(super) fn read_sepc(h: &Hart, _n: usize, env: &dyn CsrEnv) -> u64 {
    aligned_pc(h.sepc, env)
}

/// Bit 1 reads as zero where instructions are 32 bits only `[Priv §3.1.14]`.
fn aligned_pc(pc: u64, env: &dyn CsrEnv) -> u64 {
    if env.exts().has(Ext::C) { pc & !1 } else { pc & !3 }
}

// Translation, protection, environment.

/// `[Priv §3.1.6.5]`: TVM traps the supervisor's accesses.
pub(super) fn guard_satp(h: &Hart, _num: u16, _env: &dyn CsrEnv) -> bool {
    h.prv == PRV_M || h.mstatus & MSTATUS_TVM == 0
}

/// A mode that does not exist makes the whole write do nothing `[Priv §10.1.11]`.
pub(super) fn write_satp(h: &mut Hart, _n: usize, value: u64, _env: &dyn CsrEnv) -> CsrEffect {
    match value >> SATP_MODE_SHIFT {
        SATP_BARE | SATP_SV39 | SATP_SV48 | SATP_SV57 => {
            assign(&mut h.satp, value, u64::MAX, CsrEffect::TRANSLATION)
        }
        _ => CsrEffect::NONE,
    }
}

pub(super) fn write_menvcfg(h: &mut Hart, _n: usize, value: u64, env: &dyn CsrEnv) -> CsrEffect {
    let optional =
        [(Ext::Svadu, ENVCFG_ADUE), (Ext::Svpbmt, ENVCFG_PBMTE), (Ext::Sstc, ENVCFG_STCE)];
    let mask = optional
        .iter()
        .filter(|(ext, _)| env.exts().has(*ext))
        .fold(ENVCFG_FIOM, |mask, (_, bit)| mask | bit);
    let old = h.menvcfg;
    h.menvcfg = value & mask;
    let changed = old ^ h.menvcfg;
    CsrEffect::TRANSLATION.when(changed & (ENVCFG_ADUE | ENVCFG_PBMTE) != 0)
        | (CsrEffect::TIMER | CsrEffect::INTERRUPTS).when(changed & ENVCFG_STCE != 0)
}

// Physical memory protection `[Priv §3.7.1]`.

pub(super) fn write_pmpcfg0(h: &mut Hart, _n: usize, value: u64, _env: &dyn CsrEnv) -> CsrEffect {
    set_pmpcfg(h, 0, value)
}

pub(super) fn write_pmpcfg2(h: &mut Hart, _n: usize, value: u64, _env: &dyn CsrEnv) -> CsrEffect {
    set_pmpcfg(h, 1, value)
}

/// Locked entries keep their byte; writable without readable is reserved and loses the W.
fn set_pmpcfg(h: &mut Hart, half: usize, value: u64) -> CsrEffect {
    let mut entries = h.pmpcfg[half].to_le_bytes();
    for (entry, new) in entries.iter_mut().zip(value.to_le_bytes()) {
        if *entry & PMP_L == 0 {
            let reserved = if new & PMP_R == 0 { PMP_W } else { 0 };
            *entry = new & PMP_CFG_WRITE & !reserved;
        }
    }
    assign(&mut h.pmpcfg[half], u64::from_le_bytes(entries), u64::MAX, CsrEffect::TRANSLATION)
}

pub(super) fn read_pmpaddr(h: &Hart, n: usize, _env: &dyn CsrEnv) -> u64 {
    h.pmpaddr[n]
}

/// An entry is locked by its own L, or by that of a top-of-range entry that starts at it.
pub(super) fn write_pmpaddr(h: &mut Hart, n: usize, value: u64, _env: &dyn CsrEnv) -> CsrEffect {
    let next = if n + 1 < PMP_COUNT { h.pmp_entry(n + 1) } else { 0 };
    let locks_this = PMP_L | PMP_A;
    if h.pmp_entry(n) & PMP_L != 0 || next & locks_this == PMP_L | PMP_A_TOR {
        return CsrEffect::NONE;
    }
    assign(&mut h.pmpaddr[n], value, PMP_ADDR_WRITE, CsrEffect::TRANSLATION)
}
