//! String instructions. A repeated one is a loop of single executions: each does one element and
//! jumps to itself, so that it can be interrupted and faults in the middle, as on a processor.

use std::mem::offset_of;

use arch::x86_64::Cpu;

use super::control::counter;
use super::operand::{access, linear, offset, set, with, zext};
use super::reg::{RAX, RCX, RDI, RSI};
use super::{R, X86_64, undefined};
use crate::builder::{At, Bin, Builder, Cond, FlagCond, FlagOp, Flow, Width};
use crate::guest::x86_64::Exception;
use crate::guest::{Bulk, Helper, Touches};
use crate::isa::x86_64::{self as isa, Insn, Mem, Operand, Rep, Segment};
use crate::vcpu::Core;

use Width::{W8, W16, W32, W64};

/// Which string instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Str {
    Movs,
    Cmps,
    Stos,
    Lods,
    Scas,
    Ins,
    Outs,
}

impl Str {
    fn compares(self) -> bool {
        matches!(self, Str::Cmps | Str::Scas)
    }

    fn reads_source(self) -> bool {
        matches!(self, Str::Movs | Str::Cmps | Str::Lods)
    }

    fn has_destination(self) -> bool {
        self != Str::Lods
    }
}

pub(in super::super) fn string<B: Builder<X86_64>>(
    b: &mut B,
    at: At,
    insn: &Insn,
    op: Str,
) -> R<B> {
    if matches!(op, Str::Ins | Str::Outs) {
        return undefined(b, at, insn);
    }
    if insn.rep == Rep::None {
        element(b, at, insn, op)?;
        return Ok(Flow::Next);
    }
    let segment = matches!(insn.mem.segment, Segment::Fs | Segment::Gs);
    if matches!(op, Str::Movs | Str::Stos) && !insn.mem.addr32 && !(segment && op == Str::Movs) {
        return repeat(b, at, insn, op);
    }
    let (register, w) = counter(insn);
    let left = b.get(RCX);
    let zero = b.imm(0);
    let some = b.cmp(Cond::Ne, w, left, zero);
    b.when(some, |b| {
        element(b, at, insn, op)?;
        let left = b.get(RCX);
        let one = b.imm(1);
        let left = b.bin(Bin::Sub, w, left, one);
        set(b, register, left);
        Ok(())
    })?;
    let left = b.get(RCX);
    let zero = b.imm(0);
    let more = b.cmp(Cond::Ne, w, left, zero);
    let again = if op.compares() {
        let cond = if insn.rep == Rep::Rep { FlagCond::Zero } else { FlagCond::NonZero };
        let flag = b.flag(cond);
        b.bin(Bin::And, W64, more, flag)
    } else {
        more
    };
    Ok(Flow::Branch(again, at.pc))
}

/// REP MOVS and REP STOS: many elements at a time.
fn repeat<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn, op: Str) -> R<B> {
    let size = element_width(insn) as usize;
    let helper = if op == Str::Movs { &MOVE[size] } else { &FILL[size] };
    let size = b.imm(size as u64);
    b.call(helper, &[size])?;
    let left = b.get(RCX);
    let zero = b.imm(0);
    let more = b.cmp(Cond::Ne, W64, left, zero);
    Ok(Flow::Branch(more, at.pc))
}

/// By the size of elements.
static MOVE: [Helper<X86_64>; 4] = [bulk(true, 0), bulk(true, 1), bulk(true, 2), bulk(true, 3)];
static FILL: [Helper<X86_64>; 4] = [bulk(false, 0), bulk(false, 1), bulk(false, 2), bulk(false, 3)];

const fn bulk(moves: bool, size: u8) -> Helper<X86_64> {
    Helper {
        name: if moves { "rep_movs" } else { "rep_stos" },
        touches: Touches::Bulk(Bulk { moves, size }),
        run: if moves {
            |core, [size, ..]| rep(core, size, true)
        } else {
            |core, [size, ..]| rep(core, size, false)
        },
    }
}

/// Elements done at once at most, so that interrupts do not wait for long.
const AT_ONCE: u64 = 1 << 16;

/// Moves, or fills memory with, elements of `1 << size` bytes. The registers always say what is
/// left: an access may fault.
fn rep(core: &mut Core<X86_64>, size: u64, moves: bool) -> Result<u64, Exception> {
    let [rax, rcx, rsi, rdi] = [RAX, RCX, RSI, RDI].map(usize::from);
    let size = size as u8 & 3;
    let bytes = 1u64 << size;
    let down = core.state.df != 0;
    let mut done = 0;
    while core.state.gpr[rcx] != 0 && done < AT_ONCE {
        let gpr = &core.state.gpr;
        let (to, from, left) = (gpr[rdi], gpr[rsi], gpr[rcx]);
        let wanted = left.min(AT_ONCE) << size;
        // Elements that overlap their neighbours are moved one by one.
        let apart = to == from || to.abs_diff(from) >= bytes;
        let many = match () {
            () if down || left == 1 || moves && !apart => 0,
            () if moves => core.move_bytes(to, from, wanted) & !(bytes - 1),
            () => core.fill_bytes(to, gpr[rax], size, wanted),
        };
        let count = if many == 0 {
            let value = if moves { core.load(from, size)? } else { core.state.gpr[rax] };
            core.store(to, value, size)?;
            1
        } else {
            many >> size
        };
        let by = if down { bytes.wrapping_neg() } else { count << size };
        let gpr = &mut core.state.gpr;
        gpr[rdi] = to.wrapping_add(by);
        if moves {
            gpr[rsi] = from.wrapping_add(by);
        }
        gpr[rcx] = left - count;
        done += count;
    }
    Ok(0)
}

/// Width of an element.
fn element_width(insn: &Insn) -> Width {
    let bytes = insn.operands.iter().find_map(|operand| match operand {
        Operand::Mem(bytes) | Operand::Destination(bytes) => Some(*bytes),
        _ => None,
    });
    match bytes {
        Some(1) => W8,
        Some(2) => W16,
        Some(4) => W32,
        _ => W64,
    }
}

/// One element, and the pointers moved on.
fn element<B: Builder<X86_64>>(b: &mut B, at: At, insn: &Insn, op: Str) -> Result<(), B::Trap> {
    let w = element_width(insn);
    let m = access(w);
    let source = op.reads_source().then(|| {
        let offset = offset(b, at, &insn.mem);
        linear(b, insn.mem.segment, offset)
    });
    let destination = op.has_destination().then(|| {
        let mem = Mem { base: Some(RDI), segment: Segment::Es, ..insn.mem };
        offset(b, at, &mem)
    });
    let x = match source {
        Some(va) => b.load(va, m)?,
        None => b.get(RAX),
    };
    match (op, destination) {
        (Str::Movs | Str::Stos, Some(va)) => b.store(va, x, m)?,
        (Str::Cmps | Str::Scas, Some(va)) => {
            let y = b.load(va, m)?;
            let r = b.bin(Bin::Sub, w, x, y);
            b.flags(FlagOp::Sub, w, x, y, r);
        }
        _ => {
            let register = match w {
                W8 => isa::Width::B,
                W16 => isa::Width::W,
                W32 => isa::Width::D,
                W64 => isa::Width::Q,
            };
            set(b, Operand::Gpr(RAX, register), x);
        }
    }
    // Up by the size, or down if the direction flag is set.
    let down = b.field(offset_of!(Cpu, df));
    let bytes = u64::from(w.bits() / 8);
    let twice = with(b, Bin::Mul, down, 2 * bytes);
    let size = b.imm(bytes);
    let step = b.bin(Bin::Sub, W64, size, twice);
    let step = if source.is_some() && destination.is_some() { b.share(step) } else { step };
    if source.is_some() {
        advance(b, RSI, step, insn.mem.addr32);
    }
    if destination.is_some() {
        advance(b, RDI, step, insn.mem.addr32);
    }
    Ok(())
}

fn advance<B: Builder<X86_64>>(b: &mut B, r: u8, step: B::V, addr32: bool) {
    let old = b.get(r);
    let new = b.bin(Bin::Add, W64, old, step);
    let new = if addr32 { zext(b, W32, new) } else { new };
    b.set(r, new);
}
