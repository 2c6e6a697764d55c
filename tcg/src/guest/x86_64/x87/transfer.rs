//! Loads, stores, constants, exchanges, conditional moves.

use super::{Done, load_extended, pops, status, store_extended, undefined, unit};
use crate::builder::FlagCond;
use crate::guest::x86_64::X86_64;
use crate::isa::x86_64::{Kind, Method, Op, Row};
use crate::ops;
use crate::softfloat::extended::{self as x87, Extended};
use crate::softfloat::{Flags, Rounding};
use crate::vcpu::Core;

pub(super) fn execute(core: &mut Core<X86_64>, row: &Row, i: usize, va: u64) -> Done {
    match row.op {
        Op::Fld | Op::Fild | Op::Fbld => load(core, row, i, va),
        Op::Fst | Op::Fstp | Op::Fstpnce if row.codes[0].method == Method::Sti => {
            let mut unit = unit(core);
            match unit.get(0) {
                Some(value) => {
                    unit.set(i, value);
                    unit.condition(status::C1, false);
                }
                // Its alias does nothing then.
                None if row.op == Op::Fstpnce => {}
                None => {
                    unit.stack_fault(false);
                    unit.set(i, Extended::INDEFINITE);
                }
            }
            if row.op != Op::Fst {
                unit.pop();
            }
            Ok(0)
        }
        Op::Fst | Op::Fstp | Op::Fist | Op::Fistp | Op::Fisttp | Op::Fbstp => store(core, row, va),
        Op::Fxch => {
            let mut unit = unit(core);
            let (a, b) = (unit.get(0), unit.get(i));
            if a.is_none() || b.is_none() {
                unit.stack_fault(false);
            } else {
                unit.condition(status::C1, false);
            }
            unit.set(0, b.unwrap_or(Extended::INDEFINITE));
            unit.set(i, a.unwrap_or(Extended::INDEFINITE));
            Ok(0)
        }
        _ => match moves_if(row.op) {
            Some(condition) => move_if(core, condition, i),
            None => constant(core, row.op),
        },
    }
}

fn load(core: &mut Core<X86_64>, row: &Row, i: usize, va: u64) -> Done {
    let mut control = unit(core).control();
    let value = match (row.op, row.codes[0].method, row.codes[0].kind) {
        (Op::Fbld, ..) => Some(x87::from_bcd(load_extended(core, va)?)),
        (Op::Fild, _, Kind::W) => Some(x87::from_int(i64::from(core.load(va, 1)? as i16))),
        (Op::Fild, _, Kind::D) => Some(x87::from_int(i64::from(core.load(va, 2)? as i32))),
        (Op::Fild, ..) => Some(x87::from_int(core.load(va, 3)? as i64)),
        (_, Method::Sti, _) => unit(core).get(i),
        (_, _, Kind::D) => Some(x87::from_single(core.load(va, 2)? as u32, &mut control)),
        (_, _, Kind::Q) => Some(x87::from_double(core.load(va, 3)?, &mut control)),
        _ => Some(Extended::from_bits(load_extended(core, va)?)),
    };
    let mut unit = unit(core);
    unit.condition(status::C1, false);
    match value {
        Some(value) => {
            if unit.is_empty(7) {
                unit.raise(control.flags);
            }
            unit.push(value);
        }
        None => {
            unit.set_top(unit.top() + 7);
            unit.stack_fault(false);
            unit.set(0, Extended::INDEFINITE);
        }
    }
    Ok(0)
}

/// To memory. What can fault comes before anything changes.
fn store(core: &mut Core<X86_64>, row: &Row, va: u64) -> Done {
    let unit_before = unit(core);
    let mut control = unit_before.control();
    let value = unit_before.get(0);
    let kind = row.codes[0].kind;
    let integer = matches!(row.op, Op::Fist | Op::Fistp | Op::Fisttp);
    // An empty register gives the answer to what does not fit, or the indefinite number.
    let a = value.unwrap_or(Extended::INDEFINITE);
    let c = &mut control;
    match (row.op, kind) {
        (Op::Fbstp, _) => {
            let packed = x87::to_bcd(a, c);
            store_extended(core, va, packed)?;
        }
        _ if integer => {
            let rounding =
                if row.op == Op::Fisttp { Rounding::TowardZero } else { control.rounding };
            let (bits, size) = match kind {
                Kind::W => (16, 1),
                Kind::D => (32, 2),
                _ => (64, 3),
            };
            let result = x87::to_int(a, bits, rounding, &mut control);
            core.store(va, result as u64, size)?;
        }
        (_, Kind::D) => {
            let result = x87::to_single(a, c);
            core.store(va, u64::from(result), 2)?;
        }
        (_, Kind::Q) => {
            let result = x87::to_double(a, c);
            core.store(va, result, 3)?;
        }
        _ => store_extended(core, va, a.bits())?,
    }
    let mut unit = unit(core);
    if value.is_some() {
        if control.flags.contains(Flags::INVALID) {
            control.flags = Flags::INVALID;
            control.rounded_up = false;
        }
        unit.finish(&control);
    } else {
        unit.stack_fault(false);
    }
    if pops(row) {
        unit.pop();
    }
    Ok(0)
}

/// The constants, by their first 64 bits and 16 more.
fn constant(core: &mut Core<X86_64>, op: Op) -> Done {
    let mut unit = unit(core);
    let (exp, sig, more) = match op {
        Op::Fldl2t => (1, 0xd49a_784b_cd1b_8afe, 0x492b),
        Op::Fldl2e => (0, 0xb8aa_3b29_5c17_f0bb, 0xbe87),
        Op::Fldpi => (1, 0xc90f_daa2_2168_c234, 0xc4c6),
        Op::Fldlg2 => (-2, 0x9a20_9a84_fbcf_f798, 0x8f89),
        Op::Fldln2 => (-1, 0xb172_17f7_d1cf_79ab, 0xc9e3),
        Op::Fld1 | Op::Fldz => (0, 1 << 63, 0),
        _ => return undefined(),
    };
    let value = match op {
        Op::Fldz => Extended::ZERO,
        _ => x87::constant(exp, sig, more, unit.rounding()),
    };
    unit.condition(status::C1, false);
    unit.push(value);
    Ok(0)
}

fn moves_if(op: Op) -> Option<FlagCond> {
    Some(match op {
        Op::Fcmovb => FlagCond::Carry,
        Op::Fcmove => FlagCond::Zero,
        Op::Fcmovbe => FlagCond::BelowEq,
        Op::Fcmovu => FlagCond::Parity,
        Op::Fcmovnb => FlagCond::NoCarry,
        Op::Fcmovne => FlagCond::NonZero,
        Op::Fcmovnbe => FlagCond::Above,
        Op::Fcmovnu => FlagCond::NoParity,
        _ => return None,
    })
}

fn move_if(core: &mut Core<X86_64>, condition: FlagCond, i: usize) -> Done {
    let mut unit = unit(core);
    let holds = ops::flag(condition, unit.cpu.flags);
    match (unit.get(0), unit.get(i)) {
        (Some(_), Some(value)) => {
            if holds {
                unit.set(0, value);
            }
            unit.condition(status::C1, false);
        }
        _ => {
            unit.stack_fault(false);
            unit.set(0, Extended::INDEFINITE);
        }
    }
    Ok(0)
}
