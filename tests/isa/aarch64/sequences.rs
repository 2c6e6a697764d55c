//! Random sequences of instructions on registers and flags, some of them jumped over under a
//! condition, some run over and over: in every engine and in QEMU.
//!
//! `POLYVISOR_ISA_SECONDS` runs each test for that long instead of a fixed number of sequences;
//! `POLYVISOR_ISA_SEED` has it make others.

use std::time::{Duration, Instant};

use tcg::guest::aarch64::Aarch64;
use tcg::isa::aarch64::{Ext, Insn, JumpBit, JumpIf, JumpZero, PATTERNS, decode};
use tcg::isa::pattern::Pattern;

use crate::qemu::{CODE, CODE_BYTES, Cause, DATA, Qemu};
use crate::rows::{BRK, Rng, UNDERFLOW, differences, run, state};
use crate::user::{ENGINES, User};

/// Sequences tried.
const SEQUENCES: usize = 4000;
/// Instructions of one at most.
const LENGTH: u64 = 12;
/// Counts the rounds of a sequence that is a loop; no other instruction names it.
const COUNTER: u8 = 28;

/// Data processing, by the bits that name the class of an instruction `[ARM-ARM C4.1]`, and what
/// works on the flags alone.
fn is_arithmetic(p: &Pattern) -> bool {
    const FLAGS: [&str; 5] = ["msr_nzcv", "mrs_nzcv", "cfinv", "xaflag", "axflag"];
    let (immediate, register) = (p.bits >> 26 & 7 == 0b100, p.bits >> 25 & 7 == 0b101);
    immediate || register || FLAGS.contains(&p.name)
}

/// Scalar floating point.
fn is_number(p: &Pattern) -> bool {
    p.bits >> 24 & 0x5e == 0x1e
}

/// Floating point and vectors, but for loads and stores.
fn is_vector(p: &Pattern) -> bool {
    p.bits >> 25 & 7 == 7
}

/// A jump over the next instruction.
fn skip(rng: &mut Rng) -> Insn {
    let rt = (rng.next() & 31) as u8;
    let sf = rng.next() & 1 != 0;
    match rng.next() & 7 {
        0 => Insn::Cbz(JumpZero { sf, rt, imm: 8 }),
        1 => Insn::Cbnz(JumpZero { sf, rt, imm: 8 }),
        2 => Insn::Tbz(JumpBit { rt, bit: (rng.next() & 63) as u8, imm: 8 }),
        _ => Insn::BCond(JumpIf { cond: (rng.next() & 15) as u8, imm: 8 }),
    }
}

/// Whether a register field of the instruction may be the counter's.
fn names_counter(row: &Pattern, word: u32) -> bool {
    row.fields.iter().any(|&(_, mask)| {
        mask.count_ones() == 5 && (word & mask) >> mask.trailing_zeros() == COUNTER.into()
    })
}

/// One half of the sequences are loops, which keep registers and vectors where they are from one
/// round to the next.
fn sequence(rng: &mut Rng, rows: &[&Pattern]) -> Vec<Insn> {
    let looping = rng.next() & 1 == 0;
    let mut insns = Vec::new();
    for _ in 0..=rng.next() % LENGTH {
        let row = rows[(rng.next() % rows.len() as u64) as usize];
        let Some(word) = row.sample(rng.next() as u32) else { continue };
        if looping && names_counter(row, word) {
            continue;
        }
        insns.extend(decode(word, Ext::ALL));
        // A round has the more in one block, the fewer jumps there are.
        if rng.next() & if looping { 7 } else { 3 } == 0 {
            insns.push(skip(rng));
        }
    }
    insns.truncate(LENGTH as usize);
    if looping {
        insns.extend(back(insns.len()));
    }
    insns
}

/// Counts down, and goes back over so many instructions: nothing jumps over the counting, because
/// one that does nothing is in front.
fn back(over: usize) -> impl Iterator<Item = Insn> {
    const NOP: u32 = 0xd503_201f;
    let counter = u32::from(COUNTER);
    let sub = 0xd100_0400 | counter << 5 | counter;
    let distance = -(over as i32 + 2) as u32 & 0x7_ffff;
    let cbnz = 0xb500_0000 | distance << 5 | counter;
    [NOP, sub, cbnz].into_iter().map(|word| decode(word, Ext::ALL).expect("an instruction"))
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no decimal number")))
}

/// Runs random sequences of some rows.
fn check(rows: &[&Pattern], seed: u64) {
    let regions = [(CODE, 4096), (DATA, 4096)];
    let mut users: Vec<_> =
        ENGINES.iter().map(|&(name, mode)| (name, User::<Aarch64>::new(mode, &regions))).collect();
    let mut qemu = Qemu::new();
    let time = number("POLYVISOR_ISA_SECONDS").map(Duration::from_secs);
    let mut rng = Rng(seed ^ number("POLYVISOR_ISA_SEED").unwrap_or(0).rotate_left(17));
    let begin = Instant::now();
    let mut done = 0;
    while time.map_or(done < SEQUENCES, |time| begin.elapsed() < time) {
        done += 1;
        let insns = sequence(&mut rng, rows);
        let mut code = [0; CODE_BYTES];
        for (at, bytes) in code.chunks_exact_mut(4).enumerate() {
            let word = insns.get(at).map_or(BRK, Insn::encode);
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        let mut start = state(&mut rng);
        start.x[usize::from(COUNTER)] = 1 + rng.next() % 4;
        let expected = qemu.run(&start, &code);
        assert_eq!(expected.2, Cause::Breakpoint);
        for (name, user) in &mut users {
            let (mut end, _) = run(user, &start, &code);
            // Translated code does not know of all underflow; see `agree`.
            end.0.fpsr |= expected.0.fpsr & UNDERFLOW;
            let listing = insns.iter().map(|i| format!("  {i}\n")).collect::<String>();
            assert!(
                end == expected,
                "in {name}:\n{listing}{}",
                differences(&start, &end, &expected)
            );
        }
    }
    println!("{done} sequences in {:.1} s", begin.elapsed().as_secs_f64());
}

#[test]
fn flags_between_instructions_are_those_of_qemu() {
    let rows: Vec<&Pattern> = PATTERNS.iter().filter(|p| is_arithmetic(p)).collect();
    assert!(rows.len() > 80, "{}", rows.len());
    check(&rows, 77);
}

#[test]
fn vectors_between_instructions_are_those_of_qemu() {
    let rows: Vec<&Pattern> = PATTERNS.iter().filter(|p| is_vector(p)).collect();
    assert!(rows.len() > 400, "{}", rows.len());
    check(&rows, 78);
}

/// Numbers and flags only: most rows are those of vectors.
#[test]
fn numbers_between_instructions_are_those_of_qemu() {
    let rows: Vec<&Pattern> = PATTERNS.iter().filter(|p| is_number(p)).collect();
    assert!(rows.len() > 50, "{}", rows.len());
    check(&rows, 79);
}
