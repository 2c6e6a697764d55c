//! What programs may see of the processor: its features, its clock, its control registers and
//! selectors, and the x87 unit, which is software.

use std::sync::{Mutex, PoisonError};

use super::super::cpuid;
use super::super::exception::Exception;
use super::super::x87 as unit;
use super::operand::{address, read, set, write};
use super::reg::{RAX, RCX, RDX};
use super::{R, Vector, X86_64};
use crate::builder::{At, Builder, Flow, MemOp};
use crate::guest::{Helper, Touches};
use crate::isa::x86_64::{self as isa, Insn, Operand, Segment};
use crate::vcpu::Core;

static CPUID: Helper<X86_64> = Helper { name: "cpuid", touches: Touches::Registers, run: identify };

fn identify(core: &mut Core<X86_64>, _: [u64; 3]) -> Result<u64, Exception> {
    let number = core.index;
    let gpr = &mut core.state.gpr;
    let leaf = cpuid::leaf(gpr[0] as u32, gpr[1] as u32, number);
    for (r, value) in [leaf.eax, leaf.ecx, leaf.edx, leaf.ebx].into_iter().enumerate() {
        gpr[r] = value.into();
    }
    Ok(0)
}

pub(in super::super) fn cpuid<B: Builder<X86_64>>(b: &mut B, _: At, _: &Insn) -> R<B> {
    b.call(&CPUID, &[])?;
    Ok(Flow::Next)
}

/// The time-stamp counter counts nanoseconds.
static TIME: Helper<X86_64> = Helper {
    name: "time_stamp",
    touches: Touches::Fields,
    run: |core, _| Ok(core.machine.clock.now_ns()),
};

fn time_stamp<B: Builder<X86_64>>(b: &mut B) -> Result<(), B::Trap> {
    let now = b.call(&TIME, &[])?;
    let now = b.share(now);
    let high = super::operand::with(b, crate::builder::Bin::Shr, now, 32);
    set(b, Operand::Gpr(RAX, isa::Width::D), now);
    set(b, Operand::Gpr(RDX, isa::Width::D), high);
    Ok(())
}

pub(in super::super) fn rdtsc<B: Builder<X86_64>>(b: &mut B, _: At, _: &Insn) -> R<B> {
    time_stamp(b)?;
    Ok(Flow::Next)
}

static PROCESSOR: Helper<X86_64> = Helper {
    name: "processor_number",
    touches: Touches::Fields,
    run: |core, _| Ok(u64::from(core.index)),
};

/// As RDTSC; ecx is the number of the processor, as Linux sets it up.
pub(in super::super) fn rdtscp<B: Builder<X86_64>>(b: &mut B, _: At, _: &Insn) -> R<B> {
    let number = b.call(&PROCESSOR, &[])?;
    let number = b.share(number);
    time_stamp(b)?;
    set(b, Operand::Gpr(RCX, isa::Width::D), number);
    Ok(Flow::Next)
}

/// MOV from a segment register: the selectors of a program under Linux.
pub(in super::super) fn mov_from_segment<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
) -> R<B> {
    let [to, from, ..] = insn.operands;
    let selector = match from {
        Operand::Segment(Segment::Cs) => 0x33,
        Operand::Segment(Segment::Ss) => 0x2b,
        _ => 0,
    };
    let v = b.imm(selector);
    write(b, at, insn, to, v)?;
    Ok(Flow::Next)
}

static STMXCSR: Helper<X86_64> =
    Helper { name: "stmxcsr", touches: Touches::Fields, run: |core, _| Ok(core.state.mxcsr) };
static LDMXCSR: Helper<X86_64> =
    Helper { name: "ldmxcsr", touches: Touches::Fields, run: set_mxcsr };

fn set_mxcsr(core: &mut Core<X86_64>, [new, ..]: [u64; 3]) -> Result<u64, Exception> {
    if new >> 16 != 0 {
        return Err(Exception::Fault(Vector::GeneralProtection));
    }
    core.state.mxcsr = new;
    Ok(0)
}

pub(in super::super) fn stmxcsr<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let v = b.call(&STMXCSR, &[])?;
    write(b, at, insn, insn.operands[0], v)?;
    Ok(Flow::Next)
}

pub(in super::super) fn ldmxcsr<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let v = read(b, at, insn, insn.operands[0])?;
    b.call(&LDMXCSR, &[v])?;
    Ok(Flow::Next)
}

static FXSAVE: Helper<X86_64> =
    Helper { name: "fxsave", touches: Touches::Registers, run: unit::fxsave };
static FXRSTOR: Helper<X86_64> =
    Helper { name: "fxrstor", touches: Touches::Registers, run: unit::fxrstor };

pub(in super::super) fn fxsave<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let va = address(b, at, insn);
    b.call(&FXSAVE, &[va])?;
    Ok(Flow::Next)
}

pub(in super::super) fn fxrstor<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let va = address(b, at, insn);
    b.call(&FXRSTOR, &[va])?;
    Ok(Flow::Next)
}

static X87: Helper<X86_64> = Helper { name: "x87", touches: Touches::Fields, run: unit::execute };

/// All instructions of the x87 unit.
pub(in super::super) fn x87<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let register = insn.operands.iter().find_map(|operand| match operand {
        Operand::St(i) if *i != 0 => Some(*i),
        _ => None,
    });
    let what = u64::from(insn.row) | u64::from(register.unwrap_or(0)) << 16;
    let memory = insn.operands.iter().any(|operand| matches!(operand, Operand::Mem(_)));
    let va = if memory { address(b, at, insn) } else { b.imm(0) };
    let (what, wide) = (b.imm(what), b.imm(u64::from(insn.width != isa::Width::W)));
    let status = b.call(&X87, &[what, va, wide])?;
    if let Operand::Gpr(..) = insn.operands[0] {
        set(b, insn.operands[0], status);
    }
    Ok(Flow::Next)
}

/// WAIT: exceptions of the x87 unit are never pending.
pub(in super::super) fn fwait<B: Builder<X86_64>>(_: &mut B, _: At, _: &Insn) -> R<B> {
    Ok(Flow::Next)
}

pub(in super::super) fn emms<B: Builder<X86_64>>(b: &mut B, _: At, _: &Insn) -> R<B> {
    let empty = b.imm(0);
    b.set_field(std::mem::offset_of!(arch::x86_64::Cpu, ftw), empty);
    Ok(Flow::Next)
}

static PEXT: Helper<X86_64> =
    Helper { name: "pext", touches: Touches::Fields, run: |_, [x, mask, _]| Ok(extract(x, mask)) };
static PDEP: Helper<X86_64> =
    Helper { name: "pdep", touches: Touches::Fields, run: |_, [x, mask, _]| Ok(deposit(x, mask)) };
static CRC32: Helper<X86_64> = Helper {
    name: "crc32",
    touches: Touches::Fields,
    run: |_, [crc, data, bytes]| Ok(u64::from(crc32(crc as u32, data, bytes))),
};

fn extract(x: u64, mask: u64) -> u64 {
    let chosen = (0..64).filter(|n| mask >> n & 1 != 0);
    chosen.enumerate().map(|(to, from)| (x >> from & 1) << to).sum()
}

fn deposit(x: u64, mask: u64) -> u64 {
    let chosen = (0..64).filter(|n| mask >> n & 1 != 0);
    chosen.enumerate().map(|(from, to)| (x >> from & 1) << to).sum()
}

/// CRC-32C, of `bytes` bytes [SDM-2A CRC32].
fn crc32(crc: u32, data: u64, bytes: u64) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    data.to_le_bytes()[..bytes.min(8) as usize].iter().fold(crc, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            crc >> 1 ^ if crc & 1 != 0 { POLYNOMIAL } else { 0 }
        })
    })
}

fn bit_helper<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    helper: &'static Helper<X86_64>,
) -> R<B> {
    let [to, from, mask, _] = insn.operands;
    let mask = read(b, at, insn, mask)?;
    let mask = super::operand::zext(b, super::operand::width(to), mask);
    let x = read(b, at, insn, from)?;
    let v = b.call(helper, &[x, mask])?;
    set(b, to, v);
    Ok(Flow::Next)
}

pub(in super::super) fn pext<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    bit_helper(b, at, insn, &PEXT)
}

pub(in super::super) fn pdep<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    bit_helper(b, at, insn, &PDEP)
}

/// The result is 32 bits wide, whatever the destination.
pub(in super::super) fn crc32_step<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    let [to, from, ..] = insn.operands;
    let data = read(b, at, insn, from)?;
    let crc = read(b, at, insn, to)?;
    let bytes = b.imm(u64::from(super::operand::width(from).bits() / 8));
    let v = b.call(&CRC32, &[crc, data, bytes])?;
    set(b, to, v);
    Ok(Flow::Next)
}

static EXCHANGE_16: Helper<X86_64> =
    Helper { name: "cmpxchg16b", touches: Touches::Registers, run: exchange_16 };

fn exchange_16(core: &mut Core<X86_64>, [va, ..]: [u64; 3]) -> Result<u64, Exception> {
    if !va.is_multiple_of(16) {
        return Err(Exception::Fault(Vector::GeneralProtection));
    }
    let gpr = core.state.gpr;
    let pair = |high: usize, low: usize| u128::from(gpr[high]) << 64 | u128::from(gpr[low]);
    let (expected, new) = (pair(2, 0), pair(1, 3));
    let found = compare_exchange_pair(core, va, expected, new)?;
    if found == expected {
        core.state.flags |= crate::ops::flags::Z;
    } else {
        core.state.flags &= !crate::ops::flags::Z;
        core.state.gpr[0] = found as u64;
        core.state.gpr[2] = (found >> 64) as u64;
    }
    Ok(0)
}

/// Atomic among exchanges of this size; a store of half the operand may come between, which those
/// who use the instruction do not do to a pair that is shared.
fn compare_exchange_pair(
    core: &mut Core<X86_64>,
    va: u64,
    expected: u128,
    new: u128,
) -> Result<u128, Exception> {
    static PAIRS: Mutex<()> = Mutex::new(());
    let _alone = PAIRS.lock().unwrap_or_else(PoisonError::into_inner);
    let high = va.wrapping_add(8);
    let found = u128::from(core.load(high, 3)?) << 64 | u128::from(core.load(va, 3)?);
    let value = if found == expected { new } else { found };
    core.store(va, value as u64, 3)?;
    core.store(high, (value >> 64) as u64, 3)?;
    Ok(found)
}

/// CMPXCHG8B and CMPXCHG16B; atomic, LOCK or not.
pub(in super::super) fn cmpxchg_pair<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn) -> R<B> {
    use crate::builder::{Bin, Cond, Width::W64};
    let va = address(b, at, insn);
    if insn.operands[0] == Operand::Mem(16) {
        b.call(&EXCHANGE_16, &[va])?;
        return Ok(Flow::Next);
    }
    let join = |b: &mut B, high: u8, low: u8| {
        let high = b.get(high);
        let high = super::operand::with(b, Bin::Shl, high, 32);
        let low = b.get(low);
        let low = super::operand::zext(b, crate::builder::Width::W32, low);
        b.bin(Bin::Or, W64, high, low)
    };
    let expected = join(b, RDX, RAX);
    let expected = b.share(expected);
    let new = join(b, RCX, super::reg::RBX);
    let found = b.cas(va, expected, new, MemOp::LD)?;
    let found = b.share(found);
    let equal = b.cmp(Cond::Eq, W64, found, expected);
    let equal = b.share(equal);
    // The registers stay if they were equal, their upper halves too.
    let (low, high) = (b.get(RAX), b.get(RDX));
    let found_low = super::operand::zext(b, crate::builder::Width::W32, found);
    let found_high = super::operand::with(b, Bin::Shr, found, 32);
    let low = b.select(equal, low, found_low);
    let high = b.select(equal, high, found_high);
    let (low, high) = (b.share(low), b.share(high));
    b.set(RAX, low);
    b.set(RDX, high);
    let image = b.field(super::FLAGS);
    let zero = crate::ops::flags::Z;
    let others = super::operand::with(b, Bin::And, image, !zero);
    let equal = super::operand::with(b, Bin::Shl, equal, u64::from(zero.trailing_zeros()));
    let image = b.bin(Bin::Or, W64, others, equal);
    b.set_field(super::FLAGS, image);
    Ok(Flow::Next)
}
