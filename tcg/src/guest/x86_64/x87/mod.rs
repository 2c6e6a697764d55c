//! The x87 unit: a stack of eight registers, in software. [SDM-1 §8]
//!
//! Exceptions are always answered as masked ones; unmasked ones show in the status word, and
//! raise nothing.

mod compute;
mod control;
mod transfer;

use arch::x86_64::Cpu;

use super::exception::Exception;
use super::{Vector, X86_64};
use crate::isa::x86_64::{Op, ROWS, Row};
use crate::softfloat::extended::{Class, Control, Extended};
use crate::softfloat::{Flags, Rounding};
use crate::vcpu::Core;

pub(super) use control::{fxrstor, fxsave};

/// Bits of the status word.
mod status {
    /// Stack fault.
    pub(super) const SF: u64 = 1 << 6;
    /// An unmasked exception is pending, twice.
    pub(super) const PENDING: u64 = 1 << 7 | 1 << 15;
    pub(super) const C0: u64 = 1 << 8;
    pub(super) const C1: u64 = 1 << 9;
    pub(super) const C2: u64 = 1 << 10;
    pub(super) const C3: u64 = 1 << 14;
    /// Exceptions and stack fault.
    pub(super) const EXCEPTIONS: u64 = 0x7f;
    pub(super) const TOP_SHIFT: u32 = 11;
}

/// What an instruction gives.
type Done = Result<u64, Exception>;

/// The unit's registers.
struct Unit<'a> {
    cpu: &'a mut Cpu,
}

impl Unit<'_> {
    fn top(&self) -> usize {
        (self.cpu.fsw >> status::TOP_SHIFT & 7) as usize
    }

    /// The state holds the registers from the stack's top on: they move.
    fn set_top(&mut self, top: usize) {
        let top = top & 7;
        let by = (top + 8 - self.top()) & 7;
        self.cpu.st.rotate_left(by);
        let field = 7 << status::TOP_SHIFT;
        self.cpu.fsw = self.cpu.fsw & !field | (top as u64) << status::TOP_SHIFT;
    }

    fn set_status(&mut self, fsw: u64) {
        self.set_top((fsw >> status::TOP_SHIFT) as usize);
        self.cpu.fsw = fsw & 0xffff;
    }

    fn number(&self, i: usize) -> usize {
        (self.top() + i) & 7
    }

    fn is_empty(&self, i: usize) -> bool {
        self.cpu.ftw >> self.number(i) & 1 == 0
    }

    /// st(i), whether it is empty or not.
    fn raw(&self, i: usize) -> Extended {
        Extended::from_bits(self.cpu.st[i])
    }

    /// st(i), if it is not empty.
    fn get(&self, i: usize) -> Option<Extended> {
        (!self.is_empty(i)).then(|| self.raw(i))
    }

    fn set(&mut self, i: usize, value: Extended) {
        self.cpu.st[i] = value.bits();
        self.cpu.ftw |= 1 << self.number(i);
    }

    fn free(&mut self, i: usize) {
        self.cpu.ftw &= !(1 << self.number(i));
    }

    fn pop(&mut self) {
        self.free(0);
        self.set_top(self.top() + 1);
    }

    fn push(&mut self, value: Extended) {
        self.set_top(self.top() + 7);
        let fault = !self.is_empty(0);
        if fault {
            self.stack_fault(true);
        }
        self.set(0, if fault { Extended::INDEFINITE } else { value });
    }

    fn condition(&mut self, bits: u64, on: bool) {
        self.cpu.fsw = if on { self.cpu.fsw | bits } else { self.cpu.fsw & !bits };
    }

    fn stack_fault(&mut self, overflow: bool) {
        self.cpu.fsw |= status::SF;
        self.raise(Flags::INVALID);
        self.condition(status::C1, overflow);
    }

    fn raise(&mut self, flags: Flags) {
        self.cpu.fsw |= u64::from(flags.to_sse());
        self.see_pending();
    }

    fn see_pending(&mut self) {
        let pending = self.cpu.fsw & !self.cpu.fcw & 0x3f != 0;
        self.condition(status::PENDING, pending);
    }

    fn rounding(&self) -> Rounding {
        match self.cpu.fcw >> 10 & 3 {
            0 => Rounding::NearestEven,
            1 => Rounding::Down,
            2 => Rounding::Up,
            _ => Rounding::TowardZero,
        }
    }

    fn control(&self) -> Control {
        let precision = match self.cpu.fcw >> 8 & 3 {
            0 => 24,
            2 => 53,
            _ => 64,
        };
        Control { rounding: self.rounding(), precision, ..Control::new() }
    }

    /// Takes over what an operation raised.
    fn finish(&mut self, control: &Control) {
        self.raise(control.flags);
        self.condition(status::C1, control.rounded_up);
    }
}

/// Executes the instruction of a row: `what` is its number, above it the register number; memory
/// is at `va`. Gives what FNSTSW puts into ax.
pub(super) fn execute(core: &mut Core<X86_64>, [what, va, wide]: [u64; 3]) -> Done {
    let row = &ROWS[(what & 0xffff) as usize % ROWS.len()];
    let i = (what >> 16 & 7) as usize;
    match row.section() {
        "x87 arithmetic" => compute::execute(core, row, i, va),
        "x87 moves and constants" => transfer::execute(core, row, i, va),
        _ => control::execute(core, row, i, va, wide != 0),
    }
}

/// Makes all registers those of MMX: the stack's top is the first, none is empty.
pub(super) fn enter_mmx(cpu: &mut Cpu) {
    let mut unit = Unit { cpu };
    unit.set_top(0);
    unit.cpu.ftw = 0xff;
}

fn undefined() -> Done {
    Err(Exception::Fault(Vector::InvalidOpcode))
}

fn unit(core: &mut Core<X86_64>) -> Unit<'_> {
    Unit { cpu: &mut core.state }
}

/// Reads 80 bits.
fn load_extended(core: &mut Core<X86_64>, va: u64) -> Result<u128, Exception> {
    let low = core.load(va, 3)?;
    let high = core.load(va.wrapping_add(8), 1)?;
    Ok(u128::from(high) << 64 | u128::from(low))
}

/// Writes 80 bits.
fn store_extended(core: &mut Core<X86_64>, va: u64, value: u128) -> Result<(), Exception> {
    core.store(va.wrapping_add(8), (value >> 64) as u64, 1)?;
    core.store(va, value as u64, 3)
}

/// Whether the operation pops once, by its name.
fn pops(row: &Row) -> bool {
    !matches!(row.op, Op::Fyl2xp1 | Op::Fdecstp | Op::Fincstp)
        && Op::NAMES[row.op as usize].ends_with('p')
}

/// Whether a register is empty, holds zero, something special, or a number: the tag of FNSTENV.
fn tag(value: Option<Extended>) -> u64 {
    match value.map(Extended::class) {
        None => 3,
        Some(Class::Zero) => 1,
        Some(Class::Normal) => 0,
        Some(_) => 2,
    }
}
