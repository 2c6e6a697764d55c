use std::collections::BTreeSet;

use super::*;
use crate::builder::Reserve;
use crate::guest::riscv64::Riscv64;
use crate::isa::riscv64::{self as isa, Ext, PATTERNS};

const AT: At = At { pc: 0x8000_0000, len: 4, reserve: Reserve::UNKNOWN };

fn record_word(word: u32) -> List<Riscv64> {
    let insn = if word & 3 == 3 {
        isa::decode(word, Ext::ALL)
    } else {
        isa::decode16(word as u16, Ext::ALL)
    };
    record(AT, insn.unwrap_or_else(|| panic!("{word:#x} is an instruction")), 3)
}

/// A few words of every row of the tables.
fn words() -> impl Iterator<Item = u32> {
    PATTERNS.iter().flat_map(|p| {
        (0..40u32).filter_map(|i| p.sample(i.wrapping_mul(0x9e37_79b9).rotate_left(i)))
    })
}

#[test]
fn replaying_a_list_records_it_again() {
    let mut names = BTreeSet::new();
    for word in words() {
        let first = record_word(word);
        let mut b = Record::default();
        let Ok(flow) = replay(&first, &mut b);
        assert_eq!(first, b.finish(flow), "{word:#x}");
        names.extend(
            first.ops.iter().map(|op| format!("{op:?}").split('(').next().map(str::to_owned)),
        );
    }
    // All but the flags, which RISC-V does not have.
    assert!(names.len() >= 30, "{names:?}");
}

#[test]
fn lists_are_told_apart() {
    let add = record_word(0x00b5_0533);
    assert_ne!(add, record_word(0x40b5_0533));
    assert_ne!(record_word(0x0000_0073).helpers.len(), 0);
    // ecall and ebreak differ in the helper alone.
    assert_ne!(record_word(0x0000_0073), record_word(0x0010_0073));
}

#[test]
fn listings_show_values_regions_and_flow() {
    // add a0, a0, a1
    let add = record_word(0x00b5_0533).to_string();
    assert_eq!(add, "%0 = get 10\n%1 = get 11\n%2 = bin add w64 %0 %1\nset 10 %2\nnext");
    // sc.w a0, a1, (a2)
    let sc = record_word(0x18b6_252f).to_string();
    let when = sc.lines().position(|l| l.starts_with("when %")).expect("a region");
    assert!(sc.lines().nth(when + 1).is_some_and(|l| l.starts_with("  %")), "{sc}");
    assert!(sc.lines().skip(when + 1).any(|l| l.starts_with('%')), "{sc}");
    // beq zero, zero, 0
    assert!(record_word(0x0000_0063).to_string().ends_with("0x80000000"));
    assert!(record_word(0x0000_0073).to_string().contains("call ecall\ndispatch"));
}
