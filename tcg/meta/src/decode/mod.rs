//! Tables of bit patterns.
//!
//! ```text
//! # a comment
//! $x      u8 x                       kind: Rust type, and the function of `fmt` that prints it
//! %rd     7:5                        field: lo:len, most significant piece first; `s` = signed;
//! %bimm   31:s1 7:1 25:6 8:4 <<1     then <<n, +n, !function of `fields`
//! &i      rd:x rs1:x imm:imm         argument set: a struct, with the kinds of its members
//! @i      .... &i %rd %rs1 imm=%iimm format: optional pattern, argument set, value of each member
//! width 16                           width of the patterns of the rows below (32 at first)
//! [Zba "Address generation" Unpriv§28.4.1]   section: extension guard, title, source
//! add     0000000 ..... ..... 000 ..... 0110011 @r alu(Bin::Add) "add {rd}, {rs1}, {rs2}"
//! { ... }                            rows that overlap: the first that matches wins
//! ```
//!
//! In a pattern `0` and `1` are fixed, `.` belongs to a field, `-` is ignored by the decoder and
//! zero from the encoder. A member's value is `name=%field`, `name=constant`, or `%field` where
//! both have one name. `?name!=value`, `?predicate(name)` (a function of `fields`) and `?!pattern`
//! exclude words, in a format or a row. A guard may be `A&B`. In assembly text `{name}` prints a member
//! as its kind says, `{f:name,name}` calls `fmt::f` with members. The lowering `f(x)` is called as
//! `f(b, at, a, x)`, `a` being the arguments (left out if there are none).

/// Appends a line of formatted text; writing to a string cannot fail.
macro_rules! outln {
    ($out:expr, $($arg:tt)*) => {{
        use std::fmt::Write as _;
        let _ = writeln!($out, $($arg)*);
    }};
}

mod check;
mod docs;
mod lower;
mod parse;
mod rust;
mod table;
mod text;
mod tree;

pub use check::parse;
pub use docs::docs;
pub use lower::lowering;
pub use rust::rust;
pub use table::*;
