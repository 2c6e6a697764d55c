//! The supervisor timer `[Sstc §2]`: pending while `time` is at or beyond `stimecmp`.

use arch::riscv64::fields::{ENVCFG_STCE, IRQ_STI};

use super::Riscv64;
use super::system::TICK_NS;
use crate::vcpu::{Core, request};

/// After `stimecmp` or its enable changed: looks whether the timer is due, and asks to be woken
/// when it will be.
pub(super) fn rearm(core: &mut Core<Riscv64>) {
    let enabled = core.state.menvcfg & ENVCFG_STCE != 0;
    let deadline = core.state.stimecmp.checked_mul(TICK_NS).filter(|_| enabled);
    let due = deadline.is_some_and(|d| core.machine.clock.now_ns() >= d);
    core.local.timer_line = if due { IRQ_STI } else { 0 };
    core.machine.clock.set_alarm(core.index, deadline.filter(|_| !due));
    core.signals().raise(request::INTERRUPT);
}

/// The hart comes from elsewhere, and its timer may be running.
pub(super) fn adopt(core: &mut Core<Riscv64>) {
    if core.state.menvcfg & ENVCFG_STCE != 0 && core.state.stimecmp != u64::MAX {
        rearm(core);
    }
}

/// After an alarm: looks whether the timer is due now.
pub(super) fn check(core: &mut Core<Riscv64>) {
    if core.local.timer_line == 0 && core.state.menvcfg & ENVCFG_STCE != 0 {
        let now = core.machine.clock.now_ns() / TICK_NS;
        if now >= core.state.stimecmp {
            core.local.timer_line = IRQ_STI;
        }
    }
}
