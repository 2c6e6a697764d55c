//! From items to a table: names are resolved, and what cannot be right is refused.

use super::parse::{self, Body, Condition, Given, Item};
use super::table::{
    ArgSet, Excluded, Field, Format, Kind, Predicate, Row, Section, Source, Table, Value, ones,
};
use super::text;
use crate::error::{Error, Pos};

/// Reads and checks tables.
pub fn parse(sources: &[Source]) -> Result<Table, Error> {
    let mut state = State::default();
    for source in sources {
        state.width = 32;
        state.section = None;
        for (pos, item) in parse::items(source)? {
            state.item(&pos, item)?;
        }
        if state.group.is_some() {
            let line = source.text.lines().count();
            return Err(Pos { file: source.file.clone(), line }.error("`{` is not closed"));
        }
    }
    let mut table = state.table;
    check_overlaps(&table.rows)?;
    drop_unused(&mut table);
    Ok(table)
}

#[derive(Default)]
struct State {
    table: Table,
    fields: Vec<(String, Field)>,
    formats: Vec<(String, Template)>,
    width: u32,
    section: Option<usize>,
    group: Option<usize>,
    groups: usize,
}

/// A `@format` as written, resolved.
#[derive(Clone)]
struct Template {
    pattern: String,
    set: usize,
    values: Vec<Option<Value>>,
    conditions: Vec<(MemberCondition, usize)>,
    unlike: Vec<String>,
}

/// A condition on a member.
#[derive(Clone)]
enum MemberCondition {
    Not(i64),
    Holds(String),
}

impl State {
    fn item(&mut self, pos: &Pos, item: Item) -> Result<(), Error> {
        let result = match item {
            Item::Kind { name, rust, print } => self.kind(Kind { name, rust, print }),
            Item::Field { name, field } => self.field(name, field),
            Item::Set { name, members } => self.set(name, members),
            Item::Format { name, body } => self.format(name, body),
            Item::Width(width) => {
                self.width = width;
                Ok(())
            }
            Item::Section { guard, title, spec } => self.enter(guard, title, spec),
            Item::Open => {
                self.groups += 1;
                match self.group.replace(self.groups) {
                    None => Ok(()),
                    Some(_) => Err("`{` inside `{`".into()),
                }
            }
            Item::Close => self.group.take().map(drop).ok_or("`}` without `{`".into()),
            Item::Row { name, body } => self.row(pos, name, body),
        };
        result.map_err(|message| pos.error(message))
    }

    fn kind(&mut self, kind: Kind) -> Result<(), String> {
        const TYPES: [&str; 9] = ["bool", "u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64"];
        if !TYPES.contains(&kind.rust.as_str()) {
            return Err(format!("`{}` is no type of arguments", kind.rust));
        }
        unique(self.table.kinds.iter().map(|k| &k.name), &kind.name, "kind")?;
        self.table.kinds.push(kind);
        Ok(())
    }

    fn field(&mut self, name: String, field: Field) -> Result<(), String> {
        unique(self.fields.iter().map(|(n, _)| n), &name, "field")?;
        self.fields.push((name, field));
        Ok(())
    }

    fn set(&mut self, name: String, members: Vec<(String, String)>) -> Result<(), String> {
        unique(self.table.sets.iter().map(|s| &s.name), &name, "argument set")?;
        let mut set = ArgSet { name, members: Vec::new() };
        for (member, kind) in members {
            unique(set.members.iter().map(|(n, _)| n), &member, "member")?;
            let kind = self.table.kinds.iter().position(|k| k.name == kind);
            let kind = kind.ok_or(format!("`{member}` is of a kind that is not defined"))?;
            set.members.push((member, kind));
        }
        self.table.sets.push(set);
        Ok(())
    }

    fn enter(&mut self, guard: String, title: String, spec: String) -> Result<(), String> {
        if self.group.is_some() {
            return Err("a section begins inside `{`".into());
        }
        let guards: Vec<String> = guard.split('&').map(|g| g.trim().to_owned()).collect();
        if guards.iter().any(|g| g.is_empty() || g.contains(|c: char| !c.is_alphanumeric())) {
            return Err(format!("`{guard}` is not a guard"));
        }
        if self.table.sections.iter().any(|s| s.name == guard && s.title == title) {
            return Err(format!("a second section `{guard}` of this title"));
        }
        self.section = Some(self.table.sections.len());
        self.table.sections.push(Section { name: guard, guards, title, spec });
        Ok(())
    }

    fn format(&mut self, name: String, body: Body) -> Result<(), String> {
        unique(self.formats.iter().map(|(n, _)| n), &name, "format")?;
        if body.lowering.is_some() || body.text.is_some() || body.format.is_some() {
            return Err("a format has a pattern, an argument set and values only".into());
        }
        let template = self.template(&body)?.ok_or("a format names its argument set")?;
        self.formats.push((name, template));
        Ok(())
    }

    /// What `body` says about arguments, on top of the format it names.
    fn template(&self, body: &Body) -> Result<Option<Template>, String> {
        let mut template = match (&body.format, &body.set) {
            (Some(_), Some(_)) => return Err("both a format and an argument set".into()),
            (Some(name), None) => {
                let found = self.formats.iter().find(|(n, _)| n == name);
                found.ok_or(format!("format `@{name}` is not defined"))?.1.clone()
            }
            (None, Some(name)) => {
                let set = self.table.sets.iter().position(|s| s.name == *name);
                let set = set.ok_or(format!("argument set `&{name}` is not defined"))?;
                let values = vec![None; self.table.sets[set].members.len()];
                let (conditions, unlike) = (Vec::new(), Vec::new());
                Template { pattern: String::new(), set, values, conditions, unlike }
            }
            (None, None) if body.values.is_empty() && body.conditions.is_empty() => {
                return Ok(None);
            }
            (None, None) => return Err("values, but no argument set".into()),
        };
        for (name, given) in &body.values {
            let member = self.member(template.set, name)?;
            template.values[member] = Some(match given {
                Given::Const(value) => Value::Const(*value),
                Given::Field(field) => {
                    let found = self.fields.iter().find(|(n, _)| n == field);
                    Value::Field(found.ok_or(format!("`%{field}` is not defined"))?.1.clone())
                }
            });
        }
        for condition in &body.conditions {
            let (condition, name) = match condition {
                Condition::Not(name, value) => (MemberCondition::Not(*value), name),
                Condition::Holds(function, name) => {
                    (MemberCondition::Holds(function.clone()), name)
                }
                Condition::Unlike(pattern) => {
                    template.unlike.push(pattern.clone());
                    continue;
                }
            };
            template.conditions.push((condition, self.member(template.set, name)?));
        }
        if body.format.is_none() {
            template.pattern.clone_from(&body.pattern);
        }
        Ok(Some(template))
    }

    fn member(&self, set: usize, name: &str) -> Result<usize, String> {
        let set = &self.table.sets[set];
        let member = set.members.iter().position(|(n, _)| n == name);
        member.ok_or(format!("`&{}` has no member `{name}`", set.name))
    }

    fn row(&mut self, pos: &Pos, name: String, body: Body) -> Result<(), String> {
        let section = self.section.ok_or("a row before the first section")?;
        unique(self.table.rows.iter().map(|r| &r.name), &name, "row")?;
        let variant = camel(&name);
        unique(self.table.rows.iter().map(|r| &r.variant), &variant, "row (as a variant)")?;
        let template = self.template(&body)?;
        let pattern = Pattern::new(self.width, &body.pattern)?;
        let pattern = match &template {
            Some(t) if !t.pattern.is_empty() => {
                pattern.merge(&Pattern::new(self.width, &t.pattern)?)?
            }
            _ => pattern,
        };
        let (lowering, extra) = body.lowering.ok_or("the row has no lowering")?;
        let text = body.text.ok_or("the row has no assembly text")?;
        let mut row = Row {
            pos: pos.clone(),
            name,
            variant,
            width: self.width,
            section,
            mask: pattern.mask,
            bits: pattern.bits,
            ignored: pattern.ignored,
            format: None,
            excluded: Vec::new(),
            predicates: Vec::new(),
            lowering,
            extra: extra.filter(|e| !e.is_empty()),
            text: Vec::new(),
            group: self.group,
        };
        let mut covered = 0;
        if let Some(template) = template {
            covered = self.arguments(&mut row, &template, body.format.as_deref())?;
        }
        let set = row.format.map(|f| &self.table.sets[self.table.formats[f].set]);
        row.text = text::parse(&text, set)?;
        let undefined = ones(row.width) & !(row.mask | row.ignored | covered);
        if undefined != 0 {
            return Err(format!("bits {undefined:#x} are neither fixed, ignored nor in a field"));
        }
        self.table.rows.push(row);
        Ok(())
    }

    /// Gives the row its format and conditions; returns the bits its fields cover.
    fn arguments(
        &mut self,
        row: &mut Row,
        template: &Template,
        name: Option<&str>,
    ) -> Result<u32, String> {
        let members = &self.table.sets[template.set].members;
        let mut values = Vec::new();
        let mut covered = 0;
        for ((member, _), value) in members.iter().zip(&template.values) {
            let value = value.clone().ok_or(format!("member `{member}` has no value"))?;
            if let Value::Field(field) = &value {
                if field.mask() & (row.mask | row.ignored) != 0 {
                    return Err(format!("the field of `{member}` lies over fixed bits"));
                }
                if field.mask() & !ones(row.width) != 0 {
                    return Err(format!("the field of `{member}` is wider than the instruction"));
                }
                covered |= field.mask();
            }
            values.push(value);
        }
        for (condition, member) in &template.conditions {
            let Value::Field(field) = &values[*member] else {
                return Err(format!("a condition on `{}`, a constant", members[*member].0));
            };
            match condition {
                MemberCondition::Not(value) => {
                    let raw = field.raw(*value);
                    let raw = raw.ok_or(format!("{value} is not a value of the field"))?;
                    let excluded = Excluded { mask: field.mask(), bits: field.place(raw) };
                    row.excluded.push(excluded);
                }
                MemberCondition::Holds(function) => row
                    .predicates
                    .push(Predicate { function: function.clone(), field: field.clone() }),
            }
        }
        for pattern in &template.unlike {
            let Pattern { mask, bits, .. } = Pattern::new(row.width, pattern)?;
            row.excluded.push(Excluded { mask, bits });
        }
        row.format = Some(self.intern(template.set, values, name));
        Ok(covered)
    }

    /// The format with these values, named after the `@format` if no other has its name.
    fn intern(&mut self, set: usize, values: Vec<Value>, name: Option<&str>) -> usize {
        let formats = &mut self.table.formats;
        if let Some(found) = formats.iter().position(|f| f.set == set && f.values == values) {
            return found;
        }
        let base = name.unwrap_or(&self.table.sets[set].name);
        let taken = |name: &str| formats.iter().any(|f| f.name == name);
        let mut name = base.to_owned();
        let mut number = 2;
        while taken(&name) {
            name = format!("{base}_{number}");
            number += 1;
        }
        formats.push(Format { name, set, values });
        formats.len() - 1
    }
}

struct Pattern {
    mask: u32,
    bits: u32,
    ignored: u32,
}

impl Pattern {
    fn new(width: u32, text: &str) -> Result<Self, String> {
        if text.len() != width as usize {
            return Err(format!("the pattern has {} bits, not {width}", text.len()));
        }
        let select = |wanted: &[char]| {
            text.chars().fold(0u32, |bits, c| bits << 1 | u32::from(wanted.contains(&c)))
        };
        Ok(Pattern { mask: select(&['0', '1']), bits: select(&['1']), ignored: select(&['-']) })
    }

    fn merge(self, other: &Pattern) -> Result<Self, String> {
        if (self.bits ^ other.bits) & self.mask & other.mask != 0 {
            return Err("the pattern contradicts that of the format".into());
        }
        Ok(Pattern {
            mask: self.mask | other.mask,
            bits: self.bits | other.bits,
            ignored: (self.ignored | other.ignored) & !(self.mask | other.mask),
        })
    }
}

fn unique<'a>(
    mut names: impl Iterator<Item = &'a String>,
    name: &str,
    what: &str,
) -> Result<(), String> {
    if names.any(|n| n == name) { Err(format!("a second {what} named `{name}`")) } else { Ok(()) }
}

/// `c.addi4spn` becomes `CAddi4spn`.
pub(super) fn camel(name: &str) -> String {
    name.split(['.', '_'])
        .map(|part| {
            let mut chars = part.chars();
            chars
                .next()
                .map_or(String::new(), |c| c.to_ascii_uppercase().to_string() + chars.as_str())
        })
        .collect()
}

/// Rows may share words only inside braces; there, a row must not hide a later one completely.
fn check_overlaps(rows: &[Row]) -> Result<(), Error> {
    for (index, row) in rows.iter().enumerate() {
        for earlier in rows[..index].iter().filter(|earlier| row.overlaps(earlier)) {
            if row.group.is_none() || row.group != earlier.group {
                let place = format!("`{}` ({})", earlier.name, earlier.pos);
                return Err(row.pos.error(format!("`{}` overlaps {place}", row.name)));
            }
            let hidden = earlier.mask & row.mask == earlier.mask
                && earlier.excluded.is_empty()
                && earlier.predicates.is_empty()
                && earlier.section == row.section;
            if hidden {
                let message = format!("`{}` is hidden by `{}`", row.name, earlier.name);
                return Err(row.pos.error(message));
            }
        }
    }
    Ok(())
}

/// Argument sets without a row would be dead code.
fn drop_unused(table: &mut Table) {
    let used: Vec<bool> = (0..table.sets.len())
        .map(|set| table.formats.iter().any(|format| format.set == set))
        .collect();
    let mut new_index = vec![0; used.len()];
    let mut next = 0;
    for (index, used) in used.iter().enumerate() {
        new_index[index] = next;
        next += usize::from(*used);
    }
    let mut index = 0;
    table.sets.retain(|_| {
        index += 1;
        used[index - 1]
    });
    for format in &mut table.formats {
        format.set = new_index[format.set];
    }
}
