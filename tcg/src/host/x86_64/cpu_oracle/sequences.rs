//! Sequences of instructions that leave flags and ask for them, and of vectors and numbers, against
//! the host: which flags are kept, dropped or taken from the host's, and where a vector is, is
//! decided between instructions. Half of the sequences are loops.
#![deny(unsafe_code)]

use arch::x86_64::state::*;

use super::comparison::{Guest, Rng, difference, effort, guests, runs_on_host, units};
use super::{Oracle, Registers, WINDOW};
use crate::guest::x86_64::has_semantics;
use crate::isa::x86_64::{self as isa, Insn, Op, Operand, ROWS, sample};
use crate::testing;

/// Sequences tried.
const SEQUENCES: usize = 6000;
/// Instructions of one at most.
const LENGTH: u64 = 12;

/// The register of shift counts, which nothing else in a sequence writes.
const RCX: u8 = 1;
const RSP: u8 = 4;
/// Counts the rounds of a loop, which nothing else in it may name.
const R15: u8 = 15;

/// Whether all flags that programs can see are defined after the instruction, but the auxiliary
/// carry, which nothing here looks at.
fn is_defined(insn: &Insn) -> bool {
    match insn.op() {
        Op::Add | Op::Or | Op::Adc | Op::Sbb | Op::And | Op::Sub | Op::Xor | Op::Cmp => true,
        Op::Test | Op::Not | Op::Neg | Op::Inc | Op::Dec | Op::Popcnt => true,
        Op::Mov | Op::Movzx | Op::Movsx | Op::Movsxd | Op::Lea | Op::Xchg => true,
        Op::Xadd | Op::Cmpxchg | Op::Set | Op::Cmov => true,
        Op::Cbw | Op::Cwde | Op::Cdqe | Op::Cwd | Op::Cdq | Op::Cqo => true,
        Op::Cmc | Op::Clc | Op::Stc | Op::Sahf => true,
        Op::Bswap => insn.width != isa::Width::W,
        // Of longer shifts the overflow is not; the count in cl is 0 or 1.
        Op::Shl | Op::Sal | Op::Shr | Op::Sar | Op::Rol | Op::Ror | Op::Rcl | Op::Rcr => {
            match insn.operands[1] {
                Operand::Gpr(..) => true,
                count => insn.value(count) == 1,
            }
        }
        _ => false,
    }
}

/// Whether it works on registers alone, and leaves the count and the stack alone.
fn is_harmless(insn: &Insn) -> bool {
    let shifts = matches!(insn.operands[1], Operand::Gpr(RCX, isa::Width::B))
        && matches!(insn.operands[2], Operand::None)
        && !matches!(insn.op(), Op::Xchg | Op::Xadd | Op::Cmpxchg);
    let address = [insn.mem.base, insn.mem.index.map(|i| i.0)];
    let lea = insn.op() == Op::Lea;
    insn.operands.iter().enumerate().all(|(at, operand)| match *operand {
        Operand::Mem(_) => lea && !address.contains(&Some(isa::Mem::RIP)),
        Operand::Gpr(RCX, _) => at == 1 && shifts,
        Operand::High(r) => r != RCX,
        Operand::Gpr(r, _) => r != RSP,
        _ => true,
    })
}

/// Whether it is an instruction of SSE on registers whose result is defined to the last bit.
fn is_vector(insn: &Insn) -> bool {
    let xmm = insn.operands.iter().any(|o| matches!(o, Operand::Xmm(_)));
    let other = insn.operands.iter().any(|o| matches!(o, Operand::Mem(_) | Operand::Mm(_)));
    let approximate = matches!(insn.op(), Op::Rcpps | Op::Rcpss | Op::Rsqrtps | Op::Rsqrtss);
    // They write RCX; it stores to where RDI says.
    let hidden =
        matches!(insn.op(), Op::Pcmpestri | Op::Pcmpestri64 | Op::Pcmpistri | Op::Maskmovdqu);
    xmm && !other && !approximate && !hidden && runs_on_host(insn)
}

/// What sequences are made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flavor {
    Flags,
    /// Three of four instructions are of SSE.
    Vectors,
}

/// A random instruction.
fn instruction(rng: &mut Rng, flavor: Flavor, looping: bool) -> Vec<u8> {
    let vector = flavor == Flavor::Vectors && rng.below(4) != 0;
    loop {
        let row = rng.below(ROWS.len() as u64) as u16;
        if !has_semantics(row) {
            continue;
        }
        let Some(bytes) = sample(row, &mut || rng.next()) else { continue };
        let Ok(decoded) = isa::decode(&bytes) else { continue };
        let insn = &decoded.insn;
        let wanted = if vector { is_vector(insn) } else { is_defined(insn) };
        if wanted && is_harmless(insn) && !(looping && names(insn, R15)) {
            return bytes[..usize::from(decoded.len)].to_vec();
        }
    }
}

/// Whether an operand is the register, or its address has it.
fn names(insn: &Insn, register: u8) -> bool {
    let address = [insn.mem.base, insn.mem.index.map(|i| i.0)];
    let operand = |o: &Operand| matches!(*o, Operand::Gpr(r, _) if r == register);
    insn.operands.iter().any(operand) || address.contains(&Some(register))
}

/// Instructions, some of them jumped over under a condition. In a loop, which keeps registers and
/// vectors where they are from one round to the next, fewer: the more is in one block.
fn sequence(rng: &mut Rng, flavor: Flavor) -> Vec<u8> {
    let looping = rng.below(2) == 0;
    let mut code = Vec::new();
    for _ in 0..=rng.below(LENGTH) {
        let next = instruction(rng, flavor, looping);
        if rng.below(if looping { 8 } else { 4 }) == 0 {
            code.extend_from_slice(&[0x70 | rng.below(16) as u8, next.len() as u8]);
        }
        code.extend(next);
    }
    if looping {
        // dec r15; jnz: the carry is kept.
        code.extend_from_slice(&[0x49, 0xff, 0xcf, 0x0f, 0x85]);
        let back = -(code.len() as i32 + 4);
        code.extend_from_slice(&back.to_le_bytes());
    }
    code
}

fn listing(code: &[u8]) -> String {
    let mut out = String::new();
    let mut at = 0;
    while let Ok(decoded) = isa::decode(&code[at..]) {
        out += &format!("  {}\n", decoded.insn);
        at += usize::from(decoded.len);
    }
    out
}

/// Compares what a sequence does.
fn compare(
    oracle: &mut Oracle,
    guests: &mut [Guest; 3],
    round: usize,
    code: &[u8],
    start: Registers,
) {
    let mut host = start;
    oracle.run(code, &mut host);
    for guest in guests {
        let mut registers = start;
        let exception = guest.run(Guest::place(round), code, &mut registers);
        assert_eq!(exception, None, "{}", listing(code));
        let differs = difference(&registers, &host, ARITHMETIC & !AF);
        assert!(
            differs.is_none(),
            "{differs:?} in the {}:\n{}before {start:x?}",
            guest.name,
            listing(code)
        );
    }
}

/// Compares random sequences.
fn check(flavor: Flavor, seed: u64) {
    let mut oracle = Oracle::new();
    let window = oracle.window();
    let mut guests: [Guest; 3] = guests(window);
    let (times, add) = effort();
    let mut rng = Rng::new(seed ^ add.rotate_left(17));
    for round in 0..SEQUENCES * times {
        let code = sequence(&mut rng, flavor);
        let mut start = Registers {
            gpr: std::array::from_fn(|_| rng.value()),
            rflags: rng.next() & ARITHMETIC | IF | RFLAGS_FIXED,
            ..Registers::default()
        };
        if flavor == Flavor::Vectors {
            start.units = units(&mut rng);
        }
        start.gpr[usize::from(RCX)] = rng.below(2);
        start.gpr[usize::from(R15)] = 1 + rng.below(4);
        start.gpr[usize::from(RSP)] = window + WINDOW as u64 / 2;
        compare(&mut oracle, &mut guests, round, &code, start);
    }
    println!("{} sequences", SEQUENCES * times);
    // The machines' memory is as it was: nothing here stores.
    for guest in &guests {
        let mut memory = vec![1; WINDOW];
        testing::read_memory(guest.machine(), window, &mut memory);
        assert!(memory.iter().all(|&byte| byte == 0), "the {} has stored", guest.name);
    }
}

/// A shift and an addition are one host instruction only where nobody asks for their flags.
#[test]
fn what_is_done_as_one_leaves_its_flags() {
    let mut oracle = Oracle::new();
    let mut guests = guests(oracle.window());
    let code: Vec<u8> = [
        &[0x66, 0x0d, 0xd8, 0x1f][..],         // or ax, 0x1fd8
        &[0x48, 0xd1, 0xe6],                   // shl rsi, 1
        &[0x4c, 0x01, 0xee],                   // add rsi, r13
        &[0x79, 0x04],                         // jns over the next
        &[0x66, 0x41, 0xd1, 0xe2],             // shl r10w, 1
        &[0x49, 0xff, 0xcf],                   // dec r15
        &[0x0f, 0x85, 0xe7, 0xff, 0xff, 0xff], // jne to the beginning
    ]
    .concat();
    for (round, r13) in [0, 1, u64::MAX, 0xffff_8000_ffff_ffff].into_iter().enumerate() {
        let mut start =
            Registers { rflags: IF | RFLAGS_FIXED, gpr: [3; 16], ..Registers::default() };
        (start.gpr[6], start.gpr[10], start.gpr[13]) = (0xaa47_a80f_131e_0cae, 0x85d4, r13);
        start.gpr[usize::from(R15)] = 3;
        start.gpr[usize::from(RSP)] = oracle.window() + WINDOW as u64 / 2;
        compare(&mut oracle, &mut guests, round, &code, start);
    }
}

#[test]
fn flags_between_instructions_are_those_of_the_host() {
    check(Flavor::Flags, 0xfeed_beef_1234_5677);
}

#[test]
fn vectors_between_instructions_are_those_of_the_host() {
    check(Flavor::Vectors, 0xfeed_beef_1234_5679);
}
