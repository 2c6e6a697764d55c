//! Several harts at once: atomics lose nothing, fences order what they say.

use std::sync::{Arc, OnceLock, Weak};

use arch::io::{GuestIo, PowerRequest};
use arch::riscv64::{Hart, Model};
use tcg::guest::riscv64::Riscv64;
use tcg::isa::riscv64::{Amo, Br, CsrR, FenceArgs, I, Insn, J, Lr, R, S, U};
use tcg::mmu::host::{Anonymous, HostRange};
use tcg::mmu::ram::Slot;
use tcg::vcpu::request;
use tcg::{Config, Machine, Mode, Stop, Vcpu, testing};

use crate::bare::NoTime;

const RAM: u64 = 0x8000_0000;
const RAM_BYTES: usize = 1 << 20;
const HANDLER: u64 = RAM + 0x1000;
const DATA: u64 = RAM + 0x1_0000;
/// A store to the doubleword of its number ends a hart's run.
const STOP: u64 = 0x1000_0000;

const ZERO: u8 = 0;
const T0: u8 = 5;
const T1: u8 = 6;
const T2: u8 = 7;
const A0: u8 = 10;
const A1: u8 = 11;
const A2: u8 = 12;
const A3: u8 = 13;
const A4: u8 = 14;
const A5: u8 = 15;
const A6: u8 = 16;
const A7: u8 = 17;
const RA: u8 = 1;

#[derive(Default)]
struct Stopper {
    machine: OnceLock<Weak<Machine<Riscv64>>>,
}

impl GuestIo for Stopper {
    fn read(&self, _: u64, data: &mut [u8]) {
        data.fill(0);
    }

    fn write(&self, gpa: u64, _: &[u8]) {
        let machine = self.machine.get().and_then(Weak::upgrade).expect("the machine runs");
        machine.signals(((gpa - STOP) / 8) as u32).raise(request::KICK);
    }

    fn port_read(&self, _: u16, data: &mut [u8]) {
        data.fill(0xff);
    }

    fn port_write(&self, _: u16, _: &[u8]) {}

    fn watched(&self, _: u64, _: usize) {}

    fn firmware_put(&self, _: u8) {}

    fn firmware_get(&self) -> Option<u8> {
        None
    }

    fn power(&self, _: PowerRequest) {}
}

fn bytes(insns: &[Insn]) -> Vec<u8> {
    insns.iter().flat_map(|insn| insn.encode().to_le_bytes()).collect()
}

fn addi(rd: u8, rs1: u8, imm: i32) -> Insn {
    Insn::Addi(I { rd, rs1, imm })
}

fn add(rd: u8, rs1: u8, rs2: u8) -> Insn {
    Insn::Add(R { rd, rs1, rs2 })
}

/// Back by so many instructions unless the registers are equal.
fn until_equal(rs1: u8, rs2: u8, back: i32) -> Insn {
    Insn::Bne(Br { rs1, rs2, imm: -4 * back })
}

fn amo(rd: u8, rs2: u8, rs1: u8) -> Amo {
    Amo { rd, rs1, rs2, order: 0 }
}

struct Harts {
    machine: Arc<Machine<Riscv64>>,
    vcpus: Vec<Vcpu<Riscv64>>,
}

impl Harts {
    fn new(count: u32, mode: Mode, code: &[Insn]) -> Self {
        let io = Arc::new(Stopper::default());
        let config = Config {
            vcpus: count,
            mode,
            code_bytes: 4 << 20,
            io: io.clone(),
            clock: Arc::new(NoTime),
            firmware_calls: false,
            learning: None,
        };
        let machine = Machine::new(config).expect("memory for code");
        assert!(io.machine.set(Arc::downgrade(&machine)).is_ok());
        let host = HostRange::new(Arc::new(Anonymous::new(RAM_BYTES)));
        machine.map(Slot { gpa: RAM, host, readonly: false }).expect("the only slot");
        let handler = [
            Insn::Csrrs(CsrR { rd: T0, rs1: ZERO, csr: 0xf14 }),
            Insn::Slli(I { rd: T0, rs1: T0, imm: 3 }),
            Insn::Lui(U { rd: T1, imm: STOP as i32 }),
            add(T1, T1, T0),
            Insn::Sw(S { rs1: T1, rs2: ZERO, imm: 0 }),
            Insn::Jal(J { rd: ZERO, imm: 0 }),
        ];
        testing::write_memory(&machine, RAM, &bytes(code));
        testing::write_memory(&machine, HANDLER, &bytes(&handler));
        let vcpu = |index| machine.vcpu(index, Hart::default(), false).expect("not yet taken");
        let vcpus = (0..count).map(vcpu).collect();
        Self { machine, vcpus }
    }

    /// Runs all of them from the start of the code, with these registers.
    fn run(&mut self, registers: impl Fn(usize) -> Vec<(u8, u64)>) {
        for (index, vcpu) in self.vcpus.iter_mut().enumerate() {
            let mut hart = Hart::new(index as u64, &Model::default());
            hart.pc = RAM;
            hart.mtvec = HANDLER;
            for (r, value) in registers(index) {
                hart.x[usize::from(r)] = value;
            }
            vcpu.core().state = hart;
        }
        std::thread::scope(|scope| {
            for vcpu in &mut self.vcpus {
                scope.spawn(|| assert_eq!(vcpu.run(), Stop::Kicked));
            }
        });
    }

    fn word(&self, gpa: u64) -> u64 {
        let mut bytes = [0; 8];
        testing::read_memory(&self.machine, gpa, &mut bytes);
        u64::from_le_bytes(bytes)
    }
}

const MODES: [Mode; 3] = [Mode::Interpreter, Mode::Eval, Mode::Jit { threshold: 0 }];

#[test]
fn atomics_lose_no_update() {
    const HARTS: u32 = 4;
    const TIMES: u64 = 2000;
    let code = [
        addi(T0, ZERO, 1),
        // A counter by amoadd.
        Insn::AmoaddD(amo(ZERO, T0, A1)),
        // A counter by lr and sc.
        Insn::LrD(Lr { rd: T1, rs1: A2, order: 0 }),
        addi(T1, T1, 1),
        Insn::ScD(amo(T2, T1, A2)),
        until_equal(T2, ZERO, 3),
        // A counter under a lock.
        Insn::AmoswapW(Amo { order: 2, ..amo(T2, T0, A3) }),
        until_equal(T2, ZERO, 1),
        Insn::Ld(I { rd: T1, rs1: A4, imm: 0 }),
        addi(T1, T1, 1),
        Insn::Sd(S { rs1: A4, rs2: T1, imm: 0 }),
        Insn::AmoswapW(Amo { order: 1, ..amo(ZERO, ZERO, A3) }),
        addi(A0, A0, -1),
        until_equal(A0, ZERO, 12),
        Insn::Ebreak,
    ];
    let at = |n: u64| DATA + 64 * n;
    for mode in MODES {
        let mut harts = Harts::new(HARTS, mode, &code);
        harts.run(|_| vec![(A0, TIMES), (A1, at(0)), (A2, at(1)), (A3, at(2)), (A4, at(3))]);
        let counters = [0, 1, 3].map(|n| harts.word(at(n)));
        assert_eq!(counters, [u64::from(HARTS) * TIMES; 3], "{mode:?}");
    }
}

/// One hart writes data and then says so, the other sees that and reads the data: what it reads is
/// the new, if both have fences between [Unpriv §17.1].
#[test]
fn messages_are_seen_before_what_says_that_they_are_there() {
    const MESSAGES: u64 = 500;
    const LINE: i32 = 64;
    let (flags, data, wrong) = (DATA, DATA + 0x8000, DATA + 0x1_0000);
    let lw = |rd, rs1| Insn::Lw(I { rd, rs1, imm: 0 });
    let sw = |rs2, rs1| Insn::Sw(S { rs1, rs2, imm: 0 });
    let fence = |pred, succ| Insn::Fence(FenceArgs { fm: 0, pred, succ });
    // a1 is the flag, a2 the data, a0 counts down, a3 is 1, a4 counts messages that were not there.
    let next = |back: i32| {
        [addi(A1, A1, LINE), addi(A2, A2, LINE), addi(A0, A0, -1), until_equal(A0, ZERO, back)]
    };
    let mut sender = vec![sw(A3, A2), fence(1, 1), sw(A3, A1)];
    sender.extend(next(6));
    sender.push(Insn::Ebreak);
    let mut receiver = vec![
        lw(T0, A1),
        until_equal(T0, A3, 1),
        fence(2, 2),
        lw(T1, A2),
        Insn::Sub(R { rd: T1, rs1: A3, rs2: T1 }),
        add(A4, A4, T1),
    ];
    receiver.extend(next(9));
    receiver.extend([sw(A4, A6), Insn::Ebreak]);
    let start = [Insn::Jalr(I { rd: ZERO, rs1: A5, imm: 0 })];
    let code: Vec<Insn> = start.iter().chain(&sender).chain(&receiver).copied().collect();
    for mode in MODES {
        let mut harts = Harts::new(2, mode, &code);
        for round in 0..10 {
            testing::write_memory(&harts.machine, DATA, &[0; 0x1_0008]);
            harts.run(|hart| {
                let begin = if hart == 0 { 1 } else { 1 + sender.len() as u64 };
                vec![
                    (A0, MESSAGES),
                    (A1, flags),
                    (A2, data),
                    (A3, 1),
                    (A5, RAM + 4 * begin),
                    (A6, wrong),
                ]
            });
            assert_eq!(harts.word(wrong), 0, "{mode:?}, round {round}: messages came too late");
        }
    }
}

/// Two harts write one of two words each and then read the other's: both cannot read the old
/// value, if what is between is a full fence [Unpriv §17.1].
fn store_buffering(mode: Mode, between: &[Insn], rounds: u32) -> u64 {
    const ENTRIES: u64 = 512;
    const LINE: u64 = 64;
    let array = |n: u64| DATA + n * ENTRIES * LINE;
    let ready = array(4);
    let mut code = vec![
        // Both are there.
        addi(T0, ZERO, 1),
        addi(T2, ZERO, 2),
        Insn::AmoaddW(amo(ZERO, T0, A5)),
        Insn::Lw(I { rd: T1, rs1: A5, imm: 0 }),
        until_equal(T1, T2, 1),
    ];
    let start = code.len();
    code.push(Insn::Sw(S { rs1: A1, rs2: T0, imm: 0 }));
    code.extend_from_slice(between);
    code.extend_from_slice(&[
        Insn::Lw(I { rd: T1, rs1: A2, imm: 0 }),
        Insn::Sw(S { rs1: A3, rs2: T1, imm: 0 }),
        add(A1, A1, A4),
        add(A2, A2, A4),
        add(A3, A3, A4),
        addi(A0, A0, -1),
    ]);
    code.push(until_equal(A0, ZERO, (code.len() - start) as i32));
    code.push(Insn::Ebreak);
    let mut harts = Harts::new(2, mode, &code);
    let mut both_old = 0;
    for _ in 0..rounds {
        testing::write_memory(&harts.machine, DATA, &vec![0; (4 * ENTRIES * LINE + 8) as usize]);
        harts.run(|hart| {
            // One goes up, the other down: they meet in the middle, whenever they begin.
            let (from, step) =
                if hart == 0 { (0, LINE) } else { ((ENTRIES - 1) * LINE, LINE.wrapping_neg()) };
            let (own, others) = if hart == 0 { (0, 1) } else { (1, 0) };
            vec![
                (A0, ENTRIES),
                (A1, array(own) + from),
                (A2, array(others) + from),
                (A3, array(2 + own) + from),
                (A4, step),
                (A5, ready),
                (A6, array(3) + LINE * ENTRIES + 8),
            ]
        });
        both_old += (0..ENTRIES)
            .filter(|n| (2..4).all(|read| harts.word(array(read) + n * LINE) as u32 == 0))
            .count() as u64;
    }
    both_old
}

#[test]
fn full_fences_order_stores_before_loads() {
    const ROUNDS: u32 = 60;
    let fence = Insn::Fence(FenceArgs { fm: 0, pred: 3, succ: 3 });
    let atomic = Insn::AmoaddW(Amo { order: 3, ..amo(ZERO, T0, A6) });
    for mode in MODES {
        for (name, between) in [("fence rw, rw", fence), ("an atomic", atomic)] {
            let both_old = store_buffering(mode, &[between], ROUNDS);
            assert_eq!(both_old, 0, "{mode:?}: both harts read the old value in spite of {name}");
        }
    }
}

/// A store-conditional fails if others have stored since its load-reserved, also if memory holds the
/// same value again [Unpriv §13.2]: one hart reserves a word, says so and waits, the other changes it
/// twice. Gives how often the store was done, and whether both got to their ends.
fn restored(mode: Mode, between: &[Insn]) -> u64 {
    const ROUNDS: u64 = 100;
    let (word, reserved, changed, count) = (DATA, DATA + 64, DATA + 128, DATA + 192);
    let ld = |rd, rs1| Insn::Ld(I { rd, rs1, imm: 0 });
    let sd = |rs2, rs1| Insn::Sd(S { rs1, rs2, imm: 0 });
    let fence = Insn::Fence(FenceArgs { fm: 0, pred: 3, succ: 3 });
    let next = |back| [addi(A6, A6, 1), until_equal(A6, A5, back)];
    // a1 is the word, a2 says that it is reserved, a3 that it was changed; a6 counts up to a5, a4
    // counts stores.
    let mut one = vec![Insn::LrD(Lr { rd: T0, rs1: A1, order: 3 })];
    one.extend_from_slice(between);
    one.extend([
        sd(A6, A2),
        ld(T1, A3),
        until_equal(T1, A6, 1),
        Insn::ScD(amo(T2, A6, A1)),
        Insn::Sltiu(I { rd: T2, rs1: T2, imm: 1 }),
        add(A4, A4, T2),
    ]);
    let back = one.len() as i32 + 1;
    one.extend(next(back));
    one.extend([sd(A4, A7), Insn::Ebreak]);
    let mut other = vec![
        ld(T1, A2),
        until_equal(T1, A6, 1),
        ld(T0, A1),
        addi(T1, T0, 1),
        sd(T1, A1),
        fence,
        sd(T0, A1),
        fence,
        sd(A6, A3),
    ];
    other.extend(next(10));
    other.push(Insn::Ebreak);
    let start = [Insn::Jalr(I { rd: ZERO, rs1: T2, imm: 0 })];
    let code: Vec<Insn> = start.iter().chain(&one).chain(&other).copied().collect();
    let mut harts = Harts::new(2, mode, &code);
    harts.run(|hart| {
        let begin = if hart == 0 { 1 } else { 1 + one.len() as u64 };
        let pointers = vec![(A1, word), (A2, reserved), (A3, changed), (A7, count)];
        let counters = vec![(A4, 0), (A5, ROUNDS + 1), (A6, 1), (T2, RAM + 4 * begin)];
        [pointers, counters].concat()
    });
    assert_eq!(harts.word(changed), ROUNDS, "{mode:?}");
    harts.word(count)
}

#[test]
fn what_was_changed_and_put_back_is_not_reserved_any_more() {
    // The second way: over a branch that leads away from the store-conditional that is nearest.
    let away = [Insn::Beq(Br { rs1: ZERO, rs2: ZERO, imm: 8 }), Insn::ScD(amo(T2, A6, A1))];
    for mode in MODES {
        for between in [&[][..], &away] {
            let stores = restored(mode, between);
            assert_eq!(stores, 0, "{mode:?}, {} instructions between", between.len());
        }
    }
}

/// A sequence that accesses other memory between its two ends, and one that lies on two pages: no
/// update is lost, and both come to their ends.
#[test]
fn every_sequence_gets_done() {
    const HARTS: u32 = 3;
    const TIMES: u64 = 500;
    let ld = |rd, rs1| Insn::Ld(I { rd, rs1, imm: 0 });
    let mut code = vec![
        Insn::LrD(Lr { rd: T1, rs1: A1, order: 0 }),
        ld(T0, A2),
        add(T1, T1, T0),
        Insn::Sd(S { rs1: A2, rs2: T0, imm: 8 }),
        Insn::ScD(amo(T2, T1, A1)),
        until_equal(T2, ZERO, 5),
        addi(A0, A0, -1),
        until_equal(A0, ZERO, 7),
        Insn::Jal(J { rd: ZERO, imm: 0x2000 - 4 - 8 * 4 }),
    ];
    code.resize((0x2000 - 4) / 4, addi(ZERO, ZERO, 0));
    // In the last word of a page.
    code.extend([
        Insn::LrD(Lr { rd: T1, rs1: A3, order: 0 }),
        addi(T1, T1, 1),
        Insn::ScD(amo(T2, T1, A3)),
        until_equal(T2, ZERO, 3),
        addi(A4, A4, -1),
        until_equal(A4, ZERO, 5),
        Insn::Ebreak,
    ]);
    let at = |n: u64| DATA + 64 * n;
    for mode in MODES {
        let mut harts = Harts::new(HARTS, mode, &code);
        testing::write_memory(&harts.machine, at(1), &3u64.to_le_bytes());
        harts.run(|_| vec![(A0, TIMES), (A1, at(0)), (A2, at(1)), (A3, at(2)), (A4, TIMES)]);
        let all = u64::from(HARTS) * TIMES;
        let counters = [0, 2].map(|n| harts.word(at(n)));
        assert_eq!(counters, [3 * all, all], "{mode:?}");
    }
}

/// One hart rewrites a function that the other calls all the time, and says so; what the other
/// calls after a `fence.i` is the new one [Unpriv §6].
#[test]
fn changed_code_reaches_other_harts() {
    const TIMES: u64 = 300;
    const FUNCTION: u64 = RAM + 0x2000;
    let (flag, ack, wrong) = (DATA, DATA + 64, DATA + 128);
    let lw = |rd, rs1| Insn::Lw(I { rd, rs1, imm: 0 });
    let sw = |rs2, rs1| Insn::Sw(S { rs1, rs2, imm: 0 });
    let call = Insn::Jalr(I { rd: RA, rs1: A1, imm: 0 });
    let next = |back| [addi(A6, A6, 1), until_equal(A6, A5, back), Insn::Ebreak];
    // a1 is the function, a2 the flag, a3 the acknowledgement, a6 counts up to a5.
    let mut writer = vec![
        // addi a0, zero, a6
        Insn::Slli(I { rd: T1, rs1: A6, imm: 20 }),
        addi(T1, T1, 0x513),
        sw(T1, A1),
        Insn::Fence(FenceArgs { fm: 0, pred: 1, succ: 1 }),
        sw(A6, A2),
        lw(T1, A3),
        until_equal(T1, A6, 1),
    ];
    writer.extend(next(8));
    let mut reader = vec![
        call,
        lw(T1, A2),
        until_equal(T1, A6, 2),
        Insn::FenceI,
        call,
        // Counts wrong answers.
        Insn::Sub(R { rd: A0, rs1: A0, rs2: A6 }),
        Insn::Sltu(R { rd: A0, rs1: ZERO, rs2: A0 }),
        add(A4, A4, A0),
        sw(A6, A3),
    ];
    reader.extend(next(10));
    // The counter of wrong answers goes to memory in front of ebreak.
    let end = reader.len() - 1;
    reader.splice(end..end, [sw(A4, A7)]);
    let start = [Insn::Jalr(I { rd: ZERO, rs1: T2, imm: 0 })];
    let code: Vec<Insn> = start.iter().chain(&writer).chain(&reader).copied().collect();
    for mode in MODES {
        let mut harts = Harts::new(2, mode, &code);
        let function = [addi(A0, ZERO, 0), Insn::Jalr(I { rd: ZERO, rs1: RA, imm: 0 })];
        testing::write_memory(&harts.machine, FUNCTION, &bytes(&function));
        harts.run(|hart| {
            let begin = if hart == 0 { 1 } else { 1 + writer.len() as u64 };
            let pointers = vec![(A1, FUNCTION), (A2, flag), (A3, ack), (A7, wrong)];
            let counters = vec![(A5, TIMES + 1), (A6, 1), (T2, RAM + 4 * begin)];
            [pointers, counters].concat()
        });
        assert_eq!(harts.word(flag), TIMES, "{mode:?}");
        assert_eq!(harts.word(wrong), 0, "{mode:?}: calls that ran the old code");
    }
}
