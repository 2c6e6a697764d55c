//! The x86-64 guest against the host: random instructions of every row with semantics, in the
//! interpreter, as operation lists and translated.
#![deny(unsafe_code)]

use std::sync::Arc;

use arch::x86_64::state::*;

use super::{Oracle, Registers, TAKEN, Units, WINDOW};
use crate::absent::{NoDevices, NoTime};
use crate::guest::x86_64::{Exception, Vector, X86_64, has_semantics};
use crate::isa::x86_64::{self as isa, Insn, Mem, Op, Operand, ROWS, Segment, sample};
use crate::machine::{Config, Machine, Mode};
use crate::mmu::host::{Anonymous, HostRange};
use crate::mmu::ram::Slot;
use crate::run::Vcpu;
use crate::{Stop, testing};

/// Instructions tried per row.
const CASES: usize = 200;

/// How many times as much to try, and where random numbers begin: `POLYVISOR_ORACLE=TIMES[:SEED]`
/// makes a long run of a test, another one each time the seed is another.
pub(super) fn effort() -> (usize, u64) {
    let Ok(set) = std::env::var("POLYVISOR_ORACLE") else { return (1, 0) };
    let (times, seed) = set.split_once(':').unwrap_or((&set, "0"));
    let number = |text: &str| text.parse().expect("POLYVISOR_ORACLE is TIMES or TIMES:SEED");
    (number(times) as usize, number(seed))
}

/// The rows that are not tried.
const LEFT_OUT: &str = "
    mov Rv,Sw
    mov Mw,Sw
    mov AL,Ob
    mov rAX,Ov
    mov Ob,AL
    mov Ov,rAX
    popf
    popfq
    ins Yb,DX
    ins Yz,DX
    outs DX,Xb
    outs DX,Xz
    call Jz
    jmp Jz
    jmp Jb
    ret Iw
    ret
    call Ev
    jmp Ev
    int3
    int Ib
    int1
    cli
    sti
    hlt
    rdfsbase Ry
    rdgsbase Ry
    wrfsbase Ry
    wrgsbase Ry
    syscall
    cpuid
    rdtsc
    rdtscp
    prefetch Mb
    prefetchw Mb
    prefetchwt1 Mb
    prefetchw Mb
    prefetch Mb
    prefetch Mb
    prefetch Mb
    prefetch Mb
    nop Ev,Gv
    emms
";

pub(super) struct Rng(u64);

impl Rng {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(super) fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 16) % n
    }

    /// Numbers near the edges of all widths come often.
    pub(super) fn value(&mut self) -> u64 {
        let edge = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000];
        match self.below(4) {
            0 => edge[self.below(10) as usize],
            1 => edge[self.below(10) as usize].wrapping_neg().rotate_right(32),
            2 => self.next() >> self.below(64),
            _ => self.next(),
        }
    }
}

/// A machine with the window's memory at the same address, and a page of code.
pub(super) struct Guest {
    machine: Arc<Machine<X86_64>>,
    vcpu: Vcpu<X86_64>,
    pub(super) name: &'static str,
}

const CODE: u64 = 0x10_0000_0000;
const CODE_BYTES: u64 = 0x10_0000;
const INT3: u8 = 0xcc;

impl Guest {
    fn new(name: &'static str, mode: Mode, window: u64) -> Self {
        let machine = Machine::new(Config {
            vcpus: 1,
            mode,
            code_bytes: 64 << 20,
            io: Arc::new(NoDevices),
            clock: Arc::new(NoTime),
            firmware_calls: false,
            learning: None,
        })
        .expect("a machine");
        for (gpa, len) in [(window, WINDOW), (CODE, CODE_BYTES as usize)] {
            let host = HostRange::new(Arc::new(Anonymous::new(len)));
            machine.map(Slot { gpa, host, readonly: false }).expect("memory");
        }
        let vcpu = machine.vcpu(0, Cpu::new(), false).expect("the vCPU");
        Self { machine, vcpu, name }
    }

    pub(super) fn machine(&self) -> &Machine<X86_64> {
        &self.machine
    }

    /// A place for the code of a round: a new one now and then, so that code is made anew as well
    /// as dropped.
    pub(super) fn place(round: usize) -> u64 {
        CODE + (round as u64 * 0x51) % (CODE_BYTES - 0x200)
    }

    /// Executes code to its end, or to a taken branch; gives the exception if it raised one.
    pub(super) fn run(
        &mut self,
        pc: u64,
        insn: &[u8],
        registers: &mut Registers,
    ) -> Option<Exception> {
        let mut code = insn.to_vec();
        code.resize(insn.len() + TAKEN as usize + 1, INT3);
        testing::write_memory(&self.machine, pc, &code);
        let state = &mut self.vcpu.core().state;
        state.gpr = registers.gpr;
        state.rip = pc;
        state.set_rflags(registers.rflags);
        let units = &registers.units;
        (state.xmm, state.st, state.mxcsr) = (units.xmm, units.st, units.mxcsr);
        (state.fcw, state.fsw, state.ftw) = (units.fcw, units.fsw, units.ftw);
        assert_eq!(self.vcpu.run(), Stop::Kicked);
        let core = self.vcpu.core();
        let exception = core.local.exception.take().expect("it was stopped by an exception");
        let next = pc + insn.len() as u64;
        registers.gpr = core.state.gpr;
        registers.rflags = core.state.rflags();
        let state = &core.state;
        registers.units = Units {
            xmm: state.xmm,
            st: state.st,
            mxcsr: state.mxcsr,
            fcw: state.fcw,
            fsw: state.fsw,
            ftw: state.ftw,
        };
        registers.taken = u64::from(core.state.rip == next + TAKEN as u64);
        let done = registers.taken != 0 || core.state.rip == next;
        (exception != Exception::Fault(Vector::Breakpoint) || !done).then_some(exception)
    }
}

/// Flags that are undefined after the instruction, as `[SDM-2]` says, and the hosts do not agree.
fn undefined_flags(op: Op, count: u64) -> u64 {
    match op {
        Op::And | Op::Or | Op::Xor | Op::Test => AF,
        Op::Andn => AF | PF,
        Op::Blsr | Op::Blsi | Op::Blsmsk | Op::Bzhi => AF | PF,
        Op::Bextr => AF | PF | SF,
        Op::Mul | Op::Imul => SF | ZF | AF | PF,
        Op::Div | Op::Idiv => ARITHMETIC,
        Op::Shl | Op::Sal | Op::Shr | Op::Sar | Op::Shld | Op::Shrd => {
            AF | if count == 1 { 0 } else { OF }
        }
        Op::Rol | Op::Ror | Op::Rcl | Op::Rcr if count != 1 => OF,
        Op::Bt | Op::Bts | Op::Btr | Op::Btc => OF | SF | AF | PF,
        Op::Bsf | Op::Bsr => ARITHMETIC & !ZF,
        Op::Lzcnt | Op::Tzcnt => OF | SF | AF | PF,
        _ => 0,
    }
}

/// The magnitude of an x87 register, in units of the least one at its exponent: neighbours differ
/// by one, also where the exponent changes.
fn magnitude(register: u128) -> u128 {
    let (exp, sig) = (register >> 64 & 0x7fff, register & u128::from(u64::MAX));
    ((exp.max(1) - 1) << 63) + sig
}

/// Takes over from the host what is not defined after the instruction.
fn undefined_units(insn: &Insn, units: &mut Units, host: &Units) {
    const CONDITIONS: u64 = 0x4700;
    if matches!(insn.op(), Op::Rcpps | Op::Rcpss | Op::Rsqrtps | Op::Rsqrtss) {
        // The relative error is at most 1.5 · 2^-12.
        const ERROR: u32 = 3 << 11;
        // Below the smallest normal number the result is zero: processors differ in when that is.
        const SMALL: u32 = 0x80_0000 + ERROR;
        for (ours, theirs) in units.xmm.iter_mut().zip(host.xmm) {
            let lane = |v: u128, i: usize| (v >> (32 * i)) as u32;
            let alike = |a: u32, b: u32| {
                let small = (a & 0x7fff_ffff).max(b & 0x7fff_ffff) <= SMALL && (a ^ b) >> 31 == 0;
                small || a.abs_diff(b) <= ERROR
            };
            if (0..4).all(|i| alike(lane(*ours, i), lane(theirs, i))) {
                *ours = theirs;
            }
        }
    }
    if insn.row().section() != "x87 arithmetic" {
        return;
    }
    let elementary = matches!(
        insn.op(),
        Op::F2xm1
            | Op::Fyl2x
            | Op::Fyl2xp1
            | Op::Fptan
            | Op::Fpatan
            | Op::Fsin
            | Op::Fcos
            | Op::Fsincos
    );
    let mut undefined = CONDITIONS;
    if elementary {
        // Processors differ in the last place, and so in what it raises.
        undefined |= 0x3e;
        for (ours, theirs) in units.st.iter_mut().zip(host.st) {
            if magnitude(*ours).abs_diff(magnitude(theirs)) <= 1 && (*ours ^ theirs) >> 79 == 0 {
                *ours = theirs;
            }
        }
    }
    units.fsw = units.fsw & !undefined | host.fsw & undefined;
}

/// Whether the host can run it beside this program, and the result is defined.
pub(super) fn runs_on_host(insn: &Insn) -> bool {
    let op = insn.op();
    match op {
        // They end the run, need privilege, or change what this program needs.
        Op::Hlt | Op::Cli | Op::Sti | Op::Int | Op::Int1 | Op::Int3 | Op::Syscall => false,
        Op::Popf | Op::Popfq | Op::Wrfsbase | Op::Wrgsbase | Op::Rdfsbase | Op::Rdgsbase => false,
        // They go where nothing waits for them.
        Op::Jmp | Op::Call | Op::Ret | Op::Ins | Op::Outs => false,
        // Intel's leaves the stack's top where it is.
        Op::Emms => false,
        // Only Intel's prepare the x87 unit for an operand in memory.
        Op::Cvtpi2ps => !matches!(insn.operands[1], Operand::Mem(_)),
        // Another processor says something else, and at another time.
        Op::Cpuid | Op::Rdtsc | Op::Rdtscp => false,
        Op::Mov if matches!(insn.operands[1], Operand::Segment(_)) => false,
        // Undefined.
        Op::Bswap => insn.width != isa::Width::W,
        _ => {
            // Its code lies elsewhere, and FS is the host's own.
            let rip = insn.mem.base == Some(Mem::RIP);
            !rip && (insn.mem.segment != Segment::Fs || op == Op::Lea)
        }
    }
}

/// Points the registers of the memory operand, and those that are pointers by definition, into
/// the window.
fn aim(insn: &Insn, registers: &mut Registers, window: u64, rng: &mut Rng) -> bool {
    let middle = window + WINDOW as u64 / 2;
    let mut near = || middle + rng.below(256) - rng.below(256);
    let pointers: &[usize] = match insn.op() {
        Op::Movs | Op::Cmps => &[6, 7],
        Op::Stos | Op::Scas | Op::Maskmovdqu | Op::Maskmovq => &[7],
        Op::Lods => &[6],
        Op::Xlatb => &[3],
        Op::Leave | Op::Enter => &[5],
        _ => &[],
    };
    registers.gpr[4] = near() & !7;
    for &r in pointers {
        registers.gpr[r] = near();
    }
    if insn.row().string() {
        registers.gpr[1] = near() % 9;
    }
    let memory = insn.operands.iter().any(|o| matches!(o, Operand::Mem(_)));
    if !memory || insn.row().string() || insn.op() == Op::Lea {
        return true;
    }
    // A bit number in a register moves the address.
    if matches!(insn.op(), Op::Bt | Op::Bts | Op::Btr | Op::Btc)
        && let Operand::Gpr(r, _) = insn.operands[1]
    {
        let uses = [insn.mem.base, insn.mem.index.map(|i| i.0)];
        if uses.contains(&Some(r)) || r == 4 {
            return false;
        }
        registers.gpr[usize::from(r)] = near().wrapping_sub(middle);
    }
    let target = match insn.op() {
        Op::Cmpxchg8b | Op::Xchg => near() & !7,
        Op::Cmpxchg16b | Op::Fxsave | Op::Fxsave64 | Op::Fxrstor | Op::Fxrstor64 => near() & !15,
        _ if insn.lock => near() & !7,
        // Most of those of 16 bytes have to be aligned, but in the guest.
        _ if insn.operands.contains(&Operand::Mem(16)) => near() & !15,
        _ => near(),
    };
    let disp = insn.mem.disp as u64;
    match (insn.mem.base, insn.mem.index) {
        (None, None) => false,
        (None, Some((index, scale))) => {
            let wanted = target.wrapping_sub(disp);
            registers.gpr[usize::from(index)] = wanted >> scale;
            wanted & ((1 << scale) - 1) == 0
        }
        (Some(base), None) => {
            registers.gpr[usize::from(base)] = target.wrapping_sub(disp);
            true
        }
        (Some(base), Some((index, scale))) if base != index => {
            let moved = registers.gpr[usize::from(index)] << scale;
            registers.gpr[usize::from(base)] = target.wrapping_sub(disp).wrapping_sub(moved);
            true
        }
        _ => false,
    }
}

/// A number of 80 bits, often a special one.
fn extended(rng: &mut Rng) -> u128 {
    let sig = match rng.below(6) {
        0 => 0,
        1 => 1 << 63,
        2 => 3 << 62,
        3 => u64::MAX,
        4 => rng.next() | 1 << 63,
        _ => (rng.next() | 1 << 63) & !((1 << rng.below(63)) - 1),
    };
    let exp = match rng.below(12) {
        0 => 0,
        1 => 0x7fff,
        2 => rng.below(0x8000),
        3 => 0x3fff + 64 - rng.below(128),
        4 => 0x3fff + 1023 - rng.below(2046),
        _ => 0x3fff + 8 - rng.below(16),
    };
    // Zero with an exponent is not a number that the unit knows.
    let exp = if sig == 0 && rng.below(8) != 0 { 0 } else { exp };
    u128::from(rng.below(2) << 15 | exp) << 64 | u128::from(sig)
}

/// Two doubles or four singles, often special ones, or anything.
fn vector(rng: &mut Rng) -> u128 {
    let mut double = || match rng.below(10) {
        0 => rng.below(2) << 63,
        1 => 0x7ff0_0000_0000_0000 | rng.below(2) << 63,
        2 => 0x7ff0_0000_0000_0000 | rng.next() >> 12 | rng.below(2) << 63,
        3 => rng.next() >> 12 | rng.below(2) << 63,
        4..8 => (rng.next() & !(0x7ff << 52)) | (1020 + rng.below(40)) << 52,
        _ => rng.next(),
    };
    let doubles = [double(), double()];
    let mut single = || match rng.below(10) {
        0 => (rng.below(2) as u32) << 31,
        1 => 0x7f80_0000 | (rng.below(2) as u32) << 31,
        2 => 0x7f80_0000 | rng.next() as u32 >> 9 | (rng.below(2) as u32) << 31,
        3 => rng.next() as u32 >> 9 | (rng.below(2) as u32) << 31,
        4..8 => (rng.next() as u32 & !(0xff << 23)) | (124 + rng.below(40) as u32) << 23,
        _ => rng.next() as u32,
    };
    let singles = [single(), single(), single(), single()];
    match rng.below(4) {
        0 => u128::from(rng.value()) << 64 | u128::from(rng.value()),
        1 => u128::from(doubles[1]) << 64 | u128::from(doubles[0]),
        _ => singles.iter().fold(0, |v, s| v << 32 | u128::from(*s)),
    }
}

/// The state of the floating-point units; all exceptions are masked.
pub(super) fn units(rng: &mut Rng) -> Units {
    let rounding = if rng.below(2) == 0 { 0 } else { rng.below(4) };
    let flush = if rng.below(4) == 0 { rng.next() & 0x8040 } else { 0 };
    let precision = [3, 3, 3, 2, 0][rng.below(5) as usize];
    Units {
        xmm: std::array::from_fn(|_| vector(rng)),
        st: std::array::from_fn(|_| extended(rng)),
        mxcsr: 0x1f80 | rounding << 13 | flush | rng.next() & (0x3f * rng.below(2)),
        fcw: 0x7f | precision << 8 | rounding << 10,
        fsw: rng.below(8) << 11,
        ftw: if rng.below(4) == 0 { rng.next() & 0xff } else { 0xff & !(1 << rng.below(8)) },
    }
}

/// Registers that suit the instruction; `None` if it cannot be run.
fn registers(insn: &Insn, window: u64, rng: &mut Rng) -> Option<Registers> {
    let gpr = std::array::from_fn(|_| rng.value());
    let mut registers = Registers { gpr, ..Registers::default() };
    let flags = rng.next() & (ARITHMETIC | if insn.row().string() { DF } else { 0 });
    registers.rflags = flags | IF | RFLAGS_FIXED;
    registers.units = units(rng);
    if matches!(insn.op(), Op::F2xm1 | Op::Fyl2xp1) {
        // What they are defined for.
        let small = u128::from(0x3ffd - rng.below(80)) << 64 | u128::from(rng.next() | 1 << 63);
        registers.units.st[0] = small | u128::from(rng.below(2)) << 79;
    }
    if matches!(insn.op(), Op::Div | Op::Idiv) && rng.below(4) != 0 {
        // Quotients that fit.
        registers.gpr[2] = rng.below(3);
        registers.gpr[0] >>= rng.below(16);
    }
    if insn.op() == Op::Cmpxchg && rng.below(2) == 0 {
        registers.gpr[3] = registers.gpr[0];
        registers.gpr[9] = registers.gpr[0];
    }
    let aimed = aim(insn, &mut registers, window, rng);
    // The stack has room on both sides, wherever the operand lies.
    let stack = registers.gpr[4].wrapping_sub(window);
    (aimed && (0x400..WINDOW as u64 - 0x400).contains(&stack)).then_some(registers)
}

/// The count of a shift.
fn count(insn: &Insn, registers: &Registers) -> u64 {
    let mask = if insn.width == isa::Width::Q { 63 } else { 31 };
    let by = insn.operands.iter().rev().find(|o| **o != Operand::None);
    mask & match by {
        Some(Operand::Gpr(1, _)) => registers.gpr[1],
        Some(&by) => insn.value(by) as u64,
        None => 0,
    }
}

struct Case {
    bytes: Vec<u8>,
    insn: Insn,
    start: Registers,
}

/// A random instruction of the row, and registers for it.
fn case(row: u16, window: u64, rng: &mut Rng) -> Option<Case> {
    let mut bytes = sample(row, &mut || rng.next())?.to_vec();
    let decoded = isa::decode(&bytes).ok()?;
    let len = usize::from(decoded.len);
    bytes.truncate(len);
    let insn = decoded.insn;
    // PREFETCHW of a register does nothing on Intel's processors, and is undefined on AMD's.
    let prefetch = bytes.windows(2).any(|pair| pair == [0x0f, 0x0d]);
    if !runs_on_host(&insn) || prefetch {
        return None;
    }
    if insn.operands[0] == Operand::Rel {
        // AMD's processors truncate the target after 66, Intel's and the guest do not; what a
        // repeat prefix does is not defined.
        if bytes[..len - 1].iter().any(|byte| matches!(byte, 0x66 | 0xf2 | 0xf3)) {
            return None;
        }
        let wide = insn.row().codes[0].kind == isa::Kind::Z;
        let at = len - if wide { 4 } else { 1 };
        bytes[at..].copy_from_slice(&TAKEN.to_le_bytes()[..len - at]);
    }
    if insn.op() == Op::Enter {
        // Processors want the end of the frame to be writable.
        bytes[len - 2] &= 1;
    }
    let insn = isa::decode(&bytes).ok()?.insn;
    let start = registers(&insn, window, rng)?;
    if matches!(insn.op(), Op::Shld | Op::Shrd)
        && insn.width == isa::Width::W
        && count(&insn, &start) > 16
    {
        return None;
    }
    Some(Case { bytes, insn, start })
}

/// A machine for each way of executing code.
pub(super) fn guests(window: u64) -> [Guest; 3] {
    [
        Guest::new("interpreter", Mode::Interpreter, window),
        Guest::new("lists", Mode::Eval, window),
        Guest::new("translator", Mode::Jit { threshold: 0 }, window),
    ]
}

#[test]
fn every_row_does_what_the_host_does() {
    let mut oracle = Oracle::new();
    let window = oracle.window();
    let mut guests = guests(window);
    let (times, seed) = effort();
    let mut rng = Rng::new(0x1234_5678_9abc_def1 ^ seed.rotate_left(17));
    let mut untried = Vec::new();
    let mut differences = Vec::new();
    let mut round = 0;
    for row in 0..ROWS.len() as u16 {
        if !has_semantics(row) {
            continue;
        }
        let mut done = 0;
        for _ in 0..CASES * times {
            let Some(case) = case(row, window, &mut rng) else { continue };
            round += 1;
            let pc = Guest::place(round);
            match compare(&mut oracle, &mut guests, &case, pc, &mut rng) {
                Ok(compared) => done += usize::from(compared),
                Err(difference) => {
                    differences.push(difference);
                    done += 1;
                    break;
                }
            }
        }
        if done == 0 {
            untried.push(ROWS[usize::from(row)].text());
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    println!("{round} cases");
    // Those that `runs_on_host` and `case` leave to tests of their own, or that do nothing.
    let expected: Vec<&str> = LEFT_OUT.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    assert_eq!(untried, expected);
}

/// What matters of the registers at the start.
fn start(insn: &Insn, registers: &Registers) -> String {
    let Registers { gpr, rflags, units, .. } = registers;
    if insn.row().section().starts_with("x87") {
        let Units { st, fcw, fsw, ftw, .. } = units;
        return format!("st {st:x?} fcw {fcw:x} fsw {fsw:x} ftw {ftw:x}");
    }
    let vectors = insn.operands.iter().find(|o| matches!(o, Operand::Xmm(_)));
    let xmm = vectors.map_or(String::new(), |_| format!(" xmm {:x?}", units.xmm));
    format!("{gpr:x?} flags {rflags:x} mxcsr {:x}{xmm}", units.mxcsr)
}

/// Where the memory operand is.
fn address(insn: &Insn, registers: &Registers) -> u64 {
    let gpr = |r: u8| registers.gpr[usize::from(r)];
    let index = insn.mem.index.map_or(0, |(r, scale)| gpr(r) << scale);
    insn.mem.base.map_or(0, gpr).wrapping_add(index).wrapping_add(insn.mem.disp as u64)
}

/// What differs first.
pub(super) fn difference(guest: &Registers, host: &Registers, flags: u64) -> Option<String> {
    let name = |r: usize| ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"].get(r).copied();
    let differ = |what: String, guest: u128, host: u128| {
        (guest != host).then(|| format!("{what} is {guest:x}, not {host:x}"))
    };
    let (ours, theirs) = (&guest.units, &host.units);
    let gpr = (0..16).find_map(|r| {
        let name = name(r).map_or_else(|| format!("r{r}"), str::to_owned);
        differ(name, guest.gpr[r].into(), host.gpr[r].into())
    });
    gpr.or_else(|| {
        differ("rflags".into(), (guest.rflags & flags).into(), (host.rflags & flags).into())
    })
    .or_else(|| differ("the branch".into(), guest.taken.into(), host.taken.into()))
    .or_else(|| (0..16).find_map(|r| differ(format!("xmm{r}"), ours.xmm[r], theirs.xmm[r])))
    .or_else(|| (0..8).find_map(|r| differ(format!("st{r}"), ours.st[r], theirs.st[r])))
    .or_else(|| differ("mxcsr".into(), ours.mxcsr.into(), theirs.mxcsr.into()))
    .or_else(|| differ("fsw".into(), ours.fsw.into(), theirs.fsw.into()))
    .or_else(|| differ("fcw".into(), ours.fcw.into(), theirs.fcw.into()))
    .or_else(|| differ("ftw".into(), ours.ftw.into(), theirs.ftw.into()))
}

/// Runs a case everywhere: whether it went through, or how the guest differs from the host.
fn compare(
    oracle: &mut Oracle,
    guests: &mut [Guest; 3],
    case: &Case,
    pc: u64,
    rng: &mut Rng,
) -> Result<bool, String> {
    let window = oracle.window();
    let mut memory = vec![0; WINDOW];
    for word in memory.chunks_exact_mut(8) {
        word.copy_from_slice(&rng.value().to_le_bytes());
    }
    let mut results = Vec::new();
    for guest in guests.iter_mut() {
        testing::write_memory(&guest.machine, window, &memory);
        let mut registers = case.start;
        let exception = guest.run(pc, &case.bytes, &mut registers);
        let mut after = vec![0; WINDOW];
        testing::read_memory(&guest.machine, window, &mut after);
        results.push((guest.name, exception, registers, after));
    }
    let (name, exception, ..) = &results[0];
    for (other, theirs, ..) in &results[1..] {
        assert_eq!(exception, theirs, "{name} and {other}: {} {:x?}", case.insn, case.start);
    }
    if let Some(exception) = exception {
        // What the host would not survive.
        let expected = match case.insn.op() {
            Op::Div | Op::Idiv => *exception == Exception::Fault(Vector::DivideError),
            // Bits that MXCSR does not have.
            Op::Ldmxcsr | Op::Fxrstor | Op::Fxrstor64 => {
                *exception == Exception::Fault(Vector::GeneralProtection)
            }
            _ => case.insn.lock && *exception == Exception::Fault(Vector::AlignmentCheck),
        };
        assert!(expected, "{} raised {exception:?} with {:x?}", case.insn, case.start);
        return Ok(false);
    }
    oracle.memory().copy_from_slice(&memory);
    let mut host = case.start;
    oracle.run(&case.bytes, &mut host);
    let undefined = undefined_flags(case.insn.op(), count(&case.insn, &case.start));
    for (name, _, registers, after) in &results {
        let mut units = registers.units;
        undefined_units(&case.insn, &mut units, &host.units);
        let guest = Registers { units, ..*registers };
        let flags = (ARITHMETIC | DF) & !undefined;
        if let Some(what) = difference(&guest, &host, flags) {
            return Err(format!(
                "{} ({:02x?}) in the {name}: {what}\n    before {}",
                case.insn,
                case.bytes,
                start(&case.insn, &case.start)
            ));
        }
        if let Op::Fxsave | Op::Fxsave64 = case.insn.op() {
            // Which bits MXCSR has.
            let at = (address(&case.insn, &case.start) - window) as usize + 28;
            let mask = &mut oracle.memory()[at..at + 4];
            mask.copy_from_slice(&after[at..at + 4]);
        }
        if after != oracle.memory() {
            return Err(format!("{} ({:02x?}) in the {name}: memory", case.insn, case.bytes));
        }
    }
    Ok(true)
}
