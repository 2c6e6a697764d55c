//! One guest, every accelerator: the same accesses, in the same order, with the same values, and
//! the same registers in the end.
//!
//! The software CPU runs every program; a host's virtualization, which has no machine mode, those in
//! supervisor mode.

mod aarch64;
mod board;
mod pause;
mod programs;
mod x86_64;

use std::sync::{Arc, Barrier};
use std::thread;

use accel::choice::at_hand;
use accel::tcg::Tcg;
use accel::{Accelerator, Exit, TcgMode};
use arch::CpuState;
use arch::riscv64::{Hart, Riscv64};

use board::{Board, DATA, Event, PATCH, PATCHES};
use programs::{
    CLOCK, CRASH, DMA, FIRMWARE, FOREVER, MACHINE, ROUNDS, SLEEP, SUPERVISOR, SUPERVISOR_ROUNDS,
};

fn accelerators() -> Vec<(&'static str, Box<dyn Accelerator<Riscv64>>)> {
    vec![
        ("tcg, interpreter", Box::new(Tcg { mode: TcgMode::Interpreter, learnt: None })),
        ("tcg, translator", Box::new(Tcg { mode: TcgMode::Jit, learnt: None })),
    ]
}

/// Those that run supervisor mode under firmware calls: a host's virtualization, too.
fn with_firmware() -> Vec<(&'static str, Box<dyn Accelerator<Riscv64>>)> {
    let all = at_hand(&[TcgMode::Interpreter, TcgMode::Jit]);
    if all.iter().all(|(name, _)| *name != "kvm") {
        println!("left out: this host has no KVM for riscv64 guests");
    }
    all
}

/// Runs `program` to its end on all harts, and returns why each came back, and its registers.
fn run(board: &Arc<Board>) -> Vec<(Exit, Hart)> {
    let made = Arc::new(Barrier::new(board.harts() as usize));
    let threads: Vec<_> = (0..board.harts())
        .map(|hart| {
            let (board, made) = (board.clone(), made.clone());
            thread::spawn(move || {
                let mut vcpu = board.vcpu(hart);
                made.wait();
                let exit = vcpu.run().unwrap();
                (exit, vcpu.state().unwrap())
            })
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

/// Counts the rounds.
const S2: usize = 18;
/// Holds a time.
const S4: usize = 20;

fn write(offset: u64, bytes: &[u8]) -> Event {
    Event::Write(offset, bytes.to_vec())
}

/// What a round of [`MACHINE`] comes to.
fn round(number: usize) -> Vec<Event> {
    let software_interrupt = (1u64 << 63 | 3).to_le_bytes();
    let alarm_ns = board::START_NS + 5_000 * number as u64;
    vec![
        write(0, &[0x11]),
        write(2, &[0x11, 0]),
        write(4, &[0x11, 0, 0, 0]),
        write(8, &0x11u64.to_le_bytes()),
        Event::Read(16, 1),
        write(16, &0xffff_ffff_ffff_ff90u64.to_le_bytes()),
        Event::Read(17, 1),
        write(16, &0x91u64.to_le_bytes()),
        Event::Read(18, 2),
        write(16, &0xffff_ffff_ffff_9392u64.to_le_bytes()),
        Event::Read(21, 4),
        write(16, &0xffff_ffff_9897_9695u64.to_le_bytes()),
        Event::Read(24, 8),
        write(16, &0x9f9e_9d9c_9b9a_9998u64.to_le_bytes()),
        Event::Read(32, 4),
        write(32, &0xa3a2_a1b1u32.to_le_bytes()),
        Event::Watched(DATA + 8, 4),
        Event::Watched(DATA + 16, 8),
        write(40, &1u64.to_le_bytes()),
        write(40, &42u64.to_le_bytes()),
        Event::Alarm(0, alarm_ns),
        write(48, &0u64.to_le_bytes()),
        write(48, &0x20u64.to_le_bytes()),
        // The second hart is interrupted, and answers.
        write(60, &[1, 0, 0, 0]),
        write(72, &software_interrupt),
        write(56, &[1, 0, 0, 0]),
        Event::Watched(DATA + 28, 4),
        Event::Watched(DATA, 4),
        write(60, &[0; 4]),
        write(72, &software_interrupt),
        write(56, &[0; 4]),
        Event::Watched(DATA + 24, 4),
        write(64, &(10 * number as u32).to_le_bytes()),
    ]
}

#[test]
fn the_same_closure_everywhere() {
    let mut expected: Vec<Event> = (1..=ROUNDS).flat_map(round).collect();
    expected.push(write(68, &[0; 4]));
    let mut ends: Vec<(&str, Vec<Hart>)> = Vec::new();
    for (name, accel) in accelerators() {
        let board = Board::new(&*accel, MACHINE, 2, false);
        let ended = run(&board);
        let log = board.log();
        let first = log.iter().zip(&expected).position(|(seen, wanted)| seen != wanted);
        if let Some(at) = first {
            panic!("{name}: event {at} is {:x?}, not {:x?}", log[at], expected[at]);
        }
        assert_eq!(log.len(), expected.len(), "{name}");
        assert!(ended.iter().all(|(exit, _)| *exit == Exit::Kicked), "{name}: {ended:?}");
        let mut states: Vec<Hart> = ended.into_iter().map(|(_, state)| state).collect();
        // The second is kicked on its way to the next round, or there already.
        (states[1].pc, states[1].x[S2]) = (0, 0);
        ends.push((name, states));
    }
    let (first_name, first) = &ends[0];
    for (name, states) in &ends[1..] {
        for (hart, (a, b)) in first.iter().zip(states).enumerate() {
            let diff = a.diff(b);
            assert!(diff.is_empty(), "hart {hart}, {first_name} and {name}: {diff:x?}");
        }
    }
}

/// What a round of [`SUPERVISOR`] comes to.
fn supervised_round(number: usize) -> Vec<Event> {
    let double = |value: u64| write(16, &value.to_le_bytes());
    let timer = 1u64 << 5;
    vec![
        write(0, &[0x11]),
        write(2, &[0x11, 0]),
        write(4, &[0x11, 0, 0, 0]),
        write(8, &0x11u64.to_le_bytes()),
        Event::Read(0x90, 1),
        double(0x10),
        Event::Read(17, 1),
        double(0x91),
        Event::Read(0x92, 2),
        double(0x1312),
        Event::Read(20, 2),
        double(0x9594),
        Event::Read(0x94, 4),
        double(0x1716_1514),
        Event::Read(24, 4),
        double(0x9b9a_9998),
        Event::Read(24, 8),
        double(0x9f9e_9d9c_9b9a_9998),
        // The compressed ones.
        Event::Read(0x84, 4),
        double(0x0706_0504),
        Event::Read(24, 8),
        write(32, &0x9b9a_9998u32.to_le_bytes()),
        // Code that changes, and an atomic operation.
        write(40, &1u64.to_le_bytes()),
        write(40, &42u64.to_le_bytes()),
        write(40, &(number as u64 + 17).to_le_bytes()),
        // The timer is pending, and due; then it is put off.
        write(48, &timer.to_le_bytes()),
        write(48, &0u64.to_le_bytes()),
        write(48, &0u64.to_le_bytes()),
        // The device's interrupt.
        write(60, &[0; 4]),
        write(72, &(1u64 << 63 | 9).to_le_bytes()),
        write(56, &[0; 4]),
    ]
}

#[test]
fn the_same_supervisor_everywhere() {
    let mut expected: Vec<Event> = (1..=SUPERVISOR_ROUNDS).flat_map(supervised_round).collect();
    expected.push(write(68, &[0; 4]));
    let mut ends: Vec<(&str, [u64; 32], u64)> = Vec::new();
    for (name, accel) in with_firmware() {
        let board = Board::new(&*accel, SUPERVISOR, 1, true);
        let mut ended = run(&board);
        let mut log = board.log();
        // Who has timers of its own asks for no alarms.
        log.retain(|event| !matches!(event, Event::Alarm(..)));
        let first = log.iter().zip(&expected).position(|(seen, wanted)| seen != wanted);
        if let Some(at) = first {
            panic!("{name}: event {at} is {:x?}, not {:x?}", log[at], expected[at]);
        }
        assert_eq!(log.len(), expected.len(), "{name}");
        let (exit, mut state) = ended.remove(0);
        assert_eq!(exit, Exit::Kicked, "{name}");
        // When the timer was due.
        state.x[S4] = 0;
        ends.push((name, state.x, state.pc));
    }
    let (_, registers, pc) = ends[0];
    for end in &ends {
        assert_eq!(*end, (end.0, registers, pc), "{} and {}", ends[0].0, end.0);
    }
}

#[test]
fn firmware_calls_are_answered() {
    for (name, accel) in with_firmware() {
        let board = Board::new(&*accel, FIRMWARE, 2, true);
        let ended = run(&board);
        assert!(ended.iter().all(|(exit, _)| *exit == Exit::Kicked), "{name}: {ended:?}");
        let mut log = board.log();
        // The first hart goes on while the second starts: its answer may come at any time.
        let answer = log.iter().position(|e| *e == write(0, &[0; 8])).expect(name);
        log.remove(answer);
        let expected = [
            write(16, &1u64.to_le_bytes()),
            write(16, &77u64.to_le_bytes()),
            Event::Put(b'B'),
            write(8, &(-2i64).to_le_bytes()),
            Event::PowerOff,
        ];
        assert_eq!(log, expected, "{name}");
    }
}

#[test]
fn clocks_stand_still_in_a_pause() {
    for (name, accel) in with_firmware() {
        let board = Board::new(&*accel, CLOCK, 1, true);
        // Without time of its own it has the machine's, which the machine stops.
        if board.vm().guest_time().is_none() {
            assert_ne!(name, "kvm");
            continue;
        }
        let told = || {
            let log = board.log();
            let mut values = log.iter().rev().filter_map(|event| match event {
                Event::Write(16, bytes) => bytes.as_slice().try_into().ok(),
                _ => None,
            });
            vec![u64::from_le_bytes(values.next().expect("the guest tells its time"))]
        };
        pause::stands_still(name, board.vm(), &mut *board.vcpu(0), told);
    }
}

#[test]
fn a_hart_without_code_crashes() {
    for (name, accel) in accelerators() {
        let board = Board::new(&*accel, CRASH, 1, false);
        let ended = run(&board);
        assert!(matches!(&ended[0].0, Exit::Crash(report) if !report.is_empty()), "{name}");
        assert_eq!(board.log(), [], "{name}");
    }
}

#[test]
fn kicks_end_a_run_whatever_the_hart_does() {
    for (name, accel) in accelerators() {
        for program in [FOREVER, SLEEP] {
            let board = Board::new(&*accel, program, 1, false);
            let mut vcpu = board.vcpu(0);
            board.vm().kick(0);
            assert_eq!(vcpu.run().unwrap(), Exit::Kicked, "{name}: kicked before it ran");
            for _ in 0..20 {
                let theirs = board.clone();
                let kicker = thread::spawn(move || theirs.vm().kick(0));
                assert_eq!(vcpu.run().unwrap(), Exit::Kicked, "{name}");
                kicker.join().unwrap();
            }
        }
    }
}

#[test]
fn code_that_a_device_writes_is_seen() {
    for (name, accel) in accelerators() {
        let board = Board::new(&*accel, DMA, 1, false);
        run(&board);
        let expected: Vec<Event> = (1..=PATCHES)
            .flat_map(|n| [write(PATCH, &[0; 4]), write(40, &n.to_le_bytes())])
            .chain([write(68, &[0; 4])])
            .collect();
        assert_eq!(board.log(), expected, "{name}");
    }
}

#[test]
fn registers_can_be_read_and_replaced() {
    for (name, accel) in accelerators() {
        let board = Board::new(&*accel, FOREVER, 1, false);
        let mut vcpu = board.vcpu(0);
        let mut state = vcpu.state().unwrap();
        state.x[11] = 0x1234_5678_9abc_def0;
        vcpu.set_state(&state).unwrap();
        board.vm().kick(0);
        vcpu.run().unwrap();
        assert_eq!(vcpu.state().unwrap().x[11], 0x1234_5678_9abc_def0, "{name}");
    }
}

#[test]
fn mistakes_of_the_machine_are_refused() {
    for (name, accel) in accelerators() {
        let board = Board::new(&*accel, FOREVER, 1, false);
        let vm = board.vm();
        assert!(vm.create_vcpu(1, Hart::default(), false).is_err(), "{name}: no such vCPU");
        let _vcpu = board.vcpu(0);
        assert!(vm.create_vcpu(0, Hart::default(), false).is_err(), "{name}: taken");
        assert!(board.map_again().is_err(), "{name}: overlap");
        if let Some(watch) = vm.watch() {
            assert!(watch.watch(0x1000).is_err(), "{name}: no memory there");
        }
    }
}
