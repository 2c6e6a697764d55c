//! Documents that speak of the code: what they name has to be there.

use crate::report;
use crate::source::{Source, sources};
use polyvisor_tests::root;
use std::collections::BTreeSet;

/// A map that takes longer to read is no map.
const MAP_LINES: usize = 400;

fn documents() -> impl Iterator<Item = Source> {
    sources()
        .into_iter()
        .filter(|source| source.path.ends_with(".md") && !source.path.starts_with("docs/isa/"))
}

/// What stands between backticks in `text`, code blocks left out.
fn quoted(text: &str) -> Vec<&str> {
    let blocks = text.split("```").step_by(2);
    blocks.flat_map(|prose| prose.split('`').skip(1).step_by(2)).collect()
}

/// The paths that a quotation means: `a/{b,c}/d` and `a/**` are several.
fn paths(quotation: &str) -> Vec<String> {
    let is_path = |c: char| c.is_ascii_alphanumeric() || "_-./{},*".contains(c);
    if !quotation.contains('/') || !quotation.chars().all(is_path) {
        return Vec::new();
    }
    let whole = quotation.trim_end_matches("**");
    match (whole.split_once('{'), whole.split_once('}')) {
        (Some((before, _)), Some((inside, after))) => {
            let choices = inside.split_once('{').map_or("", |(_, choices)| choices);
            choices.split(',').map(|choice| format!("{before}{choice}{after}")).collect()
        }
        _ => vec![whole.to_owned()],
    }
}

#[test]
fn documents_name_files_that_exist() {
    let folders: BTreeSet<String> = sources()
        .iter()
        .filter_map(|source| Some(source.path.split_once('/')?.0.to_owned()))
        .collect();
    let mut findings = Vec::new();
    for document in documents() {
        for path in quoted(&document.text).into_iter().flat_map(paths) {
            let ours = path.split('/').next().is_some_and(|first| folders.contains(first));
            if ours && !path.contains('*') && !root().join(&path).exists() {
                findings.push(format!("{}: {path}", document.path));
            }
        }
    }
    report("These documents name files that are not there:", &findings);
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut findings = Vec::new();
    for document in documents() {
        let folder = root().join(&document.path);
        let folder = folder.parent().expect("a file is in a folder");
        for link in document.text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().unwrap_or(link);
            if !path.is_empty() && !path.contains("://") && !folder.join(path).exists() {
                findings.push(format!("{}: {link}", document.path));
            }
        }
    }
    report("These links lead nowhere:", &findings);
}

#[test]
fn the_map_is_short() {
    let map = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    assert!(map.lines().count() <= MAP_LINES, "ARCHITECTURE.md has more than {MAP_LINES} lines");
}

#[test]
fn decisions_are_numbered_and_listed() {
    let map = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let records: Vec<String> =
        sources().into_iter().map(|s| s.path).filter(|p| p.starts_with("docs/adr/")).collect();
    let mut findings = Vec::new();
    for (number, path) in records.iter().enumerate() {
        if !path.starts_with(&format!("docs/adr/{:04}-", number + 1)) {
            findings.push(format!("{path} is not number {}", number + 1));
        }
        if !map.contains(path.as_str()) {
            findings.push(format!("{path} is not listed in ARCHITECTURE.md"));
        }
    }
    assert!(!records.is_empty(), "there are no decisions in docs/adr");
    report("Decisions are numbered without gaps and listed in ARCHITECTURE.md:", &findings);
}

#[test]
fn quotations_are_taken_apart() {
    let text = "a `b/c` d\n```\n`e/f`\n```\n`g/{h,i}.rs`, `x y/z`, `j/**`, `k`";
    let paths: Vec<String> = quoted(text).into_iter().flat_map(paths).collect();
    assert_eq!(paths, ["b/c", "g/h.rs", "g/i.rs", "j/"]);
}
