//! The decoder's tables: operations, features, rows, and the rows of each opcode.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;

use super::row::{Low, Modrm, Operand, Row, VexL};
use super::slots::{MAPS, Select, map_index, slots};
use crate::error::Error;

const OPERANDS: usize = 4;

/// Rust text of the tables.
pub(super) fn rust(rows: &[Row]) -> Result<String, Error> {
    let mut out = String::new();
    operations(rows, &mut out);
    features(rows, &mut out);
    writeln!(out, "/// The rows of the maps.\npub static ROWS: [Row; {}] = [", rows.len())
        .expect("writing to a string");
    let mut texts = Texts::default();
    for row in rows {
        writeln!(out, "    {},", literal(row, &mut texts)?).expect("writing to a string");
    }
    writeln!(
        out,
        "];\n\n/// What [`Text`] is part of.\npub(super) static TEXTS: &str = {:?};",
        texts.all
    )
    .expect("writing to a string");
    opcodes(rows, &mut out)?;
    Ok(out)
}

/// The texts of all rows in one: references to each would have to be relocated when a program starts.
#[derive(Default)]
struct Texts {
    all: String,
    places: HashMap<String, usize>,
}

impl Texts {
    /// Where a text is.
    fn place(&mut self, text: &str) -> String {
        let at = *self.places.entry(text.to_owned()).or_insert_with(|| {
            self.all.push_str(text);
            self.all.len() - text.len()
        });
        format!("Text {{ at: {at}, len: {} }}", text.len())
    }
}

/// `cmpxchg16b` as `Cmpxchg16b`.
fn camel(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|c| c.to_ascii_uppercase()).into_iter().chain(chars).collect()
}

fn operations(rows: &[Row], out: &mut String) {
    let names: BTreeSet<&str> = rows.iter().map(|row| row.mnemonic.as_str()).collect();
    out.push_str("/// Operations, one per mnemonic.\n");
    out.push_str("#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]\n");
    out.push_str("#[repr(u16)]\npub enum Op {\n");
    for name in &names {
        writeln!(out, "    /// `{name}`\n    {},", camel(name)).expect("writing to a string");
    }
    out.push_str("}\n\nimpl Op {\n    /// Mnemonics, in the order of the variants.\n");
    writeln!(out, "    pub const NAMES: &[&str] = &{names:?};\n}}\n").expect("writing to a string");
    // A set's debug form has braces.
    *out = out.replace("&{\"", "&[\"").replace("\"};", "\"];");
}

fn features(rows: &[Row], out: &mut String) {
    let names: BTreeSet<&str> =
        rows.iter().flat_map(|row| [row.feature.as_deref(), wide_feature(row)]).flatten().collect();
    out.push_str("/// CPUID features that rows ask for, by the names of the manual.\n");
    out.push_str("#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]\n");
    out.push_str("pub enum Feature {\n    /// None: every processor of 64 bits.\n    Base,\n");
    for name in names {
        writeln!(out, "    /// {name}\n    {},", feature(Some(name))).expect("writing to a string");
    }
    out.push_str("}\n\n");
}

fn feature(name: Option<&str>) -> String {
    name.map_or("Base".into(), |name| camel(&name.to_lowercase().replace('_', "")))
}

/// The feature of a VEX row's 256-bit form, if not that of the 128-bit form.
fn wide_feature(row: &Row) -> Option<&str> {
    let integer = row.has_kind(&["x"]) && !row.has_kind(&["ps", "pd"]);
    match row.feature.as_deref() {
        Some("VAES" | "VPCLMULQDQ") => None,
        _ if !row.vex || row.l != VexL::Length || !row.wide_integer => None,
        _ if row.mnemonic.starts_with("vaes") => Some("VAES"),
        _ if row.mnemonic == "vpclmulqdq" => Some("VPCLMULQDQ"),
        _ if integer => Some("AVX2"),
        _ => None,
    }
}

fn literal(row: &Row, texts: &mut Texts) -> Result<String, Error> {
    if row.operands.len() > OPERANDS {
        return Err(row.pos.error("four operands are the most"));
    }
    // N0 says that ModRM.rm is a register of no meaning.
    let mut codes: Vec<String> =
        row.operands.iter().filter(|op| op.kind != "0").map(code).collect();
    codes.resize(OPERANDS, "Code::NONE".into());
    let operands: Vec<String> = row.operands.iter().map(Operand::text).collect();
    let s = Select::of(row);
    let narrow = feature(row.feature.as_deref());
    let wide = wide_feature(row).map_or(narrow.clone(), |name| feature(Some(name)));
    Ok(format!(
        "Row {{ op: Op::{}, text: {}, section: {}, feature: Feature::{narrow}, \
         wide_feature: Feature::{wide}, codes: [{}], select: Select {{ prefix: {}, w: {}, l: {}, \
         mode: {}, reg: {:#x}, rm: {:#x}, size: {}, rex_b: {} }}, flags: {}, map: {}, \
         opcode: {:#04x}, low: {}, modrm: {} }}",
        camel(&row.mnemonic),
        texts.place(format!("{} {}", row.mnemonic, operands.join(",")).trim()),
        texts.place(&row.section),
        codes.join(", "),
        s.prefix,
        s.w,
        s.l,
        s.mode,
        s.reg,
        s.rm,
        s.size,
        s.rex_b,
        flags(row),
        map_index(row),
        row.opcode,
        row.low.count() - 1,
        row.modrm != Modrm::Absent,
    ))
}

fn flags(row: &Row) -> String {
    let list = [
        (row.f64, "flag::F64"),
        (row.d64, "flag::D64"),
        (row.lock, "flag::LOCK"),
        (row.rep.is_some(), "flag::STRING"),
        (row.rep == Some(true), "flag::REPZ"),
        (row.vex, "flag::VEX"),
        (row.operand('H').is_some() || row.operand('B').is_some(), "flag::VVVV"),
        (row.low == Low::Condition, "flag::CONDITION"),
        (row.mod_ignored(), "flag::MOD_IGNORED"),
        (row.operands.iter().any(|op| op.kind != "0" && uses_rm(op)), "flag::RM"),
    ];
    let set: Vec<&str> = list.iter().filter(|(set, _)| *set).map(|(_, name)| *name).collect();
    if set.is_empty() { "0".into() } else { set.join(" | ") }
}

fn uses_rm(op: &Operand) -> bool {
    op.method.is_some_and(|method| "EMNQRUW".contains(method))
}

fn code(op: &Operand) -> String {
    let Some(method) = op.method else {
        let name = match op.kind.as_str() {
            "1" => "One",
            "rAX" => "Rax",
            "eAX" => "Eax",
            "ST0" => "St0",
            "STi" => "Sti",
            other => &camel(&other.to_lowercase()),
        };
        return format!("Code::fixed(Method::{name})");
    };
    let kind = match op.kind.as_str() {
        "" => "None",
        "/2" => "Half",
        "/4" => "Quarter",
        "/8" => "Eighth",
        "dd" => "Dup",
        other => &camel(other),
    };
    format!("Code::new(Method::{method}, Kind::{kind})")
}

fn opcodes(rows: &[Row], out: &mut String) -> Result<(), Error> {
    let slots = slots(rows)?;
    let mut order: Vec<usize> = Vec::new();
    writeln!(out, "/// Rows of each opcode, by map and opcode.").expect("writing to a string");
    writeln!(out, "pub(crate) static SLOTS: [[Slot; 256]; {MAPS}] = [")
        .expect("writing to a string");
    for map in slots.chunks(256) {
        out.push_str("[\n");
        for slot in map {
            writeln!(
                out,
                "Slot {{ start: {}, len: {}, modrm: {} }},",
                order.len(),
                slot.rows.len(),
                slot.modrm
            )
            .expect("writing to a string");
            order.extend(&slot.rows);
        }
        out.push_str("],\n");
    }
    writeln!(out, "];\n\n/// Rows in the order of [`SLOTS`].\npub(crate) static ORDER: [u16; {}] = {order:?};", order.len())
        .expect("writing to a string");
    Ok(())
}
