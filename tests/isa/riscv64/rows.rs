//! Every row of every table, one instruction at a time, in every engine.

use std::collections::BTreeSet;

use arch::riscv64::Hart;
use arch::riscv64::fields::{IRQ_SSI, MSTATUS_MPP, MSTATUS_SPP};
use tcg::Mode;
use tcg::builder::Flow;
use tcg::isa::pattern::Pattern;
use tcg::isa::riscv64::{Insn, PATTERNS};

use crate::bare::{Bare, World};
use crate::expected;
use crate::generate::{access_of, list_of};
use crate::rng::Rng;
use crate::sequence::{decode, length, redirected};
use crate::state::{BREAKPOINT, CODE, DATA, DATA_BYTES, Start};

/// Executions of each row.
const SAMPLES: u32 = 24;

const EBREAK: [u8; 4] = [0x73, 0, 0x10, 0];
const SSCRATCH: u32 = 0x140;
const ECALL_FROM_MACHINE: u64 = 11;

/// One instruction, prepared such that control comes to one of the two `ebreak`s behind it, or
/// that it is the trap.
struct Case {
    word: u32,
    start: Start,
    /// The trap in which it ends, and where that may be.
    cause: u64,
    pc: Vec<u64>,
}

/// A case of the row; `None` if these random bits make none.
fn case(p: &Pattern, rng: &mut Rng) -> Option<Case> {
    let mut word = p.sample(rng.next() as u32)?;
    let mut start = Start::random(rng);
    let next = CODE + length(word) as u64;
    let (mut cause, mut pc) = (BREAKPOINT, vec![next]);
    let behind = length(word) as i32 + 4;
    match decode(word)? {
        Insn::Ecall => (cause, pc) = (ECALL_FROM_MACHINE, vec![CODE]),
        Insn::Ebreak | Insn::CEbreak => pc = vec![CODE],
        Insn::Mret | Insn::Sret => pc = vec![next + 4],
        Insn::Jalr(a) | Insn::CJr(a) | Insn::CJalr(a) => {
            if a.rs1 == 0 {
                return None;
            }
            start.x[usize::from(a.rs1)] = (next + 4).wrapping_sub(i64::from(a.imm) as u64);
            pc = vec![next + 4];
        }
        Insn::Csrrw(_) | Insn::Csrrs(_) | Insn::Csrrc(_) => {
            word = word << 12 >> 12 | SSCRATCH << 20
        }
        Insn::Csrrwi(_) | Insn::Csrrsi(_) | Insn::Csrrci(_) => {
            word = word << 12 >> 12 | SSCRATCH << 20;
        }
        _ => {}
    }
    let list = list_of(word)?;
    if let Flow::Branch(..) | Flow::Goto(_) = list.flow {
        word = redirected(word, behind)?;
        pc = vec![next, next + 4];
    }
    if list.ops.iter().any(crate::generate::touches_memory) {
        let access = access_of(&list).filter(|a| a.base != 0)?;
        let middle = DATA + DATA_BYTES as u64 / 2;
        start.x[usize::from(access.base)] = middle.wrapping_sub(access.offset as u64);
    }
    Some(Case { word, start, cause, pc })
}

/// What the privileged instructions need.
fn prepare(h: &mut Hart, word: u32) {
    let target = CODE + length(word) as u64 + 4;
    (h.mepc, h.sepc) = (target, target);
    h.mstatus |= MSTATUS_MPP | MSTATUS_SPP;
    if decode(word) == Some(Insn::Wfi) {
        // It ends at once: an interrupt is pending, and enabled but for mstatus.
        h.mie |= IRQ_SSI;
        h.mip |= IRQ_SSI;
    }
    h.sscratch = 0x1234_5678_9abc_def0;
    // Sometimes there is a reservation to store to, for an instruction at the start of a page.
    h.resv_addr = DATA + DATA_BYTES as u64 / 2 + 1;
    h.resv_value = h.x[10];
}

#[test]
fn every_row_is_executed() {
    let mut machines: Vec<(&str, Bare)> = [
        ("the interpreter", Mode::Interpreter),
        ("Eval", Mode::Eval),
        ("the translator", Mode::Jit { threshold: 0 }),
    ]
    .map(|(name, mode)| (name, Bare::new(mode, World::Machine)))
    .into();
    let mut rng = Rng::new(7);
    let mut executed = BTreeSet::new();
    let mut checked = BTreeSet::new();
    for p in PATTERNS {
        let mut done = 0;
        for _ in 0..10_000 {
            if done == SAMPLES {
                break;
            }
            let Some(Case { word, start, cause, pc }) = case(p, &mut rng) else {
                continue;
            };
            done += 1;
            let mut code = word.to_le_bytes()[..length(word)].to_vec();
            code.extend_from_slice(&EBREAK);
            code.extend_from_slice(&EBREAK);
            let ends: Vec<_> = machines
                .iter_mut()
                .map(|(name, machine)| {
                    (*name, machine.run_with(&start, &code, |h| prepare(h, word)))
                })
                .collect();
            let (_, end) = &ends[0];
            let insn = decode(word).expect("sampled words are instructions");
            let expected = end.cause == cause && pc.contains(&end.pc);
            assert!(expected, "{insn} ends in trap {:#x} at {:#x}", end.cause, end.pc);
            for (name, other) in &ends[1..] {
                let differences = end.differences(other);
                assert!(end == other, "{insn} in {name}:\n{differences}{}", start.listing());
            }
            executed.insert(PATTERNS[insn.row()].name);
            let (rd, rs1, rs2) = (word >> 7 & 31, word >> 15 & 31, word >> 20 & 31);
            let (a, b) = (start.x[rs1 as usize], start.x[rs2 as usize]);
            if let Some(value) = expected::result(p.name, word, a, b, CODE).filter(|_| rd != 0) {
                assert_eq!(end.x[rd as usize], value, "{insn} of {a:#x} and {b:#x}");
                checked.insert(p.name);
            }
        }
    }
    let missing: Vec<&str> =
        PATTERNS.iter().map(|p| p.name).filter(|name| !executed.contains(name)).collect();
    assert!(missing.is_empty(), "rows that were not executed: {missing:?}");
    assert!(checked.len() >= 85, "only {} rows have expected results", checked.len());
}
