//! The instruction sets described by `*.decode` tables, and their files.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::decode::{self, Source, Table};
use crate::error::{Error, Pos};

/// One instruction set.
#[derive(Debug)]
pub struct Isa {
    /// Name, also of its directory in `tcg/src/isa`.
    pub name: &'static str,
    /// Type of the guest in the generated lowering dispatch.
    pub guest: &'static str,
    /// Sections that `lower` dispatches itself; the others have a function each.
    pub inline: &'static [&'static str],
    /// Table files, in order: definitions before their uses.
    pub files: &'static [&'static str],
}

/// All of them.
pub const ISAS: &[Isa] = &[RISCV64, AARCH64];

const RISCV64: Isa = Isa {
    name: "riscv64",
    guest: "Riscv64",
    inline: &["I", "C"],
    files: &[
        "formats", "i", "zicsr", "zifencei", "m", "a", "f", "d", "c", "zba", "zbb", "zbs",
        "zicond", "priv",
    ],
};

const AARCH64: Isa = Isa {
    name: "aarch64",
    guest: "Aarch64",
    inline: &["A64"],
    files: &["formats", "dp_imm", "dp_reg", "branch", "ldst", "fp", "ldst_v", "simd", "ldst_simd"],
};

impl Isa {
    /// The instruction set called `name`.
    pub fn by_name(name: &str) -> Option<&'static Isa> {
        ISAS.iter().find(|isa| isa.name == name)
    }

    /// Paths of the table files under `root`, the directory `tcg/src/isa`.
    pub fn paths(&self, root: &Path) -> Vec<PathBuf> {
        let dir = root.join(self.name);
        self.files.iter().map(|file| dir.join(format!("{file}.decode"))).collect()
    }

    /// Reads and checks the tables.
    pub fn table(&self, root: &Path) -> Result<Table, Error> {
        let mut sources = Vec::new();
        for path in self.paths(root) {
            let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
            let file = format!("{}/{}", self.name, path.file_name().unwrap_or_default().display());
            sources.push(Source { file, text });
        }
        decode::parse(&sources)
    }
}

/// Rust for one instruction set.
#[derive(Debug)]
pub struct Output {
    /// Types, decoder, encoder, printer and patterns.
    pub isa: String,
    /// The lowering dispatch.
    pub lower: String,
}

/// Generates the Rust of `isa` from the tables under `root`, the directory `tcg/src/isa`.
pub fn generate(isa: &Isa, root: &Path) -> Result<Output, Error> {
    let table = isa.table(root)?;
    Ok(Output { isa: decode::rust(&table), lower: decode::lowering(&table, isa.guest, isa.inline) })
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    let pos = Pos { file: path.display().to_string(), line: 0 };
    pos.error(format!("cannot be read: {error}"))
}
