//! Instructions that are calls: CSRs, environment calls, returns from traps, fences.

use arch::riscv64::csr::{self, CsrEffect, CsrEnv, Modify};
use arch::riscv64::fields::IRQ_SSI;

use super::trap::{self, Exception, Illegal};
use super::{Riscv64, spaces};
use crate::guest::{Helper, Touches};
use crate::machine::Machine;
use crate::mmu::PAGE_BITS;
use crate::vcpu::{Core, request};

/// Nanoseconds per tick of the `time` CSR: 10 MHz, as the board's device tree says.
pub(super) const TICK_NS: u64 = 100;

type Result3 = Result<u64, Exception>;

const fn helper(
    name: &'static str,
    touches: Touches,
    run: fn(&mut Core<Riscv64>, [u64; 3]) -> Result3,
) -> Helper<Riscv64> {
    Helper { name, touches, run }
}

pub(super) static CSR: Helper<Riscv64> = helper("csr", Touches::Fields, csr_access);
pub(super) static ECALL: Helper<Riscv64> = helper("ecall", Touches::Asks, super::ecall::ecall);
pub(super) static EBREAK: Helper<Riscv64> = helper("ebreak", Touches::Leaves, ebreak);
pub(super) static MRET: Helper<Riscv64> = helper("mret", Touches::Registers, mret);
pub(super) static SRET: Helper<Riscv64> = helper("sret", Touches::Registers, sret);
pub(super) static WFI: Helper<Riscv64> = helper("wfi", Touches::Fields, wfi);
pub(super) static SFENCE: Helper<Riscv64> = helper("sfence.vma", Touches::Fields, sfence);
pub(super) static SFENCE_INVAL: Helper<Riscv64> =
    helper("sfence.inval", Touches::Fields, sfence_inval);

/// What the counters show.
struct Counters<'a> {
    machine: &'a Machine<Riscv64>,
    retired: u64,
}

/// The count of retired instructions: an estimate, one a nanosecond, that is exact where software
/// can tell. What is written to `minstret` is what the next instruction reads [Priv §3.1.10], so
/// accesses close to each other count as neighbours.
#[derive(Debug, Default)]
pub(super) struct Retired {
    asked_ns: u64,
    count: u64,
}

impl Retired {
    /// Two instructions further apart than this have others between them.
    const NEIGHBOURS_NS: u64 = 2_000;

    /// Instructions before the one that asks.
    fn at(&mut self, now_ns: u64) -> u64 {
        let close = now_ns.saturating_sub(self.asked_ns) < Self::NEIGHBOURS_NS;
        let next = self.count.wrapping_add(1);
        *self = Self { asked_ns: now_ns, count: if close { next } else { now_ns.max(next) } };
        self.count
    }
}

impl Counters<'_> {
    fn now_ns(&self) -> u64 {
        self.machine.clock.now_ns()
    }
}

impl CsrEnv for Counters<'_> {
    fn time(&self) -> u64 {
        self.now_ns() / TICK_NS
    }

    /// A hart of one gigahertz: instructions are not counted.
    fn cycle(&self) -> u64 {
        self.now_ns()
    }

    fn instret(&self) -> u64 {
        self.retired
    }
}

/// Writing this CSR may change what translated code depends on, or make an interrupt pending.
/// The others only hold values.
pub(super) fn csr_write_matters(csr: u16) -> bool {
    const FFLAGS: u16 = 0x001;
    const TRAP_VALUES: std::ops::RangeInclusive<u16> = 0x140..=0x143;
    const TRAP_VALUES_M: std::ops::RangeInclusive<u16> = 0x340..=0x343;
    const STVEC: u16 = 0x105;
    const MTVEC: u16 = 0x305;
    !(matches!(csr, FFLAGS | STVEC | MTVEC)
        || TRAP_VALUES.contains(&csr)
        || TRAP_VALUES_M.contains(&csr))
}

/// CSRs that show or steer the count of retired instructions.
fn counts(csr: u16) -> bool {
    const INSTRET: u16 = 0xc02;
    const MINSTRET: u16 = 0xb02;
    const MCOUNTINHIBIT: u16 = 0x320;
    matches!(csr, INSTRET | MINSTRET | MCOUNTINHIBIT)
}

fn illegal(bits: u64) -> Exception {
    Exception { cause: arch::riscv64::fields::CAUSE_ILLEGAL, tval: bits }
}

/// Arguments: the instruction's bits, the operand.
fn csr_access(core: &mut Core<Riscv64>, [bits, operand, _]: [u64; 3]) -> Result3 {
    let num = (bits >> 20) as u16;
    let how = match bits >> 12 & 3 {
        1 => Modify::Swap,
        2 => Modify::Set,
        _ => Modify::Clear,
    };
    let reads_only = how != Modify::Swap && bits >> 15 & 31 == 0;
    let retired = if counts(num) { core.local.retired.at(core.machine.clock.now_ns()) } else { 0 };
    let env = Counters { machine: &core.machine, retired };
    if reads_only {
        return csr::read(&core.state, num, &env).map_err(|_| illegal(bits));
    }
    let (old, effect) =
        csr::modify(&mut core.state, num, how, operand, &env).map_err(|_| illegal(bits))?;
    if !effect.is_none() {
        apply(core, num, effect);
    }
    Ok(old)
}

fn apply(core: &mut Core<Riscv64>, num: u16, effect: CsrEffect) {
    const PMP: std::ops::RangeInclusive<u16> = 0x3a0..=0x3ef;
    const MENVCFG: u16 = 0x30a;
    if effect.contains(CsrEffect::TRANSLATION) && (PMP.contains(&num) || num == MENVCFG) {
        core.flush_spaces(|_| true);
    }
    if effect.contains(CsrEffect::TIMER) {
        super::timer::rearm(core);
    }
    let fetch_before = core.fetch_space;
    core.sync_spaces();
    if core.fetch_space != fetch_before {
        core.ask_look_up();
    }
    ask_if_interrupted(core);
}

/// An interrupt that is pending and enabled now is taken before the next instruction.
fn ask_if_interrupted(core: &mut Core<Riscv64>) {
    if trap::pending_interrupt(&core.state).is_some() {
        core.ask_resync();
    }
}

fn ebreak(core: &mut Core<Riscv64>, _: [u64; 3]) -> Result3 {
    Err(Exception { cause: arch::riscv64::fields::CAUSE_BREAKPOINT, tval: core.state.pc })
}

const MRET_BITS: u64 = 0x3020_0073;
const SRET_BITS: u64 = 0x1020_0073;
const WFI_BITS: u64 = 0x1050_0073;
const SFENCE_BITS: u64 = 0x1200_0073;
const SFENCE_INVAL_BITS: u64 = 0x1810_0073;

fn legal(result: Result<(), Illegal>, bits: u64) -> Result3 {
    result.map(|()| 0).map_err(|Illegal| illegal(bits))
}

fn mret(core: &mut Core<Riscv64>, _: [u64; 3]) -> Result3 {
    legal(trap::mret(&mut core.state), MRET_BITS)?;
    ask_if_interrupted(core);
    Ok(0)
}

fn sret(core: &mut Core<Riscv64>, _: [u64; 3]) -> Result3 {
    legal(trap::sret(&mut core.state), SRET_BITS)?;
    ask_if_interrupted(core);
    Ok(0)
}

fn wfi(core: &mut Core<Riscv64>, _: [u64; 3]) -> Result3 {
    legal(trap::wfi(&core.state), WFI_BITS)?;
    core.local.waiting = true;
    Ok(0)
}

fn sfence(core: &mut Core<Riscv64>, [va, asid, which]: [u64; 3]) -> Result3 {
    legal(trap::fence_vma(&core.state), SFENCE_BITS)?;
    let far = fence(core, (which & 1 != 0).then_some(va), (which & 2 != 0).then_some(asid as u16));
    // What is executed now may be elsewhere from here on. Of its address the highest bits are
    // missing.
    let own_page = (va << 2 ^ which) >> (PAGE_BITS + 2) == 0;
    if far || own_page {
        core.ask_look_up();
    }
    Ok(0)
}

fn sfence_inval(core: &mut Core<Riscv64>, _: [u64; 3]) -> Result3 {
    legal(trap::fence_inval(&core.state), SFENCE_INVAL_BITS)
}

/// Forgets translations: of one address or all, of one address space or all. Gives whether it were
/// others than those of the address's 4 KiB page.
fn fence(core: &mut Core<Riscv64>, va: Option<u64>, asid: Option<u16>) -> bool {
    match (va, asid) {
        (Some(va), _) => return !core.flush_page(va),
        (None, Some(asid)) => core.flush_owned(|space| spaces::may_use_asid(space, asid)),
        (None, None) => core.flush_spaces(|_| true),
    }
    true
}

/// What one hart asks of another.
#[derive(Clone, Debug)]
pub enum Remote {
    /// A supervisor software interrupt.
    Ipi,
    /// `fence.i`: nothing is left to do but to pass through the dispatcher.
    FenceI,
    /// `sfence.vma` over a range of pages; `None` for all.
    Fence {
        /// First address and number of bytes.
        range: Option<(u64, u64)>,
        /// Address space; all if `None`.
        asid: Option<u16>,
    },
    /// A stopped hart is to run.
    Start {
        /// Where.
        pc: u64,
        /// Its a1.
        opaque: u64,
    },
}

/// Pages fenced one by one at most; beyond that everything is forgotten.
const PAGES_ONE_BY_ONE: u64 = 64;

pub(super) fn remote(core: &mut Core<Riscv64>, what: Remote) {
    match what {
        Remote::Ipi => {
            core.state.mip |= IRQ_SSI;
            core.signals().raise(request::INTERRUPT);
        }
        Remote::FenceI => core.stale = true,
        Remote::Start { pc, opaque } => {
            super::sbi::start(&mut core.state, pc, opaque);
            core.local.stopped = false;
            core.machine.shared.set_stopped(core.index, false);
            core.signals().raise(request::INTERRUPT);
        }
        Remote::Fence { range: Some((start, len)), .. } if len >> 12 < PAGES_ONE_BY_ONE => {
            let first = start & !0xfff;
            for page in 0..=(len.saturating_sub(1) + (start & 0xfff)) >> 12 {
                core.flush_page(first.wrapping_add(page << 12));
            }
        }
        Remote::Fence { asid, .. } => {
            fence(core, None, asid);
        }
    }
}
