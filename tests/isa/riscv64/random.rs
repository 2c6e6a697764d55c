//! Random sequences, executed in every way.
//!
//! `POLYVISOR_ISA_SECONDS` runs each test for that long instead of a fixed number of sequences;
//! `POLYVISOR_ISA_SEED` repeats a seed that a failure printed. Without it the fixed seed comes
//! first, then one of the time.

use std::time::{Duration, Instant, SystemTime};

use tcg::Mode;

use crate::bare::{Bare, World};
use crate::generate::{Flavor, Generator};
use crate::qemu::Qemu;
use crate::rng::Rng;
use crate::sequence::Sequence;
use crate::shrink::shrink;
use crate::state::{CODE, End, Start};

const FIXED_SEED: u64 = 2024;
/// Sequences per seed.
const COUNT: u64 = 2500;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no decimal number")))
}

/// Whoever runs a sequence.
type Runner = (&'static str, Box<dyn FnMut(&Start, &[u8]) -> End>);

/// Sequences after which a machine is replaced by a new one.
const MACHINE_LASTS: u32 = 50;

fn bare(name: &'static str, mode: Mode, world: World) -> Runner {
    made_by(name, move || Bare::new(mode, world))
}

/// Blocks are interpreted before they are translated, and there is not room for all.
fn cramped(world: World) -> Runner {
    const ROOM: usize = 512 << 10;
    let mode = Mode::Jit { threshold: 2 };
    made_by("interpreter and translator in turn", move || Bare::with_room(mode, world, ROOM))
}

fn made_by(name: &'static str, make: impl Fn() -> Bare + 'static) -> Runner {
    let mut machine = make();
    let mut runs = 0;
    let run = move |start: &Start, code: &[u8]| {
        if runs == MACHINE_LASTS {
            machine = make();
            runs = 0;
        }
        runs += 1;
        machine.run(start, code)
    };
    (name, Box::new(run))
}

fn qemu() -> Runner {
    let mut qemu = Qemu::new();
    ("qemu", Box::new(move |start, code| qemu.run(start, code)))
}

/// The same end, as far as both show it.
fn same(a: &End, b: &End) -> bool {
    let visible = |end: &End, system: bool| End {
        system: if system { end.system } else { None },
        ..end.clone()
    };
    let both = a.system.is_some() && b.system.is_some();
    visible(a, both) == visible(b, both)
}

/// Fails with the smallest sequence on which `runner` and `judge` differ.
fn report(seed: u64, sequence: &Sequence, start: &Start, judge: &mut Runner, runner: &mut Runner) {
    let (small, start) = shrink(sequence, start, |sequence, start| {
        let code = sequence.code();
        !same(&judge.1(start, &code), &runner.1(start, &code))
    });
    let code = small.code();
    let (a, b) = (judge.1(&start, &code), runner.1(&start, &code));
    panic!(
        "seed {seed}: this differs between {} and {}:\n{}from\n{}ends in\n{}",
        judge.0,
        runner.0,
        small.listing(),
        start.listing(),
        a.differences(&b)
    );
}

/// Sequences of one flavor; the first runner is the judge of the others.
fn compare(flavor: Flavor, mut runners: Vec<Runner>) {
    let generator = Generator::new();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    let seeds = match number("POLYVISOR_ISA_SEED") {
        Some(seed) => vec![seed],
        None => vec![FIXED_SEED, now.as_micros() as u64],
    };
    let time = number("POLYVISOR_ISA_SECONDS").map(Duration::from_secs);
    for seed in seeds {
        println!("seed {seed}");
        let mut rng = Rng::new(seed);
        let begin = Instant::now();
        let (mut done, mut whole) = (0, 0);
        while time.map_or(done < COUNT, |time| begin.elapsed() < time) {
            let sequence = generator.sequence(&mut rng, flavor);
            let start = Start::random(&mut rng);
            let code = sequence.code();
            let (judge, others) = runners.split_first_mut().expect("somebody judges");
            let expected = judge.1(&start, &code);
            for runner in others {
                if !same(&expected, &runner.1(&start, &code)) {
                    report(seed, &sequence, &start, judge, runner);
                }
            }
            done += 1;
            whole += u64::from(expected.pc == CODE + code.len() as u64 - 4);
        }
        let seconds = begin.elapsed().as_secs_f64();
        println!("{done} sequences in {seconds:.1} s, {whole} of them without a trap");
    }
}

fn engines(world: World) -> Vec<Runner> {
    vec![
        bare("the interpreter", Mode::Interpreter, world),
        bare("Eval", Mode::Eval, world),
        bare("the translator", Mode::Jit { threshold: 0 }, world),
        cramped(world),
    ]
}

#[test]
fn portable_sequences_agree_with_qemu() {
    let mut runners = vec![qemu()];
    runners.extend(engines(World::User { code_writable: true }));
    let paged = World::Paged { code_writable: true };
    runners.push(bare("the interpreter with paging", Mode::Interpreter, paged));
    runners.push(bare("the translator with paging", Mode::Jit { threshold: 0 }, paged));
    compare(Flavor::Portable, runners);
}

#[test]
fn sequences_that_trap_agree_in_all_engines() {
    compare(Flavor::Wild, engines(World::User { code_writable: false }));
}

#[test]
fn sequences_that_trap_agree_with_paging() {
    compare(Flavor::Wild, engines(World::Paged { code_writable: false }));
}

#[test]
fn sequences_are_made_of_nearly_all_rows() {
    // The others are the privileged ones, CSR accesses, traps and indirect jumps.
    assert!(Generator::new().rows() > 210, "{} rows", Generator::new().rows());
}
