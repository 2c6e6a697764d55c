//! Model-specific registers that belong to a processor's state: `[SDM-4 §2.1]`, `[APM-2 A]`, and
//! those of the paravirtual interface that stock guests use `[KVM-MSR]`.
//!
//! Not here: EFER, the APIC base and the bases of FS and GS, which are registers of their own;
//! the x2APIC's, which are the local APIC's; performance counters, which guests are not given;
//! and those that only say what the processor can do.

/// A model-specific register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Msr {
    /// Its number, as in ECX.
    pub number: u32,
    /// Its name.
    pub name: &'static str,
}

macro_rules! msrs {
    ($( $(#[$doc:meta])* $Name:ident $number:literal $name:literal; )*) => {
        $( $(#[$doc])* pub const $Name: u32 = $number; )*

        /// Those that have a constant here, in the order of their places in the state, before
        /// the ranges.
        const NAMED: &[Msr] = &[$( Msr { number: $number, name: $name } ),*];
    };
}

msrs! {
    /// Time stamp counter. First: others are relative to it.
    TSC 0x10 "tsc";
    /// What software added to it.
    TSC_ADJUST 0x3b "tsc_adjust";
    /// IA32_SPEC_CTRL.
    SPEC_CTRL 0x48 "spec_ctrl";
    /// IA32_SYSENTER_CS.
    SYSENTER_CS 0x174 "sysenter_cs";
    /// IA32_SYSENTER_ESP.
    SYSENTER_ESP 0x175 "sysenter_esp";
    /// IA32_SYSENTER_EIP.
    SYSENTER_EIP 0x176 "sysenter_eip";
    /// IA32_MISC_ENABLE.
    MISC_ENABLE 0x1a0 "misc_enable";
    /// IA32_DEBUGCTL.
    DEBUGCTL 0x1d9 "debugctl";
    /// IA32_PAT.
    PAT 0x277 "pat";
    /// IA32_MTRR_DEF_TYPE.
    MTRR_DEF_TYPE 0x2ff "mtrr_def_type";
    /// IA32_XFD.
    XFD 0x1c4 "xfd";
    /// IA32_XSS.
    XSS 0xda0 "xss";
    /// IA32_UMWAIT_CONTROL.
    UMWAIT_CONTROL 0xe1 "umwait_control";
    /// IA32_TSX_CTRL.
    TSX_CTRL 0x122 "tsx_ctrl";
    /// IA32_MCG_STATUS.
    MCG_STATUS 0x17a "mcg_status";
    /// STAR: segments of SYSCALL.
    STAR 0xc000_0081 "star";
    /// LSTAR: its target.
    LSTAR 0xc000_0082 "lstar";
    /// CSTAR: its target from 32-bit code.
    CSTAR 0xc000_0083 "cstar";
    /// SFMASK: flags that it clears.
    SFMASK 0xc000_0084 "sfmask";
    /// What SWAPGS swaps in.
    KERNEL_GS_BASE 0xc000_0102 "kernel_gs_base";
    /// TSC_AUX.
    TSC_AUX 0xc000_0103 "tsc_aux";
    /// TSC_RATIO.
    TSC_RATIO 0xc000_0104 "tsc_ratio";
    /// VIRT_SPEC_CTRL.
    VIRT_SPEC_CTRL 0xc001_011f "virt_spec_ctrl";
    /// Paravirtual wall clock.
    KVM_WALL_CLOCK 0x4b56_4d00 "kvm_wall_clock";
    /// Paravirtual clock of this processor.
    KVM_SYSTEM_TIME 0x4b56_4d01 "kvm_system_time";
    /// Asynchronous page faults.
    KVM_ASYNC_PF_EN 0x4b56_4d02 "kvm_async_pf_en";
    /// Time stolen from this processor.
    KVM_STEAL_TIME 0x4b56_4d03 "kvm_steal_time";
    /// Paravirtual end of interrupt.
    KVM_PV_EOI_EN 0x4b56_4d04 "kvm_pv_eoi_en";
    /// Whether the host may poll while this processor halts.
    KVM_POLL_CONTROL 0x4b56_4d05 "kvm_poll_control";
    /// Vector of asynchronous page faults' ends.
    KVM_ASYNC_PF_INT 0x4b56_4d06 "kvm_async_pf_int";
    /// IA32_TSC_DEADLINE. Late: its meaning depends on the counter and the local APIC.
    TSC_DEADLINE 0x6e0 "tsc_deadline";
}

/// Fixed-range MTRRs `[SDM-3A §13.11.2.2]`.
const MTRR_FIXED: [Msr; 11] = [
    Msr { number: 0x250, name: "mtrr_fix64k_00000" },
    Msr { number: 0x258, name: "mtrr_fix16k_80000" },
    Msr { number: 0x259, name: "mtrr_fix16k_a0000" },
    Msr { number: 0x268, name: "mtrr_fix4k_c0000" },
    Msr { number: 0x269, name: "mtrr_fix4k_c8000" },
    Msr { number: 0x26a, name: "mtrr_fix4k_d0000" },
    Msr { number: 0x26b, name: "mtrr_fix4k_d8000" },
    Msr { number: 0x26c, name: "mtrr_fix4k_e0000" },
    Msr { number: 0x26d, name: "mtrr_fix4k_e8000" },
    Msr { number: 0x26e, name: "mtrr_fix4k_f0000" },
    Msr { number: 0x26f, name: "mtrr_fix4k_f8000" },
];

/// Variable-range MTRRs, base and mask by turns `[SDM-3A §13.11.2.3]`.
const MTRR_VARIABLE: [&str; 16] = [
    "mtrr_base0",
    "mtrr_mask0",
    "mtrr_base1",
    "mtrr_mask1",
    "mtrr_base2",
    "mtrr_mask2",
    "mtrr_base3",
    "mtrr_mask3",
    "mtrr_base4",
    "mtrr_mask4",
    "mtrr_base5",
    "mtrr_mask5",
    "mtrr_base6",
    "mtrr_mask6",
    "mtrr_base7",
    "mtrr_mask7",
];

/// Number of the first of them.
const MTRR_VARIABLE_FIRST: u32 = 0x200;

/// How many there are.
pub const MSR_COUNT: usize = NAMED.len() + MTRR_FIXED.len() + MTRR_VARIABLE.len();

/// All of them, in the order of their places in the state, which is a good one to write them in.
pub const MSRS: [Msr; MSR_COUNT] = {
    let mut all = [Msr { number: 0, name: "" }; MSR_COUNT];
    let mut at = 0;
    while at < MSR_COUNT {
        all[at] = if at < NAMED.len() {
            NAMED[at]
        } else if at < NAMED.len() + MTRR_FIXED.len() {
            MTRR_FIXED[at - NAMED.len()]
        } else {
            let n = at - NAMED.len() - MTRR_FIXED.len();
            Msr { number: MTRR_VARIABLE_FIRST + n as u32, name: MTRR_VARIABLE[n] }
        };
        at += 1;
    }
    all
};

/// Their names.
pub(super) const MSR_NAMES: [&str; MSR_COUNT] = {
    let mut names = [""; MSR_COUNT];
    let mut at = 0;
    while at < MSR_COUNT {
        names[at] = MSRS[at].name;
        at += 1;
    }
    names
};

/// Place of a register in the state.
pub fn place(number: u32) -> Option<usize> {
    MSRS.iter().position(|msr| msr.number == number)
}
