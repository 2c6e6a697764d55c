//! Arithmetic, comparisons, and functions of the stack's top.

use super::{Done, Unit, pops, status, undefined, unit};
use crate::guest::x86_64::X86_64;
use crate::isa::x86_64::{Kind, Method, Op, Row};
use crate::ops::flags;
use crate::softfloat::Relation;
use crate::softfloat::extended::{self as x87, Class, Control, Extended};
use crate::vcpu::Core;

/// The operation without operand types, order and pop.
#[derive(Clone, Copy)]
enum Two {
    Add,
    Sub,
    Mul,
    Div,
}

/// The operation of an instruction, and whether its operands are exchanged.
fn two(op: Op) -> Option<(Two, bool)> {
    Some(match op {
        Op::Fadd | Op::Fiadd | Op::Faddp => (Two::Add, false),
        Op::Fsub | Op::Fisub | Op::Fsubp => (Two::Sub, false),
        Op::Fsubr | Op::Fisubr | Op::Fsubrp => (Two::Sub, true),
        Op::Fmul | Op::Fimul | Op::Fmulp => (Two::Mul, false),
        Op::Fdiv | Op::Fidiv | Op::Fdivp => (Two::Div, false),
        Op::Fdivr | Op::Fidivr | Op::Fdivrp => (Two::Div, true),
        _ => return None,
    })
}

fn is_integer(op: Op) -> bool {
    matches!(
        op,
        Op::Fiadd
            | Op::Fisub
            | Op::Fisubr
            | Op::Fimul
            | Op::Fidiv
            | Op::Fidivr
            | Op::Ficom
            | Op::Ficomp
    )
}

pub(super) fn execute(core: &mut Core<X86_64>, row: &Row, i: usize, va: u64) -> Done {
    let mut control = unit(core).control();
    let source = match row.codes[0].method {
        Method::M => {
            let bits = match row.codes[0].kind {
                Kind::W => core.load(va, 1)?,
                Kind::D => core.load(va, 2)?,
                _ => core.load(va, 3)?,
            };
            Some(match (is_integer(row.op), row.codes[0].kind) {
                (true, Kind::W) => x87::from_int(i64::from(bits as i16)),
                (true, _) => x87::from_int(i64::from(bits as i32)),
                (false, Kind::D) => x87::operand_from_single(bits as u32, &mut control),
                (false, _) => x87::operand_from_double(bits, &mut control),
            })
        }
        Method::St0 => unit(core).get(i),
        Method::Sti => unit(core).get(0),
        _ => unit(core).get(1),
    };
    let mut unit = unit(core);
    if let Some((op, reverse)) = two(row.op) {
        let to = if row.codes[0].method == Method::Sti { i } else { 0 };
        unit.arithmetic(op, reverse, to, source, control);
        if pops(row) {
            unit.pop();
        }
        return Ok(0);
    }
    match row.op {
        Op::Fcom | Op::Fcomp | Op::Ficom | Op::Ficomp => unit.compare(source, true, control),
        Op::Fcompp => unit.compare(source, true, control),
        Op::Fucom | Op::Fucomp | Op::Fucompp => unit.compare(source, false, control),
        Op::Fcomi | Op::Fcomip => unit.compare_flags(source, true, control),
        Op::Fucomi | Op::Fucomip => unit.compare_flags(source, false, control),
        Op::Ftst => unit.compare(Some(Extended::ZERO), true, control),
        _ => return unit.function(row.op, control),
    }
    if matches!(row.op, Op::Fcompp | Op::Fucompp) {
        unit.pop();
        unit.pop();
    } else if pops(row) || matches!(row.op, Op::Fcomip | Op::Fucomip) {
        unit.pop();
    }
    Ok(0)
}

impl Unit<'_> {
    fn arithmetic(
        &mut self,
        op: Two,
        reverse: bool,
        to: usize,
        source: Option<Extended>,
        mut control: Control,
    ) {
        let (Some(a), Some(b)) = (self.get(to), source) else {
            self.stack_fault(false);
            self.set(to, Extended::INDEFINITE);
            return;
        };
        let (a, b) = if reverse { (b, a) } else { (a, b) };
        let value = match op {
            Two::Add => x87::add(a, b, &mut control),
            Two::Sub => x87::sub(a, b, &mut control),
            Two::Mul => x87::mul(a, b, &mut control),
            Two::Div => x87::div(a, b, &mut control),
        };
        self.set(to, value);
        self.finish(&control);
    }

    /// Compares the top, into the condition bits.
    fn compare(&mut self, source: Option<Extended>, signaling: bool, mut control: Control) {
        let relation = self.relation(source, signaling, &mut control);
        self.condition(status::C0 | status::C1 | status::C2 | status::C3, false);
        let bits = match relation {
            Relation::Greater => 0,
            Relation::Less => status::C0,
            Relation::Equal => status::C3,
            Relation::Unordered => status::C0 | status::C2 | status::C3,
        };
        self.cpu.fsw |= bits;
    }

    /// Compares the top, into the arithmetic flags.
    fn compare_flags(&mut self, source: Option<Extended>, signaling: bool, mut control: Control) {
        let relation = self.relation(source, signaling, &mut control);
        self.condition(status::C1, false);
        let bits = match relation {
            Relation::Greater => 0,
            Relation::Less => flags::C,
            Relation::Equal => flags::Z,
            Relation::Unordered => flags::C | flags::Z | flags::P,
        };
        self.cpu.flags = flags::FIXED | bits;
    }

    fn relation(
        &mut self,
        source: Option<Extended>,
        signaling: bool,
        control: &mut Control,
    ) -> Relation {
        let (Some(a), Some(b)) = (self.get(0), source) else {
            self.stack_fault(false);
            return Relation::Unordered;
        };
        let relation = x87::compare(a, b, signaling, control);
        self.raise(control.flags);
        relation
    }

    /// Functions of the top, and of the register below it.
    fn function(&mut self, op: Op, mut control: Control) -> Done {
        if op == Op::Fxam {
            self.examine();
            return Ok(0);
        }
        let needs_two = matches!(
            op,
            Op::Fyl2x | Op::Fyl2xp1 | Op::Fpatan | Op::Fprem | Op::Fprem1 | Op::Fscale
        );
        let (Some(a), b) = (self.get(0), self.get(1)) else {
            return self.underflow(op);
        };
        let b = match b {
            Some(b) => b,
            None if needs_two => return self.underflow(op),
            None => Extended::ZERO,
        };
        if matches!(op, Op::Fxtract | Op::Fptan | Op::Fsincos) && !self.is_empty(7) {
            self.stack_fault(true);
            self.set(0, Extended::INDEFINITE);
            self.push(Extended::INDEFINITE);
            return Ok(0);
        }
        let c = &mut control;
        match op {
            Op::Fchs => self.set(0, a.with_sign(!a.sign())),
            Op::Fabs => self.set(0, a.with_sign(false)),
            Op::Fsqrt => self.set(0, x87::sqrt(a, c)),
            Op::Frndint => self.set(0, x87::round_to_integral(a, c)),
            Op::Fscale => self.set(0, x87::scale(a, b, c)),
            Op::Fprem | Op::Fprem1 => return self.remainder(a, b, op == Op::Fprem1, control),
            Op::Fxtract => {
                let (exponent, significand) = x87::extract(a, c);
                self.finish(c);
                self.set(0, exponent);
                self.push(significand);
                return Ok(0);
            }
            _ => return self.elementary(op, a, b, control),
        }
        self.finish(&control);
        Ok(0)
    }

    fn underflow(&mut self, op: Op) -> Done {
        self.stack_fault(false);
        match op {
            Op::Fyl2x | Op::Fyl2xp1 | Op::Fpatan => {
                self.set(1, Extended::INDEFINITE);
                self.pop();
            }
            Op::Fxtract | Op::Fptan | Op::Fsincos => {
                self.set(0, Extended::INDEFINITE);
                self.push(Extended::INDEFINITE);
            }
            _ => self.set(0, Extended::INDEFINITE),
        }
        Ok(0)
    }

    fn remainder(&mut self, a: Extended, b: Extended, nearest: bool, mut c: Control) -> Done {
        let step = x87::remainder(a, b, nearest, &mut c);
        self.set(0, step.value);
        self.finish(&c);
        let quotient = step.quotient.unwrap_or(0);
        self.condition(status::C2, step.quotient.is_none());
        self.condition(status::C0, quotient & 4 != 0);
        self.condition(status::C3, quotient & 2 != 0);
        self.condition(status::C1, quotient & 1 != 0);
        Ok(0)
    }

    fn elementary(&mut self, op: Op, a: Extended, b: Extended, mut control: Control) -> Done {
        let c = &mut control;
        // They always compute with all 64 bits.
        c.precision = 64;
        match op {
            Op::F2xm1 => self.set(0, x87::exp2_minus_1(a, c)),
            Op::Fyl2x | Op::Fyl2xp1 => {
                self.set(1, x87::log2_times(a, b, op == Op::Fyl2xp1, c));
                self.pop();
            }
            Op::Fpatan => {
                self.set(1, x87::arctangent(b, a, c));
                self.pop();
            }
            Op::Fsin | Op::Fcos | Op::Fsincos => {
                let Some((sine, cosine)) = x87::sine_cosine(a, c) else {
                    self.condition(status::C2, true);
                    return Ok(0);
                };
                self.condition(status::C2, false);
                self.set(0, if op == Op::Fcos { cosine } else { sine });
                if op == Op::Fsincos {
                    self.finish(c);
                    self.push(cosine);
                    return Ok(0);
                }
            }
            Op::Fptan => {
                let Some(tangent) = x87::tangent(a, c) else {
                    self.condition(status::C2, true);
                    return Ok(0);
                };
                self.condition(status::C2, false);
                self.finish(c);
                self.set(0, tangent);
                let one = if tangent.class() == Class::Nan { tangent } else { Extended::ONE };
                self.push(one);
                return Ok(0);
            }
            _ => return undefined(),
        }
        self.finish(&control);
        Ok(0)
    }

    /// The class of the top, empty or not.
    fn examine(&mut self) {
        let value = self.raw(0);
        let bits = if self.is_empty(0) {
            status::C3 | status::C0
        } else {
            match value.class() {
                Class::Unsupported => 0,
                Class::Nan => status::C0,
                Class::Normal => status::C2,
                Class::Infinite => status::C2 | status::C0,
                Class::Zero => status::C3,
                Class::Denormal => status::C3 | status::C2,
            }
        };
        self.condition(status::C0 | status::C1 | status::C2 | status::C3, false);
        self.cpu.fsw |= bits;
        self.condition(status::C1, value.sign());
    }
}
