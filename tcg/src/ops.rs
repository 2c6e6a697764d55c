//! What the integer operations of the [`Builder`](crate::builder::Builder) compute, for the
//! interpreter and for constant folding.

use crate::builder::{Bin, Cond, FlagCond, FlagOp, Un, Width};

mod aes;
pub mod text;
pub mod vector;

/// The arithmetic flags as the state holds them: the 16 bits that `lahf; seto al` leave in ax.
pub mod flags {
    /// Overflow.
    pub const O: u64 = 1;
    /// Carry (a borrow after subtractions).
    pub const C: u64 = 1 << 8;
    /// Even parity of the low byte.
    pub const P: u64 = 1 << 10;
    /// Carry out of bit 3.
    pub const A: u64 = 1 << 12;
    /// Zero.
    pub const Z: u64 = 1 << 14;
    /// Sign.
    pub const S: u64 = 1 << 15;
    /// Set always.
    pub const FIXED: u64 = 1 << 9;
}

/// Sign-extends the low bits of a value.
#[inline]
pub const fn sext(v: u64, bits: u32) -> u64 {
    ((v << (64 - bits)) as i64 >> (64 - bits)) as u64
}

/// An operation of two operands. The usual ones are short enough to be part of the interpreter.
#[inline]
pub fn bin(op: Bin, w: Width, a: u64, b: u64) -> u64 {
    match op {
        Bin::Add => a.wrapping_add(b) & w.mask(),
        Bin::Sub => a.wrapping_sub(b) & w.mask(),
        Bin::And => a & b & w.mask(),
        Bin::Or => (a | b) & w.mask(),
        Bin::Xor => (a ^ b) & w.mask(),
        _ => rare_bin(op, w, a, b),
    }
}

fn rare_bin(op: Bin, w: Width, a: u64, b: u64) -> u64 {
    let (bits, mask) = (w.bits(), w.mask());
    let (ua, ub) = (a & mask, b & mask);
    let (sa, sb) = (sext(a, bits) as i64, sext(b, bits) as i64);
    let count = (b & u64::from(bits - 1)) as u32;
    let rotated = |left: u32| match left {
        0 => ua,
        n => ua << n | ua >> (bits - n),
    };
    mask & match op {
        Bin::Add => a.wrapping_add(b),
        Bin::Sub => a.wrapping_sub(b),
        Bin::And => a & b,
        Bin::Or => a | b,
        Bin::Xor => a ^ b,
        Bin::Shl => a << count,
        Bin::Shr => ua >> count,
        Bin::Sar => (sa >> count) as u64,
        Bin::Ror => rotated((bits - count) % bits),
        Bin::Rol => rotated(count),
        Bin::Mul => a.wrapping_mul(b),
        Bin::MulHighS => ((i128::from(sa) * i128::from(sb)) >> bits) as u64,
        Bin::MulHighU => ((u128::from(ua) * u128::from(ub)) >> bits) as u64,
        Bin::DivS if sb == 0 => u64::MAX,
        Bin::DivS => sa.wrapping_div(sb) as u64,
        Bin::DivU => ua.checked_div(ub).unwrap_or(u64::MAX),
        Bin::RemS if sb == 0 => ua,
        Bin::RemS => sa.wrapping_rem(sb) as u64,
        Bin::RemU => ua.checked_rem(ub).unwrap_or(ua),
    }
}

/// An operation of one operand.
#[inline]
pub fn un(op: Un, w: Width, a: u64) -> u64 {
    let (bits, mask) = (w.bits(), w.mask());
    let ua = a & mask;
    mask & match op {
        Un::Not => !a,
        Un::Neg => a.wrapping_neg(),
        Un::Clz => u64::from(ua.leading_zeros() - (64 - bits)),
        Un::Ctz => u64::from(ua.trailing_zeros().min(bits)),
        Un::Popcnt => u64::from(ua.count_ones()),
        Un::Bswap => ua.swap_bytes() >> (64 - bits),
        Un::Rbit => ua.reverse_bits() >> (64 - bits),
        Un::OrcB => u64::from_le_bytes(a.to_le_bytes().map(|b| if b == 0 { 0 } else { 0xff })),
        Un::Sext8 => sext(a, 8),
        Un::Sext16 => sext(a, 16),
        Un::Sext32 => sext(a, 32),
        Un::Zext8 => a & 0xff,
        Un::Zext16 => a & 0xffff,
        Un::Zext32 => a & 0xffff_ffff,
    }
}

/// A relation.
#[inline]
pub fn cmp(c: Cond, w: Width, a: u64, b: u64) -> bool {
    let (ua, ub) = (a & w.mask(), b & w.mask());
    let (sa, sb) = (sext(a, w.bits()) as i64, sext(b, w.bits()) as i64);
    match c {
        Cond::Eq => ua == ub,
        Cond::Ne => ua != ub,
        Cond::Lt => sa < sb,
        Cond::Ge => sa >= sb,
        Cond::Le => sa <= sb,
        Cond::Gt => sa > sb,
        Cond::Ltu => ua < ub,
        Cond::Geu => ua >= ub,
        Cond::Leu => ua <= ub,
        Cond::Gtu => ua > ub,
    }
}

/// The flags image of an operation with operands `a`, `b` and result `r`, after the image `old`.
pub fn flags_of(op: FlagOp, w: Width, a: u64, b: u64, r: u64, old: u64) -> u64 {
    use flags::{A, C, FIXED, O, P, S, Z};
    let bits = w.bits();
    let at = |v: u64, bit: u32| v >> bit & 1 != 0;
    let top = |v: u64| at(v, bits - 1);
    let bit = |flag: u64, on: bool| if on { flag } else { 0 };
    // Bit `n` of a, extended with zeros or signs.
    let beyond = |n: u64, fill: bool| if n < u64::from(bits) { at(a, n as u32) } else { fill };
    // Each bit's carry: the majority of the operands and the inverted result.
    let sum_carry = top(a & b | (a | b) & !r);
    let (keeps, carry, overflow) = match op {
        FlagOp::Shl | FlagOp::Shr | FlagOp::Sar | FlagOp::Rol | FlagOp::Ror if b == 0 => {
            return old | FIXED;
        }
        FlagOp::Add => (0, sum_carry, top((a ^ r) & (b ^ r))),
        FlagOp::AddInverted => (0, !sum_carry, top((a ^ r) & (b ^ r))),
        FlagOp::Sub => (0, top(!a & b | (!a | b) & r), top((a ^ b) & (a ^ r))),
        FlagOp::Logic => (0, false, false),
        FlagOp::LogicInverted => (0, true, false),
        FlagOp::Inc => (C, false, top(!a & r)),
        FlagOp::Dec => (C, false, top(a & !r)),
        FlagOp::Shl => {
            let carry = beyond(u64::from(bits).wrapping_sub(b), false);
            (0, carry, carry != top(r))
        }
        FlagOp::Shr => (0, beyond(b - 1, false), top(a) != top(r)),
        FlagOp::Sar => (0, beyond(b - 1, top(a)), false),
        FlagOp::Rol => (P | A | Z | S, at(r, 0), at(r, 0) != top(r)),
        FlagOp::Ror => (P | A | Z | S, top(r), top(r) != at(r, bits - 2)),
        FlagOp::MulS => {
            let lost = bin(Bin::MulHighS, w, a, b) != bin(Bin::Sar, w, r, u64::from(bits - 1));
            (0, lost, lost)
        }
        FlagOp::MulU => {
            let lost = bin(Bin::MulHighU, w, a, b) != 0;
            (0, lost, lost)
        }
        FlagOp::Carry => (O | P | A | Z | S, at(a, 0), false),
    };
    let aux = match op {
        FlagOp::Add | FlagOp::AddInverted | FlagOp::Sub => a ^ b ^ r,
        FlagOp::Inc | FlagOp::Dec => a ^ r,
        _ => 0,
    };
    let new = bit(O, overflow)
        | bit(C, carry)
        | bit(P, (r as u8).count_ones().is_multiple_of(2))
        | bit(A, at(aux, 4))
        | bit(Z, r & w.mask() == 0)
        | bit(S, top(r));
    FIXED | old & keeps | new & !keeps
}

/// A condition over a flags image.
pub fn flag(c: FlagCond, image: u64) -> bool {
    let is = |flag: u64| image & flag != 0;
    let less = is(flags::S) != is(flags::O);
    match c {
        FlagCond::Overflow => is(flags::O),
        FlagCond::NoOverflow => !is(flags::O),
        FlagCond::Carry => is(flags::C),
        FlagCond::NoCarry => !is(flags::C),
        FlagCond::Zero => is(flags::Z),
        FlagCond::NonZero => !is(flags::Z),
        FlagCond::BelowEq => is(flags::C) || is(flags::Z),
        FlagCond::Above => !is(flags::C) && !is(flags::Z),
        FlagCond::Sign => is(flags::S),
        FlagCond::NoSign => !is(flags::S),
        FlagCond::Parity => is(flags::P),
        FlagCond::NoParity => !is(flags::P),
        FlagCond::Less => less,
        FlagCond::GreaterEq => !less,
        FlagCond::LessEq => less || is(flags::Z),
        FlagCond::Greater => !less && !is(flags::Z),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn division_is_total() {
        for w in [Width::W32, Width::W64] {
            let min = 1 << (w.bits() - 1);
            assert_eq!(bin(Bin::DivS, w, 7, 0), w.mask());
            assert_eq!(bin(Bin::RemS, w, min, w.mask()), 0);
            assert_eq!(bin(Bin::DivS, w, min, w.mask()), min);
            assert_eq!(bin(Bin::RemU, w, 7, 0), 7);
        }
    }

    #[test]
    fn rotations_wrap() {
        assert_eq!(bin(Bin::Ror, Width::W32, 0x8000_0001, 1), 0xc000_0000);
        assert_eq!(bin(Bin::Rol, Width::W64, 0x8000_0000_0000_0001, 65), 3);
        assert_eq!(bin(Bin::Ror, Width::W8, 0x0f, 8), 0x0f);
    }

    #[test]
    fn flags_of_every_byte_addition_and_subtraction() {
        for a in 0..=255u64 {
            for b in 0..=255u64 {
                let sum = flags_of(FlagOp::Add, Width::W8, a, b, a.wrapping_add(b), 0);
                assert_eq!(flag(FlagCond::Carry, sum), a + b > 255);
                assert_eq!(flag(FlagCond::Overflow, sum), (a as i8).checked_add(b as i8).is_none());
                let diff = flags_of(FlagOp::Sub, Width::W8, a, b, a.wrapping_sub(b), 0);
                assert_eq!(flag(FlagCond::Carry, diff), a < b);
                assert_eq!(flag(FlagCond::Less, diff), (a as i8) < (b as i8));
                assert_eq!(flag(FlagCond::Above, diff), a > b);
                assert_eq!(flag(FlagCond::Zero, diff), a == b);
            }
        }
    }

    #[test]
    fn kept_flags_stay() {
        use flags::{C, FIXED, O, S, Z};
        let all = O | C | FIXED | flags::P | flags::A | Z | S;
        for old in [FIXED, all] {
            let of = |op, a: u64, b, r: u64| flags_of(op, Width::W8, a, b, r, old);
            assert_eq!(of(FlagOp::Inc, 0xff, 1, 0) & (C | Z), old & C | Z);
            assert_eq!(of(FlagOp::Dec, 0x80, 1, 0x7f) & (C | O), old & C | O);
            assert_eq!(of(FlagOp::Shl, 1, 0, 1), old);
            assert_eq!(of(FlagOp::Rol, 0x80, 1, 1), old & !(C | O) | C | O);
            assert_eq!(of(FlagOp::Carry, 1, 0, 0), old | C);
            assert_eq!(of(FlagOp::Carry, 2, 0, 0), old & !C);
        }
    }

    #[test]
    fn shifts_carry_their_last_bit_out() {
        let carry = |op, a, b| flags_of(op, Width::W8, a, b, 0, 0) & flags::C != 0;
        for n in 1..32u64 {
            assert_eq!(carry(FlagOp::Shl, 0x81, n), n == 1 || n == 8, "shl {n}");
            assert_eq!(carry(FlagOp::Shr, 0x81, n), n == 1 || n == 8, "shr {n}");
            assert_eq!(carry(FlagOp::Sar, 0x81, n), n == 1 || n >= 8, "sar {n}");
        }
    }

    #[test]
    fn products_that_do_not_fit() {
        for a in 0..=255u64 {
            for b in 0..=255u64 {
                let r = a.wrapping_mul(b);
                let signed = flags_of(FlagOp::MulS, Width::W8, a, b, r, 0);
                let fits = (a as i8).checked_mul(b as i8).is_some();
                assert_eq!(flag(FlagCond::Overflow, signed), !fits, "{a} {b}");
                let unsigned = flags_of(FlagOp::MulU, Width::W8, a, b, r, 0);
                assert_eq!(flag(FlagCond::Carry, unsigned), a * b > 255, "{a} {b}");
            }
        }
    }
}
