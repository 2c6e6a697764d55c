//! How arguments are printed: as LLVM does without aliases.

use core::fmt::{Display, from_fn};

use super::fields;
pub(super) use super::fmt_vector::*;

/// 64-bit registers; 31 is the zero register.
pub(super) fn x(r: u8) -> impl Display {
    r_of(r, true)
}

/// 32-bit registers; 31 is the zero register.
pub(super) fn w(r: u8) -> impl Display {
    r_of(r, false)
}

/// The other register of a pair.
pub(super) fn x_next(r: u8) -> impl Display {
    x(r | 1)
}

/// The other register of a pair.
pub(super) fn w_next(r: u8) -> impl Display {
    w(r | 1)
}

/// A register of either width; 31 is the zero register.
pub(super) fn r(r: u8, wide: bool) -> impl Display {
    r_of(r, wide)
}

fn r_of(r: u8, wide: bool) -> impl Display {
    from_fn(move |f| match (r, wide) {
        (31, true) => f.write_str("xzr"),
        (31, false) => f.write_str("wzr"),
        (_, true) => write!(f, "x{r}"),
        (_, false) => write!(f, "w{r}"),
    })
}

/// 64-bit registers; 31 is the stack pointer.
pub(super) fn xsp(r: u8) -> impl Display {
    rsp(r, true)
}

/// A register of either width; 31 is the stack pointer.
pub(super) fn rsp(r: u8, wide: bool) -> impl Display {
    from_fn(move |f| match (r, wide) {
        (31, true) => f.write_str("sp"),
        (31, false) => f.write_str("wsp"),
        _ => write!(f, "{}", r_of(r, wide)),
    })
}

/// An extended operand: 64 bits wide for uxtx and sxtx, if the instruction is.
pub(super) fn re(r: u8, option: u8, wide: bool) -> impl Display {
    r_of(r, wide && option & 3 == 3)
}

/// An extended index register: 64 bits wide for uxtx and sxtx.
pub(super) fn rx(r: u8, option: u8) -> impl Display {
    r_of(r, option & 3 == 3)
}

/// The register of a bit test: 64 bits wide if the bit asks for it.
pub(super) fn rbit(r: u8, bit: u8) -> impl Display {
    r_of(r, bit >= 32)
}

/// A condition.
pub(super) fn cond(cond: u8) -> &'static str {
    const CONDS: [&str; 16] = [
        "eq", "ne", "hs", "lo", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", "al",
        "nv",
    ];
    CONDS[usize::from(cond & 15)]
}

/// An extension, by its number.
pub(super) fn option(option: u8) -> &'static str {
    const OPTIONS: [&str; 8] = ["uxtb", "uxth", "uxtw", "uxtx", "sxtb", "sxth", "sxtw", "sxtx"];
    OPTIONS[usize::from(option & 7)]
}

/// The extension of an operand; without a stack pointer it is always written.
pub(super) fn extend(option: u8, amount: u8, wide: bool, rn: u8) -> impl Display {
    extend_sp(option, amount, wide, 0, rn)
}

/// The extension of an operand; the one that does nothing is a shift, if a stack pointer is there.
pub(super) fn extend_sp(opt: u8, amount: u8, wide: bool, rd: u8, rn: u8) -> impl Display {
    let plain = opt == if wide { 3 } else { 2 } && (rd == 31 || rn == 31);
    from_fn(move |f| match (plain, amount) {
        (true, 0) => Ok(()),
        (true, _) => write!(f, ", lsl #{amount}"),
        (false, 0) => write!(f, ", {}", option(opt)),
        (false, _) => write!(f, ", {} #{amount}", option(opt)),
    })
}

/// A shift of an operand.
pub(super) fn shift(shift: u8, amount: u8) -> impl Display {
    let name = ["lsl", "lsr", "asr", "ror"][usize::from(shift & 3)];
    from_fn(move |f| match (shift, amount) {
        (0, 0) => Ok(()),
        _ => write!(f, ", {name} #{amount}"),
    })
}

fn index(opt: u8, scale: bool, amount: u8) -> impl Display {
    from_fn(move |f| match (opt, scale) {
        (3, false) => Ok(()),
        (3, true) => write!(f, ", lsl #{amount}"),
        (_, false) => write!(f, ", {}", option(opt)),
        (_, true) => write!(f, ", {} #{amount}", option(opt)),
    })
}

/// How an index register of bytes is extended.
pub(super) fn index0(option: u8, scale: bool) -> impl Display {
    index(option, scale, 0)
}

/// How an index register of halfwords is extended.
pub(super) fn index1(option: u8, scale: bool) -> impl Display {
    index(option, scale, 1)
}

/// How an index register of words is extended.
pub(super) fn index2(option: u8, scale: bool) -> impl Display {
    index(option, scale, 2)
}

/// How an index register of doublewords is extended.
pub(super) fn index3(option: u8, scale: bool) -> impl Display {
    index(option, scale, 3)
}

/// The shift of an immediate of 12 bits.
pub(super) fn lsl12(shifted: bool) -> &'static str {
    if shifted { ", lsl #12" } else { "" }
}

/// The shift of an immediate of 16 bits.
pub(super) fn lsl16(hw: u8) -> &'static str {
    ["", ", lsl #16", ", lsl #32", ", lsl #48"][usize::from(hw & 3)]
}

/// A bitmask immediate.
pub(super) fn mask(bits: u16, wide: bool) -> impl Display {
    let value = fields::bitmask(bits).unwrap_or(0);
    hex_of(if wide { value } else { value & 0xffff_ffff })
}

/// A hexadecimal number.
pub(super) fn hex(value: u16) -> impl Display {
    hex_of(u64::from(value))
}

fn hex_of(value: u64) -> impl Display {
    from_fn(move |f| write!(f, "{value:#x}"))
}

/// Pages, in bytes.
pub(super) fn pages(pages: i32) -> i64 {
    i64::from(pages) << 12
}

/// An offset, not written if it is zero.
pub(super) fn offset(offset: i32) -> impl Display {
    from_fn(move |f| if offset == 0 { Ok(()) } else { write!(f, ", #{offset}") })
}

/// The letter of an acquire.
pub(super) fn a(acquire: bool) -> &'static str {
    if acquire { "a" } else { "" }
}

/// The letter of a release.
pub(super) fn l(release: bool) -> &'static str {
    if release { "l" } else { "" }
}

/// The letters of an order.
pub(super) fn al(order: u8) -> &'static str {
    ["", "l", "a", "al"][usize::from(order & 3)]
}

/// What a barrier orders.
pub(super) fn barrier(option: u8) -> impl Display {
    const NAMES: [&str; 16] = [
        "", "oshld", "oshst", "osh", "", "nshld", "nshst", "nsh", "", "ishld", "ishst", "ish", "",
        "ld", "st", "sy",
    ];
    from_fn(move |f| match NAMES[usize::from(option & 15)] {
        "" => write!(f, "#{option}"),
        name => f.write_str(name),
    })
}

/// The option of isb, which has one value.
pub(super) fn isb_option(option: u8) -> impl Display {
    from_fn(move |f| if option == 15 { Ok(()) } else { write!(f, " #{option}") })
}

/// The option of clrex, which is ignored.
pub(super) fn clrex_option(option: u8) -> impl Display {
    isb_option(option)
}

/// A field of PSTATE.
pub(super) fn pstate(op1: u8, op2: u8) -> impl Display {
    from_fn(move |f| match (op1, op2) {
        (0, 3) => f.write_str("UAO"),
        (0, 4) => f.write_str("PAN"),
        (0, 5) => f.write_str("SPSel"),
        (3, 1) => f.write_str("SSBS"),
        (3, 2) => f.write_str("DIT"),
        (3, 4) => f.write_str("TCO"),
        (3, 6) => f.write_str("DAIFSet"),
        (3, 7) => f.write_str("DAIFClr"),
        _ => write!(f, "s0_{op1}_c4_{op2}"),
    })
}

/// A system register by its numbers: o0:op1:CRn:CRm:op2.
pub(super) fn sysreg(reg: u16) -> impl Display {
    let (op0, op1) = (2 + (reg >> 14 & 1), reg >> 11 & 7);
    let (crn, crm, op2) = (reg >> 7 & 15, reg >> 3 & 15, reg & 7);
    from_fn(move |f| write!(f, "s{op0}_{op1}_c{crn}_c{crm}_{op2}"))
}

/// How an index register of quadwords is extended.
pub(super) fn index4(option: u8, scale: bool) -> impl Display {
    index(option, scale, 4)
}

/// What a prefetch is for.
pub(super) fn prefetch(operation: u8) -> impl Display {
    let kind = ["pld", "pli", "pst", ""][usize::from(operation >> 3 & 3)];
    let level = operation >> 1 & 3;
    let policy = if operation & 1 == 0 { "keep" } else { "strm" };
    from_fn(move |f| match (kind, level) {
        ("", _) | (_, 3) => write!(f, "#{operation}"),
        _ => write!(f, "{kind}l{}{policy}", level + 1),
    })
}
