//! Snippets of riscv64.

use arch::riscv64::fields::MSTATUS_FS;
use arch::riscv64::{Hart, Model};
use tcg::guest::riscv64::Riscv64;
use tcg::isa::riscv64::*;
use tcg::testing::{HostCode, host_code};

use crate::{Snippet, check};

const PC: u64 = 0x8000_0000;

fn hart() -> Hart {
    let mut h = Hart::new(0, &Model::default());
    h.mstatus |= MSTATUS_FS;
    h.pc = PC;
    h
}

/// A jump to elsewhere in the page: a block ends with it.
const END: Insn = Insn::Jal(J { rd: 0, imm: 0x400 });

fn translate(insns: &[Insn]) -> Option<HostCode> {
    let bytes = |insn: &Insn| {
        let word = insn.encode();
        word.to_le_bytes().into_iter().take(length(word as u16).into()).collect::<Vec<u8>>()
    };
    let code: Vec<u8> = insns.iter().chain([&END]).flat_map(bytes).collect();
    host_code::<Riscv64>(hart(), PC, &code)
}

fn snippet(title: &'static str, insns: &[Insn]) -> Option<Snippet> {
    let guest = insns.iter().map(Insn::to_string).collect();
    Some(Snippet { title, guest, host: translate(insns)?, end: translate(&[])? })
}

const ZERO: u8 = 0;
const RA: u8 = 1;
const SP: u8 = 2;
const T0: u8 = 5;
const T1: u8 = 6;
const A0: u8 = 10;
const A1: u8 = 11;
const A2: u8 = 12;
const A5: u8 = 15;
const S2: u8 = 18;
const S3: u8 = 19;
const FA0: u8 = 10;
const FA5: u8 = 15;
const FT0: u8 = 0;
const FT1: u8 = 1;
const DYNAMIC: u8 = 7;

fn r(rd: u8, rs1: u8, rs2: u8) -> R {
    R { rd, rs1, rs2 }
}

fn i(rd: u8, rs1: u8, imm: i32) -> I {
    I { rd, rs1, imm }
}

fn s(rs2: u8, imm: i32, rs1: u8) -> S {
    S { rs1, rs2, imm }
}

fn f2(rd: u8, rs1: u8, rs2: u8) -> FArith2 {
    FArith2 { rd, rs1, rs2, rm: DYNAMIC }
}

#[test]
fn riscv64_on_this_host() {
    use Insn::*;
    let back = Br { rs1: A0, rs2: A1, imm: -4 };
    let back8 = Br { imm: -8, ..back };
    let back12 = Br { imm: -12, ..back };
    let table: &[(&'static str, &[Insn])] = &[
        ("sum of pinned registers", &[Add(r(A0, A0, A1))]),
        ("sum into another register", &[Add(r(A0, A1, A2))]),
        ("sum of local registers", &[Add(r(S2, S2, S3))]),
        ("increment", &[Addi(i(A0, A0, 1))]),
        ("copy", &[CMv(r(A0, ZERO, A1))]),
        ("constant", &[Lui(U { rd: A0, imm: 0x12345 << 12 }), Addi(i(A0, A0, 0x678))]),
        ("sum of words", &[Addw(r(A0, A1, A2))]),
        ("zero extension", &[AddUw(r(A0, A1, ZERO))]),
        ("array index", &[Sh3add(r(A0, A1, A2))]),
        ("shift by a register", &[Sll(r(A0, A1, A2))]),
        ("shift by a constant", &[Srai(i(A0, A1, 3))]),
        ("comparison", &[Sltu(r(A0, A1, A2))]),
        ("product", &[Mul(r(A0, A1, A2))]),
        ("high product", &[Mulhu(r(A0, A1, A2))]),
        ("quotient", &[Divu(r(A0, A1, A2))]),
        ("minimum", &[Min(r(A0, A1, A2))]),
        ("conditional zero", &[CzeroEqz(r(A0, A1, A2))]),
        ("count of ones", &[Cpop(Unary { rd: A0, rs1: A1 })]),
        ("load", &[Ld(i(A0, A1, 8))]),
        ("load of a signed byte", &[Lb(i(A0, A1, 0))]),
        ("two loads from one base", &[Ld(i(A0, SP, 8)), Ld(i(A5, SP, 16))]),
        ("store", &[Sd(s(A0, 8, A1))]),
        ("store of zero", &[Sw(s(ZERO, 0, A1))]),
        ("atomic sum", &[AmoaddW(Amo { rd: A0, rs1: A1, rs2: A2, order: 0 })]),
        ("atomic or", &[AmoorD(Amo { rd: ZERO, rs1: A1, rs2: A2, order: 0 })]),
        ("load-reserved of which nothing is known", &[LrD(Lr { rd: A0, rs1: A1, order: 0 })]),
        ("store-conditional", &[ScD(Amo { rd: A0, rs1: A1, rs2: A2, order: 0 })]),
        (
            "load-reserved and store-conditional",
            &[
                LrD(Lr { rd: A0, rs1: A1, order: 0 }),
                ScD(Amo { rd: A5, rs1: A1, rs2: A2, order: 0 }),
            ],
        ),
        ("fence", &[Fence(FenceArgs { fm: 0, pred: 3, succ: 3 })]),
        ("extension by shifts", &[Slli(i(A0, A1, 32)), Srli(i(A0, A0, 32))]),
        ("loop", &[Addi(i(A0, A0, 1)), Bne(back)]),
        (
            "loop that leaves a word to itself",
            &[Addw(r(A2, A2, A0)), Addi(i(A0, A0, 1)), Bne(back8)],
        ),
        (
            "loop that takes hosts of pinned registers",
            &[Add(r(S2, S2, T0)), Add(r(S3, S3, T1)), Addi(i(A0, A0, 1)), Bne(back12)],
        ),
        ("branch forward", &[Beq(Br { rs1: A0, rs2: ZERO, imm: 64 })]),
        ("comparison and branch", &[Slt(r(T0, A0, A1)), Bne(Br { rs1: T0, rs2: ZERO, imm: 64 })]),
        ("call", &[Jal(J { rd: RA, imm: 0x100 })]),
        ("return", &[CJr(i(ZERO, RA, 0))]),
        ("call of another page", &[Jal(J { rd: RA, imm: 0x1_0000 })]),
        ("sum of doubles", &[FaddD(f2(FA0, FA0, FA5))]),
        ("sum of local doubles", &[FaddD(f2(FT0, FT0, FT1))]),
        ("sum of singles", &[FaddS(f2(FA0, FA0, FA5))]),
        ("quotient of doubles", &[FdivD(f2(FA0, FA0, FA5))]),
        (
            "fused product and sum",
            &[FmaddD(FArith3 { rd: FA0, rs1: FA0, rs2: FA5, rs3: FT0, rm: DYNAMIC })],
        ),
        ("comparison of doubles", &[FltD(FCmp { rd: A0, rs1: FA0, rs2: FA5 })]),
        (
            "comparison of doubles that raises no flag",
            &[
                Csrrs(CsrR { rd: T0, rs1: ZERO, csr: 1 }),
                FltD(FCmp { rd: A0, rs1: FA0, rs2: FA5 }),
                Csrrw(CsrR { rd: ZERO, rs1: T0, csr: 1 }),
            ],
        ),
        ("product and sum of doubles", &[FmulD(f2(FA0, FA0, FA5)), FaddD(f2(FA0, FA0, FT0))]),
        (
            "loop: sum of singles",
            &[
                Flw(FLoad { rd: FT0, rs1: A0, imm: 0 }),
                Addi(i(A0, A0, 4)),
                FaddS(f2(FA0, FA0, FT0)),
                Bne(back12),
            ],
        ),
        ("double to integer", &[FcvtWD(FToInt { rd: A0, rs1: FA0, rm: 1 })]),
        ("integer to double", &[FcvtDW(FFromInt { rd: FA0, rs1: A0, rm: DYNAMIC })]),
        ("load of a double", &[Fld(FLoad { rd: FA0, rs1: A1, imm: 8 })]),
        ("store of a double", &[Fsd(FStore { rs1: A1, rs2: FA0, imm: 8 })]),
        ("sign", &[FsgnjnD(FR { rd: FA0, rs1: FA5, rs2: FA5 })]),
        ("control register", &[Csrrw(CsrR { rd: T0, rs1: T1, csr: 0x140 })]),
        ("system call", &[Ecall]),
    ];
    let snippets: Option<Vec<Snippet>> =
        table.iter().map(|(title, insns)| snippet(title, insns)).collect();
    match snippets {
        Some(snippets) => check(&format!("riscv64-on-{}.txt", std::env::consts::ARCH), &snippets),
        None => println!("there is no translator for this host"),
    }
}
