//! Turns `src/syscalls.table` into the list of system calls and their dispatch.
//!
//! The grammar is explained at the head of the table. Anything wrong in it stops the build with
//! the line's number; a function that does not exist is an error of the generated code.

use std::fmt::Write as _;
use std::{env, fs, path::Path};

const TABLE: &str = "src/syscalls.table";
const ISAS: [&str; 3] = ["riscv64", "aarch64", "x86_64"];

fn main() {
    println!("cargo::rerun-if-changed={TABLE}");
    let text = fs::read_to_string(TABLE).expect("the table is readable");
    let rows = parse(&text);
    let out = Path::new(&env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("syscalls.rs");
    fs::write(out, generate(&rows)).expect("OUT_DIR is writable");
}

struct Row {
    name: String,
    /// By [`ISAS`].
    numbers: [Option<u16>; 3],
    class: Class,
    args: Vec<String>,
    /// Where its function is, if it has one.
    module: String,
}

#[derive(PartialEq)]
enum Class {
    Pass,
    Wait,
    /// The index of the argument.
    Path(usize),
    Root,
    Own,
    /// The error's name.
    Refuse(String),
}

fn parse(text: &str) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut module = None;
    for (at, line) in text.lines().enumerate() {
        let fail = |what: &str| -> ! { panic!("{TABLE}:{}: {what}: {line}", at + 1) };
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(head) = line.strip_prefix('[') {
            let name = head.split(' ').next().unwrap_or_default();
            module = Some(name.to_owned());
            continue;
        }
        let Some(module) = module.clone() else { fail("no section before this row") };
        let mut words = line.split_whitespace();
        let name = words.next().unwrap_or_default().to_owned();
        let numbers = std::array::from_fn(|_| match words.next() {
            Some("-") => None,
            Some(word) => Some(word.parse().unwrap_or_else(|_| fail("bad number"))),
            None => fail("not three numbers"),
        });
        let class = words.next().unwrap_or_default();
        let mut args: Vec<String> = words.map(str::to_owned).collect();
        let class = match class {
            "pass" => Class::Pass,
            "wait" => Class::Wait,
            "root" => Class::Root,
            "own" => Class::Own,
            "path" => match args.iter().position(|arg| arg == "str") {
                Some(at) => Class::Path(at),
                None => fail("no argument is a path"),
            },
            "refuse" => {
                let [error, reason @ ..] = &args[..] else { fail("no error") };
                if !error.starts_with('E') || reason.is_empty() {
                    fail("an error and a reason are needed");
                }
                let error = error.clone();
                args = Vec::new();
                Class::Refuse(error)
            }
            _ => fail("unknown class"),
        };
        let by_host = !matches!(class, Class::Own | Class::Refuse(_));
        if by_host && numbers[2].is_none() {
            fail("the host does not have this call");
        }
        if args.len() > 6 {
            fail("more than six arguments");
        }
        for (column, isa) in ISAS.iter().enumerate() {
            let taken =
                |row: &&Row| numbers[column].is_some() && row.numbers[column] == numbers[column];
            if let Some(other) = rows.iter().find(taken) {
                fail(&format!("{isa} has this number for {}", other.name));
            }
        }
        rows.push(Row { name, numbers, class, args, module });
    }
    rows
}

fn generate(rows: &[Row]) -> String {
    let (mut list, mut arms) = (String::new(), String::new());
    for (index, row) in rows.iter().enumerate() {
        let class = match &row.class {
            Class::Pass => "Class::Pass".to_owned(),
            Class::Wait => "Class::Wait".to_owned(),
            Class::Path(at) => format!("Class::Path({at})"),
            Class::Root => "Class::Root".to_owned(),
            Class::Own => "Class::Own".to_owned(),
            Class::Refuse(error) => format!("Class::Refuse(Errno::{error})"),
        };
        let args: Vec<String> = row.args.iter().map(|arg| format!("Arg::{}", camel(arg))).collect();
        writeln!(
            list,
            "    Row {{ name: \"{}\", host: {}, class: {class}, args: &[{}] }},",
            row.name,
            row.numbers[2].map_or(-1, i64::from),
            args.join(", ")
        )
        .expect("a String takes it");
        if row.class == Class::Own {
            writeln!(arms, "        {index} => crate::{}::{}(t, a),", row.module, row.name)
                .expect("a String takes it");
        }
    }
    let mut text = format!(
        "/// Every system call.\n\
         pub(crate) static ROWS: [Row; {}] = [\n{list}];\n\n\
         /// Calls the function of a row of [`Class::Own`].\n\
         fn own<G: Isa>(t: &mut Thread<G>, row: u16, a: [u64; 6]) -> Result<u64, Errno> {{\n    \
             match row {{\n{arms}        _ => Err(Errno::ENOSYS),\n    }}\n}}\n",
        rows.len()
    );
    for (column, isa) in ISAS.iter().enumerate() {
        let last = rows.iter().filter_map(|row| row.numbers[column]).max().unwrap_or(0);
        let mut by_number = vec![u16::MAX; usize::from(last) + 1];
        let mut host = vec![-1; usize::from(last) + 1];
        for (index, row) in rows.iter().enumerate() {
            if let Some(number) = row.numbers[column] {
                by_number[usize::from(number)] = u16::try_from(index).expect("few rows");
                if let (Class::Pass | Class::Wait, Some(number_on_host)) =
                    (&row.class, row.numbers[2])
                {
                    host[usize::from(number)] = i32::from(number_on_host);
                }
            }
        }
        writeln!(
            text,
            "\n/// Rows by number on {isa}; `u16::MAX` where there is none.\n\
             pub(crate) static {name}: [u16; {len}] = {by_number:?};\n\n\
             /// Numbers on the host of those of [`Class::Pass`] and [`Class::Wait`], or -1.\n\
             pub(crate) static {name}_HOST: [i16; {len}] = {host:?};",
            name = isa.to_uppercase(),
            len = by_number.len()
        )
        .expect("a String takes it");
    }
    text
}

/// `o_flags` becomes `OFlags`.
fn camel(word: &str) -> String {
    let capital = |part: &str| {
        let mut letters = part.chars();
        letters.next().map(|c| c.to_uppercase().chain(letters).collect::<String>())
    };
    word.split('_').filter_map(capital).collect()
}
