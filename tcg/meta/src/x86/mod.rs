//! `*.map` tables: the opcode maps of x86-64 with the operand codes of the SDM.
//!
//! Bit patterns do not describe prefixes and ModRM, so x86 has a table form of its own. A row says
//! where an instruction stands in the maps and what its operands are; the assembler's constants, the
//! decoder's tables and the lowering dispatch come from it.
//! The notation is explained at the top of `tcg/src/isa/x86_64/one-byte.map`.

mod forms;
mod lowering;
mod parse;
pub mod row;
mod slots;
mod tables;
mod template;

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Pos};
use row::Row;

/// The table files in `tcg/src/isa/x86_64`, in the order of the manual.
const FILES: &[&str] =
    &["one-byte.map", "x87.map", "0f.map", "0f-simd.map", "0f38.map", "0f3a.map"];

/// Paths of the table files under `root`, the directory `tcg/src/isa`.
pub fn paths(root: &Path) -> Vec<PathBuf> {
    FILES.iter().map(|file| root.join("x86_64").join(file)).collect()
}

/// Names and texts of the generated files.
///
/// `x86_64_forms.rs` holds the assembler's constants, `x86_64_rows.rs` the decoder's tables,
/// `x86_64_lower.rs` the dispatch to the guest's semantics.
pub fn generate(root: &Path) -> Result<Vec<(&'static str, String)>, Error> {
    let rows = rows(root)?;
    Ok(vec![
        ("x86_64_forms.rs", forms::rust(&rows)?),
        ("x86_64_rows.rs", tables::rust(&rows)?),
        ("x86_64_lower.rs", lowering::rust(&rows)),
    ])
}

/// Reads and checks the tables.
pub fn rows(root: &Path) -> Result<Vec<Row>, Error> {
    let mut rows = Vec::new();
    for (file, path) in FILES.iter().zip(paths(root)) {
        let text = fs::read_to_string(&path).map_err(|error| {
            let pos = Pos { file: path.display().to_string(), line: 0 };
            pos.error(format!("cannot be read: {error}"))
        })?;
        rows.extend(parse::parse(&format!("x86_64/{file}"), &text)?);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests;
