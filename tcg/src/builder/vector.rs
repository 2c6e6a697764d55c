//! The vocabulary of vectors: 128 bits in lanes of 8, 16, 32 or 64.
//!
//! A vector is a [`Builder::F`](super::Builder::F), as a floating-point number is: the number is
//! its low part. A [`Width`](super::Width) names the size of the lanes; lane 0 is the lowest, byte
//! 0 the first in memory. Operations that do not look at lanes take any width. What an instruction
//! set has beyond these operations is put together from them: a comparison for "at least" is the
//! complement of the swapped "greater", a table look-up in several registers the union of look-ups
//! in one, a sum across lanes three sums with the halves swapped. Where the emitter knows a shorter
//! way it sees that for itself.

/// Operations on each lane of one vector, or moves of its lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum X1 {
    /// Bitwise complement.
    Not,
    /// Two's complement negation.
    Neg,
    /// Absolute value; the smallest number stays as it is.
    Abs,
    /// Number of ones.
    Popcnt,
    /// Leading zeros; the width for zero.
    Clz,
    /// Bits behind the sign that equal it.
    Cls,
    /// Bits in reverse order.
    Rbit,
    /// Bytes in reverse order.
    Bswap,
    /// The lanes of the low half, sign-extended to twice the width.
    WidenLowS,
    /// The lanes of the low half, zero-extended to twice the width.
    WidenLowU,
    /// The lanes of the high half, sign-extended to twice the width.
    WidenHighS,
    /// The lanes of the high half, zero-extended to twice the width.
    WidenHighU,
    /// The low half of each lane, together in the low half; zero above.
    Narrow,
    /// The low 64 bits; zero above.
    LowHalf,
    /// The high 64 bits moved down; zero above.
    HighHalf,
    /// AES MixColumns of the state.
    AesMix,
    /// The inverse of MixColumns.
    AesMixInverse,
}

impl X1 {
    /// All of them, in order: the place is the number.
    pub const ALL: [X1; 17] = [
        X1::Not,
        X1::Neg,
        X1::Abs,
        X1::Popcnt,
        X1::Clz,
        X1::Cls,
        X1::Rbit,
        X1::Bswap,
        X1::WidenLowS,
        X1::WidenLowU,
        X1::WidenHighS,
        X1::WidenHighU,
        X1::Narrow,
        X1::LowHalf,
        X1::HighHalf,
        X1::AesMix,
        X1::AesMixInverse,
    ];
}

/// Operations on the lanes of two vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum X2 {
    /// Sum, wrapping.
    Add,
    /// Difference, wrapping.
    Sub,
    /// Low half of the product.
    Mul,
    /// High half of the signed product.
    MulHighS,
    /// High half of the unsigned product.
    MulHighU,
    /// Product of the low halves of each lane, taken as signed.
    MulWideS,
    /// Product of the low halves of each lane, taken as unsigned.
    MulWideU,
    /// Sum of the two products of each lane's halves, all signed.
    MulPairsS,
    /// Carry-less product: the low half of it.
    MulPoly,
    /// Carry-less product of the low halves of each lane; of the low 64 bits for lanes of 64,
    /// which then fills the vector.
    MulPolyWide,
    /// Sum of the absolute differences of a lane's bytes, unsigned.
    SumDiffU,
    /// Bitwise and.
    And,
    /// The bits of a that are not set in b.
    AndNot,
    /// Bitwise or.
    Or,
    /// Bitwise exclusive or.
    Xor,
    /// All ones where equal, else zero.
    Eq,
    /// All ones where a is greater than b, signed; else zero.
    GtS,
    /// All ones where a is greater than b, unsigned; else zero.
    GtU,
    /// Smaller one, signed.
    MinS,
    /// Smaller one, unsigned.
    MinU,
    /// Greater one, signed.
    MaxS,
    /// Greater one, unsigned.
    MaxU,
    /// Sum, saturating, signed.
    AddSatS,
    /// Sum, saturating, unsigned.
    AddSatU,
    /// Difference, saturating, signed.
    SubSatS,
    /// Difference, saturating, unsigned.
    SubSatU,
    /// (a + b + 1) / 2, unsigned, without overflow.
    AvgU,
    /// a shifted left by the lane of b, unsigned: zero from the width on.
    Shl,
    /// a shifted right by the lane of b, unsigned: zero from the width on.
    Shr,
    /// The same bringing in signs: all signs from the width on.
    Sar,
    /// Lanes of the low halves in turn: a0 b0 a1 b1 ...
    ZipLow,
    /// Lanes of the high halves in turn.
    ZipHigh,
    /// The lanes with even numbers of a, then those of b.
    UnzipEven,
    /// The lanes with odd numbers of a, then those of b.
    UnzipOdd,
    /// Lanes of a, then of b, saturated from signed to signed of half the width.
    PackSS,
    /// The same from signed to unsigned.
    PackSU,
    /// The same from unsigned to unsigned.
    PackUU,
    /// Bytes of a that the low four bits of b's bytes name; zero where b's byte has bit 7 set.
    Shuffle,
    /// AES: SubBytes and ShiftRows of a, exclusive or b.
    AesEncryptLast,
    /// AES: the inverse of SubBytes and ShiftRows of a, exclusive or b.
    AesDecryptLast,
}

impl X2 {
    /// All of them, in order: the place is the number.
    pub const ALL: [X2; 40] = [
        X2::Add,
        X2::Sub,
        X2::Mul,
        X2::MulHighS,
        X2::MulHighU,
        X2::MulWideS,
        X2::MulWideU,
        X2::MulPairsS,
        X2::MulPoly,
        X2::MulPolyWide,
        X2::SumDiffU,
        X2::And,
        X2::AndNot,
        X2::Or,
        X2::Xor,
        X2::Eq,
        X2::GtS,
        X2::GtU,
        X2::MinS,
        X2::MinU,
        X2::MaxS,
        X2::MaxU,
        X2::AddSatS,
        X2::AddSatU,
        X2::SubSatS,
        X2::SubSatU,
        X2::AvgU,
        X2::Shl,
        X2::Shr,
        X2::Sar,
        X2::ZipLow,
        X2::ZipHigh,
        X2::UnzipEven,
        X2::UnzipOdd,
        X2::PackSS,
        X2::PackSU,
        X2::PackUU,
        X2::Shuffle,
        X2::AesEncryptLast,
        X2::AesDecryptLast,
    ];

    /// Swapping the operands changes nothing.
    pub const fn commutes(self) -> bool {
        use X2::*;
        matches!(
            self,
            Add | Mul
                | MulHighS
                | MulHighU
                | MulWideS
                | MulWideU
                | MulPairsS
                | MulPoly
                | MulPolyWide
                | SumDiffU
                | And
                | Or
                | Xor
                | Eq
                | MinS
                | MinU
                | MaxS
                | MaxU
                | AddSatS
                | AddSatU
                | AvgU
        )
    }
}

/// Operations on vectors with a number from 0 to 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum XImm {
    /// Lanes of a shifted left; zero from the width on. b is nothing.
    Shl,
    /// Lanes of a shifted right; zero from the width on.
    Shr,
    /// The same bringing in signs: all signs from the width on.
    Sar,
    /// Lane n of a in all lanes.
    Splat,
    /// a, with lane n & 15 replaced by lane n >> 4 of b.
    Lane,
    /// 16 bytes from byte n of a followed by b; zero behind them.
    Extract,
    /// Lanes of 32 bits: two of a named by bits 0-1 and 2-3 of n, then two of b named by bits
    /// 4-5 and 6-7.
    Choose,
}

impl XImm {
    /// All of them, in order: the place is the number.
    pub const ALL: [XImm; 7] =
        [XImm::Shl, XImm::Shr, XImm::Sar, XImm::Splat, XImm::Lane, XImm::Extract, XImm::Choose];
}
