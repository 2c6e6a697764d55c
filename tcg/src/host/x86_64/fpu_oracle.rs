//! The host's own floating-point unit, as the judge of [`crate::softfloat`].
//!
//! Each function runs one SSE or AVX instruction under a given MXCSR and returns the raw result
//! and the exception flags that it raised. Compiled for tests on x86_64 hosts only.
#![expect(unsafe_code, reason = "one instruction under another MXCSR needs inline assembly")]

mod comparison;

use core::arch::asm;

/// MXCSR with every exception masked, rounding to nearest, no flag.
pub(super) const MASKED: u32 = 0x1f80;
/// Subnormal operands are zeros.
pub(super) const DAZ: u32 = 1 << 6;
/// Tiny results are zeros.
pub(super) const FTZ: u32 = 1 << 15;
/// Place of the rounding control: nearest, down, up, toward zero.
pub(super) const RC_SHIFT: u32 = 13;

/// A result, and the six exception flags as in MXCSR: IE, DE, ZE, OE, UE, PE.
pub(super) type Answer<T> = (T, u32);

/// Runs the instruction between loading `control` into MXCSR and restoring it; evaluates to the
/// flags that were raised.
macro_rules! under {
    ($control:expr, $insn:expr, $($operands:tt)*) => {{
        let mut control: u32 = $control;
        let mut saved: u32 = 0;
        // SAFETY: the block writes the two locals whose addresses it gets and its declared
        // outputs; MXCSR has its old value again at the end, and no exception is unmasked in
        // between. The callers of optional instructions have checked that the CPU has them.
        unsafe {
            asm!(
                "stmxcsr [{saved}]",
                "ldmxcsr [{control}]",
                $insn,
                "stmxcsr [{control}]",
                "ldmxcsr [{saved}]",
                saved = in(reg) &mut saved,
                control = in(reg) &mut control,
                $($operands)*
                options(nostack)
            );
        }
        control & 0x3f
    }};
}

/// Instructions of the form `op x, y` whose result is in x.
macro_rules! two_operands {
    ($($name:ident $t:ty, $signed:ty, $insn:literal;)*) => {$(
        pub(super) fn $name(a: $t, b: $t, control: u32) -> Answer<$t> {
            let mut x = a as $signed;
            let flags = under!(control, concat!($insn, " {x}, {y}"),
                x = inout(xmm_reg) x, y = in(xmm_reg) b as $signed,);
            (x as $t, flags)
        }
    )*};
}

two_operands! {
    add64 u64, i64, "addsd";
    sub64 u64, i64, "subsd";
    mul64 u64, i64, "mulsd";
    div64 u64, i64, "divsd";
    min64 u64, i64, "minsd";
    max64 u64, i64, "maxsd";
    eq64 u64, i64, "cmpeqsd";
    lt64 u64, i64, "cmpltsd";
    le64 u64, i64, "cmplesd";
    unordered64 u64, i64, "cmpunordsd";
    add32 u32, i32, "addss";
    sub32 u32, i32, "subss";
    mul32 u32, i32, "mulss";
    div32 u32, i32, "divss";
    min32 u32, i32, "minss";
    max32 u32, i32, "maxss";
    eq32 u32, i32, "cmpeqss";
    lt32 u32, i32, "cmpltss";
    le32 u32, i32, "cmpless";
    unordered32 u32, i32, "cmpunordss";
}

/// Instructions of the form `op x, y` that take y only; `after` may hold an immediate.
macro_rules! one_operand {
    ($($name:ident $from:ty, $from_signed:ty, $from_class:ident => $to:ty, $to_signed:ty,
        $to_class:ident, $insn:literal $after:literal;)*) => {$(
        pub(super) fn $name(a: $from, control: u32) -> Answer<$to> {
            let mut x: $to_signed = 0;
            let flags = under!(control, concat!($insn, $after),
                x = inout($to_class) x, y = in($from_class) a as $from_signed,);
            (x as $to, flags)
        }
    )*};
}

one_operand! {
    sqrt64 u64, i64, xmm_reg => u64, i64, xmm_reg, "sqrtsd" " {x}, {y}";
    sqrt32 u32, i32, xmm_reg => u32, i32, xmm_reg, "sqrtss" " {x}, {y}";
    narrow u64, i64, xmm_reg => u32, i32, xmm_reg, "cvtsd2ss" " {x}, {y}";
    widen u32, i32, xmm_reg => u64, i64, xmm_reg, "cvtss2sd" " {x}, {y}";
    i32_of_64 u64, i64, xmm_reg => i32, i32, reg, "cvtsd2si" " {x:e}, {y}";
    i64_of_64 u64, i64, xmm_reg => i64, i64, reg, "cvtsd2si" " {x}, {y}";
    truncated_i32_of_64 u64, i64, xmm_reg => i32, i32, reg, "cvttsd2si" " {x:e}, {y}";
    truncated_i64_of_64 u64, i64, xmm_reg => i64, i64, reg, "cvttsd2si" " {x}, {y}";
    i32_of_32 u32, i32, xmm_reg => i32, i32, reg, "cvtss2si" " {x:e}, {y}";
    i64_of_32 u32, i32, xmm_reg => i64, i64, reg, "cvtss2si" " {x}, {y}";
    truncated_i32_of_32 u32, i32, xmm_reg => i32, i32, reg, "cvttss2si" " {x:e}, {y}";
    truncated_i64_of_32 u32, i32, xmm_reg => i64, i64, reg, "cvttss2si" " {x}, {y}";
    i32_to_64 i32, i32, reg => u64, i64, xmm_reg, "cvtsi2sd" " {x}, {y:e}";
    i64_to_64 i64, i64, reg => u64, i64, xmm_reg, "cvtsi2sd" " {x}, {y}";
    i32_to_32 i32, i32, reg => u32, i32, xmm_reg, "cvtsi2ss" " {x}, {y:e}";
    i64_to_32 i64, i64, reg => u32, i32, xmm_reg, "cvtsi2ss" " {x}, {y}";
    // SSE4.1: by MXCSR, with and without the inexact flag.
    integral64 u64, i64, xmm_reg => u64, i64, xmm_reg, "roundsd" " {x}, {y}, 4";
    integral32 u32, i32, xmm_reg => u32, i32, xmm_reg, "roundss" " {x}, {y}, 4";
    quiet_integral64 u64, i64, xmm_reg => u64, i64, xmm_reg, "roundsd" " {x}, {y}, 12";
    quiet_integral32 u32, i32, xmm_reg => u32, i32, xmm_reg, "roundss" " {x}, {y}, 12";
    // F16C.
    half_of_32 u32, i32, xmm_reg => u16, i32, xmm_reg, "vcvtps2ph" " {x}, {y}, 4";
    half_to_32 u16, i32, xmm_reg => u32, i32, xmm_reg, "vcvtph2ps" " {x}, {y}";
    // AVX-512F.
    u32_of_64 u64, i64, xmm_reg => u32, i32, reg, "vcvtsd2usi" " {x:e}, {y}";
    u64_of_64 u64, i64, xmm_reg => u64, i64, reg, "vcvtsd2usi" " {x}, {y}";
    u32_of_32 u32, i32, xmm_reg => u32, i32, reg, "vcvtss2usi" " {x:e}, {y}";
    u64_of_32 u32, i32, xmm_reg => u64, i64, reg, "vcvtss2usi" " {x}, {y}";
    u64_to_64 u64, i64, reg => u64, i64, xmm_reg, "vcvtusi2sd" " {x}, {x}, {y}";
    u64_to_32 u64, i64, reg => u32, i32, xmm_reg, "vcvtusi2ss" " {x}, {x}, {y}";
}

/// Fused multiply-add of the form `op x, y, z`: x = ±(y · x) ± z.
macro_rules! three_operands {
    ($($name:ident $t:ty, $signed:ty, $insn:literal;)*) => {$(
        pub(super) fn $name(a: $t, b: $t, c: $t, control: u32) -> Answer<$t> {
            let mut x = b as $signed;
            let flags = under!(control, concat!($insn, " {x}, {y}, {z}"),
                x = inout(xmm_reg) x, y = in(xmm_reg) a as $signed, z = in(xmm_reg) c as $signed,);
            (x as $t, flags)
        }
    )*};
}

three_operands! {
    madd64 u64, i64, "vfmadd213sd";
    msub64 u64, i64, "vfmsub213sd";
    nmadd64 u64, i64, "vfnmadd213sd";
    nmsub64 u64, i64, "vfnmsub213sd";
    madd32 u32, i32, "vfmadd213ss";
    msub32 u32, i32, "vfmsub213ss";
    nmadd32 u32, i32, "vfnmadd213ss";
    nmsub32 u32, i32, "vfnmsub213ss";
}
