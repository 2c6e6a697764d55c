//! The generator takes `ok_*` tables, and refuses `err_*` ones as their first line says.

use std::fs;
use std::path::Path;

use tcg_meta::decode::{self, Source};

fn tables(prefix: &str) -> Vec<(String, String)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tables");
    let mut tables: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(prefix))
        .map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap()))
        .collect();
    tables.sort();
    assert!(!tables.is_empty(), "the tables are there");
    tables
}

fn parse(name: &str, text: &str) -> Result<decode::Table, tcg_meta::error::Error> {
    decode::parse(&[Source { file: name.into(), text: text.into() }])
}

#[test]
fn good_tables_are_taken() {
    for (name, text) in tables("ok_") {
        let table = parse(&name, &text).unwrap_or_else(|error| panic!("{error}"));
        let rust = decode::rust(&table);
        for row in &table.rows {
            assert!(rust.contains(&format!("    {}", row.variant)), "{name}: {}", row.name);
        }
        assert!(decode::lowering(&table, "Guest", &[]).contains("pub fn lower<B: Builder<Guest>>"));
        assert!(decode::docs(&table, "isa").contains("| instruction |"));
    }
}

#[test]
fn bad_tables_are_refused() {
    for (name, text) in tables("err_") {
        let first = text.lines().next().unwrap();
        let (line, message) = first.trim_start_matches("# ").split_once(": ").unwrap();
        let error = parse(&name, &text).map(drop).expect_err(&name);
        assert!(error.message.starts_with(message), "{name}: {error}");
        assert_eq!(error.pos.line.to_string(), line, "{error}");
        assert!(error.to_string().starts_with(&format!("{name}:{line}: ")));
    }
}

#[test]
fn first_match_in_braces_wins() {
    let (name, text) = &tables("ok_group")[0];
    let rust = decode::rust(&parse(name, text).unwrap());
    let zero = rust.find("*out = Insn::Zero(").unwrap();
    let some = rust.find("*out = Insn::Some(").unwrap();
    assert!(zero < some);
}

#[test]
fn lowering_passes_arguments_and_constants() {
    let text = "[I \"Base\" Doc§1]\n$x u8\n%r 0:5\n&r r:x\n\
                a 000000000000000000000000000 ..... &r %r f(Op::A, 1) \"a {r}\"\n\
                b 11111111111111111111111111111111 g(2) \"b\"\n";
    let table = parse("text", text).unwrap();
    let lower = decode::lowering(&table, "Guest", &["I"]);
    assert!(lower.contains("Insn::A(a) => f(b, at, a, Op::A, 1),"), "{lower}");
    assert!(lower.contains("Insn::B => g(b, at, 2),"), "{lower}");
}

#[test]
fn documentation_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src/isa");
    for isa in tcg_meta::isas::ISAS {
        let table = isa.table(&root).unwrap_or_else(|error| panic!("{error}"));
        let path = root.join("../../../docs/isa").join(format!("{}.md", isa.name));
        let found = fs::read_to_string(&path).unwrap_or_default();
        let current = decode::docs(&table, isa.name) == found;
        assert!(current, "run: cargo run -p tcg-meta -- docs {}", isa.name);
    }
}
