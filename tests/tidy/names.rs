//! Names that say nothing: whoever needs one has not found out what the thing is.

use crate::report;
use crate::source::{rust_code, sources};

const SAYS_NOTHING: &[&str] = &["util", "common", "misc", "helper", "manager"];

/// Types whose names are the field's own words all the same, and why.
const THE_FIELDS_OWN: &[(&str, &str, &str)] = &[(
    "tcg/src/guest/mod.rs",
    "Helper",
    "what every translator calls a function that translated code calls out to",
)];

const DECLARES: &[&str] = &["struct", "enum", "union", "trait", "type", "mod"];

/// Whether one of the words that `name` is made of (`IrqManager`, `irq_utils`) says nothing.
fn says_nothing(name: &str) -> bool {
    words(name).iter().any(|word| {
        let singular = word.strip_suffix('s').unwrap_or(word);
        SAYS_NOTHING.contains(&word.as_str()) || SAYS_NOTHING.contains(&singular)
    })
}

/// The lower-case words of a CamelCase, snake_case or kebab-case name.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for c in name.chars() {
        if !c.is_alphanumeric() || c.is_uppercase() {
            words.push(String::new());
        }
        if c.is_alphanumeric() {
            words.last_mut().expect("never empty").extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn files_and_folders_are_named_for_what_they_are() {
    let mut findings: Vec<String> = Vec::new();
    for source in sources() {
        let stems = source.path.split('/').map(|part| part.split('.').next().unwrap_or(part));
        if stems.into_iter().any(says_nothing) {
            findings.push(source.path.clone());
        }
    }
    report("These names say nothing:", &findings);
}

#[test]
fn types_and_modules_are_named_for_what_they_are() {
    let mut findings = Vec::new();
    for (source, code) in rust_code() {
        let own = |name: &str| {
            THE_FIELDS_OWN.iter().any(|(path, known, _)| *path == source.path && *known == name)
        };
        for (number, line) in code.lines().enumerate() {
            let is_name = |c: char| c.is_alphanumeric() || c == '_';
            let tokens: Vec<&str> = line.split(|c| !is_name(c)).filter(|t| !t.is_empty()).collect();
            for pair in tokens.windows(2) {
                if DECLARES.contains(&pair[0]) && says_nothing(pair[1]) && !own(pair[1]) {
                    findings.push(format!("{}:{} {}", source.path, number + 1, pair[1]));
                }
            }
        }
    }
    report("These names say nothing:", &findings);
}

#[test]
fn names_are_split_into_words() {
    assert!(says_nothing("IrqManager"));
    assert!(says_nothing("disk_utils"));
    assert!(says_nothing("misc"));
    assert!(!says_nothing("Utility"));
    assert!(!says_nothing("command"));
    assert!(!says_nothing("vmm_sys"));
}
