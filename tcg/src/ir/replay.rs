//! Plays a list into a builder.

use super::list::{F, List, Op, V};
use crate::builder::{Builder, Flow, Lowered};
use crate::guest::Guest;

/// What the operations so far have given the builder that is played to.
struct Values<I, N> {
    of: Vec<Option<Value<I, N>>>,
}

#[derive(Clone, Copy)]
enum Value<I, N> {
    Int(I),
    Float(N),
}

impl<I: Copy, N: Copy> Values<I, N> {
    fn v(&self, v: V) -> I {
        match self.of[usize::from(v.0)] {
            Some(Value::Int(i)) => i,
            _ => unreachable!("operation {} gave no integer", v.0),
        }
    }

    fn f(&self, f: F) -> N {
        match self.of[usize::from(f.0)] {
            Some(Value::Float(n)) => n,
            _ => unreachable!("operation {} gave no floating-point value", f.0),
        }
    }
}

type ValuesOf<G, B> = Values<<B as Builder<G>>::V, <B as Builder<G>>::F>;

/// Makes the calls of `list` on `b`: what was described to `Record` is described to `b`.
pub fn replay<G: Guest, B: Builder<G>>(list: &List<G>, b: &mut B) -> Lowered<G, B> {
    let mut values = Values { of: vec![None; list.ops.len()] };
    play(list, 0, list.ops.len(), &mut values, b)?;
    Ok(match list.flow {
        Flow::Next => Flow::Next,
        Flow::Goto(to) => Flow::Goto(to),
        Flow::Branch(c, to) => Flow::Branch(values.v(c), to),
        Flow::Jump(to) => Flow::Jump(values.v(to)),
        Flow::ResyncIfAsked => Flow::ResyncIfAsked,
        Flow::Resync => Flow::Resync,
        Flow::Dispatch => Flow::Dispatch,
    })
}

/// The operations from `at` to `end`. Calls itself for the inside of a `when`, so no deeper than
/// semantics nest them.
fn play<G: Guest, B: Builder<G>>(
    list: &List<G>,
    mut at: usize,
    end: usize,
    values: &mut ValuesOf<G, B>,
    b: &mut B,
) -> Result<(), B::Trap> {
    while at < end {
        let op = list.ops[at];
        if let Op::When(c, inside) = op {
            let (first, behind) = (at + 1, at + 1 + usize::from(inside));
            b.when(values.v(c), |b| play(list, first, behind, values, b))?;
            at = behind;
        } else {
            if op.gives() {
                values.of[at] = Some(value(list, op, values, b)?);
            } else {
                effect(op, values, b)?;
            }
            at += 1;
        }
    }
    Ok(())
}

type Played<G, B> =
    Result<Value<<B as Builder<G>>::V, <B as Builder<G>>::F>, <B as Builder<G>>::Trap>;

/// Plays an operation that gives a value.
fn value<G: Guest, B: Builder<G>>(
    list: &List<G>,
    op: Op,
    all: &ValuesOf<G, B>,
    b: &mut B,
) -> Played<G, B> {
    let v = |v: V| all.v(v);
    let f = |f: F| all.f(f);
    let int = |i: B::V| Ok(Value::Int(i));
    let float = |n: B::F| Ok(Value::Float(n));
    match op {
        Op::Imm(value) => int(b.imm(value)),
        Op::Get(r) => int(b.get(r)),
        Op::Field(at) => int(b.field(at as usize)),
        Op::Share(a) => int(b.share(v(a))),
        Op::Bin(op, w, x, y) => int(b.bin(op, w, v(x), v(y))),
        Op::Un(op, w, x) => int(b.un(op, w, v(x))),
        Op::Cmp(c, w, x, y) => int(b.cmp(c, w, v(x), v(y))),
        Op::Select(c, x, y) => int(b.select(v(c), v(x), v(y))),
        Op::Load(va, m) => int(b.load(v(va), m)?),
        Op::Rmw(op, va, x, m) => int(b.rmw(op, v(va), v(x), m)?),
        Op::Cas(va, old, new, m) => int(b.cas(v(va), v(old), v(new), m)?),
        Op::Call(helper, count, args) => {
            // Those beyond the count stand for nothing.
            let args: Vec<B::V> = args[..usize::from(count)].iter().map(|&a| v(a)).collect();
            int(b.call(list.helpers[usize::from(helper)], &args)?)
        }
        Op::Flag(c) => int(b.flag(c)),
        Op::Fget(r, fmt) => float(b.fget(r, fmt)),
        Op::Fload(va, fmt) => float(b.fload(v(va), fmt)?),
        Op::Fp2(op, fmt, rm, x, y) => float(b.fp2(op, fmt, rm, f(x), f(y))),
        Op::Fp3(op, fmt, rm, x, y, z) => float(b.fp3(op, fmt, rm, f(x), f(y), f(z))),
        Op::Fsqrt(fmt, rm, x) => float(b.fsqrt(fmt, rm, f(x))),
        Op::Fsgnj(s, fmt, x, y) => float(b.fsgnj(s, fmt, f(x), f(y))),
        Op::Fcmp(c, fmt, x, y) => int(b.fcmp(c, fmt, f(x), f(y))),
        Op::FcvtInt(fmt, to, rm, x) => int(b.fcvt_int(fmt, to, rm, f(x))),
        Op::FcvtFromInt(fmt, from, rm, x) => float(b.fcvt_from_int(fmt, from, rm, v(x))),
        Op::Fcvt(from, to, rm, x) => float(b.fcvt(from, to, rm, f(x))),
        Op::FpRaised => int(b.fp_raised()),
        Op::Fclass(fmt, x) => int(b.fclass(fmt, f(x))),
        Op::Fbits(fmt, x) => int(b.fbits(fmt, f(x))),
        Op::Fraw(fmt, x) => float(b.fraw(fmt, v(x))),
        Op::Fround(fmt, rm, inexact, x) => float(b.fround(fmt, rm, inexact, f(x))),
        Op::Xget(r) => float(b.xget(r)),
        Op::Ximm(place) => float(b.ximm(list.vectors[usize::from(place)])),
        Op::Xload(va, m) => float(b.xload(v(va), m)?),
        Op::X1(op, w, x) => float(b.x1(op, w, f(x))),
        Op::X2(op, w, x, y) => float(b.x2(op, w, f(x), f(y))),
        Op::Xnum(op, w, x, y, n) => float(b.xnum(op, w, f(x), f(y), n)),
        Op::Xselect(m, x, y) => float(b.xselect(f(m), f(x), f(y))),
        Op::Xlane(w, x, i) => int(b.xlane(w, f(x), i)),
        Op::Xinsert(w, x, i, y) => float(b.xinsert(w, f(x), i, v(y))),
        Op::Xsplat(w, x) => float(b.xsplat(w, v(x))),
        Op::Xmask(w, x) => int(b.xmask(w, f(x))),
        Op::Xtext(x, y, n) => int(b.xtext(f(x), f(y), n)),
        Op::Xfp(op, fmt, rm, args) => float(b.xfp(op, fmt, rm, args.map(f))),
        _ => unreachable!("{op:?} gives no value"),
    }
}

/// Plays an operation that gives no value.
fn effect<G: Guest, B: Builder<G>>(op: Op, all: &ValuesOf<G, B>, b: &mut B) -> Result<(), B::Trap> {
    let v = |v: V| all.v(v);
    let f = |f: F| all.f(f);
    match op {
        Op::Set(r, x) => b.set(r, v(x)),
        Op::SetField(at, x) => b.set_field(at as usize, v(x)),
        Op::Store(va, x, m) => b.store(v(va), v(x), m)?,
        Op::Fence(how) => b.fence(how),
        Op::FpForget => b.fp_forget(),
        Op::Flags(op, w, x, y, r) => b.flags(op, w, v(x), v(y), v(r)),
        Op::Fset(r, fmt, x) => b.fset(r, fmt, f(x)),
        Op::Fstore(va, x, fmt) => b.fstore(v(va), f(x), fmt)?,
        Op::FcmpFlags(how, signaling, fmt, x, y) => {
            b.fcmp_flags(how, signaling, fmt, f(x), f(y));
        }
        Op::Xset(r, x) => b.xset(r, f(x)),
        Op::Xstore(va, x, m) => b.xstore(v(va), f(x), m)?,
        _ => unreachable!("{op:?} gives a value, or is a region"),
    }
    Ok(())
}
