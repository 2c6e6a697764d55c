//! System registers that belong to a processor's state, at EL1 and below: `[ARM-ARM D24.2]`.
//!
//! Not here: those that [`super::Cpu`] has under their own names, identification registers, which
//! say what the processor can do, and performance counters, which guests are not given.

/// A system register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SysReg {
    /// op0, op1, CRn, CRm and op2 as in the instruction's fields, 16 bits `[ARM-ARM C5.1.2]`.
    pub encoding: u16,
    /// Its name.
    pub name: &'static str,
}

const fn reg(name: &'static str, [op0, op1, crn, crm, op2]: [u16; 5]) -> SysReg {
    SysReg { encoding: op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2, name }
}

/// How many there are.
pub const SYSREG_COUNT: usize = SYSREGS.len();

/// All of them, in the order of their places in the state.
pub const SYSREGS: [SysReg; 35] = [
    reg("sctlr_el1", [3, 0, 1, 0, 0]),
    reg("actlr_el1", [3, 0, 1, 0, 1]),
    reg("cpacr_el1", [3, 0, 1, 0, 2]),
    reg("ttbr0_el1", [3, 0, 2, 0, 0]),
    reg("ttbr1_el1", [3, 0, 2, 0, 1]),
    reg("tcr_el1", [3, 0, 2, 0, 2]),
    reg("esr_el1", [3, 0, 5, 2, 0]),
    reg("afsr0_el1", [3, 0, 5, 1, 0]),
    reg("afsr1_el1", [3, 0, 5, 1, 1]),
    reg("far_el1", [3, 0, 6, 0, 0]),
    reg("par_el1", [3, 0, 7, 4, 0]),
    reg("mair_el1", [3, 0, 10, 2, 0]),
    reg("amair_el1", [3, 0, 10, 3, 0]),
    reg("vbar_el1", [3, 0, 12, 0, 0]),
    reg("contextidr_el1", [3, 0, 13, 0, 1]),
    reg("tpidr_el1", [3, 0, 13, 0, 4]),
    reg("cntkctl_el1", [3, 0, 14, 1, 0]),
    reg("csselr_el1", [3, 2, 0, 0, 0]),
    reg("mdscr_el1", [2, 0, 0, 2, 2]),
    reg("disr_el1", [3, 0, 12, 1, 1]),
    reg("cntp_ctl_el0", [3, 3, 14, 2, 1]),
    reg("cntp_cval_el0", [3, 3, 14, 2, 2]),
    reg("cntv_ctl_el0", [3, 3, 14, 3, 1]),
    reg("cntv_cval_el0", [3, 3, 14, 3, 2]),
    reg("cntvct_el0", [3, 3, 14, 0, 2]),
    reg("apiakeylo_el1", [3, 0, 2, 1, 0]),
    reg("apiakeyhi_el1", [3, 0, 2, 1, 1]),
    reg("apibkeylo_el1", [3, 0, 2, 1, 2]),
    reg("apibkeyhi_el1", [3, 0, 2, 1, 3]),
    reg("apdakeylo_el1", [3, 0, 2, 2, 0]),
    reg("apdakeyhi_el1", [3, 0, 2, 2, 1]),
    reg("apdbkeylo_el1", [3, 0, 2, 2, 2]),
    reg("apdbkeyhi_el1", [3, 0, 2, 2, 3]),
    reg("apgakeylo_el1", [3, 0, 2, 3, 0]),
    reg("apgakeyhi_el1", [3, 0, 2, 3, 1]),
];

/// Their names.
pub(super) const SYSREG_NAMES: [&str; SYSREG_COUNT] = {
    let mut names = [""; SYSREG_COUNT];
    let mut at = 0;
    while at < SYSREG_COUNT {
        names[at] = SYSREGS[at].name;
        at += 1;
    }
    names
};

/// Place of a register in the state, by name.
pub fn place(name: &str) -> Option<usize> {
    SYSREGS.iter().position(|reg| reg.name == name)
}
