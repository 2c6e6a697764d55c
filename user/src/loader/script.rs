//! `#!` scripts `[execve(2)]`.

/// What the first line of a script says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Script {
    /// The interpreter's name.
    pub(crate) interpreter: Vec<u8>,
    /// Its one argument.
    pub(crate) argument: Option<Vec<u8>>,
}

/// Bytes of a file that decide how it is executed (BINPRM_BUF_SIZE).
pub(crate) const HEAD: usize = 256;
/// Scripts whose interpreters are scripts.
pub(crate) const DEEPEST: usize = 5;

fn is_blank(b: u8) -> bool {
    b == b' ' || b == b'\t'
}

/// Reads the first line of a script; `None` if `head` does not begin as one.
pub(crate) fn parse(head: &[u8]) -> Option<Script> {
    let line = head.strip_prefix(b"#!")?;
    let end = line.iter().position(|&b| b == b'\n' || b == 0);
    // A line that does not end here may be cut inside the interpreter's name.
    let (line, cut) = match end {
        Some(end) => (&line[..end], false),
        None => (line, head.len() >= HEAD),
    };
    let start = line.iter().position(|&b| !is_blank(b))?;
    let line = &line[start..];
    let name = line.iter().position(|&b| is_blank(b)).unwrap_or(line.len());
    if name == 0 || (cut && name == line.len()) {
        return None;
    }
    let rest = &line[name..];
    let rest = match rest.iter().position(|&b| !is_blank(b)) {
        Some(at) => &rest[at..],
        None => &[],
    };
    let last = rest.iter().rposition(|&b| !is_blank(b)).map_or(0, |at| at + 1);
    let argument = (last > 0).then(|| rest[..last].to_vec());
    Some(Script { interpreter: line[..name].to_vec(), argument })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(head: &[u8]) -> Option<(String, Option<String>)> {
        let text = |b: Vec<u8>| String::from_utf8_lossy(&b).into_owned();
        parse(head).map(|s| (text(s.interpreter), s.argument.map(text)))
    }

    #[test]
    fn the_first_line_is_read() {
        let sh = || "/bin/sh".to_owned();
        assert_eq!(script(b"#!/bin/sh\necho"), Some((sh(), None)));
        assert_eq!(script(b"#! /bin/sh -e -x \t\necho"), Some((sh(), Some("-e -x".to_owned()))));
        assert_eq!(script(b"#!/bin/sh"), Some((sh(), None)));
        assert_eq!(script(b"#!\n"), None);
        assert_eq!(script(b"#!   "), None);
        assert_eq!(script(b"#/bin/sh"), None);
        let mut long = b"#!/".to_vec();
        long.resize(HEAD, b'x');
        assert_eq!(script(&long), None);
        long[100] = b' ';
        assert!(script(&long).is_some());
    }
}
