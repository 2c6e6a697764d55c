//! The house rules that a program can check. Each test lists all its findings at once; the
//! exceptions are the constants beside it, and each of them states its reason.
//!
//! The rules read the files that git tracks or would track, so a new file is checked before it
//! is committed. Rules about Rust code look at it without its comments, strings and characters
//! (`source::code_only`), so that a text about a forbidden word is not the word itself.

#[path = "tidy/documents.rs"]
mod documents;
#[path = "tidy/graph.rs"]
mod graph;
#[path = "tidy/names.rs"]
mod names;
#[path = "tidy/rust.rs"]
mod rust;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/text.rs"]
mod text;

/// Fails with every finding, one per line.
fn report(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}\n  {}\n", findings.join("\n  "));
}
