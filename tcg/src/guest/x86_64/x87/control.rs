//! Control and status words, environments, and the images of FXSAVE.

use arch::x86_64::state::FCW_INIT;
use arch::x86_64::{Cpu, fxsave};

use super::{Done, Unit, load_extended, status, store_extended, tag, undefined, unit};
use crate::guest::x86_64::{Exception, Vector, X86_64};
use crate::isa::x86_64::{Op, Row};
use crate::vcpu::Core;

/// All exceptions masked.
const MASKS: u64 = 0x3f;
/// The bits of the control word that can be one, and the one that always is.
const FCW_BITS: u64 = 0x1f3f;
const FCW_FIXED: u64 = 0x40;

pub(super) fn execute(core: &mut Core<X86_64>, row: &Row, i: usize, va: u64, wide: bool) -> Done {
    match row.op {
        Op::Fldcw => {
            let fcw = core.load(va, 1)?;
            unit(core).set_control(fcw);
        }
        Op::Fnstcw => core.store(va, core.state.fcw, 1)?,
        Op::Fnstsw => {
            if row.codes[0].method == crate::isa::x86_64::Method::M {
                core.store(va, core.state.fsw, 1)?;
            }
            return Ok(core.state.fsw);
        }
        Op::Fldenv => load_environment(core, va, wide)?,
        Op::Fnstenv => {
            store_environment(core, va, wide)?;
            core.state.fcw |= MASKS;
            unit(core).see_pending();
        }
        Op::Frstor => restore(core, va, wide)?,
        Op::Fnsave => save(core, va, wide)?,
        Op::Fdecstp => unit(core).rotate(7),
        Op::Fincstp => unit(core).rotate(1),
        Op::Fnclex => core.state.fsw &= !(status::EXCEPTIONS | status::PENDING),
        Op::Fninit => init(&mut core.state),
        Op::Ffree => unit(core).free(i),
        Op::Ffreep => {
            let mut unit = unit(core);
            unit.free(i);
            unit.pop();
        }
        Op::Fnop | Op::Fneni | Op::Fndisi | Op::Fnsetpm => {}
        _ => return undefined(),
    }
    Ok(0)
}

fn init(cpu: &mut Cpu) {
    Unit { cpu }.set_status(0);
    (cpu.fcw, cpu.ftw) = (FCW_INIT, 0);
}

impl Unit<'_> {
    fn set_control(&mut self, fcw: u64) {
        self.cpu.fcw = fcw & FCW_BITS | FCW_FIXED;
        self.see_pending();
    }

    fn rotate(&mut self, by: usize) {
        self.set_top(self.top() + by);
        self.condition(status::C1, false);
    }
}

/// Bytes of one field of an environment: seven fields, of which the first three are the control,
/// status and tag words, and the others say where the last instruction was.
fn field(wide: bool) -> (u64, u8) {
    if wide { (4, 2) } else { (2, 1) }
}

/// Bytes of an environment.
fn environment_bytes(wide: bool) -> u64 {
    7 * field(wide).0
}

fn load_environment(core: &mut Core<X86_64>, va: u64, wide: bool) -> Result<(), Exception> {
    let (bytes, _) = field(wide);
    let mut words = [0; 3];
    for (n, word) in words.iter_mut().enumerate() {
        *word = core.load(va.wrapping_add(n as u64 * bytes), 1)?;
    }
    let [fcw, fsw, tags] = words;
    unit(core).set_status(fsw);
    core.state.ftw = (0..8).map(|n| u64::from(tags >> (2 * n) & 3 != 3) << n).sum();
    unit(core).set_control(fcw);
    Ok(())
}

fn store_environment(core: &mut Core<X86_64>, va: u64, wide: bool) -> Result<(), Exception> {
    let (bytes, size) = field(wide);
    let unit = unit(core);
    let tags = (0..8)
        .map(|n| {
            let i = (n + 8 - unit.top()) & 7;
            tag(unit.get(i)) << (2 * n)
        })
        .sum::<u64>();
    let cpu = &core.state;
    let upper = if wide { 0xffff_0000 } else { 0 };
    let words = [cpu.fcw | upper, cpu.fsw | upper, tags | upper, 0, 0, 0, upper];
    for (n, word) in words.into_iter().enumerate() {
        core.store(va.wrapping_add(n as u64 * bytes), word, size)?;
    }
    Ok(())
}

fn save(core: &mut Core<X86_64>, va: u64, wide: bool) -> Result<(), Exception> {
    let registers = va.wrapping_add(environment_bytes(wide));
    for i in 0..8 {
        let value = unit(core).raw(i);
        store_extended(core, registers.wrapping_add(10 * i as u64), value.bits())?;
    }
    store_environment(core, va, wide)?;
    init(&mut core.state);
    Ok(())
}

fn restore(core: &mut Core<X86_64>, va: u64, wide: bool) -> Result<(), Exception> {
    let registers = va.wrapping_add(environment_bytes(wide));
    let mut values = [0; 8];
    for (i, value) in values.iter_mut().enumerate() {
        *value = load_extended(core, registers.wrapping_add(10 * i as u64))?;
    }
    load_environment(core, va, wide)?;
    core.state.st = values;
    Ok(())
}

fn check_aligned(va: u64) -> Result<(), Exception> {
    if va.is_multiple_of(16) { Ok(()) } else { Err(Exception::Fault(Vector::GeneralProtection)) }
}

/// FXSAVE: 512 bytes, of which the last 96 are left alone.
pub(in super::super) fn fxsave(core: &mut Core<X86_64>, [va, ..]: [u64; 3]) -> Done {
    check_aligned(va)?;
    let image = core.state.fxsave_image();
    for (n, word) in image.into_iter().take(52).enumerate() {
        core.store(va.wrapping_add(8 * n as u64), word, 3)?;
    }
    Ok(0)
}

/// FXRSTOR.
pub(in super::super) fn fxrstor(core: &mut Core<X86_64>, [va, ..]: [u64; 3]) -> Done {
    check_aligned(va)?;
    let mut image = [0; fxsave::BYTES / 8];
    for (n, word) in image.iter_mut().take(52).enumerate() {
        *word = core.load(va.wrapping_add(8 * n as u64), 3)?;
    }
    if !core.state.set_fxsave_image(&image) {
        return Err(Exception::Fault(Vector::GeneralProtection));
    }
    let fcw = core.state.fcw;
    unit(core).set_control(fcw);
    Ok(0)
}
