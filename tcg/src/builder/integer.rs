//! The vocabulary of integers and of memory.

/// Operand size of an integer operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Width {
    /// 8 bits.
    W8,
    /// 16 bits.
    W16,
    /// 32 bits.
    W32,
    /// 64 bits.
    W64,
}

impl Width {
    /// All of them, in order: the place is the number.
    pub const ALL: [Width; 4] = [Width::W8, Width::W16, Width::W32, Width::W64];

    /// Number of bits.
    #[inline]
    pub const fn bits(self) -> u32 {
        8 << self as u32
    }

    /// All bits of this width set.
    #[inline]
    pub const fn mask(self) -> u64 {
        u64::MAX >> (64 - self.bits())
    }
}

/// Integer operations of two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bin {
    /// Sum.
    Add,
    /// Difference.
    Sub,
    /// Bitwise and.
    And,
    /// Bitwise or.
    Or,
    /// Bitwise exclusive or.
    Xor,
    /// Shift left; the count is taken modulo the width.
    Shl,
    /// Logical shift right; the count is taken modulo the width.
    Shr,
    /// Arithmetic shift right; the count is taken modulo the width.
    Sar,
    /// Rotate right; the count is taken modulo the width.
    Ror,
    /// Rotate left; the count is taken modulo the width.
    Rol,
    /// Low half of the product.
    Mul,
    /// High half of the signed product.
    MulHighS,
    /// High half of the unsigned product.
    MulHighU,
    /// Signed quotient; x / 0 = -1, MIN / -1 = MIN.
    DivS,
    /// Unsigned quotient; x / 0 = all ones.
    DivU,
    /// Signed remainder; x % 0 = x, MIN % -1 = 0.
    RemS,
    /// Unsigned remainder; x % 0 = x.
    RemU,
}

impl Bin {
    /// All of them, in order: the place is the number.
    pub const ALL: [Bin; 17] = [
        Bin::Add,
        Bin::Sub,
        Bin::And,
        Bin::Or,
        Bin::Xor,
        Bin::Shl,
        Bin::Shr,
        Bin::Sar,
        Bin::Ror,
        Bin::Rol,
        Bin::Mul,
        Bin::MulHighS,
        Bin::MulHighU,
        Bin::DivS,
        Bin::DivU,
        Bin::RemS,
        Bin::RemU,
    ];
}

/// Integer operations of one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Un {
    /// Bitwise complement.
    Not,
    /// Two's complement negation.
    Neg,
    /// Leading zeros; the width if the operand is zero.
    Clz,
    /// Trailing zeros; the width if the operand is zero.
    Ctz,
    /// Number of ones.
    Popcnt,
    /// Bytes in reverse order.
    Bswap,
    /// Bits in reverse order.
    Rbit,
    /// Each byte that is not zero becomes 0xff.
    OrcB,
    /// Low 8 bits, sign-extended to the width.
    Sext8,
    /// Low 16 bits, sign-extended to the width.
    Sext16,
    /// Low 32 bits, sign-extended to the width.
    Sext32,
    /// Low 8 bits, zero-extended.
    Zext8,
    /// Low 16 bits, zero-extended.
    Zext16,
    /// Low 32 bits, zero-extended.
    Zext32,
}

impl Un {
    /// All of them, in order: the place is the number.
    pub const ALL: [Un; 14] = [
        Un::Not,
        Un::Neg,
        Un::Clz,
        Un::Ctz,
        Un::Popcnt,
        Un::Bswap,
        Un::Rbit,
        Un::OrcB,
        Un::Sext8,
        Un::Sext16,
        Un::Sext32,
        Un::Zext8,
        Un::Zext16,
        Un::Zext32,
    ];
}

/// Relations of two integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cond {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Less, signed.
    Lt,
    /// Greater or equal, signed.
    Ge,
    /// Less or equal, signed.
    Le,
    /// Greater, signed.
    Gt,
    /// Less, unsigned.
    Ltu,
    /// Greater or equal, unsigned.
    Geu,
    /// Less or equal, unsigned.
    Leu,
    /// Greater, unsigned.
    Gtu,
}

impl Cond {
    /// The relation that holds exactly when this one does not.
    pub const fn negate(self) -> Self {
        match self {
            Cond::Eq => Cond::Ne,
            Cond::Ne => Cond::Eq,
            Cond::Lt => Cond::Ge,
            Cond::Ge => Cond::Lt,
            Cond::Le => Cond::Gt,
            Cond::Gt => Cond::Le,
            Cond::Ltu => Cond::Geu,
            Cond::Geu => Cond::Ltu,
            Cond::Leu => Cond::Gtu,
            Cond::Gtu => Cond::Leu,
        }
    }
}

/// The kind of a memory access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MemOp {
    /// Log2 of the number of bytes: 0 to 3, for vectors 4 too.
    pub size: u8,
    /// Loads: sign-extend to 64 bits instead of zero-extending.
    pub signed: bool,
    /// Misaligned accesses fault (atomics); otherwise they are done as the host does them.
    pub aligned: bool,
}

#[allow(missing_docs, reason = "the names say it: load or store, byte to doubleword, unsigned")]
impl MemOp {
    pub const LB: MemOp = MemOp::new(0, true);
    pub const LH: MemOp = MemOp::new(1, true);
    pub const LW: MemOp = MemOp::new(2, true);
    pub const LD: MemOp = MemOp::new(3, false);
    pub const LBU: MemOp = MemOp::new(0, false);
    pub const LHU: MemOp = MemOp::new(1, false);
    pub const LWU: MemOp = MemOp::new(2, false);
    pub const SB: MemOp = MemOp::new(0, false);
    pub const SH: MemOp = MemOp::new(1, false);
    pub const SW: MemOp = MemOp::new(2, false);
    pub const SD: MemOp = MemOp::new(3, false);

    /// An ordinary access of `1 << size` bytes.
    pub const fn new(size: u8, signed: bool) -> Self {
        MemOp { size, signed, aligned: false }
    }

    /// The same access, faulting when misaligned.
    pub const fn aligned(self) -> Self {
        MemOp { aligned: true, ..self }
    }

    /// Bytes accessed.
    pub const fn bytes(self) -> u64 {
        1 << self.size
    }
}

/// Atomic read-modify-write operations; all are sequentially consistent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rmw {
    /// Exchange.
    Swap,
    /// Sum.
    Add,
    /// Bitwise exclusive or.
    Xor,
    /// Bitwise and.
    And,
    /// Bitwise or.
    Or,
    /// Signed minimum.
    Min,
    /// Signed maximum.
    Max,
    /// Unsigned minimum.
    Minu,
    /// Unsigned maximum.
    Maxu,
}

impl Rmw {
    /// All of them, in order: the place is the number.
    pub const ALL: [Rmw; 9] = [
        Rmw::Swap,
        Rmw::Add,
        Rmw::Xor,
        Rmw::And,
        Rmw::Or,
        Rmw::Min,
        Rmw::Max,
        Rmw::Minu,
        Rmw::Maxu,
    ];
}

/// Which accesses a fence orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fence {
    /// Earlier loads before later accesses.
    Acquire,
    /// Earlier accesses before later stores.
    Release,
    /// Everything, stores before loads included.
    Full,
}
