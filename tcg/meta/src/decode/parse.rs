//! From text to items: one line, one item.

use super::table::{Field, Piece, Source, ones};
use crate::error::{Error, Pos};

/// A line of a table.
#[derive(Debug)]
pub(super) enum Item {
    /// `$name type print`
    Kind { name: String, rust: String, print: Option<String> },
    /// `%name ...`
    Field { name: String, field: Field },
    /// `&name member:kind ...`
    Set { name: String, members: Vec<(String, String)> },
    /// `@name ...`
    Format { name: String, body: Body },
    /// `width n`
    Width(u32),
    /// `[guard "title" spec]`
    Section { guard: String, title: String, spec: String },
    /// `{`
    Open,
    /// `}`
    Close,
    /// An instruction.
    Row { name: String, body: Body },
}

/// What formats and rows have in common.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// Characters `0 1 . -`, most significant first.
    pub(super) pattern: String,
    /// `@format`
    pub(super) format: Option<String>,
    /// `&set`
    pub(super) set: Option<String>,
    /// `name=...`
    pub(super) values: Vec<(String, Given)>,
    /// `?...`
    pub(super) conditions: Vec<Condition>,
    /// `name(extra)`
    pub(super) lowering: Option<(String, Option<String>)>,
    /// `"text"`
    pub(super) text: Option<String>,
}

/// A value as written.
#[derive(Debug)]
pub(super) enum Given {
    /// `%field`
    Field(String),
    /// A number.
    Const(i64),
}

/// What a row asks of its arguments.
#[derive(Debug)]
pub(super) enum Condition {
    /// `?name!=value`
    Not(String, i64),
    /// `?function(name)`
    Holds(String, String),
    /// `?!pattern`
    Unlike(String),
}

/// The items of a file, with their places.
pub(super) fn items(source: &Source) -> Result<Vec<(Pos, Item)>, Error> {
    let mut items = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        let pos = Pos { file: source.file.clone(), line: index + 1 };
        let words = words(line).map_err(|message| pos.error(message))?;
        if !words.is_empty() {
            let item = item(&words).map_err(|message| pos.error(message))?;
            items.push((pos, item));
        }
    }
    Ok(items)
}

/// Splits at white space, but not inside quotes and parentheses; drops the comment.
fn words(line: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word) = (Vec::new(), String::new());
    let (mut quoted, mut depth) = (false, 0u32);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            '#' if !quoted => break,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.checked_sub(1).ok_or("unmatched `)`")?,
            _ => {}
        }
        if c.is_whitespace() && !quoted && depth == 0 {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
        } else {
            word.push(c);
        }
    }
    if quoted || depth != 0 {
        return Err("unfinished text or parenthesis".into());
    }
    if !word.is_empty() {
        words.push(word);
    }
    Ok(words)
}

fn item(words: &[String]) -> Result<Item, String> {
    let (first, rest) = words.split_first().ok_or("empty line")?;
    match (first.chars().next(), first.as_str()) {
        (_, "{") if rest.is_empty() => Ok(Item::Open),
        (_, "}") if rest.is_empty() => Ok(Item::Close),
        (_, "width") => match rest {
            [n] if n == "16" => Ok(Item::Width(16)),
            [n] if n == "32" => Ok(Item::Width(32)),
            _ => Err("the width is 16 or 32".into()),
        },
        (Some('['), _) => section(words),
        (Some('$'), name) => match rest {
            [rust] => Ok(Item::Kind { name: ident(&name[1..])?, rust: rust.clone(), print: None }),
            [rust, print] => Ok(Item::Kind {
                name: ident(&name[1..])?,
                rust: rust.clone(),
                print: Some(ident(print)?),
            }),
            _ => Err("a kind is `$name type` or `$name type print`".into()),
        },
        (Some('%'), name) => Ok(Item::Field { name: ident(&name[1..])?, field: field(rest)? }),
        (Some('&'), name) => {
            let members = rest.iter().map(|word| member(word)).collect::<Result<_, _>>()?;
            Ok(Item::Set { name: ident(&name[1..])?, members })
        }
        (Some('@'), name) => Ok(Item::Format { name: ident(&name[1..])?, body: body(rest)? }),
        (_, name) => Ok(Item::Row { name: mnemonic(name)?, body: body(rest)? }),
    }
}

fn section(words: &[String]) -> Result<Item, String> {
    const SHAPE: &str = "a section is `[guard \"title\" spec]`";
    let line = words.join(" ");
    let line = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')).ok_or(SHAPE)?;
    let mut parts = line.splitn(3, '"');
    let guard = parts.next().unwrap_or_default().trim();
    let title = parts.next().ok_or(SHAPE)?;
    let spec = parts.next().unwrap_or_default().trim();
    if guard.is_empty() {
        return Err(SHAPE.into());
    }
    let said =
        spec.contains('§') || spec.split_once(' ').is_some_and(|(_, section)| !section.is_empty());
    if !said {
        return Err(
            "the section does not say where the specification describes it (Doc§1.2)".into()
        );
    }
    Ok(Item::Section { guard: guard.into(), title: title.into(), spec: spec.into() })
}

fn field(words: &[String]) -> Result<Field, String> {
    let mut field = Field { pieces: Vec::new(), signed: false, shift: 0, add: 0, function: None };
    for word in words {
        if let Some(shift) = word.strip_prefix("<<") {
            field.shift = shift.parse().map_err(|_| format!("`{word}` is no shift"))?;
        } else if let Some(add) = word.strip_prefix('+') {
            field.add = number(add)?;
        } else if let Some(function) = word.strip_prefix('!') {
            field.function = Some(ident(function)?);
        } else {
            let (lo, len) = word.split_once(':').ok_or(format!("`{word}` is not lo:len"))?;
            let len = match len.strip_prefix('s') {
                Some(len) if field.pieces.is_empty() => {
                    field.signed = true;
                    len
                }
                Some(_) => return Err("only the first piece has a sign".into()),
                None => len,
            };
            let parse = |n: &str| n.parse::<u32>().map_err(|_| format!("`{word}` is not lo:len"));
            let piece = Piece { lo: parse(lo)?, len: parse(len)? };
            if piece.len == 0 || piece.lo >= 32 || piece.len > 32 - piece.lo {
                return Err(format!("`{word}` is not inside 32 bits"));
            }
            if field.mask() & ones(piece.len) << piece.lo != 0 {
                return Err(format!("`{word}` repeats bits of the field"));
            }
            field.pieces.push(piece);
        }
    }
    if field.pieces.is_empty() {
        return Err("a field has at least one piece lo:len".into());
    }
    if field.function.is_some() && (field.signed || field.shift != 0 || field.add != 0) {
        return Err("a function takes the bits as they are: no sign, shift or addition".into());
    }
    Ok(field)
}

fn member(word: &str) -> Result<(String, String), String> {
    let (name, kind) = word.split_once(':').ok_or(format!("`{word}` is not member:kind"))?;
    Ok((ident(name)?, ident(kind)?))
}

fn body(words: &[String]) -> Result<Body, String> {
    let mut body = Body::default();
    for word in words {
        let first = word.chars().next().unwrap_or_default();
        let rest = &word[first.len_utf8()..];
        if word.chars().all(|c| "01.-".contains(c)) {
            body.pattern.push_str(word);
        } else if first == '@' {
            set_once(&mut body.format, ident(rest)?, "format")?;
        } else if first == '&' {
            set_once(&mut body.set, ident(rest)?, "argument set")?;
        } else if first == '%' {
            body.values.push((ident(rest)?, Given::Field(ident(rest)?)));
        } else if first == '?' {
            body.conditions.push(condition(rest)?);
        } else if first == '"' {
            set_once(&mut body.text, word.trim_matches('"').into(), "assembly text")?;
        } else if let Some((name, value)) = word.split_once('=').filter(|_| !word.contains('(')) {
            let value = match value.strip_prefix('%') {
                Some(field) => Given::Field(ident(field)?),
                None => Given::Const(number(value)?),
            };
            body.values.push((ident(name)?, value));
        } else {
            set_once(&mut body.lowering, call(word)?, "lowering")?;
        }
    }
    Ok(body)
}

fn set_once<T>(slot: &mut Option<T>, value: T, what: &str) -> Result<(), String> {
    if slot.replace(value).is_some() { Err(format!("a second {what}")) } else { Ok(()) }
}

fn condition(word: &str) -> Result<Condition, String> {
    if let Some(pattern) = word.strip_prefix('!') {
        return Ok(Condition::Unlike(pattern.into()));
    }
    if let Some((name, value)) = word.split_once("!=") {
        return Ok(Condition::Not(ident(name)?, number(value)?));
    }
    match call(word)? {
        (function, Some(argument)) => Ok(Condition::Holds(function, ident(&argument)?)),
        _ => Err(format!("`?{word}` is not ?name!=value, ?predicate(name) or ?!pattern")),
    }
}

/// `name` or `name(extra)`.
fn call(word: &str) -> Result<(String, Option<String>), String> {
    match word.split_once('(') {
        None => Ok((ident(word)?, None)),
        Some((name, extra)) => {
            let extra = extra.strip_suffix(')').ok_or(format!("`{word}` is no call"))?;
            Ok((ident(name)?, Some(extra.trim().to_owned())))
        }
    }
}

fn ident(word: &str) -> Result<String, String> {
    let ok = !word.is_empty()
        && !word.starts_with(|c: char| c.is_ascii_digit())
        && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if ok { Ok(word.into()) } else { Err(format!("`{word}` is not a name")) }
}

fn mnemonic(word: &str) -> Result<String, String> {
    let ok = word.starts_with(|c: char| c.is_ascii_alphabetic())
        && word.chars().all(|c| c.is_ascii_alphanumeric() || "._".contains(c));
    if ok { Ok(word.into()) } else { Err(format!("`{word}` is not a mnemonic")) }
}

fn number(word: &str) -> Result<i64, String> {
    let (digits, negative) = match word.strip_prefix('-') {
        Some(digits) => (digits, true),
        None => (word, false),
    };
    let value = match digits.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    let value = value.map_err(|_| format!("`{word}` is not a number"))?;
    Ok(if negative { -value } else { value })
}
