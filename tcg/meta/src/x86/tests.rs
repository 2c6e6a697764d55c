use super::parse::parse;
use super::row::{Modrm, Prefix, Row, VexL};
use super::{forms, lowering, rows, slots};
use std::path::Path;

const HEAD: &str = "[0f \"Test\" SDM-2§2]\n";

fn one(line: &str) -> Row {
    let mut rows = parse("test.map", &format!("{HEAD}{line}")).expect("a valid row");
    assert_eq!(rows.len(), 1);
    rows.remove(0)
}

fn refused(text: &str) -> String {
    parse("test.map", text).expect_err("an error").to_string()
}

#[test]
fn a_row_says_opcode_operands_and_attributes() {
    let row = one("ba/5 bts Ev,Ib bit(Set) lock");
    assert_eq!((row.opcode, row.modrm, row.lock), (0xba, Modrm::Digit(5), true));
    assert_eq!(row.operands[0].text(), "Ev");
    assert_eq!(one("6f movq Pq,Qq mmx_move np ?MMX").prefix, Prefix::None);
    assert_eq!(one("01:d0 xgetbv - xgetbv np").modrm, Modrm::Exact(0xd0));
}

#[test]
fn v_in_brackets_makes_two_rows() {
    let rows = parse("test.map", &format!("{HEAD}58 (v)add @fp4 fp(Add)")).expect("valid");
    let names: Vec<&str> = rows.iter().map(|row| &*row.mnemonic).collect();
    assert_eq!(names, ["vaddps", "addps", "vaddpd", "addpd", "vaddss", "addss", "vaddsd", "addsd"]);
    assert_eq!((rows[0].operands.len(), rows[1].operands.len()), (3, 2));
    assert_eq!((rows[0].l, rows[4].l), (VexL::Length, VexL::Ignored));
}

#[test]
fn mistakes_are_refused_with_their_place() {
    assert_eq!(refused("90 nop - nop"), "test.map:1: a row stands before the first section");
    let row = |line: &str| refused(&format!("{HEAD}{line}"));
    assert!(row("90 nop").starts_with("test.map:2: "));
    assert!(row("9x nop - nop").contains("the opcode is no byte"));
    assert!(row("80/8 add Eb,Ib alu(Add)").contains("neither /digit"));
    assert!(row("41+cc cmov Gv,Ev cmov").contains("low bits"));
    assert!(row("80 add Kb alu(Add)").contains("Kb is no operand code"));
    assert!(row("80 add Ek alu(Add)").contains("Ek is no operand code"));
    assert!(row("80 add Eb alu(Add) f32").contains("no attribute f32"));
    assert!(row("80 add @alv alu(Add)").contains("no template"));
    assert!(row("01:3f add - alu(Add)").contains("mod 3"));
    assert!(row("f2 andn Gy,By,Ey andn np").contains("VEX.vvvv"));
    assert!(row("f2 andn Gy,By,Ey andn VEX").contains("says np, 66"));
    assert!(refused("[0e \"Test\" SDM-2§2]").contains("no map called 0e"));
    assert!(refused("[0f \"Test\" SDM]").contains("no place"));
}

#[test]
fn two_rows_of_one_form_are_refused() {
    let text = format!("{HEAD}af imul Gv,Ev imul\nae imul Gv,Ev imul");
    let rows = parse("test.map", &text).expect("valid rows");
    let error = forms::rust(&rows).expect_err("the second is no alias").to_string();
    assert!(error.starts_with("test.map:3: IMUL_GV_EV is also the form of test.map:2"));
}

#[test]
fn of_two_rows_that_overlap_the_narrower_comes_first() {
    let text = format!("{HEAD}bc bsf Gv,Ev scan\nbc tzcnt Gv,Ev count f3\nbc bsf M scan");
    let rows = parse("test.map", &text).expect("valid rows");
    let slots = slots::slots(&rows[..2]).expect("one inside the other");
    assert_eq!(slots[256 + 0xbc].rows, [1, 0]);
    let error = slots::slots(&rows).expect_err("neither inside").to_string();
    assert!(error.starts_with("test.map:4: overlaps the row at test.map:3"));
    let text = format!("{HEAD}77 emms - emms\n77 emms Ev emms");
    let rows = parse("test.map", &text).expect("valid rows");
    assert!(slots::slots(&rows).expect_err("mixed").to_string().contains("all or none"));
}

#[test]
fn rows_with_one_meaning_share_an_arm() {
    let text = format!(
        "{HEAD}bc bsf Gv,Ev scan(Forward)\nbd bsr Gv,Ev scan(Reverse)\n08 bswap Gv bswap\nb9 ud1 Gv,Ev bswap"
    );
    let rows = parse("test.map", &text).expect("valid rows");
    let rust = lowering::rust(&rows);
    assert!(rust.contains("0..=3 => lower_0(b, at, insn),"));
    assert!(rust.contains("0 => scan(b, at, insn, Forward),"));
    assert!(rust.contains("2 | 3 => bswap(b, at, insn),"));
}

#[test]
fn the_tables_are_accepted() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src/isa");
    assert!(rows(&root).expect("the tables are right").len() > 1000);
}

#[test]
fn every_written_function_is_named_by_a_row() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src/isa");
    let rows = rows(&root).expect("the tables are valid");
    for name in lowering::WRITTEN {
        let named = rows.iter().any(|row| lowering::function(&row.lowering) == *name);
        assert!(named, "no row is described by {name}");
    }
}
