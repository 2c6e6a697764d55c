//! The registers of a processor at user level: `[SDM-1 §3.4]`, `[SDM-1 §10.2]`.

/// Carry, in RFLAGS.
pub const CF: u64 = 1;
/// Even parity of the low byte.
pub const PF: u64 = 1 << 2;
/// Carry out of bit 3.
pub const AF: u64 = 1 << 4;
/// Zero.
pub const ZF: u64 = 1 << 6;
/// Sign.
pub const SF: u64 = 1 << 7;
/// Single step.
pub const TF: u64 = 1 << 8;
/// Interrupts enabled.
pub const IF: u64 = 1 << 9;
/// String instructions go downwards.
pub const DF: u64 = 1 << 10;
/// Overflow.
pub const OF: u64 = 1 << 11;
/// Nested task.
pub const NT: u64 = 1 << 14;
/// Alignment check.
pub const AC: u64 = 1 << 18;
/// Can be changed where there is CPUID.
pub const ID: u64 = 1 << 21;
/// The bit of RFLAGS that is one always.
pub const RFLAGS_FIXED: u64 = 1 << 1;
/// The flags that arithmetic sets.
pub const ARITHMETIC: u64 = CF | PF | AF | ZF | SF | OF;

/// MXCSR after a reset: all exceptions masked.
const MXCSR_RESET: u64 = 0x1f80;

crate::cpu_state! {
    /// One processor.
    pub struct Cpu {
        /// General registers in the order of their numbers; first, because translated code
        /// addresses them most.
        gpr: [u64; 16] = General,
            names ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10",
                "r11", "r12", "r13", "r14", "r15"];
        /// Program counter.
        rip: u64 = General, gdb 16;
        /// The arithmetic flags as `lahf; seto al` leave them in AX: AH holds the low byte of
        /// RFLAGS, AL the overflow. [`Cpu::rflags`] puts them together with the others.
        flags: u64 = Internal;
        /// The direction flag, 0 or 1.
        df: u64 = Internal;
        /// The other bits of RFLAGS.
        rflags_rest: u64 = Internal;
        /// Base of the FS segment.
        fs_base: u64 = General, gdb 58;
        /// Base of the GS segment.
        gs_base: u64 = General, gdb 59;
        /// SSE registers.
        xmm: [u128; 16] = Vector, gdb 40,
            names ["xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
                "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"];
        /// Control and status of SSE.
        mxcsr: u64 = Vector, gdb 56;
    }
}

impl Cpu {
    /// The state in which a program begins: everything zero but what has to be one.
    pub fn new() -> Self {
        let mut cpu = Self { mxcsr: MXCSR_RESET, ..Self::default() };
        cpu.set_rflags(RFLAGS_FIXED | IF);
        cpu
    }

    /// RFLAGS, put together.
    pub fn rflags(&self) -> u64 {
        let low = self.flags >> 8 & (CF | PF | AF | ZF | SF);
        let bit = |value: u64, flag: u64| if value & 1 != 0 { flag } else { 0 };
        self.rflags_rest | low | bit(self.flags, OF) | bit(self.df, DF) | RFLAGS_FIXED
    }

    /// Takes RFLAGS apart.
    pub fn set_rflags(&mut self, rflags: u64) {
        let low = rflags & (CF | PF | AF | ZF | SF) | RFLAGS_FIXED;
        self.flags = low << 8 | u64::from(rflags & OF != 0);
        self.df = u64::from(rflags & DF != 0);
        self.rflags_rest = rflags & !(ARITHMETIC | DF);
    }
}
