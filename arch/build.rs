//! Turns `src/riscv64/sysregs.table` into the CSR dispatch.
//!
//! The grammar is explained at the head of the table. Anything wrong in it stops the build with
//! the line's number; a name that does not exist is an error of the generated code.

use std::fmt::Write as _;
use std::{env, fs, path::Path};

const TABLE: &str = "src/riscv64/sysregs.table";

fn main() {
    println!("cargo::rerun-if-changed={TABLE}");
    let text = fs::read_to_string(TABLE).expect("the table is readable");
    let rows = parse(&text);
    let out = Path::new(&env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("csrs.rs");
    fs::write(out, generate(&rows)).expect("OUT_DIR is writable");
}

/// One row: `count` CSRs with successive numbers.
struct Row {
    name: String,
    suffix: Option<usize>,
    first: usize,
    count: usize,
    read: String,
    write: String,
    guard: String,
    spec: String,
}

impl Row {
    fn last(&self) -> usize {
        self.first + self.count - 1
    }

    /// The pattern of a match arm on the number.
    fn pattern(&self) -> String {
        if self.count == 1 {
            format!("{:#05x}", self.first)
        } else {
            format!("{:#05x}..={:#05x}", self.first, self.last())
        }
    }
}

fn parse(text: &str) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut spec = None;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        let fail = |what: &str| -> ! { panic!("{TABLE}:{}: {what}: {line}", at + 1) };
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(tag) = line.strip_prefix('[') {
            let tag = tag.strip_suffix(']').unwrap_or_else(|| fail("the tag has no end"));
            spec = Some(tag.to_owned());
            continue;
        }
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [name, number, read, write, guard] = columns[..] else { fail("not five columns") };
        let Some(spec) = spec.clone() else { fail("no section before this row") };
        let (name, suffix, count) = parse_name(name).unwrap_or_else(|| fail("bad name"));
        let first = parse_hex(number).unwrap_or_else(|| fail("bad number")) as usize;
        let row = Row {
            name,
            suffix,
            first,
            count,
            read: read.to_owned(),
            write: write.to_owned(),
            guard: guard.to_owned(),
            spec,
        };
        if row.last() >> 10 != first >> 10 || row.last() > 0xfff {
            fail("the range leaves its quarter of the numbers");
        }
        if (first >> 10 == 3) != (write == "ro") {
            fail("`ro` and the number disagree");
        }
        if rows.iter().any(|other| first <= other.last() && other.first <= row.last()) {
            fail("the number is taken");
        }
        rows.push(row);
    }
    rows.sort_by_key(|row| row.first);
    rows
}

/// `name` or `name{a..b}`: the stem, the first suffix if any, how many.
fn parse_name(text: &str) -> Option<(String, Option<usize>, usize)> {
    let Some((stem, range)) = text.split_once('{') else {
        return Some((text.to_owned(), None, 1));
    };
    let (first, last) = range.strip_suffix('}')?.split_once("..")?;
    let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
    (first < last).then(|| (stem.to_owned(), Some(first), last - first + 1))
}

fn parse_hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// `field` or `field&mask`, the mask perhaps inverted.
fn field_and_mask(text: &str) -> (&str, u64) {
    let Some((field, mask)) = text.split_once('&') else { return (text, u64::MAX) };
    let value = parse_hex(mask.trim_start_matches('~'))
        .unwrap_or_else(|| panic!("{TABLE}: bad mask {text}"));
    (field, if mask.starts_with('~') { !value } else { value })
}

fn generate(rows: &[Row]) -> String {
    let mut names = String::new();
    let (mut reads, mut writes, mut guards) = (String::new(), String::new(), String::new());
    let mut count = 0;
    for row in rows {
        for i in 0..row.count {
            let suffix = row.suffix.map(|first| (first + i).to_string()).unwrap_or_default();
            let (name, number, spec) = (&row.name, row.first + i, &row.spec);
            writeln!(
                names,
                "    Csr {{ name: \"{name}{suffix}\", number: {number:#05x}, spec: \"[{spec}]\" }},"
            )
            .unwrap();
            count += 1;
        }
        let (pattern, n) = (row.pattern(), format!("usize::from(num) - {:#05x}", row.first));
        writeln!(reads, "        {pattern} => {},", read_arm(&row.read, &n)).unwrap();
        writeln!(writes, "        {pattern} => {},", write_arm(&row.write, &n)).unwrap();
        let guard = match row.guard.as_str() {
            "-" => "true".to_owned(),
            name => format!("rules::guard_{name}(h, num, env)"),
        };
        writeln!(guards, "        {pattern} => {guard},").unwrap();
    }
    format!(
        "/// Every CSR, by number.\n\
         pub static CSRS: [Csr; {count}] = [\n{names}];\n\n\
         /// The value of an accessible CSR.\n\
         fn read_row(h: &Hart, num: u16, env: &dyn CsrEnv) -> u64 {{\n    match num {{\n{reads}        _ => 0,\n    }}\n}}\n\n\
         /// Writes an accessible CSR.\n\
         fn write_row(h: &mut Hart, num: u16, value: u64, env: &dyn CsrEnv) -> CsrEffect {{\n    match num {{\n{writes}        _ => CsrEffect::NONE,\n    }}\n}}\n\n\
         /// Whether the CSR exists and can be accessed now, privilege apart.\n\
         fn guard_row(h: &Hart, num: u16, env: &dyn CsrEnv) -> bool {{\n    match num {{\n{guards}        _ => false,\n    }}\n}}\n"
    )
}

fn read_arm(read: &str, n: &str) -> String {
    if let Some(name) = read.strip_suffix("()") {
        return format!("rules::read_{name}(h, {n}, env)");
    }
    if read.starts_with("0x") {
        return read.to_owned();
    }
    match field_and_mask(read) {
        (field, u64::MAX) => format!("h.{field}"),
        (field, mask) => format!("h.{field} & {mask:#x}"),
    }
}

fn write_arm(write: &str, n: &str) -> String {
    if write == "-" || write == "ro" {
        return "CsrEffect::NONE".to_owned();
    }
    if let Some(name) = write.strip_suffix("()") {
        return format!("rules::write_{name}(h, {n}, value, env)");
    }
    let (target, effect) = write.split_once('!').unwrap_or((write, "NONE"));
    let (field, mask) = field_and_mask(target);
    format!("rules::assign(&mut h.{field}, value, {mask:#x}, CsrEffect::{effect})")
}
