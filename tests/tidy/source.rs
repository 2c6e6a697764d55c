//! Rust source as the rules see it.

use polyvisor_tests::{root, tracked_files};
use std::path::Path;

/// A file of the repository.
pub(crate) struct Source {
    /// Its path from the root, with `/` between folders.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether the file lies in one of these folders (`accel/`) or is one of these files.
    pub(crate) fn is_within(&self, places: &[&str]) -> bool {
        places.iter().any(|place| {
            if place.ends_with('/') { self.path.starts_with(place) } else { self.path == *place }
        })
    }
}

/// The repository's text files.
pub(crate) fn sources() -> Vec<Source> {
    tracked_files()
        .iter()
        .filter_map(|path| {
            let bytes = std::fs::read(root().join(path)).ok()?;
            Some(Source { path: slashed(path), text: String::from_utf8(bytes).ok()? })
        })
        .collect()
}

/// The repository's Rust files, with [`code_only`] of each.
pub(crate) fn rust_code() -> Vec<(Source, String)> {
    let rust = sources().into_iter().filter(Source::is_rust);
    rust.map(|source| (code_only(&source.text), source))
        .map(|(code, source)| (source, code))
        .collect()
}

fn slashed(path: &Path) -> String {
    path.to_str().expect("file names are UTF-8").replace('\\', "/")
}

/// The text with comments, strings and characters blanked out, line breaks kept: what is left is
/// code, at the same line numbers.
pub(crate) fn code_only(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = skipped(bytes, at);
        if end == at {
            code.push(bytes[at]);
            at += 1;
        } else {
            code.extend(bytes[at..end].iter().map(|b| if *b == b'\n' { b'\n' } else { b' ' }));
            at = end;
        }
    }
    String::from_utf8_lossy(&code).into_owned()
}

/// Where the comment or literal that begins at `at` ends; `at` itself when none begins there.
fn skipped(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let in_word = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    match rest[0] {
        b'/' if rest.starts_with(b"//") => at + until(rest, b"\n"),
        b'/' if rest.starts_with(b"/*") => at + block_comment(rest),
        b'"' => at + quoted(rest, b'"'),
        b'\'' if is_char_literal(rest) => at + quoted(rest, b'\''),
        b'r' | b'b' | b'c' if !in_word => at + raw_string(rest),
        _ => at,
    }
}

fn until(rest: &[u8], end: &[u8]) -> usize {
    rest.windows(end.len()).position(|w| w == end).unwrap_or(rest.len())
}

fn block_comment(rest: &[u8]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// A lifetime has no second quote right after its first letter.
fn is_char_literal(rest: &[u8]) -> bool {
    match rest.get(1) {
        Some(b'\\') => true,
        Some(first) if first.is_ascii() => rest.get(2) == Some(&b'\''),
        Some(_) => true,
        None => false,
    }
}

/// The length of a raw string (`r"`, `r#"`, `br#"`, `cr"`), 0 when `rest` begins with none.
fn raw_string(rest: &[u8]) -> usize {
    let prefix = if rest[0] == b'r' { 1 } else { 2 };
    if rest.get(prefix - 1) != Some(&b'r') {
        return 0;
    }
    let hashes = rest[prefix..].iter().take_while(|b| **b == b'#').count();
    if rest.get(prefix + hashes) != Some(&b'"') {
        return 0;
    }
    let mut end = vec![b'"'];
    end.resize(1 + hashes, b'#');
    let body = prefix + hashes + 1;
    (body + until(&rest[body..], &end) + end.len()).min(rest.len())
}

/// The numbers, from 1, of the lines of `code` that hold `word` as a whole word.
pub(crate) fn lines_with_word(code: &str, word: &str) -> Vec<usize> {
    let lines = code.lines().enumerate();
    lines.filter(|(_, line)| has_word(line, word)).map(|(n, _)| n + 1).collect()
}

/// Whether `line` holds `word` with no letter, digit or underscore beside it.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(is_part) && !line[at + word.len()..].starts_with(is_part)
    })
}

#[test]
fn comments_and_literals_are_no_code() {
    let text = concat!(
        "a // unsafe\n",
        "/* unsafe /* nested */ unsafe */ b\n",
        "\"unsafe \\\" unsafe\" c 'u' '\\'' &'unsafe d\n",
        "r#\"unsafe \" \n unsafe\"# e br\"unsafe\" hero\"unsafe\"\n",
    );
    let code = code_only(text);
    assert_eq!(code.lines().count(), text.lines().count());
    let words: Vec<&str> = code.split_whitespace().collect();
    assert_eq!(words, ["a", "b", "c", "&'unsafe", "d", "e", "hero"]);
    assert_eq!(lines_with_word(&code, "unsafe"), [3]);
    assert!(!has_word("unsafe_code", "unsafe"));
}
