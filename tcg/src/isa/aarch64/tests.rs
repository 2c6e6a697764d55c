use super::*;
use crate::isa::golden::{Random, Subject};

#[test]
fn samples_decode_as_their_row_and_encode_back() {
    let mut random = Random(0x1234_5678_9abc_def1);
    for (row, pattern) in PATTERNS.iter().enumerate() {
        let mut own = 0;
        for _ in 0..2000 {
            let Some(word) = pattern.sample(random.word()) else { continue };
            let insn = decode(word, Ext::ALL).expect(pattern.name);
            assert_eq!(insn.encode(), word, "{insn}");
            assert_eq!(insn.len(), 4);
            own += usize::from(insn.row() == row);
        }
        assert!(own > 0, "{} never decodes as itself", pattern.name);
    }
}

#[test]
fn the_decoder_accepts_exactly_what_the_patterns_say() {
    let mut random = Random(0xfeed_beef_1234_5671);
    let accepts = |word: u32| PATTERNS.iter().any(|pattern| pattern.matches(word));
    for _ in 0..2_000_000u32 {
        let word = random.word();
        assert_eq!(decode(word, Ext::ALL).is_some(), accepts(word), "{word:#010x}");
    }
}

#[test]
fn extensions_guard_their_rows() {
    let mut random = Random(0xfeed_beef_1234_5671);
    for pattern in PATTERNS {
        let word = std::iter::repeat_with(|| random.word()).find_map(|bits| pattern.sample(bits));
        let insn = decode(word.unwrap(), Ext::ALL).unwrap();
        let all_but = Ext(!PATTERNS[insn.row()].ext);
        let without = decode(word.unwrap(), all_but);
        assert!(without.is_none_or(|other| other.row() != insn.row()), "{insn}");
    }
}

#[test]
fn bitmasks() {
    assert_eq!(fields::bitmask(0x1000), Some(1));
    assert_eq!(fields::bitmask(0b1_000000_111110), Some(u64::MAX >> 1));
    assert_eq!(fields::bitmask(0b0_000000_111100), Some(0x5555_5555_5555_5555));
    assert_eq!(fields::bitmask(0b0_000001_111100), Some(0xaaaa_aaaa_aaaa_aaaa));
    assert_eq!(fields::bitmask(0b1_000000_111111), None);
    let mut values = 0;
    for bits in 0..1 << 13 {
        if let Some(value) = fields::bitmask(bits) {
            let back = fields::to_bitmask(value).expect("it has bits");
            assert_eq!(fields::bitmask(back), Some(value), "{bits:#x}");
            values += u32::from(back == bits);
        }
    }
    // Every number of ones at every rotation of every size: sum of n * (n - 1).
    assert_eq!(values, 5334);
    assert_eq!(fields::to_bitmask(0x0123_4567), None);
    assert_eq!(fields::to_bitmask_32(0xff).and_then(fields::bitmask), Some(0xff_0000_00ff));
}

#[test]
fn known_words() {
    let text = |word| decode(word, Ext::ALL).map(|insn| insn.to_string());
    assert_eq!(text(0x9100_4000).as_deref(), Some("add x0, x0, #16"));
    assert_eq!(text(0xd65f_03c0).as_deref(), Some("ret x30"));
    assert_eq!(text(0xa9bf_7bfd).as_deref(), Some("stp x29, x30, [sp, #-16]!"));
    assert_eq!(text(0xd53b_d040).as_deref(), Some("mrs x0, tpidr_el0"));
    assert_eq!(text(0xd538_4240).as_deref(), Some("mrs x0, s3_0_c4_c2_2"));
    assert_eq!(text(0xd50b_7423).as_deref(), Some("dc zva, x3"));
    assert_eq!(text(0xd503_201f).as_deref(), Some("nop"));
    assert_eq!(text(0xffff_ffff).as_deref(), None);
}

#[test]
fn disassembly_is_that_of_llvm() {
    let subject = Subject {
        isa: "aarch64",
        llvm: &[
            "--triple=aarch64",
            "--mattr=+lse,+crc,+flagm,+altnzcv,+rcpc,+rcpc-immo,+lor,+sb,+el3,+pan,+dit,+ssbs,+aes,+sha2",
        ],
        patterns: PATTERNS,
        disassemble: |word, _| decode(word, Ext::ALL).map(|insn| (insn.row(), insn.to_string())),
        translate,
        // It asks for zeros where bits are ignored.
        narrower: &["dup_gpr", "ins_lane"],
    };
    subject.check();
}

/// LLVM prints some aliases even when told not to, and knows more system instructions.
fn translate(word: u32, text: &str) -> Option<String> {
    let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
    match name {
        "mov" => {
            let (register, value) = rest.split_once(", #")?;
            mov(word, register, value.parse().ok()?)
        }
        _ if word >> 23 & 63 == 0b100110 => bitfield(word, name, rest),
        "hint" if word >> 5 & 127 < 6 => {
            let names = ["nop", "yield", "wfe", "wfi", "sev", "sevl"];
            Some(names[(word >> 5) as usize & 127].into())
        }
        "movi" => Some(text.replace("#0000000000000000", "#0x00000000000000")),
        "clrex" => Some(text.strip_suffix(" #15").unwrap_or(text).into()),
        "isb" => Some(text.strip_suffix(" sy").unwrap_or(text).into()),
        "msr" | "mrs" => system_register(text),
        "dc" | "ic" => {
            let ours = ["zva", "cvac", "cvau", "civac", "ivau"];
            rest.split_once(',').filter(|(op, _)| ours.contains(op)).map(|_| text.into())
        }
        "at" | "tlbi" | "cfp" | "dvp" | "cpp" | "rprfm" | "drps" | "dcps1" | "dcps2" | "dcps3" => {
            None
        }
        _ => Some(plain_address(word, text)),
    }
}

/// An offset of zero and a shift by zero are not written.
fn plain_address(word: u32, text: &str) -> String {
    if let Some(head) = text.strip_suffix(", #0]") {
        return format!("{head}]");
    }
    match text.split_once(", lsl #") {
        Some((head, tail)) if tail.ends_with(']') && word >> 12 & 1 == 0 => format!("{head}]"),
        _ => text.into(),
    }
}

/// An alias of a bitfield move, as the move.
fn bitfield(word: u32, name: &str, rest: &str) -> Option<String> {
    let bits = if word >> 31 == 1 { 64 } else { 32 };
    let mut operands = rest.split(", ");
    let (rd, rn) = (operands.next()?, operands.next()?);
    let mut number = || operands.next()?.strip_prefix('#')?.parse::<u32>().ok();
    let (first, second) = (number(), number());
    let (immr, imms) = match name {
        "sbfm" | "ubfm" | "bfm" => (first?, second?),
        "sbfx" | "ubfx" | "bfxil" => (first?, first? + second? - 1),
        "sbfiz" | "ubfiz" | "bfi" => ((bits - first?) % bits, second? - 1),
        "asr" | "lsr" => (first?, bits - 1),
        "lsl" => ((bits - first?) % bits, bits - 1 - first?),
        "sxtb" | "uxtb" => (0, 7),
        "sxth" | "uxth" => (0, 15),
        "sxtw" => (0, 31),
        _ => return Some(format!("{name} {rest}")),
    };
    let real = match name {
        "bfm" | "bfxil" | "bfi" => "bfm",
        "lsr" | "lsl" => "ubfm",
        "asr" => "sbfm",
        name if name.starts_with('s') => "sbfm",
        _ => "ubfm",
    };
    let rn = format!("{}{}", &rd[..1], &rn[1..]);
    Some(format!("{real} {rd}, {rn}, #{immr}, #{imms}"))
}

/// Registers by number are compared, and those that have rows; other names are LLVM's alone.
fn system_register(text: &str) -> Option<String> {
    let ours = ["nzcv", "fpcr", "fpsr", "tpidr_el0", "ctr_el0", "dczid_el0"];
    let fields = ["daifset", "daifclr", "spsel", "pan", "dit", "ssbs"];
    let lower = text.to_lowercase().replace("s3_3_c4_c4_0", "fpcr").replace("s3_3_c4_c4_1", "fpsr");
    let (_, operands) = lower.split_once(' ')?;
    let register = operands.split(", ").find(|op| !op.starts_with('x') && !op.starts_with('#'))?;
    if fields.contains(&register) && operands.contains('#') {
        return Some(text.into());
    }
    let numbered = register.starts_with("s2_") || register.starts_with("s3_");
    (numbered || ours.contains(&register)).then_some(lower)
}

/// `mov` of a constant: what it says must be what the move of the word does.
fn mov(word: u32, register: &str, value: i64) -> Option<String> {
    let wide = word >> 31 == 1;
    let value = if wide { value as u64 } else { value as u32 as u64 };
    let (imm, hw) = (u64::from(word >> 5 & 0xffff), word >> 21 & 3);
    let shift = ["", ", lsl #16", ", lsl #32", ", lsl #48"][hw as usize];
    let moved = imm << (16 * hw);
    let not = if wide { !moved } else { u64::from(!(moved as u32)) };
    match word >> 23 & 0xff {
        0b1010_0101 if value == moved => Some(format!("movz {register}, #{imm}{shift}")),
        0b0010_0101 if value == not => Some(format!("movn {register}, #{imm}{shift}")),
        0b0110_0100 => {
            let zero = if wide { "xzr" } else { "wzr" };
            Some(format!("orr {register}, {zero}, #{value:#x}"))
        }
        _ => Some(format!("mov {register}, #{value}")),
    }
}
