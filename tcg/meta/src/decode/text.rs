//! Assembly texts.

use super::table::{ArgSet, Text};

/// Splits a text at its `{...}`.
pub(super) fn parse(text: &str, set: Option<&ArgSet>) -> Result<Vec<Text>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((plain, tail)) = rest.split_once('{') {
        let (inside, tail) = tail.split_once('}').ok_or("`{` without `}` in the text")?;
        if !plain.is_empty() {
            parts.push(Text::Plain(plain.into()));
        }
        parts.push(part(inside, set)?);
        rest = tail;
    }
    if rest.contains('}') {
        return Err("`}` without `{` in the text".into());
    }
    if !rest.is_empty() {
        parts.push(Text::Plain(rest.into()));
    }
    Ok(parts)
}

fn part(inside: &str, set: Option<&ArgSet>) -> Result<Text, String> {
    let member = |name: &str| {
        let found = set.and_then(|s| s.members.iter().position(|(n, _)| n == name.trim()));
        found.ok_or(format!("the text names `{name}`, which is no argument"))
    };
    match inside.split_once(':') {
        None => Ok(Text::Member(member(inside)?)),
        Some((function, names)) => {
            let members = names.split(',').map(member).collect::<Result<_, _>>()?;
            Ok(Text::Call(function.into(), members))
        }
    }
}
