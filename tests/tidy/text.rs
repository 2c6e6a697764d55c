//! Rules about every text file.

use crate::report;
use crate::source::sources;
use polyvisor_tests::root;

/// More lines than this have more than one duty.
const MAX_LINES: usize = 1000;

/// Files that are as long as what they list.
fn is_table(path: &str) -> bool {
    // An oracle's answers (.txt) are tables too.
    let tables = [".table", ".decode", ".map", ".txt"];
    let written_by_programs = path == "Cargo.lock" || path.starts_with("docs/isa/");
    written_by_programs || path.contains("/generated/") || tables.iter().any(|t| path.ends_with(t))
}

#[test]
fn files_have_one_duty() {
    let mut findings = Vec::new();
    for source in sources() {
        let lines = source.text.lines().count();
        if lines > MAX_LINES && !is_table(&source.path) {
            findings.push(format!("{}: {lines} lines", source.path));
        }
    }
    report("These files are too long; split them by duty:", &findings);
}

/// The names in the first column of the table of `docs/specs.md`.
fn known_specifications() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("docs/specs.md")).expect("docs/specs.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    let names: Vec<String> =
        rows.filter_map(|row| row.split_once('`')).map(|(name, _)| name.to_owned()).collect();
    assert!(names.len() > 5, "docs/specs.md lists only {names:?}");
    names
}

/// The names of the specifications that `line` cites: `[NAME §..]` anywhere; in comments also
/// `[NAME]` and `[NAME ..]`, where a hyphen tells the name from a link to an item of the code; in
/// instruction tables also `NAME§..` behind a section's title.
fn cited(line: &str, kind: Kind) -> Vec<&str> {
    let bracketed = |rest: &'_ str| Some(rest.split_once(']')?.0.len());
    let mut names = Vec::new();
    for rest in line.split('[').skip(1) {
        let Some(end) = bracketed(rest) else { continue };
        let (name, behind) = rest[..end].split_once(' ').unwrap_or((&rest[..end], ""));
        let tag = behind.starts_with('§');
        let named = kind == Kind::Rust && is_versioned(name) && line.contains("//");
        if tag || named {
            names.push(name);
        }
    }
    if kind == Kind::Table && line.starts_with('[') {
        let sources = line.rsplit_once("\" ").map_or("", |(_, sources)| sources);
        names.extend(sources.split('§').next().filter(|_| sources.contains('§')));
    }
    names.retain(|name| {
        name.starts_with(|c: char| c.is_ascii_uppercase() || c.is_ascii_digit())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "-._+/".contains(c))
    });
    names
}

/// What a line is taken from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rust,
    Table,
    Other,
}

impl Kind {
    fn of(path: &str) -> Self {
        let has = |extension: &str| path.ends_with(extension);
        match () {
            () if has(".rs") => Self::Rust,
            () if has(".decode") || has(".map") || has(".table") => Self::Table,
            () => Self::Other,
        }
    }
}

/// `SDM-2`, `RFC-768`, `PLIC-1.0`: letters and digits on both sides of a hyphen.
fn is_versioned(name: &str) -> bool {
    let sound = |part: &str| part.starts_with(|c: char| c.is_ascii_alphanumeric());
    name.split_once('-').is_some_and(|(left, right)| sound(left) && sound(right))
}

#[test]
fn cited_specifications_are_listed() {
    let known = known_specifications();
    let mut findings = Vec::new();
    for source in sources() {
        // This file and the generator's tests name specifications that do not exist.
        let invented = ["docs/specs.md", "tests/tidy/text.rs"].contains(&&*source.path)
            || source.path.starts_with("tcg/meta/");
        if invented {
            continue;
        }
        let kind = Kind::of(&source.path);
        for (number, line) in source.text.lines().enumerate() {
            let unknown = |name: &&str| !known.iter().any(|k| k == name);
            for name in cited(line, kind).into_iter().filter(unknown) {
                findings.push(format!("{}:{} [{name}]", source.path, number + 1));
            }
        }
    }
    report("docs/specs.md does not say what these are:", &findings);
}

#[test]
fn citations_are_found() {
    let line = "a[3] [VIRTIO-1.3 §4.1], [Priv §3.1.6] [link](x) [see § 4] [x §1]";
    assert_eq!(cited(line, Kind::Other), ["VIRTIO-1.3", "Priv"]);
    let line = "// [RFC-768], [SDM-2 table 3], [Row], [`Op-x`], [FIXED - 4..]";
    assert_eq!(cited(line, Kind::Rust), ["RFC-768", "SDM-2"]);
    assert!(cited("let x = [A-1];", Kind::Rust).is_empty());
    let line = "[Zba \"Address generation\" Unpriv§28.4.1]";
    assert_eq!(cited(line, Kind::Table), ["Unpriv"]);
}

/// Hosts from which only a user's own configuration may fetch anything. Put together here, so
/// that this file names none of them.
fn registry_hosts() -> Vec<String> {
    let names = [
        ("crates", "io"),
        ("static.crates", "io"),
        ("static.rust-lang", "org"),
        ("deb.debian", "org"),
        ("security.debian", "org"),
        ("snapshot.debian", "org"),
        ("ftp.debian", "org"),
        ("archive.ubuntu", "com"),
        ("ports.ubuntu", "com"),
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("proxy.golang", "org"),
        ("docker", "io"),
        ("ghcr", "io"),
        ("quay", "io"),
    ];
    names.iter().map(|(name, domain)| format!("{name}.{domain}")).collect()
}

#[test]
fn nothing_names_a_registry() {
    let hosts = registry_hosts();
    let mut findings = Vec::new();
    for source in sources().iter().filter(|source| source.path != "Cargo.lock") {
        for (number, line) in source.text.lines().enumerate() {
            for host in hosts.iter().filter(|host| line.contains(host.as_str())) {
                findings.push(format!("{}:{} {host}", source.path, number + 1));
            }
        }
    }
    report("Packages come through the system's own configuration; name no registry:", &findings);
}

/// Whether `line` names a path below the folder of this development machine.
fn names_development_folder(line: &str) -> bool {
    let folder = concat!("/wo", "rk");
    let is_name = |c: char| c.is_alphanumeric() || "_-.}~".contains(c);
    line.match_indices(folder).any(|(at, _)| {
        let after = &line[at + folder.len()..];
        !line[..at].ends_with(is_name) && !after.starts_with(|c: char| is_name(c) && c != '-')
    })
}

#[test]
fn nothing_names_a_path_of_one_machine() {
    let mut findings = Vec::new();
    for source in sources() {
        let homes = [concat!("/ro", "ot/."), concat!("/ho", "me/")];
        for (number, line) in source.text.lines().enumerate() {
            if names_development_folder(line) || homes.iter().any(|home| line.contains(home)) {
                findings.push(format!("{}:{} {}", source.path, number + 1, line.trim()));
            }
        }
    }
    report("These paths exist on one machine only:", &findings);
}

#[test]
fn text_is_clean() {
    let mut findings = Vec::new();
    for source in sources() {
        if !source.text.is_empty() && !source.text.ends_with('\n') {
            findings.push(format!("{}: no line break at the end", source.path));
        }
        for (number, line) in source.text.lines().enumerate() {
            let is_markdown = source.path.ends_with(".md");
            if line.contains('\r') || (line.ends_with([' ', '\t']) && !is_markdown) {
                findings.push(format!("{}:{} blank at its end", source.path, number + 1));
            }
        }
    }
    report("Stray blanks:", &findings);
}
