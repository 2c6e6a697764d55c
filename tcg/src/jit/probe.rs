//! Which registers and flags instructions read and write: a builder that only listens.
//!
//! A host's translator asks it ahead of emitting a block, to know whether a register that it has
//! in hand will be wanted again, whether anybody asks for the flags of an operation or for the
//! upper half of a result ([`super::demand`]).

mod usage;
mod value;

use std::marker::PhantomData;

pub(crate) use usage::*;
pub(crate) use value::*;

use crate::builder::*;
use crate::guest::{Guest, Helper, Touches};
use crate::ops;

/// The access of a number of that format.
fn float(fmt: Fmt) -> MemOp {
    MemOp::new(if fmt == Fmt::S { 2 } else { 3 }, false)
}

/// A floating-point value, or a vector.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Number {
    /// Registers that it has bits of.
    bits: u64,
    /// It was computed.
    computed: bool,
}

impl Number {
    const COMPUTED: Self = Self { bits: 0, computed: true };
}

/// Listens to one instruction.
pub(crate) struct Probe<G> {
    usage: Usage,
    guest: PhantomData<G>,
}

/// The usage of an instruction, and where control goes behind it.
pub(crate) fn usage_and_flow<G: Guest>(at: At, insn: G::Insn, mode: u32) -> (Usage, Flow<()>) {
    let mut probe = Probe::<G> { usage: Usage::default(), guest: PhantomData };
    let Ok(flow) = G::lower(&mut probe, at, insn, mode);
    let flow = match flow {
        Flow::Next => Flow::Next,
        Flow::Goto(to) => Flow::Goto(to),
        Flow::Branch(_, to) => Flow::Branch((), to),
        Flow::Jump(_) => Flow::Jump(()),
        Flow::Resync => Flow::Resync,
        Flow::ResyncIfAsked => Flow::ResyncIfAsked,
        Flow::Dispatch => Flow::Dispatch,
    };
    (probe.usage, flow)
}

/// The usage of an instruction.
pub(crate) fn usage<G: Guest>(at: At, insn: G::Insn, mode: u32) -> Usage {
    let mut probe = Probe::<G> { usage: Usage::default(), guest: PhantomData };
    let Ok(flow) = G::lower(&mut probe, at, insn, mode);
    probe.usage.branches = !matches!(flow, Flow::Next);
    match flow {
        Flow::Jump(v) => probe.uses(v),
        Flow::Branch(v, target) => {
            probe.uses(v);
            probe.usage.target = Some(target);
        }
        Flow::Goto(target) => probe.usage.target = Some(target),
        _ => {}
    }
    if let Some((r, v)) = probe.usage.def
        && probe.usage.writes != 1 << r
    {
        probe.uses(v);
        probe.usage.def = None;
    }
    probe.usage.full |= probe.usage.sometimes;
    probe.usage
}

type Probed = Result<Value, std::convert::Infallible>;

impl<G: Guest> Probe<G> {
    /// Flags that the instruction itself has set before count as read too: that errs on the safe
    /// side.
    fn reads_flags(&mut self, flags: u64) {
        self.usage.flags_read |= flags;
    }

    /// A value is used whole.
    fn uses(&mut self, v: Value) {
        self.usage.low |= v.low;
        self.usage.full |= v.full | v.high;
    }

    /// The low 32 bits of a value are used.
    fn uses_low(&mut self, v: Value) {
        self.usage.low |= v.low;
        self.usage.full |= v.full;
    }

    fn uses_at(&mut self, w: Width, v: Value) {
        if w == Width::W64 { self.uses(v) } else { self.uses_low(v) }
    }

    /// An access that may fault.
    fn access(&mut self, va: Value) {
        self.uses(va);
        self.usage.traps = true;
        self.usage.access = None;
        self.usage.accesses = true;
    }

    /// A load or a store.
    fn plain_access(&mut self, va: Value, m: MemOp, store: bool) {
        let first = !self.usage.accesses && !m.aligned;
        self.access(va);
        let (base, disp) = match va.form {
            Form::Reg(r) => (r, 0),
            Form::Sum(r, by) => (r, by),
            _ => return,
        };
        if first {
            self.usage.access = Some(Access { base, disp, bytes: m.bytes() as u8, store });
        }
    }
}

impl<G: Guest> Builder<G> for Probe<G> {
    type V = Value;
    type F = Number;
    type Trap = std::convert::Infallible;

    fn get(&mut self, r: u8) -> Value {
        self.usage.reads |= 1 << r;
        Value::reg(r)
    }
    fn set(&mut self, r: u8, v: Value) {
        self.usage.writes |= 1 << r;
        if let Some((_, before)) = self.usage.def.replace((r, v)) {
            self.uses(before);
        }
    }
    fn imm(&mut self, value: u64) -> Value {
        Value::imm(value)
    }
    fn field(&mut self, field: usize) -> Value {
        if field == G::FLAGS {
            self.reads_flags(ALL_FLAGS);
        }
        Value::ANY
    }
    fn set_field(&mut self, field: usize, v: Value) {
        self.uses(v);
        if field == G::FLAGS {
            self.usage.flags_written = ALL_FLAGS;
        }
    }
    fn share(&mut self, v: Value) -> Value {
        v
    }
    fn bin(&mut self, op: Bin, w: Width, a: Value, b: Value) -> Value {
        if let (Some(x), Some(y)) = (a.imm, b.imm) {
            return Value::imm(ops::bin(op, w, x, y));
        }
        let positive = |v: Value| v.imm.is_some_and(|x| x <= i32::MAX as u64);
        let form = form_of(op, w, a, b);
        let value = match op {
            _ if w != Width::W64 => Value::of_low(Upper::Other, &[a, b]),
            // Nothing is above what the constant lets through.
            Bin::And if positive(a) || positive(b) => Value::of_low(Upper::Sign, &[a, b]),
            Bin::Add if b.imm == Some(0) => a,
            Bin::Add if a.imm == Some(0) => b,
            Bin::And | Bin::Or | Bin::Xor => {
                let plain = a.upper != Upper::Other && b.upper != Upper::Other;
                Value::closed(if plain { Upper::Bitwise } else { Upper::Other }, &[a, b])
            }
            Bin::Add | Bin::Sub | Bin::Mul => Value::closed(Upper::Other, &[a, b]),
            Bin::Shl if b.imm.is_some() => Value::closed(Upper::Other, &[a, b]),
            _ => Value::of_all(Upper::Other, &[a, b]),
        };
        Value { form: if form == Form::Other { value.form } else { form }, ..value }
    }
    fn un(&mut self, op: Un, w: Width, a: Value) -> Value {
        if let Some(x) = a.imm {
            return Value::imm(ops::un(op, w, x));
        }
        match op {
            Un::Sext32 if w == Width::W64 => {
                Value { form: a.form, ..Value::of_low(Upper::Sign, &[a]) }.unless_reg()
            }
            Un::Sext8 | Un::Sext16 if w == Width::W64 => Value::of_low(Upper::Sign, &[a]),
            Un::Zext8 | Un::Zext16 => Value::of_low(Upper::Sign, &[a]),
            Un::Zext32 => Value::of_low(Upper::Other, &[a]),
            Un::Not if w == Width::W64 => Value::closed(a.upper, &[a]),
            Un::Neg if w == Width::W64 => Value::closed(Upper::Other, &[a]),
            Un::Clz | Un::Ctz | Un::Popcnt => Value::at_width(w, Upper::Sign, &[a]),
            _ => Value::at_width(w, Upper::Other, &[a]),
        }
    }
    fn cmp(&mut self, _: Cond, w: Width, a: Value, b: Value) -> Value {
        Value::at_width(w, Upper::Sign, &[a, b])
    }
    fn select(&mut self, c: Value, a: Value, b: Value) -> Value {
        let c = Value::of_all(Upper::Sign, &[c]);
        let v = Value::closed(Upper::Other, &[a, b]);
        Value { full: v.full | c.full, ..v }
    }
    fn load(&mut self, va: Value, m: MemOp) -> Probed {
        self.plain_access(va, m, false);
        Ok(if m.size < 2 || m.size == 2 && m.signed { Value::SIGN } else { Value::ANY })
    }
    fn store(&mut self, va: Value, v: Value, m: MemOp) -> Result<(), Self::Trap> {
        self.plain_access(va, m, true);
        if m.size < 3 {
            self.uses_low(v)
        } else {
            self.uses(v)
        }
        Ok(())
    }
    fn rmw(&mut self, _: Rmw, va: Value, v: Value, _: MemOp) -> Probed {
        self.access(va);
        self.uses(v);
        Ok(Value::ANY)
    }
    fn cas(&mut self, va: Value, old: Value, new: Value, _: MemOp) -> Probed {
        self.access(va);
        self.uses(old);
        self.uses(new);
        Ok(Value::ANY)
    }
    fn fence(&mut self, _: Fence) {}
    fn when(
        &mut self,
        c: Value,
        f: impl FnOnce(&mut Self) -> Result<(), Self::Trap>,
    ) -> Result<(), Self::Trap> {
        self.uses(c);
        // What is accessed there may not be.
        let accesses = std::mem::replace(&mut self.usage.accesses, true);
        // What may or may not be written is not known to be overwritten.
        let before = (self.usage.writes, self.usage.flags_written);
        let def = self.usage.def.take();
        f(self)?;
        self.usage.accesses |= accesses;
        self.usage.sometimes |= self.usage.writes & !before.0;
        self.usage.reads |= self.usage.writes & !before.0;
        (self.usage.writes, self.usage.flags_written) = before;
        for (_, v) in [self.usage.def.take(), def].into_iter().flatten() {
            self.uses(v);
        }
        Ok(())
    }
    /// Helpers may look at the flags, and some at the registers.
    fn call(&mut self, h: &'static Helper<G>, args: &[Value]) -> Probed {
        self.reads_flags(ALL_FLAGS);
        self.usage.traps = true;
        self.usage.calls = true;
        for &v in args {
            self.uses(v);
        }
        if h.touches != Touches::Fields {
            self.usage.sometimes = u64::MAX;
        }
        Ok(Value::ANY)
    }
    fn flags(&mut self, op: FlagOp, w: Width, a: Value, b: Value, r: Value) {
        self.usage.flags_written |= overwritten_flags(op, b.imm);
        for v in [a, b, r] {
            self.uses_at(w, v);
        }
    }
    fn flag(&mut self, c: FlagCond) -> Value {
        self.reads_flags(asked_flags(c));
        Value::SIGN
    }
    /// A single that is not boxed is left to the interpreter.
    fn fget(&mut self, r: u8, fmt: Fmt) -> Number {
        self.usage.vectors |= 1 << r;
        self.usage.traps |= fmt == Fmt::S && G::NAN_BOXED;
        match fmt {
            Fmt::S => self.usage.singles |= 1 << r,
            Fmt::D => self.usage.doubles |= 1 << r,
        }
        Number { bits: 1 << r, computed: false }
    }
    fn fset(&mut self, r: u8, fmt: Fmt, v: Number) {
        self.usage.bits |= v.bits;
        self.usage.result = v.computed.then_some((r, fmt));
        self.usage.vectors |= 1 << r;
        self.usage.vectors_written |= 1 << r;
        self.usage.no_singles |= u64::from(fmt != Fmt::S) << r;
    }
    fn fload(&mut self, va: Value, fmt: Fmt) -> Result<Number, Self::Trap> {
        self.plain_access(va, float(fmt), false);
        Ok(Number::default())
    }
    fn fstore(&mut self, va: Value, v: Number, fmt: Fmt) -> Result<(), Self::Trap> {
        self.usage.bits |= v.bits;
        self.plain_access(va, float(fmt), true);
        Ok(())
    }
    fn fp2(&mut self, _: Fp2, _: Fmt, _: Rm, _: Number, _: Number) -> Number {
        Number::COMPUTED
    }
    fn fp3(&mut self, _: Fp3, _: Fmt, _: Rm, _: Number, _: Number, _: Number) -> Number {
        Number::COMPUTED
    }
    fn fsqrt(&mut self, _: Fmt, _: Rm, _: Number) -> Number {
        Number::COMPUTED
    }
    fn fsgnj(&mut self, _: Sgn, _: Fmt, a: Number, b: Number) -> Number {
        Number { bits: a.bits | b.bits, computed: false }
    }
    fn fcmp(&mut self, _: FCond, _: Fmt, _: Number, _: Number) -> Value {
        Value::SIGN
    }
    fn fcvt_int(&mut self, _: Fmt, _: IntTy, _: Rm, _: Number) -> Value {
        Value::ANY
    }
    fn fcvt_from_int(&mut self, _: Fmt, _: IntTy, _: Rm, v: Value) -> Number {
        self.uses(v);
        Number::default()
    }
    fn fcvt(&mut self, _: Fmt, _: Fmt, _: Rm, _: Number) -> Number {
        Number::COMPUTED
    }
    fn fclass(&mut self, _: Fmt, v: Number) -> Value {
        self.usage.bits |= v.bits;
        Value::SIGN
    }
    fn fp_raised(&mut self) -> Value {
        Value::SIGN
    }
    fn fp_forget(&mut self) {}
    fn fbits(&mut self, _: Fmt, v: Number) -> Value {
        self.usage.bits |= v.bits;
        Value::ANY
    }
    fn fraw(&mut self, _: Fmt, v: Value) -> Number {
        self.uses(v);
        Number::default()
    }
    fn fround(&mut self, _: Fmt, _: Rm, _: bool, _: Number) -> Number {
        Number::COMPUTED
    }
    fn fcmp_flags(&mut self, _: FpFlags, _: bool, _: Fmt, _: Number, _: Number) {
        self.usage.flags_written |= ALL_FLAGS;
    }
    fn xget(&mut self, r: u8) -> Number {
        self.usage.vectors |= 1 << r;
        self.usage.bits |= 1 << r;
        Number::default()
    }
    fn xset(&mut self, r: u8, _: Number) {
        self.usage.vectors |= 1 << r;
        self.usage.vectors_written |= 1 << r;
        self.usage.no_singles |= 1 << r;
    }
    fn ximm(&mut self, _: u128) -> Number {
        Number::default()
    }
    fn xload(&mut self, va: Value, m: MemOp) -> Result<Number, Self::Trap> {
        self.plain_access(va, m, false);
        Ok(Number::default())
    }
    fn xstore(&mut self, va: Value, _: Number, m: MemOp) -> Result<(), Self::Trap> {
        self.plain_access(va, m, true);
        Ok(())
    }
    fn x1(&mut self, _: X1, _: Width, v: Number) -> Number {
        v
    }
    fn x2(&mut self, _: X2, _: Width, a: Number, _: Number) -> Number {
        a
    }
    fn xnum(&mut self, _: XImm, _: Width, a: Number, _: Number, _: u8) -> Number {
        a
    }
    fn xselect(&mut self, _: Number, b: Number, _: Number) -> Number {
        b
    }
    fn xlane(&mut self, _: Width, _: Number, _: u8) -> Value {
        Value::ANY
    }
    fn xinsert(&mut self, w: Width, x: Number, _: u8, v: Value) -> Number {
        self.uses_at(w, v);
        x
    }
    fn xsplat(&mut self, w: Width, v: Value) -> Number {
        self.uses_at(w, v);
        Number::default()
    }
    fn xmask(&mut self, _: Width, _: Number) -> Value {
        Value::ANY
    }
    fn xtext(&mut self, _: Number, _: Number, _: u8) -> Value {
        Value::ANY
    }
    fn xfp(&mut self, _: FpOp, _: Fmt, _: Rm, _: [Number; 3]) -> Number {
        Number::default()
    }
}
