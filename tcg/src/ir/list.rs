//! The list itself.

use std::fmt;

use crate::builder::*;
use crate::guest::{Guest, Helper};

/// An integer value: the number of the operation that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct V(pub(super) u16);

impl V {
    /// Its place in the list.
    pub fn op(self) -> usize {
        self.0.into()
    }
}

/// A floating-point value: the number of the operation that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct F(pub(super) u16);

/// One call on a [`Builder`]; the variants are its methods, the fields their arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is documented at the method of its name")]
pub enum Op {
    Imm(u64),
    Get(u8),
    Set(u8, V),
    Field(u32),
    SetField(u32, V),
    Share(V),
    Bin(Bin, Width, V, V),
    Un(Un, Width, V),
    Cmp(Cond, Width, V, V),
    Select(V, V, V),
    Load(V, MemOp),
    Store(V, V, MemOp),
    Rmw(Rmw, V, V, MemOp),
    Cas(V, V, V, MemOp),
    Fence(Fence),
    /// The condition, and how many of the following operations it decides over.
    When(V, u16),
    /// The helper's place in [`List::helpers`], the number of arguments, and they.
    Call(u8, u8, [V; 3]),
    Flags(FlagOp, Width, V, V, V),
    Flag(FlagCond),
    Fget(u8, Fmt),
    Fset(u8, Fmt, F),
    Fload(V, Fmt),
    Fstore(V, F, Fmt),
    Fp2(Fp2, Fmt, Rm, F, F),
    Fp3(Fp3, Fmt, Rm, F, F, F),
    Fsqrt(Fmt, Rm, F),
    Fsgnj(Sgn, Fmt, F, F),
    Fcmp(FCond, Fmt, F, F),
    FcvtInt(Fmt, IntTy, Rm, F),
    FcvtFromInt(Fmt, IntTy, Rm, V),
    Fcvt(Fmt, Fmt, Rm, F),
    Fclass(Fmt, F),
    FpRaised,
    FpForget,
    Fbits(Fmt, F),
    Fraw(Fmt, V),
    Fround(Fmt, Rm, bool, F),
    FcmpFlags(FpFlags, bool, Fmt, F, F),
    Xget(u8),
    Xset(u8, F),
    /// The constant's place in [`List::vectors`].
    Ximm(u8),
    Xload(V, MemOp),
    Xstore(V, F, MemOp),
    X1(X1, Width, F),
    X2(X2, Width, F, F),
    Xnum(XImm, Width, F, F, u8),
    Xselect(F, F, F),
    Xlane(Width, F, u8),
    Xinsert(Width, F, u8, V),
    Xsplat(Width, V),
    Xmask(Width, F),
    Xtext(F, F, u8),
    Xfp(FpOp, Fmt, Rm, [F; 3]),
}

/// Lists are kept for whole regions of code: they stay compact.
const _: () = assert!(size_of::<Op>() <= 16);

impl Op {
    /// The operation gives a value.
    pub(super) const fn gives(self) -> bool {
        !matches!(
            self,
            Op::Set(..)
                | Op::SetField(..)
                | Op::Store(..)
                | Op::Fence(..)
                | Op::FpForget
                | Op::When(..)
                | Op::Flags(..)
                | Op::Fset(..)
                | Op::Fstore(..)
                | Op::FcmpFlags(..)
                | Op::Xset(..)
                | Op::Xstore(..)
        )
    }
}

/// The description of one instruction as a list of [`Builder`] calls.
pub struct List<G: Guest> {
    /// The calls. An operation names the values it takes by the places of those that gave them.
    pub ops: Vec<Op>,
    /// The helpers that it calls.
    pub helpers: Vec<&'static Helper<G>>,
    /// The constant vectors that it uses.
    pub vectors: Vec<u128>,
    /// Where control goes behind it.
    pub flow: Flow<V>,
}

// Not derived: that would ask for `G: PartialEq`. Helpers are statics: the same if in one place.
impl<G: Guest> PartialEq for List<G> {
    fn eq(&self, other: &Self) -> bool {
        self.ops == other.ops
            && self.flow == other.flow
            && self.vectors == other.vectors
            && self.helpers.len() == other.helpers.len()
            && self.helpers.iter().zip(&other.helpers).all(|(a, b)| std::ptr::eq(*a, *b))
    }
}

impl<G: Guest> fmt::Debug for List<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One operation a line, those that a `when` decides over indented behind it, the flow last.
impl<G: Guest> fmt::Display for List<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut inner_ends = Vec::new();
        for (at, &op) in self.ops.iter().enumerate() {
            inner_ends.retain(|&end| at < end);
            write!(f, "{:1$}", "", 2 * inner_ends.len())?;
            if op.gives() {
                write!(f, "%{at} = ")?;
            }
            match op {
                Op::Call(helper, args, all) => {
                    write!(f, "call {}", self.helpers[usize::from(helper)].name)?;
                    for arg in &all[..usize::from(args)] {
                        write!(f, " %{}", arg.0)?;
                    }
                }
                Op::Ximm(place) => write!(f, "ximm {:#x}", self.vectors[usize::from(place)])?,
                Op::When(c, len) => {
                    write!(f, "when %{}", c.0)?;
                    inner_ends.push(at + 1 + usize::from(len));
                }
                _ => write!(f, "{}", words(&format!("{op:?}")))?,
            }
            writeln!(f)?;
        }
        match self.flow {
            Flow::Next => write!(f, "next"),
            Flow::Goto(to) => write!(f, "goto {to:#x}"),
            Flow::Branch(c, to) => write!(f, "branch %{} {to:#x}", c.0),
            Flow::Jump(to) => write!(f, "jump %{}", to.0),
            Flow::Resync => write!(f, "resync"),
            Flow::ResyncIfAsked => write!(f, "resync if asked"),
            Flow::Dispatch => write!(f, "dispatch"),
        }
    }
}

/// `Bin(Add, W64, V(0), V(1))` as `bin add w64 %0 %1`.
fn words(debug: &str) -> String {
    let values = debug.replace("V(", "%").replace("F(", "%");
    let spaced = values.replace(['(', ')', ',', '[', ']'], " ").to_lowercase();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}
