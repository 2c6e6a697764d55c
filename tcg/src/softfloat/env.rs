//! The controls that an operation obeys, and the flags that it leaves.

use core::ops::{BitOr, BitOrAssign};

/// How a result that is not representable is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// To the nearest, ties to the even one.
    NearestEven,
    /// To the nearest, ties away from zero (RISC-V's RMM, Arm's FRINTA and FCVTA).
    NearestMaxMagnitude,
    /// Toward zero.
    TowardZero,
    /// Toward minus infinity.
    Down,
    /// Toward plus infinity.
    Up,
    /// Toward zero, then the last bit set if anything was lost, so that a second rounding to a
    /// narrower format is exact (Arm's FCVTXN). Overflow gives the largest finite number.
    Odd,
}

/// When a result counts as tiny, which together with inexactness raises underflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tininess {
    /// Below the smallest normal number before rounding (Arm).
    BeforeRounding,
    /// Below it after rounding as if the exponent had no lower bound (RISC-V, x86).
    AfterRounding,
}

/// Which NaN an operation gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NanRule {
    /// Always the canonical one: positive, quiet, no payload (RISC-V; Arm with FPCR.DN set).
    Canonical,
    /// The first signalling operand, else the first quiet one, quieted; the addend of a fused
    /// operation counts as its first operand. Without a NaN operand, the canonical one.
    Arm,
    /// The first operand that is a NaN, quieted. Without a NaN operand, the "real indefinite":
    /// the canonical one with the sign bit set.
    X86,
}

/// A set of exception flags. The five of IEEE 754 have the places they have in RISC-V's `fflags`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(u8);

impl Flags {
    /// No flag.
    pub const NONE: Flags = Flags(0);
    /// The result differs from the exact one.
    pub const INEXACT: Flags = Flags(1 << 0);
    /// The result is tiny and inexact, or was flushed.
    pub const UNDERFLOW: Flags = Flags(1 << 1);
    /// The rounded result is beyond the largest finite number.
    pub const OVERFLOW: Flags = Flags(1 << 2);
    /// An exact infinity from finite operands.
    pub const DIVIDE_BY_ZERO: Flags = Flags(1 << 3);
    /// No meaningful result, or a signalling NaN among the operands.
    pub const INVALID: Flags = Flags(1 << 4);
    /// A subnormal operand took part (x86's DE). Not raised where the result comes of a NaN, an
    /// invalid operation or a division by zero, which take precedence.
    pub const INPUT_SUBNORMAL: Flags = Flags(1 << 5);
    /// A subnormal operand was taken as zero because of [`Env::flush_inputs`] (Arm's IDC).
    pub const INPUT_FLUSHED: Flags = Flags(1 << 6);

    /// The raw set: bits 0 to 4 are RISC-V's NX, UF, OF, DZ, NV.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// A set from its raw bits; bit 7 is ignored.
    pub const fn from_bits(bits: u8) -> Flags {
        Flags(bits & 0x7f)
    }

    /// The set in the order of the SSE unit: bit 0 invalid, 1 subnormal operand, 2 division by
    /// zero, 3 overflow, 4 underflow, 5 inexact [SDM-1 §10.2.3].
    pub const fn to_sse(self) -> u8 {
        let f = self.0;
        f >> 4 & 1 | f >> 4 & 2 | f >> 1 & 4 | f << 1 & 8 | f << 3 & 16 | f << 5 & 32
    }

    /// Whether every flag of `other` is set.
    pub const fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Flags {
    type Output = Flags;

    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Flags) {
        self.0 |= other.0;
    }
}

/// Controls and sticky flags of the operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Env {
    /// How results are rounded.
    pub rounding: Rounding,
    /// When a result is tiny. It also chooses the flavour of `flush_outputs`.
    pub tininess: Tininess,
    /// Subnormal operands count as zeros of their sign.
    pub flush_inputs: bool,
    /// Tiny results become zeros of their sign. With tininess before rounding this raises
    /// underflow alone (Arm), with tininess after rounding underflow and inexact (x86).
    pub flush_outputs: bool,
    /// Which NaN results.
    pub nan: NanRule,
    /// Flags raised so far; operations only add to them.
    pub flags: Flags,
}

impl Env {
    /// RISC-V: canonical NaNs, tininess after rounding, no flushing.
    pub const fn riscv(rounding: Rounding) -> Env {
        Env {
            rounding,
            tininess: Tininess::AfterRounding,
            flush_inputs: false,
            flush_outputs: false,
            nan: NanRule::Canonical,
            flags: Flags::NONE,
        }
    }

    /// Arm with FPCR.FZ, FPCR.DN and FPCR.AH clear.
    pub const fn arm(rounding: Rounding) -> Env {
        Env { tininess: Tininess::BeforeRounding, nan: NanRule::Arm, ..Env::riscv(rounding) }
    }

    /// SSE and AVX with MXCSR.DAZ and MXCSR.FTZ clear.
    pub const fn x86(rounding: Rounding) -> Env {
        Env { nan: NanRule::X86, ..Env::riscv(rounding) }
    }

    /// Adds to the flags.
    #[inline]
    pub fn raise(&mut self, flags: Flags) {
        self.flags |= flags;
    }

    /// The sign of a sum of two numbers of opposite signs that is exactly zero.
    pub(super) fn sign_of_exact_zero(&self) -> bool {
        self.rounding == Rounding::Down
    }
}
