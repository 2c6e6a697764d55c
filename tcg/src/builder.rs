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
//! What the operations are is in `builder/`. Vectors have a vocabulary of their own, and the methods
//! that begin with x.

mod flags;
mod float;
mod integer;
mod vector;

pub use flags::{FlagCond, FlagOp};
pub use float::{FCond, Fmt, Fp2, Fp3, FpFlags, FpOp, IntTy, Rm, Sgn};
pub use integer::{Bin, Cond, Fence, MemOp, Rmw, Un, Width};
pub use vector::{X1, X2, XImm};

use crate::guest::{Guest, Helper};

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
