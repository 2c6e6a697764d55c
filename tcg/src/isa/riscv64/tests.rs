use super::*;

/// A small generator of random words (xorshift): tests repeat exactly.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn word(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as u32
    }
}

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
