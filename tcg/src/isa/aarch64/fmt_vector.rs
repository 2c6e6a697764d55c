//! How vector registers, their lanes and constants are printed.

use core::fmt::{Display, from_fn};

use super::fields;

const LETTERS: [char; 5] = ['b', 'h', 's', 'd', 'q'];

fn scalar(letter: char, r: u8) -> impl Display {
    from_fn(move |f| write!(f, "{letter}{r}"))
}

/// The low byte of a vector register.
pub(super) fn b(r: u8) -> impl Display {
    scalar('b', r)
}

/// The low halfword.
pub(super) fn h(r: u8) -> impl Display {
    scalar('h', r)
}

/// The low word.
pub(super) fn s(r: u8) -> impl Display {
    scalar('s', r)
}

/// The low doubleword.
pub(super) fn d(r: u8) -> impl Display {
    scalar('d', r)
}

/// A whole register.
pub(super) fn q(r: u8) -> impl Display {
    scalar('q', r)
}

/// A register without its lanes.
pub(super) fn v(r: u8) -> impl Display {
    scalar('v', r)
}

/// A number of either format.
pub(super) fn f(r: u8, double: bool) -> impl Display {
    scalar(if double { 'd' } else { 's' }, r)
}

/// A register with lanes of a size.
pub(super) fn va(r: u8, size: u8, q: bool) -> impl Display {
    let lanes = (if q { 16 } else { 8 }) >> (size & 3);
    from_fn(move |f| write!(f, "v{r}.{lanes}{}", LETTERS[usize::from(size & 3)]))
}

/// The same with lanes of twice the size.
pub(super) fn va_wide(r: u8, size: u8, q: bool) -> impl Display {
    va(r, (size + 1) & 3, q)
}

/// A whole register with lanes of twice the size.
pub(super) fn va_full_wide(r: u8, size: u8) -> impl Display {
    va(r, (size + 1) & 3, true)
}

/// A register of bytes.
pub(super) fn vb(r: u8, q: bool) -> impl Display {
    va(r, 0, q)
}

/// A register of halfwords.
pub(super) fn vh(r: u8, q: bool) -> impl Display {
    va(r, 1, q)
}

/// A register of halfwords.
pub(super) fn vhq(r: u8, q: bool) -> impl Display {
    va(r, 1, q)
}

/// A register of words.
pub(super) fn vs(r: u8, q: bool) -> impl Display {
    va(r, 2, q)
}

/// A register of words.
pub(super) fn vsq(r: u8, q: bool) -> impl Display {
    va(r, 2, q)
}

/// A register of doublewords.
pub(super) fn vdq(r: u8, q: bool) -> impl Display {
    va(r, 3, q)
}

/// A register of numbers.
pub(super) fn vf(r: u8, double: bool, q: bool) -> impl Display {
    va(r, 2 + u8::from(double), q)
}

/// A pair of numbers.
pub(super) fn vpair(r: u8, double: bool) -> impl Display {
    va(r, 2 + u8::from(double), double)
}

/// The mark of instructions that work on upper halves.
pub(super) fn two(q: bool) -> &'static str {
    if q { "2" } else { "" }
}

/// One lane of a size, as a register.
pub(super) fn lane_reg(r: u8, size: u8) -> impl Display {
    scalar(LETTERS[usize::from(size & 3)], r)
}

/// The same of twice the size.
pub(super) fn lane_reg_wide(r: u8, size: u8) -> impl Display {
    scalar(LETTERS[usize::from(size & 3) + 1], r)
}

/// The bits of a lane.
pub(super) fn lane_bits(size: u8) -> u32 {
    8 << (size & 3)
}

/// A register with the lanes that a shift names.
pub(super) fn vi(r: u8, immhb: u8, q: bool) -> impl Display {
    va(r, fields::shift_size(immhb), q)
}

/// A whole register with lanes of twice the size that a shift names.
pub(super) fn vi_wide(r: u8, immhb: u8) -> impl Display {
    va_full_wide(r, fields::shift_size(immhb))
}

/// The lane that a shift names, as a register.
pub(super) fn ri(r: u8, immhb: u8) -> impl Display {
    lane_reg(r, fields::shift_size(immhb))
}

/// The same of twice the size.
pub(super) fn ri_wide(r: u8, immhb: u8) -> impl Display {
    lane_reg_wide(r, fields::shift_size(immhb))
}

/// The count of a shift to the right.
pub(super) fn right(immhb: u8) -> u8 {
    fields::shift_right(immhb)
}

/// The count of a shift to the left.
pub(super) fn left(immhb: u8) -> u8 {
    fields::shift_left(immhb)
}

/// Bits behind the point.
pub(super) fn fraction(scale: u8) -> u8 {
    64 - scale
}

/// A register with the lanes that five bits name.
pub(super) fn v5(r: u8, imm5: u8, q: bool) -> impl Display {
    va(r, fields::lane_of(imm5).0, q)
}

/// A lane that five bits name.
pub(super) fn lane5(r: u8, imm5: u8) -> impl Display {
    let (size, index) = fields::lane_of(imm5);
    from_fn(move |f| write!(f, "v{r}.{}[{index}]", LETTERS[usize::from(size & 3)]))
}

/// A lane of the size that five bits name, with a number of its own.
pub(super) fn lane4(r: u8, imm5: u8, imm4: u8) -> impl Display {
    let size = fields::lane_of(imm5).0;
    let index = imm4 >> size;
    from_fn(move |f| write!(f, "v{r}.{}[{index}]", LETTERS[usize::from(size & 3)]))
}

/// A general-purpose register as wide as a lane, or a word.
pub(super) fn r5(r: u8, imm5: u8) -> impl Display {
    super::fmt::r(r, fields::lane_of(imm5).0 == 3)
}

/// A register as wide as a lane.
pub(super) fn reg5(r: u8, imm5: u8) -> impl Display {
    lane_reg(r, fields::lane_of(imm5).0)
}

/// A list of registers, with what is behind each.
fn list(r: u8, count: u8, of: impl Fn(u8) -> String) -> impl Display {
    let items: Vec<String> = (0..count).map(|i| of((r + i) & 31)).collect();
    from_fn(move |f| write!(f, "{{ {} }}", items.join(", ")))
}

/// The registers of a table.
pub(super) fn table(r: u8, len: u8) -> impl Display {
    list(r, len + 1, |r| vb(r, true).to_string())
}

fn vectors(r: u8, count: u8, size: u8, q: bool) -> impl Display {
    list(r, count, move |r| va(r, size, q).to_string())
}

/// One register.
pub(super) fn list1(r: u8, size: u8, q: bool) -> impl Display {
    vectors(r, 1, size, q)
}

/// Two registers.
pub(super) fn list2(r: u8, size: u8, q: bool) -> impl Display {
    vectors(r, 2, size, q)
}

/// Three registers.
pub(super) fn list3(r: u8, size: u8, q: bool) -> impl Display {
    vectors(r, 3, size, q)
}

/// Four registers.
pub(super) fn list4(r: u8, size: u8, q: bool) -> impl Display {
    vectors(r, 4, size, q)
}

macro_rules! lanes {
    ($($name:ident $count:literal $letter:literal)*) => { $(
        /// A lane of some registers.
        pub(super) fn $name(r: u8) -> impl Display {
            list(r, $count, |r| format!(concat!("v{}.", $letter), r))
        }
    )* };
}

lanes! {
    lanes1b 1 "b" lanes1h 1 "h" lanes1s 1 "s" lanes1d 1 "d"
    lanes2b 2 "b" lanes2h 2 "h" lanes2s 2 "s" lanes2d 2 "d"
    lanes3b 3 "b" lanes3h 3 "h" lanes3s 3 "s" lanes3d 3 "d"
    lanes4b 4 "b" lanes4h 4 "h" lanes4s 4 "s" lanes4d 4 "d"
}

/// What a base register moves on by: a register, or the bytes of the access.
fn by(rm: u8, bytes: u8) -> impl Display {
    from_fn(move |f| match rm {
        31 => write!(f, "#{bytes}"),
        _ => write!(f, "x{rm}"),
    })
}

macro_rules! by_list {
    ($($name:ident $count:literal)*) => { $(
        /// What a base register moves on by.
        pub(super) fn $name(rm: u8, q: bool) -> impl Display {
            by(rm, $count * if q { 16 } else { 8 })
        }
    )* };
}

by_list! { by_list1 1 by_list2 2 by_list3 3 by_list4 4 }

macro_rules! by_lanes {
    ($($name:ident $count:literal)*) => { $(
        /// What a base register moves on by.
        pub(super) fn $name(rm: u8, size: u8) -> impl Display {
            by(rm, $count << (size & 3))
        }
    )* };
}

by_lanes! { by_lanes1 1 by_lanes2 2 by_lanes3 3 by_lanes4 4 }

macro_rules! by_bytes {
    ($($name:ident $bytes:literal)*) => { $(
        /// What a base register moves on by.
        pub(super) fn $name(rm: u8) -> impl Display {
            by(rm, $bytes)
        }
    )* };
}

by_bytes! {
    by_bytes1 1 by_bytes2 2 by_bytes3 3 by_bytes4 4 by_bytes6 6 by_bytes8 8 by_bytes12 12
    by_bytes16 16 by_bytes24 24 by_bytes32 32
}

/// A floating-point constant.
pub(super) fn float8(imm: u8) -> impl Display {
    let value = f64::from_bits(fields::float_constant(imm, true));
    from_fn(move |f| write!(f, "{value:.8}"))
}

/// The whole text of a move of a constant.
pub(super) fn modified(q: bool, op: bool, cmode: u8, rd: u8, imm: u8) -> impl Display {
    let shift = move |size: u8| 8 * (cmode >> 1 & (if size == 2 { 3 } else { 1 }));
    let name =
        move |logic: &'static str, plain: &'static str| if cmode & 1 != 0 { logic } else { plain };
    from_fn(move |f| {
        let lsl = |by: u8| if by == 0 { String::new() } else { format!(", lsl #{by}") };
        match (cmode, op) {
            (0..=7, _) => {
                let name = if op { name("bic", "mvni") } else { name("orr", "movi") };
                write!(f, "{name} {}, #{imm}{}", va(rd, 2, q), lsl(shift(2)))
            }
            (8..=11, _) => {
                let name = if op { name("bic", "mvni") } else { name("orr", "movi") };
                write!(f, "{name} {}, #{imm}{}", va(rd, 1, q), lsl(shift(1)))
            }
            (12 | 13, _) => {
                let name = if op { "mvni" } else { "movi" };
                write!(f, "{name} {}, #{imm}, msl #{}", va(rd, 2, q), 8 << (cmode & 1))
            }
            (14, false) => write!(f, "movi {}, #{imm}", va(rd, 0, q)),
            (14, true) => {
                let value = fields::vector_constant(op, cmode, imm);
                match q {
                    true => write!(f, "movi {}, #{value:#016x}", va(rd, 3, q)),
                    false => write!(f, "movi d{rd}, #{value:#016x}"),
                }
            }
            (_, double) => {
                write!(f, "fmov {}, #{}", va(rd, 2 + u8::from(double), q), float8(imm))
            }
        }
    })
}
