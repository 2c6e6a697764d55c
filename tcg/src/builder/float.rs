//! The vocabulary of floating point.

/// Floating-point formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fmt {
    /// binary32.
    S,
    /// binary64.
    D,
}

/// Where the rounding mode of an operation comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rm {
    /// The guest's dynamic rounding mode.
    Dynamic,
    /// Named by the instruction, in the guest's own encoding.
    Static(u8),
}

/// Floating-point operations of two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fp2 {
    /// Sum.
    Add,
    /// Difference.
    Sub,
    /// Product.
    Mul,
    /// Quotient.
    Div,
    /// Minimum, by the guest's rules for NaN and zero.
    Min,
    /// Maximum, by the guest's rules for NaN and zero.
    Max,
    /// The same as the minimum, but a number is preferred to a quiet NaN.
    MinNum,
    /// The same as the maximum, but a number is preferred to a quiet NaN.
    MaxNum,
}

/// Fused multiply-add forms (a, b, c), rounded once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fp3 {
    /// a * b + c.
    Madd,
    /// a * b - c.
    Msub,
    /// -(a * b) + c.
    Nmsub,
    /// -(a * b) - c.
    Nmadd,
}

/// Floating-point relations; all but the last are false for unordered operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FCond {
    /// Equal; quiet: invalid only for signalling NaNs.
    Eq,
    /// Less; invalid for any NaN.
    Lt,
    /// Less or equal; invalid for any NaN.
    Le,
    /// Unordered: one of them is a NaN; quiet.
    Unordered,
}

/// What a floating-point comparison leaves in the arithmetic flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FpFlags {
    /// Less: sign and carry (a borrow). Equal: zero. Unordered: overflow. Greater: none.
    SignOverflow,
    /// Less: carry. Equal: zero. Unordered: carry, zero and parity. Greater: none.
    CarryParity,
}

/// Integer types of conversions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IntTy {
    /// Signed, 32 bits.
    I32,
    /// Unsigned, 32 bits.
    U32,
    /// Signed, 64 bits.
    I64,
    /// Unsigned, 64 bits.
    U64,
}

/// How the sign of a floating-point value is replaced: by that of b, its inverse, or a xor b.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sgn {
    /// The sign of b.
    Copy,
    /// The opposite of b's sign.
    Neg,
    /// The exclusive or of both signs.
    Xor,
}

/// A floating-point operation as plain data, for software execution and for vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FpOp {
    /// Arithmetic of two operands.
    Two(Fp2),
    /// Fused multiply-add.
    Three(Fp3),
    /// Square root.
    Sqrt,
    /// A relation; the result is 0 or 1.
    Cmp(FCond),
    /// To an integer.
    ToInt(IntTy),
    /// From an integer in `a`.
    FromInt(IntTy),
    /// To another format.
    To(Fmt),
    /// To an integral number of the same format; whether inexact is raised.
    Round(bool),
    /// The guest's class mask.
    Class,
}
