//! What is known of a value whose instruction is not executed.

use crate::builder::{Bin, Width};

/// What the upper half of a value is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Upper {
    /// 32 copies of bit 31.
    Sign,
    /// The same if it is so for all registers that the value is computed from.
    Bitwise,
    /// Anything else.
    #[default]
    Other,
}

/// Values of a form that several instructions together may make something simpler of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Form {
    #[default]
    Other,
    /// A register as it is.
    Reg(u8),
    /// A register plus a constant.
    Sum(u8, i64),
    /// A register shifted left (by a positive number of bits) or logically right, 32 bits of it
    /// or all.
    Shift(u8, i8, Width),
    /// The bits of two registers that have none in common.
    Join(u8, u8),
    /// The sum of two registers; the same, if they have none in common.
    Total(u8, u8),
}

/// What a value is computed from, a bit per register.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Value {
    /// A constant, if it is one.
    pub(crate) imm: Option<u64>,
    /// The low 32 bits take the low 32 bits of these.
    pub(crate) low: u64,
    /// The low 32 bits take all of these.
    pub(crate) full: u64,
    /// The upper half takes all of these as well.
    pub(crate) high: u64,
    /// What the upper half is.
    pub(crate) upper: Upper,
    /// What it looks like.
    pub(crate) form: Form,
}

impl Value {
    /// A result with nothing above its low bits, or copies of the sign.
    pub(super) const ANY: Self =
        Self { imm: None, low: 0, full: 0, high: 0, upper: Upper::Other, form: Form::Other };
    pub(super) const SIGN: Self = Self { upper: Upper::Sign, ..Self::ANY };

    /// A register.
    pub(crate) fn reg(r: u8) -> Self {
        let upper = Upper::Bitwise;
        Value { low: 1 << r, high: 1 << r, upper, form: Form::Reg(r), ..Value::ANY }
    }

    pub(super) fn imm(value: u64) -> Self {
        let upper = if value as i32 as u64 == value { Upper::Sign } else { Upper::Other };
        Self { imm: Some(value), upper, ..Self::ANY }
    }

    /// All registers that it takes.
    pub(crate) fn all(self) -> u64 {
        self.low | self.full | self.high
    }

    /// Of operands of which only the low 32 bits count; what is above is known.
    pub(super) fn of_low(upper: Upper, of: &[Self]) -> Self {
        let any = |part: fn(&Self) -> u64| of.iter().map(part).fold(0, |a, b| a | b);
        Self { low: any(|v| v.low), full: any(|v| v.full), upper, ..Self::ANY }
    }

    /// Of operands of which the low 32 bits give the low 32 bits.
    pub(super) fn closed(upper: Upper, of: &[Self]) -> Self {
        let high = of.iter().fold(0, |mask, v| mask | v.high);
        Self { high, ..Self::of_low(upper, of) }
    }

    /// Of operands that count whole.
    pub(super) fn of_all(upper: Upper, of: &[Self]) -> Self {
        let full = of.iter().fold(0, |mask, v| mask | v.all());
        Self { full, upper, ..Self::ANY }
    }

    /// A 32-bit operation's result keeps its form when it is extended; a register does not.
    pub(super) fn unless_reg(self) -> Self {
        match self.form {
            Form::Shift(_, _, Width::W32) => self,
            _ => Self { form: Form::Other, ..self },
        }
    }

    pub(super) fn at_width(w: Width, upper: Upper, of: &[Self]) -> Self {
        if w == Width::W64 { Self::of_all(upper, of) } else { Self::of_low(upper, of) }
    }
}

/// The form of an operation's result.
pub(super) fn form_of(op: Bin, w: Width, a: Value, b: Value) -> Form {
    match (op, a.form, b.form, b.imm) {
        (Bin::Add, Form::Reg(r), _, Some(by)) if w == Width::W64 => Form::Sum(r, by as i64),
        (Bin::Add, Form::Sum(r, x), _, Some(by)) if w == Width::W64 => {
            Form::Sum(r, x.wrapping_add(by as i64))
        }
        (Bin::Shl, Form::Reg(r), _, Some(by)) if by < u64::from(w.bits()) => {
            Form::Shift(r, by as i8, w)
        }
        (Bin::Shr, Form::Reg(r), _, Some(by)) if by < u64::from(w.bits()) => {
            Form::Shift(r, -(by as i8), w)
        }
        (Bin::Or | Bin::Xor, Form::Reg(a), Form::Reg(b), _) if w == Width::W64 => Form::Join(a, b),
        (Bin::Add, Form::Reg(a), Form::Reg(b), _) if w == Width::W64 => Form::Total(a, b),
        _ => Form::Other,
    }
}
