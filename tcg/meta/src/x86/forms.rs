//! The assembler's constants: one `Form` per row.

use std::collections::HashMap;
use std::fmt::Write;

use super::row::{Low, Map, Modrm, Operand, Prefix, Row, VexL};
use crate::error::Error;

/// Rust text of all forms.
pub(super) fn rust(rows: &[Row]) -> Result<String, Error> {
    let mut seen: HashMap<String, &Row> = HashMap::new();
    let mut out = String::new();
    let mut list = String::new();
    for row in rows.iter().filter(|row| !row.alias) {
        let name = name(row);
        if let Some(first) = seen.insert(name.clone(), row) {
            let message = format!("{name} is also the form of {}; mark one alias", first.pos);
            return Err(row.pos.error(message));
        }
        let operands: Vec<String> = row.operands.iter().map(Operand::text).collect();
        let text = format!("{} {}", row.mnemonic, operands.join(","));
        writeln!(out, "/// `{}`", text.trim()).expect("writing to a string");
        writeln!(out, "pub const {name}: Form = {};", literal(row)).expect("writing to a string");
        writeln!(list, "    ({:?}, {name}),", text.trim()).expect("writing to a string");
    }
    writeln!(out, "/// Every form, with its row's text.").expect("writing to a string");
    writeln!(out, "pub const ALL: &[(&str, Form)] = &[\n{list}];").expect("writing to a string");
    Ok(out)
}

/// `MNEMONIC_OPERANDCODES`; vector operands are X whatever their element.
fn name(row: &Row) -> String {
    let mut name = row.mnemonic.to_uppercase();
    if row.low == Low::Condition {
        name.push_str("CC");
    }
    for op in row.operands.iter().filter(|op| op.kind != "0") {
        name.push('_');
        match op.method {
            Some(_) if op.is_vector() => {
                name.push(op.method.unwrap_or('X'));
                name.push('X');
            }
            Some('I') if op.kind == "bs" => name.push_str("IB"),
            _ => name.push_str(&op.text().to_uppercase()),
        }
    }
    name
}

fn literal(row: &Row) -> String {
    let map = match row.map {
        Map::OneByte => 0,
        Map::M0f => 1,
        Map::M0f38 => 2,
        Map::M0f3a => 3,
    };
    let prefix = match row.prefix {
        Prefix::Any | Prefix::None | Prefix::NoRep => 0,
        Prefix::P66 => 0x66,
        Prefix::F3 => 0xf3,
        Prefix::F2 => 0xf2,
    };
    let fence = row.operands.iter().any(|op| op.kind == "0");
    let modrm = match row.modrm {
        Modrm::Digit(digit) if fence => format!("{:#04x}", 0xc0 | digit << 3),
        Modrm::Digit(digit) => digit.to_string(),
        Modrm::Exact(byte) => format!("{byte:#04x}"),
        Modrm::Reg => "MODRM_REG".into(),
        Modrm::Absent => "MODRM_ABSENT".into(),
    };
    format!(
        "Form {{ opcode: {:#04x}, map: {map}, prefix: {prefix:#04x}, modrm: {modrm}, imm: {}, \
         flags: {} }}",
        row.opcode,
        immediate(row),
        flags(row)
    )
}

fn immediate(row: &Row) -> &'static str {
    let immediates: Vec<_> =
        row.operands.iter().filter(|op| op.is('I') || op.is('J') || op.is('L')).collect();
    match immediates.as_slice() {
        [] => "Imm::None",
        [op] => match (op.method, op.kind.as_str()) {
            (Some('I' | 'J'), "b" | "bs") | (Some('L'), _) => "Imm::B",
            (Some('I'), "w") => "Imm::W",
            (Some('I'), "z") => "Imm::Z",
            (Some('J'), "z") => "Imm::D",
            _ => "Imm::V",
        },
        _ => "Imm::Wb",
    }
}

fn flags(row: &Row) -> String {
    let mut flags = Vec::new();
    let size_forced = row.f64 || row.w.is_some();
    match row.only_size {
        Some(16) => flags.push("P66"),
        Some(64) if !row.d64 => flags.push("W1"),
        _ => {}
    }
    if row.d64 && row.only_size.is_none() {
        flags.push("D64");
    } else if !size_forced && (row.has_kind(&["v", "z", "p"]) || row.sized || fixed_sized(row)) {
        flags.push("SIZE_V");
    } else if !size_forced && row.has_kind(&["y"]) {
        flags.push("SIZE_Y");
    }
    if row.w == Some(true) {
        flags.push("W1");
    }
    if row.vex {
        flags.push("VEX");
        if row.l == VexL::One {
            flags.push("L1");
        }
    }
    for op in &row.operands {
        match (op.method, op.kind.as_str()) {
            (Some('G'), "b") => flags.push("REG8"),
            (Some('E' | 'Z'), "b") => flags.push("RM8"),
            _ => {}
        }
    }
    if flags.is_empty() { "0".into() } else { flags.join(" | ") }
}

fn fixed_sized(row: &Row) -> bool {
    row.operands.iter().any(|op| op.method.is_none() && matches!(&*op.kind, "rAX" | "eAX"))
}
