//! AArch64 guests. What programs see of a processor runs on every accelerator of every host; what
//! kernels see too needs a host's virtualization, because the software CPU has none of it.

mod board;
mod programs;

use accel::choice::at_hand;
use accel::tcg::Tcg;
use accel::{Accelerator, Exit, TcgMode};
use arch::aarch64::Aarch64;

use crate::pause::stands_still;
use board::{Board, Event};
use programs::{CLOCK, PROGRAM, ROUNDS, SYSTEM, SYSTEM_ROUNDS};

/// Those that run kernels.
fn with_kernels() -> Vec<(&'static str, Box<dyn Accelerator<Aarch64>>)> {
    let all = at_hand::<Aarch64>(&[]);
    if all.is_empty() {
        println!("left out: this host has no KVM for aarch64 guests");
    }
    all
}

fn output(offset: u64, value: u64) -> Event {
    Event::Output(offset, value.to_le_bytes().to_vec())
}

/// What a round of [`PROGRAM`] comes to.
fn round(n: u64) -> Vec<Event> {
    let pattern = 0x9e37_0000_0000_79b9u64;
    let root = (n as f64).mul_add(2.5, n as f64).sqrt();
    let hash = (1..=500).rev().fold(0u64, |x: u64, i| {
        let sum = x.wrapping_add(i);
        sum ^ sum << 7
    });
    vec![
        Event::Output(0, vec![0x11]),
        Event::Output(2, vec![0x11, 0]),
        Event::Output(4, vec![0x11, 0, 0, 0]),
        output(8, 0x11),
        // Loads with a sign and without.
        output(16, 0xffff_ffff_ffff_ff90),
        output(16, 0x91),
        output(16, 0xffff_ffff_ffff_9392),
        output(16, 0x9594),
        output(16, 0xffff_ffff_9b9a_9998),
        output(16, 0x9f9e_9d9c),
        output(16, 0xa7a6_a5a4_a3a2_a1a0),
        // An exclusive addition, and one with a carry.
        output(24, n + 0x11),
        output(24, n - 1),
        output(24, 1),
        output(32, ((u128::from(pattern) * u128::from(n)) >> 64) as u64),
        output(32, (pattern as i64 / n as i64) as u64),
        output(32, n.leading_zeros().into()),
        output(32, n.reverse_bits()),
        output(32, n >> 13 | pattern << 51),
        output(40, root.to_bits()),
        Event::Output(48, (4 * (n * n) as u32).to_le_bytes().to_vec()),
        output(56, hash),
        // Code that changes.
        output(64, n),
    ]
}

/// Compares what was seen with what was to be seen.
fn check(name: &str, seen: &[Event], expected: &[Event]) {
    let first = seen.iter().zip(expected).position(|(seen, expected)| seen != expected);
    if let Some(at) = first {
        panic!("{name}: event {at} is {:x?}, not {:x?}", seen[at], expected[at]);
    }
    assert_eq!(seen.len(), expected.len(), "{name}");
}

#[test]
fn the_same_program_everywhere() {
    let mut expected: Vec<Event> = (1..=ROUNDS).flat_map(round).collect();
    expected.push(Event::Output(72, (ROUNDS as u32).to_le_bytes().to_vec()));
    let mut all = at_hand::<Aarch64>(&[]);
    all.push(("tcg, interpreter", Box::new(Tcg { mode: TcgMode::Interpreter, learnt: None })));
    all.push(("tcg, translator", Box::new(Tcg { mode: TcgMode::Jit, learnt: None })));
    let mut ends = Vec::new();
    for (name, accel) in all {
        let board = Board::new(&*accel, PROGRAM, 1);
        let (exit, end) = board.run().remove(0);
        check(name, &board.log(), &expected);
        assert_eq!(exit, Exit::Kicked, "{name}");
        ends.push((name, end));
    }
    let (first_name, first) = &ends[0];
    for (name, end) in &ends[1..] {
        assert_eq!((end.x, end.pc), (first.x, first.pc), "{first_name} and {name}");
        assert_eq!((end.v, end.nzcv()), (first.v, first.nzcv()), "{first_name} and {name}");
        assert_eq!((end.fpsr, end.fpcr), (first.fpsr, first.fpcr), "{first_name} and {name}");
    }
}

/// What a round of [`SYSTEM`] comes to.
fn system_round() -> Vec<Event> {
    let write = |offset, bytes: &[u8]| Event::Write(offset, bytes.to_vec());
    let told = |value: u64| write(8, &value.to_le_bytes());
    vec![
        write(0, &[0x91]),
        write(2, &[0x91, 0]),
        write(4, &[0x91, 0, 0, 0]),
        told(0x91),
        Event::Read(0x90, 1),
        told(0x10),
        Event::Read(17, 1),
        told(0x91),
        Event::Read(0x92, 2),
        told(0x1312),
        Event::Read(20, 2),
        told(0x9594),
        Event::Read(0x98, 4),
        told(0x1b1a_1918),
        Event::Read(28, 4),
        told(0x9f9e_9d9c),
        Event::Read(32, 8),
        told(0xa7a6_a5a4_a3a2_a1a0),
        // The device's interrupt, by its number, and the timer's, which is not early.
        write(60, &[0; 4]),
        write(64, &37u32.to_le_bytes()),
        write(56, &[0; 4]),
        write(64, &27u32.to_le_bytes()),
        write(48, &1u64.to_le_bytes()),
    ]
}

#[test]
fn the_same_kernel_everywhere() {
    let mut expected: Vec<Event> = (0..SYSTEM_ROUNDS).flat_map(|_| system_round()).collect();
    let told = |offset, value: u64| Event::Write(offset, value.to_le_bytes().to_vec());
    // The second vCPU tells what it was given; the first that it was started, and that a call
    // does not exist.
    expected.extend([told(40, 77), told(8, 0), told(8, u64::MAX), Event::PowerOff]);
    for (name, accel) in with_kernels() {
        let board = Board::new(&*accel, SYSTEM, 2);
        let ends = board.run();
        check(name, &board.log(), &expected);
        assert!(ends.iter().all(|(exit, _)| *exit == Exit::Kicked), "{name}");
    }
}

#[test]
fn clocks_stand_still_in_a_pause() {
    for (name, accel) in with_kernels() {
        let board = Board::new(&*accel, CLOCK, 1);
        let told = || {
            let log = board.log();
            let mut values = log.iter().rev().filter_map(|event| match event {
                Event::Output(16, bytes) => bytes.as_slice().try_into().ok(),
                _ => None,
            });
            vec![u64::from_le_bytes(values.next().expect("the guest tells its time"))]
        };
        stands_still(name, &*board.vm, &mut *board.vcpu(0), told);
    }
}

#[test]
fn kicks_end_a_run_whatever_the_vcpu_does() {
    // b . and wfi; b .-4
    for (name, accel) in with_kernels() {
        for program in [&[0x1400_0000][..], &[0xd503_207f, 0x17ff_ffff]] {
            let board = Board::new(&*accel, program, 1);
            let mut vcpu = board.vcpu(0);
            board.vm.kick(0);
            assert_eq!(vcpu.run().unwrap(), Exit::Kicked, "{name}: kicked before it ran");
            for _ in 0..20 {
                let theirs = board.clone();
                let kicker = std::thread::spawn(move || theirs.vm.kick(0));
                assert_eq!(vcpu.run().unwrap(), Exit::Kicked, "{name}");
                kicker.join().unwrap();
            }
        }
    }
}

#[test]
fn registers_can_be_read_and_replaced() {
    for (name, accel) in with_kernels() {
        let board = Board::new(&*accel, &[0x1400_0000], 1);
        let mut vcpu = board.vcpu(0);
        let mut state = vcpu.state().unwrap();
        assert!(!vcpu.parked().unwrap(), "{name}");
        state.x = std::array::from_fn(|n| 0x0101_0101_0101_0101 * n as u64);
        state.v = std::array::from_fn(|n| (n as u128) << 64 | 0x8000_0000_0000_0001);
        (state.tpidr_el0, state.elr_el1, state.fpcr) = (0x1234, 0x4000_1230, 3 << 22);
        state.set_nzcv(0xa << 28);
        vcpu.set_state(&state).unwrap();
        let back = vcpu.state().unwrap();
        // Time goes on, and the stack pointer in use is among the registers.
        let moves = ["cntvct_el0", "sp_el1"];
        let diff: Vec<_> = arch::CpuState::diff(&state, &back)
            .into_iter()
            .filter(|diff| !moves.contains(&diff.name))
            .collect();
        assert!(diff.is_empty(), "{name}: {diff:x?}");
    }
}

#[test]
fn mistakes_of_the_machine_are_refused() {
    for (name, accel) in with_kernels() {
        let board = Board::new(&*accel, &[0x1400_0000], 1);
        let new = || arch::aarch64::Cpu::reset();
        assert!(board.vm.create_vcpu(1, new(), false).is_err(), "{name}: no such vCPU");
        let _vcpu = board.vcpu(0);
        assert!(board.vm.create_vcpu(0, new(), false).is_err(), "{name}: taken");
        assert!(board.vm.unmap(0x7000_0000).is_err(), "{name}: nothing there");
    }
}
