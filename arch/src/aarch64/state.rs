//! The registers of a processor at EL0 and EL1: `[ARM-ARM B1.2]`, `[ARM-ARM D1.2]`.

use super::sysreg::{SYSREG_COUNT, SYSREG_NAMES};

/// [`Cpu::exclusive_addr`] when nothing is reserved: no exclusive access is misaligned.
pub const NO_RESERVATION: u64 = u64::MAX;

/// PSTATE of EL1 with a stack pointer of its own, as kernels are started: debug exceptions,
/// system errors and interrupts masked.
pub const PSTATE_EL1: u64 = 0x3c5;
/// The stack pointer that PSTATE selects is EL1's.
pub const PSTATE_EL1_STACK: u64 = 0x5;
/// The mode in PSTATE.
pub const PSTATE_MODE: u64 = 0x1f;

/// N in NZCV: negative.
pub const N: u64 = 1 << 31;
/// Z in NZCV: zero.
pub const Z: u64 = 1 << 30;
/// C in NZCV: carry, or no borrow.
pub const C: u64 = 1 << 29;
/// V in NZCV: overflow.
pub const V: u64 = 1 << 28;

/// The bits of [`Cpu::fpcr`] `[ARM-ARM C5.2]`.
pub mod fpcr {
    /// Rounding mode: to nearest, up, down, toward zero.
    pub const ROUNDING: u64 = 3 << 22;
    /// Subnormal numbers are flushed to zero.
    pub const FLUSH: u64 = 1 << 24;
    /// All NaN results are the default one.
    pub const DEFAULT_NAN: u64 = 1 << 25;
    /// Half precision without infinities and NaNs.
    pub const ALTERNATIVE_HALF: u64 = 1 << 26;
    /// Half precision is flushed to zero.
    pub const FLUSH_HALF: u64 = 1 << 19;
    /// All that can be written.
    pub const WRITABLE: u64 = ROUNDING | FLUSH | DEFAULT_NAN | ALTERNATIVE_HALF | FLUSH_HALF;
}

/// The bits of [`Cpu::fpsr`] `[ARM-ARM C5.2]`.
pub mod fpsr {
    /// A subnormal operand was flushed to zero.
    pub const INPUT_DENORMAL: u64 = 1 << 7;
    /// An integer operation has saturated.
    pub const SATURATED: u64 = 1 << 27;
    /// All that can be written: from invalid to inexact in the lowest bits.
    pub const WRITABLE: u64 = SATURATED | INPUT_DENORMAL | 0x1f;
}

/// The bits of [`Cpu::flags`].
mod image {
    pub(super) const V: u64 = 1;
    pub(super) const NOT_C: u64 = 1 << 8;
    pub(super) const FIXED: u64 = 1 << 9;
    pub(super) const Z: u64 = 1 << 14;
    pub(super) const N: u64 = 1 << 15;
}

macro_rules! numbered {
    ($prefix:literal: $($n:literal)*; $($last:literal)?) => {
        [$( concat!($prefix, $n), )* $( $last )?]
    };
}

crate::cpu_state! {
    /// One processor.
    pub struct Cpu {
        /// X0 to X30, then SP; first, because translated code addresses them most.
        x: [u64; 32] = General, gdb 0,
            names numbered!("x": 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24
                25 26 27 28 29 30; "sp");
        /// Program counter.
        pc: u64 = General, gdb 32;
        /// N, Z, C and V as an x86 host leaves them after a subtraction (`lahf; seto al`): Z in
        /// bit 14, N in bit 15, V in bit 0, and in bit 8 the *opposite* of C: a borrow.
        /// [`Cpu::nzcv`] has the architectural form.
        flags: u64 = Internal;
        /// Vector registers.
        v: [u128; 32] = Vector, gdb 34,
            names numbered!("v": 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24
                25 26 27 28 29 30 31;);
        /// Floating-point status.
        fpsr: u64 = Vector, gdb 66;
        /// Floating-point control.
        fpcr: u64 = Vector, gdb 67;
        /// Thread pointer.
        tpidr_el0: u64 = System;
        /// Thread pointer that EL0 only reads.
        tpidrro_el0: u64 = System;
        /// Address that a load exclusive reserved, to which the engine adds where its store is;
        /// [`NO_RESERVATION`] if none.
        exclusive_addr: u64 = Internal;
        /// What it read there: a store exclusive compares by value.
        exclusive_value: u64 = Internal;
        /// PSTATE as SPSR_EL1 would have it `[ARM-ARM C5.2.19]`, without N, Z, C and V.
        pstate: u64 = System;
        /// The stack pointers of EL0 and EL1. The one that `pstate` selects is in `x[31]`, and
        /// its place here is of no account.
        sp_el: [u64; 2] = System, names ["sp_el0", "sp_el1"];
        /// Return address of an exception.
        elr_el1: u64 = System;
        /// Saved PSTATE of EL1, and of AArch32's abort, undefined, IRQ and FIQ modes.
        spsr: [u64; 5] = System,
            names ["spsr_el1", "spsr_abt", "spsr_und", "spsr_irq", "spsr_fiq"];
        /// System registers, in the order of [`super::sysreg::SYSREGS`].
        sys: [u64; SYSREG_COUNT] = System, names SYSREG_NAMES;
    }
}

impl Cpu {
    /// The state in which a program begins.
    pub fn new() -> Self {
        let mut cpu = Self { exclusive_addr: NO_RESERVATION, ..Self::default() };
        cpu.set_nzcv(0);
        cpu
    }

    /// The state after a reset, at EL1.
    pub fn reset() -> Self {
        Self { pstate: PSTATE_EL1, ..Self::new() }
    }

    /// Whether `x[31]` is EL1's stack pointer and not EL0's.
    pub fn has_own_stack(&self) -> bool {
        self.pstate & PSTATE_MODE == PSTATE_EL1_STACK
    }

    /// A system register by its name.
    pub fn sys(&self, name: &str) -> Option<u64> {
        super::sysreg::place(name).map(|place| self.sys[place])
    }

    /// NZCV in bits 31 to 28.
    pub fn nzcv(&self) -> u64 {
        let bit = |from: u64, to: u64| if self.flags & from != 0 { to } else { 0 };
        bit(image::N, N) | bit(image::Z, Z) | (bit(image::NOT_C, C) ^ C) | bit(image::V, V)
    }

    /// Sets NZCV from bits 31 to 28.
    pub fn set_nzcv(&mut self, nzcv: u64) {
        self.flags = flags_image(nzcv);
    }
}

/// The form of NZCV (in bits 31 to 28) that [`Cpu::flags`] has.
pub const fn flags_image(nzcv: u64) -> u64 {
    const fn bit(nzcv: u64, from: u64, to: u64) -> u64 {
        if nzcv & from != 0 { to } else { 0 }
    }
    image::FIXED
        | bit(nzcv, N, image::N)
        | bit(nzcv, Z, image::Z)
        | bit(!nzcv, C, image::NOT_C)
        | bit(nzcv, V, image::V)
}
