//! Documentation of an instruction set.

use super::rust::plain_text;
use super::table::{Row, Table, Value};

/// Markdown: every section with its instructions.
pub fn docs(table: &Table, isa: &str) -> String {
    let mut out = format!("# {isa}: instructions\n\n");
    outln!(
        out,
        "Generated from `tcg/src/isa/{isa}/*.decode` by `cargo run -p tcg-meta -- docs {isa}`; \
         do not edit.\n"
    );
    outln!(out, "{} instructions in {} sections.", table.rows.len(), table.sections.len());
    for (index, section) in table.sections.iter().enumerate() {
        outln!(out, "\n## {}: {}\n", section.name, section.title);
        outln!(out, "[{}]\n", section.spec.replacen('§', " §", 1).replace(",§", ", §"));
        outln!(out, "| instruction | encoding | semantics |\n|---|---|---|");
        for row in table.rows.iter().filter(|row| row.section == index) {
            let text = plain_text(table, row).replace('|', "\\|");
            let semantics = match &row.extra {
                Some(extra) => format!("{}({extra})", row.lowering),
                None => row.lowering.clone(),
            };
            outln!(out, "| `{text}` | `{}` | `{semantics}` |", encoding(table, row));
        }
    }
    out
}

/// The pattern, with runs of bits of one field replaced by the member's name.
fn encoding(table: &Table, row: &Row) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut last = "";
    let mut run = 0;
    for bit in (0..row.width).rev() {
        let here = 1 << bit;
        let name = match (row.mask & here, row.bits & here, row.ignored & here) {
            (0, _, 0) => member(table, row, here),
            (0, ..) => "-",
            (_, 0, _) => "0",
            _ => "1",
        };
        let fixed = ["0", "1", "-"].contains(&name);
        match parts.last_mut() {
            Some(part) if fixed && ["0", "1", "-"].contains(&last) => part.push_str(name),
            Some(_) if !fixed && name == last => run += 1,
            _ => {
                close(&mut parts, last, run);
                parts.push(name.into());
                run = 1;
            }
        }
        last = name;
    }
    close(&mut parts, last, run);
    parts.join(" ")
}

/// Writes the length of the run of field bits that ends.
fn close(parts: &mut [String], last: &str, run: u32) {
    if let Some(part) = parts.last_mut().filter(|_| !["0", "1", "-"].contains(&last)) {
        *part = format!("{last}:{run}");
    }
}

fn member<'a>(table: &'a Table, row: &Row, bit: u32) -> &'a str {
    let Some(format) = row.format.map(|f| &table.formats[f]) else { return "?" };
    let covers = |value: &Value| matches!(value, Value::Field(field) if field.mask() & bit != 0);
    let index = format.values.iter().position(covers);
    index.map_or("?", |index| table.sets[format.set].members[index].0.as_str())
}
