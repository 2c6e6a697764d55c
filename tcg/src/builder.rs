//! The vocabulary in which guest instructions are described.
//!
//! The meaning of an instruction is written once, as calls on a [`Builder`]. `Direct` executes
//! the calls at once (the interpreter), `Emit` turns them into host code in one pass, `Record`
//! keeps them as a list (the IR). So an operation added here is added to all of them, and nothing
//! here is named after a guest.
//!
//! Rules for semantics:
//! - integer values are 64 bits wide; an operation of a smaller [`Width`] looks at the low bits of
//!   its operands and gives a zero-extended result;
//! - values live until the end of the instruction; what must outlive it goes into a register;
//! - inside an instruction every operation that can fault comes before the first one that changes
//!   state, so that a fault leaves the instruction undone;
//! - a value that is used more than once and costs something is [`Builder::share`]d; values of
//!   the vector file are kept by themselves.
//!
//! Vectors have a vocabulary of their own: [`X1`], [`X2`], [`XImm`], and the methods that begin
//! with x.

mod vector;

pub use vector::{X1, X2, XImm};

use crate::guest::{Guest, Helper};

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

/// Which operation left the arithmetic flags, for [`Builder::flags`].
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

/// Place and length of the instruction being described.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// Its guest virtual address.
    pub pc: u64,
    /// Its length in bytes.
    pub len: u8,
    /// If it is a load-reserved: where the store-conditional is.
    pub reserve: Reserve,
}

/// How a load-reserved goes on, and with it how its store-conditional finds out whether others have
/// stored meanwhile ([`crate::exclusive`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reserve(u8);

impl Reserve {
    /// In an unknown way; also that of all instructions that reserve nothing.
    pub const UNKNOWN: Self = Self(0);
    /// Nobody else runs until the store-conditional is done. Said of that too.
    pub const ALONE: Self = Self(u8::MAX);
    /// Bytes that [`Self::ahead`] can say.
    const REACH: u64 = 2 * (u8::MAX as u64 - 1);

    /// Over instructions that access no memory to a store-conditional so many bytes behind the
    /// load-reserved: an even number, 508 at most.
    pub const fn ahead(bytes: u64) -> Self {
        assert!(bytes.is_multiple_of(2) && bytes <= Self::REACH, "what was looked through");
        Self((bytes / 2) as u8)
    }

    /// The number of bytes.
    pub(crate) const fn bytes(self) -> Option<u64> {
        match self {
            Self::UNKNOWN | Self::ALONE => None,
            Self(half) => Some(2 * half as u64),
        }
    }
}

impl At {
    /// Address of the instruction behind it.
    pub const fn next(self) -> u64 {
        self.pc.wrapping_add(self.len as u64)
    }
}

/// Where control goes after an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow<V> {
    /// To the next instruction.
    Next,
    /// To a fixed address.
    Goto(u64),
    /// To `taken` if the value is not zero, else to the next instruction.
    Branch(V, u64),
    /// To a computed address.
    Jump(V),
    /// To the next instruction, after the engine has looked at what changed: the mode, the
    /// mapping, pending interrupts, the code itself.
    Resync,
    /// To the next instruction; if a helper asked for it ([`Core::ask_resync`]), as `Resync`.
    ///
    /// [`Core::ask_resync`]: crate::vcpu::Core::ask_resync
    ResyncIfAsked,
    /// To wherever a helper has put the program counter, after the same look.
    Dispatch,
}

/// What lowering one instruction gives.
pub type Lowered<G, B> = Result<Flow<<B as Builder<G>>::V>, <B as Builder<G>>::Trap>;

/// The operations. `V` is an integer of 64 bits, `F` a register of the floating-point and vector
/// file, up to 128 bits.
pub trait Builder<G: Guest> {
    /// An integer value.
    type V: Copy;
    /// A floating-point or vector value.
    type F: Copy;
    /// How a fault leaves the description: the guest's exception when executing, nothing when
    /// translating.
    type Trap;

    /// A constant.
    fn imm(&mut self, value: u64) -> Self::V;
    /// Reads integer register `r`.
    fn get(&mut self, r: u8) -> Self::V;
    /// Writes integer register `r`.
    fn set(&mut self, r: u8, v: Self::V);
    /// Reads the u64 field of the CPU state at byte offset `field`.
    fn field(&mut self, field: usize) -> Self::V;
    /// Writes the u64 field of the CPU state at byte offset `field`.
    fn set_field(&mut self, field: usize, v: Self::V);
    /// Says that the value will be used several times.
    fn share(&mut self, v: Self::V) -> Self::V;

    /// Two operands.
    fn bin(&mut self, op: Bin, w: Width, a: Self::V, b: Self::V) -> Self::V;
    /// One operand.
    fn un(&mut self, op: Un, w: Width, a: Self::V) -> Self::V;
    /// 1 if the relation holds, else 0.
    fn cmp(&mut self, c: Cond, w: Width, a: Self::V, b: Self::V) -> Self::V;
    /// `a` if `c` is not zero, else `b`.
    fn select(&mut self, c: Self::V, a: Self::V, b: Self::V) -> Self::V;

    /// Loads from guest virtual address `va`.
    fn load(&mut self, va: Self::V, m: MemOp) -> Result<Self::V, Self::Trap>;
    /// The same where a store to the address is going to follow.
    fn load_reserved(&mut self, va: Self::V, m: MemOp) -> Result<Self::V, Self::Trap> {
        self.load(va, m)
    }
    /// Stores the low bytes of `v`.
    fn store(&mut self, va: Self::V, v: Self::V, m: MemOp) -> Result<(), Self::Trap>;
    /// Atomically replaces the operand in memory; gives the old value (extended as `m` says).
    fn rmw(&mut self, op: Rmw, va: Self::V, v: Self::V, m: MemOp) -> Result<Self::V, Self::Trap>;
    /// The same where nobody asks for the old value.
    fn update(&mut self, op: Rmw, va: Self::V, v: Self::V, m: MemOp) -> Result<(), Self::Trap> {
        self.rmw(op, va, v, m).map(drop)
    }
    /// Atomically stores `new` if memory holds `old`; gives the value found (extended).
    fn cas(
        &mut self,
        va: Self::V,
        old: Self::V,
        new: Self::V,
        m: MemOp,
    ) -> Result<Self::V, Self::Trap>;
    /// Orders memory accesses.
    fn fence(&mut self, f: Fence);

    /// Does `f` only if `c` is not zero. Values made inside do not leave it but through
    /// registers and fields.
    fn when(
        &mut self,
        c: Self::V,
        f: impl FnOnce(&mut Self) -> Result<(), Self::Trap>,
    ) -> Result<(), Self::Trap>;
    /// Calls plain Rust over the CPU state.
    fn call(&mut self, h: &'static Helper<G>, args: &[Self::V]) -> Result<Self::V, Self::Trap>;

    /// Whether somebody asks for the arithmetic flags behind the instruction, if it sets them.
    fn wants_flags(&self) -> bool {
        true
    }
    /// Sets the arithmetic flags from an operation of width `w` with result `r`. They can also be
    /// read and written as the field [`Guest::FLAGS`], in the form of [`crate::ops::flags`].
    fn flags(&mut self, op: FlagOp, w: Width, a: Self::V, b: Self::V, r: Self::V);
    /// 1 if the condition over the arithmetic flags holds, else 0.
    fn flag(&mut self, c: FlagCond) -> Self::V;

    /// Reads floating-point register `r` in a format, by the guest's rule for the upper bits
    /// (RISC-V: anything but a NaN-boxed single reads as the canonical NaN).
    fn fget(&mut self, r: u8, fmt: Fmt) -> Self::F;
    /// Writes floating-point register `r`; the guest's rule fills the upper bits.
    fn fset(&mut self, r: u8, fmt: Fmt, v: Self::F);
    /// Loads a floating-point value.
    fn fload(&mut self, va: Self::V, fmt: Fmt) -> Result<Self::F, Self::Trap>;
    /// Stores the low part of a value.
    fn fstore(&mut self, va: Self::V, v: Self::F, fmt: Fmt) -> Result<(), Self::Trap>;
    /// Arithmetic; raises the guest's sticky flags.
    fn fp2(&mut self, op: Fp2, fmt: Fmt, rm: Rm, a: Self::F, b: Self::F) -> Self::F;
    /// Fused multiply-add.
    fn fp3(&mut self, op: Fp3, fmt: Fmt, rm: Rm, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// Square root.
    fn fsqrt(&mut self, fmt: Fmt, rm: Rm, a: Self::F) -> Self::F;
    /// a with another sign.
    fn fsgnj(&mut self, s: Sgn, fmt: Fmt, a: Self::F, b: Self::F) -> Self::F;
    /// 1 if the relation holds, else 0.
    fn fcmp(&mut self, c: FCond, fmt: Fmt, a: Self::F, b: Self::F) -> Self::V;
    /// To an integer, with the guest's answers for what does not fit; 32-bit results are
    /// sign-extended.
    fn fcvt_int(&mut self, fmt: Fmt, to: IntTy, rm: Rm, a: Self::F) -> Self::V;
    /// From an integer.
    fn fcvt_from_int(&mut self, fmt: Fmt, from: IntTy, rm: Rm, a: Self::V) -> Self::F;
    /// Between formats.
    fn fcvt(&mut self, from: Fmt, to: Fmt, rm: Rm, a: Self::F) -> Self::F;
    /// The guest's class mask of a value.
    fn fclass(&mut self, fmt: Fmt, a: Self::F) -> Self::V;
    /// The sticky flags that operations have raised and that [`Guest::fp_raise`] was not told of
    /// yet, in its order.
    fn fp_raised(&mut self) -> Self::V;
    /// Forgets those flags: the state has them, or the guest clears them.
    fn fp_forget(&mut self);
    /// The bits of a value, zero-extended.
    fn fbits(&mut self, fmt: Fmt, a: Self::F) -> Self::V;
    /// A value from its bits.
    fn fraw(&mut self, fmt: Fmt, a: Self::V) -> Self::F;
    /// To an integral number of the same format; inexact is raised if `inexact` says so.
    fn fround(&mut self, fmt: Fmt, rm: Rm, inexact: bool, a: Self::F) -> Self::F;
    /// Sets the arithmetic flags from a comparison; quiet NaNs are invalid only if `signaling`.
    fn fcmp_flags(&mut self, how: FpFlags, signaling: bool, fmt: Fmt, a: Self::F, b: Self::F);

    /// Reads vector register `r` whole.
    fn xget(&mut self, r: u8) -> Self::F;
    /// Writes vector register `r` whole.
    fn xset(&mut self, r: u8, v: Self::F);
    /// A constant vector.
    fn ximm(&mut self, value: u128) -> Self::F;
    /// Loads up to 16 bytes; zero above them.
    fn xload(&mut self, va: Self::V, m: MemOp) -> Result<Self::F, Self::Trap>;
    /// Stores the low bytes of `v`, up to 16.
    fn xstore(&mut self, va: Self::V, v: Self::F, m: MemOp) -> Result<(), Self::Trap>;
    /// One operand.
    fn x1(&mut self, op: X1, w: Width, a: Self::F) -> Self::F;
    /// Two operands.
    fn x2(&mut self, op: X2, w: Width, a: Self::F, b: Self::F) -> Self::F;
    /// Operands and a number.
    fn xnum(&mut self, op: XImm, w: Width, a: Self::F, b: Self::F, n: u8) -> Self::F;
    /// The bits of `a` where `m` has ones, of `b` elsewhere.
    fn xselect(&mut self, m: Self::F, a: Self::F, b: Self::F) -> Self::F;
    /// Lane `i`, zero-extended.
    fn xlane(&mut self, w: Width, a: Self::F, i: u8) -> Self::V;
    /// `a` with lane `i` replaced by the low bits of `v`.
    fn xinsert(&mut self, w: Width, a: Self::F, i: u8, v: Self::V) -> Self::F;
    /// The low bits of `v` in all lanes.
    fn xsplat(&mut self, w: Width, v: Self::V) -> Self::F;
    /// The top bits of all lanes as a number, lane 0's lowest.
    fn xmask(&mut self, w: Width, a: Self::F) -> Self::V;
    /// Compares texts that end in zeros as PCMPISTRM does with the number `n`: the bits of the
    /// elements found, and from bit 16 the arithmetic flags as the field [`Guest::FLAGS`] has them.
    fn xtext(&mut self, a: Self::F, b: Self::F, n: u8) -> Self::V;
    /// A floating-point operation on each lane of `fmt`; what it has no use for of `a`, `b` and
    /// `c` is nothing. Relations give lanes of ones or zeros. Where the lanes of operand and
    /// result differ in width, the narrower ones are those of the low half, and zero is above
    /// them in a result.
    fn xfp(&mut self, op: FpOp, fmt: Fmt, rm: Rm, args: [Self::F; 3]) -> Self::F;
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
