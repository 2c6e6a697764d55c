//! The vocabulary of arithmetic flags.

/// Which operation left the arithmetic flags, for [`Builder::flags`](super::Builder::flags).
///
/// "Keeps" names flags that stay as they were; all others are set. Where an architecture leaves a
/// flag undefined, it gets some value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlagOp {
    /// a + b (+ carry-in already in the result).
    Add,
    /// a - b (- borrow-in already in the result); the carry is a borrow.
    Sub,
    /// A bitwise operation: carry and overflow are clear.
    Logic,
    /// As `Add`, but the carry is inverted: for guests whose carry is always the opposite of a
    /// borrow, and that keep it as a borrow.
    AddInverted,
    /// As `Logic`, but the carry is set: the same for bitwise operations.
    LogicInverted,
    /// a + 1; keeps the carry.
    Inc,
    /// a - 1; keeps the carry.
    Dec,
    /// a shifted left by b, less than twice the width; b = 0 keeps all.
    Shl,
    /// a shifted right by b, zeros shifted in; b = 0 keeps all.
    Shr,
    /// a shifted right by b, signs shifted in; b = 0 keeps all.
    Sar,
    /// a rotated left by b; keeps all but carry and overflow, b = 0 keeps all.
    Rol,
    /// a rotated right by b; keeps all but carry and overflow, b = 0 keeps all.
    Ror,
    /// a * b, signed: carry and overflow say that the low half is not the whole product.
    MulS,
    /// a * b, unsigned: the same.
    MulU,
    /// The carry becomes bit 0 of a; keeps the others.
    Carry,
}

impl FlagOp {
    /// All of them, in order: the place is the number.
    pub const ALL: [FlagOp; 15] = [
        FlagOp::Add,
        FlagOp::Sub,
        FlagOp::Logic,
        FlagOp::AddInverted,
        FlagOp::LogicInverted,
        FlagOp::Inc,
        FlagOp::Dec,
        FlagOp::Shl,
        FlagOp::Shr,
        FlagOp::Sar,
        FlagOp::Rol,
        FlagOp::Ror,
        FlagOp::MulS,
        FlagOp::MulU,
        FlagOp::Carry,
    ];
}

/// Conditions over the arithmetic flags. Carry is a borrow after a subtraction; a guest with the
/// other polarity asks for the other condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlagCond {
    /// Overflow.
    Overflow,
    /// No overflow.
    NoOverflow,
    /// Carry or borrow.
    Carry,
    /// No carry or borrow.
    NoCarry,
    /// Result zero.
    Zero,
    /// Result not zero.
    NonZero,
    /// Borrow or zero.
    BelowEq,
    /// Neither borrow nor zero.
    Above,
    /// Sign bit set.
    Sign,
    /// Sign bit clear.
    NoSign,
    /// Even parity of the low byte.
    Parity,
    /// Odd parity of the low byte.
    NoParity,
    /// Signed less.
    Less,
    /// Signed greater or equal.
    GreaterEq,
    /// Signed less or equal.
    LessEq,
    /// Signed greater.
    Greater,
}

impl FlagCond {
    /// All of them, in order: the place is the number.
    pub const ALL: [FlagCond; 16] = [
        FlagCond::Overflow,
        FlagCond::NoOverflow,
        FlagCond::Carry,
        FlagCond::NoCarry,
        FlagCond::Zero,
        FlagCond::NonZero,
        FlagCond::BelowEq,
        FlagCond::Above,
        FlagCond::Sign,
        FlagCond::NoSign,
        FlagCond::Parity,
        FlagCond::NoParity,
        FlagCond::Less,
        FlagCond::GreaterEq,
        FlagCond::LessEq,
        FlagCond::Greater,
    ];
}
