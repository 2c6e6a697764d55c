use super::*;
use crate::isa::golden::{Random, Subject};

fn decode_any(word: u32, width: u8) -> Option<Insn> {
    if width == 16 { decode16(word as u16, Ext::ALL) } else { decode(word, Ext::ALL) }
}

#[test]
fn samples_decode_as_their_row_and_encode_back() {
    let mut random = Random(0x1234_5678_9abc_def1);
    for (row, pattern) in PATTERNS.iter().enumerate() {
        let mut own = 0;
        for _ in 0..2000 {
            let Some(word) = pattern.sample(random.word()) else { continue };
            let insn = decode_any(word, pattern.width).expect(pattern.name);
            assert_eq!(insn.encode(), word, "{insn}");
            assert_eq!(insn.len() * 8, pattern.width);
            own += usize::from(insn.row() == row);
            assert_eq!(PATTERNS[insn.row()].name, insn.name());
        }
        assert!(own > 0, "{} never decodes as itself", pattern.name);
    }
}

#[test]
fn decoders_accept_exactly_what_the_patterns_say() {
    let mut random = Random(0xfeed_beef_1234_5671);
    let accepts = |word: u32, width: u8| {
        PATTERNS.iter().any(|pattern| pattern.width == width && pattern.matches(word))
    };
    for round in 0..2_000_000u32 {
        // Every other word gets a used major opcode.
        let word = if round % 2 == 0 { random.word() } else { random.word() & !0xc | 0x33 };
        assert_eq!(decode(word, Ext::ALL).is_some(), accepts(word, 32), "{word:#010x}");
    }
    for word in 0..=u16::MAX {
        assert_eq!(decode16(word, Ext::ALL).is_some(), accepts(word.into(), 16), "{word:#06x}");
    }
}

#[test]
fn extensions_guard_their_rows() {
    for pattern in PATTERNS {
        let word = (0..).find_map(|n: u32| pattern.sample(n.wrapping_mul(0x9e37_79b9))).unwrap();
        let insn = decode_any(word, pattern.width).unwrap();
        let all_but = Ext(!PATTERNS[insn.row()].ext);
        let without = match pattern.width {
            16 => decode16(word as u16, all_but),
            _ => decode(word, all_but),
        };
        assert!(without.is_none_or(|other| other.row() != insn.row()), "{insn}");
    }
}

#[test]
fn known_words() {
    let text = |word| decode(word, Ext::ALL).map(|insn| insn.to_string());
    assert_eq!(text(0xfe01_0113).as_deref(), Some("addi sp, sp, -32"));
    assert_eq!(text(0x0080_006f).as_deref(), Some("jal zero, 8"));
    assert_eq!(text(0xfff5_4513).as_deref(), Some("xori a0, a0, -1"));
    assert_eq!(text(0xb8e5_2e2f).as_deref(), None);
    assert_eq!(text(0).as_deref(), None);
    let text = |word| decode16(word, Ext::ALL).map(|insn| insn.to_string());
    assert_eq!(text(0x1141).as_deref(), Some("c.addi sp, -16"));
    assert_eq!(text(0x8082).as_deref(), Some("c.jr ra"));
    assert_eq!(text(0x0001).as_deref(), Some("c.nop"));
    assert_eq!(text(0x0000).as_deref(), None);
    let insn = decode16(0x0808, Ext::ALL).unwrap();
    assert_eq!(insn, Insn::CAddi4spn(I { rd: 10, rs1: 2, imm: 16 }));
}

#[test]
fn lengths() {
    assert_eq!(length(0x8082), 2);
    assert_eq!(length(0x0113), 4);
    assert_eq!(length(0x001f), 0);
}

#[test]
fn disassembly_is_that_of_llvm() {
    let subject = Subject {
        isa: "riscv64",
        llvm: &[
            "--triple=riscv64",
            "--mattr=+m,+a,+f,+d,+c,+zba,+zbb,+zbs,+zicond,+zawrs,+svinval",
        ],
        patterns: PATTERNS,
        disassemble: |word, width| {
            decode_any(word, width).map(|insn| (insn.row(), insn.to_string()))
        },
        translate,
        // LLVM rejects reserved fields that harts ignore.
        narrower: &["fence", "fence.tso", "fence.i"],
    };
    subject.check();
}

/// LLVM names CSRs, and writes some hints of the C extension in its own way.
fn translate(word: u32, text: &str) -> Option<String> {
    if text == "fence w, 0" {
        return Some("pause".into());
    }
    if let Some((shift, register)) = text.split_once("64 ").filter(|_| text.starts_with("c.s")) {
        return Some(format!("{shift} {register}, 0"));
    }
    // The hypervisor extension comes with Svinval.
    if text.starts_with("hinval") {
        return None;
    }
    // Hints print a signed immediate; the reserved immediate 0 is decoded.
    let lui = word >> 13 == 3 && word & 3 == 1;
    if lui && (word >> 7 & 31 == 0 || word & 0x107c == 0) {
        return None;
    }
    let Some((head, csr, tail)) = text.starts_with("csrr").then(|| csr_operand(text)).flatten()
    else {
        return Some(text.into());
    };
    let number: u16 = csr.parse().ok()?;
    Some(format!("{head}, {number:#x}, {tail}"))
}

fn csr_operand(text: &str) -> Option<(&str, &str, &str)> {
    let (head, rest) = text.split_once(", ")?;
    let (csr, tail) = rest.split_once(", ")?;
    Some((head, csr, tail))
}
