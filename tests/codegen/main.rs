//! The host code of guest instructions against golden files, one for each pair of guest and host:
//! a change of the translator shows in review as a change of code, and of its length.
//!
//! `BLESS=1` writes the files anew.

mod aarch64;
mod riscv64;
mod x86_64;

use std::fmt::Write;
use std::path::Path;

use tcg::testing::HostCode;

/// Some instructions that are translated together.
pub(crate) struct Snippet {
    /// What they show.
    title: &'static str,
    /// The guest's assembly.
    guest: Vec<String>,
    /// The same followed by the jump that ends a block.
    host: HostCode,
    /// The jump alone.
    end: HostCode,
}

impl Snippet {
    /// The code without what the jump at the end is made of.
    fn own<'a>(all: &'a [String], end: &[String]) -> &'a [String] {
        let common = all.iter().rev().zip(end.iter().rev()).take_while(|(a, b)| same(a, b)).count();
        &all[..all.len() - common]
    }

    fn listing(&self) -> String {
        let hot = Self::own(&self.host.hot, &self.end.hot);
        let cold = Self::own(&self.host.cold, &self.end.cold);
        let mut out = format!("== {}: {} + {}\n", self.title, hot.len(), cold.len());
        for line in &self.guest {
            let _ = writeln!(out, "{line}");
        }
        for line in hot {
            let _ = writeln!(out, "        {line}");
        }
        for line in cold {
            let _ = writeln!(out, "      . {line}");
        }
        out
    }
}

/// The same part of a jump to code that is not there yet, wherever its slow path is.
fn same(a: &str, b: &str) -> bool {
    let both = |start: &str| a.starts_with(start) && b.starts_with(start);
    both("jmp cold") || both("chain ")
}

/// Compares with the golden file, or writes it.
pub(crate) fn check(file: &str, snippets: &[Snippet]) {
    let mut text = String::from(
        "# Guest instructions, and below them the host's: those that are executed as a rule, and\n\
         # behind a dot those of slow paths. The numbers count them. Made by BLESS=1.\n\n",
    );
    text.push_str(&snippets.iter().map(Snippet::listing).collect::<Vec<_>>().join("\n"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("codegen").join(file);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, text).expect("the golden file is writable");
        return;
    }
    let golden = std::fs::read_to_string(&path).expect("the golden file is there");
    let sections = |text: &str| text.split("\n\n").map(str::to_owned).collect::<Vec<_>>();
    let (old, new) = (sections(&golden), sections(&text));
    let changed: Vec<String> = new.iter().filter(|s| !old.contains(s)).cloned().collect();
    assert!(
        golden == text,
        "{file}: the code of {} snippets changed; if that is meant, BLESS=1 writes it anew:\n\n{}",
        changed.len(),
        changed.join("\n\n")
    );
}
