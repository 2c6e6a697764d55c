//! Snippets of x86_64: flags above all.

use arch::x86_64::Cpu;
use tcg::guest::x86_64::X86_64;
use tcg::isa::x86_64::decode;
use tcg::testing::{HostCode, host_code};

use crate::{Snippet, check};

const PC: u64 = 0x40_0000;

/// A jump to elsewhere in the page: a block ends with it.
const END: [u8; 5] = [0xe9, 0, 4, 0, 0];

fn translate(code: &[u8]) -> Option<HostCode> {
    let mut cpu = Cpu::new();
    cpu.rip = PC;
    host_code::<X86_64>(cpu, PC, &[code, &END].concat())
}

fn listing(code: &[u8]) -> Vec<String> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < code.len() {
        let decoded = decode(&code[at..]).expect("the snippets are instructions");
        out.push(decoded.insn.to_string());
        at += usize::from(decoded.len);
    }
    out
}

fn snippet(title: &'static str, code: &[u8]) -> Option<Snippet> {
    Some(Snippet { title, guest: listing(code), host: translate(code)?, end: translate(&[])? })
}

#[test]
fn x86_64_on_this_host() {
    let table: &[(&'static str, &[u8])] = &[
        ("sum whose flags are overwritten", &[0x48, 0x01, 0xd0, 0x48, 0x29, 0xca]),
        ("locked or whose flags nobody wants", &[0xf0, 0x09, 0x07, 0x31, 0xc0]),
        ("locked or whose flags are wanted", &[0xf0, 0x09, 0x07, 0x74, 0x20]),
        ("sum whose flags outlive the block", &[0x48, 0x01, 0xd0]),
        ("sum of local registers", &[0x4d, 0x01, 0xc8]),
        ("comparison and branch", &[0x48, 0x39, 0xd0, 0x74, 0x20]),
        ("comparison with a constant and branch back", &[0x83, 0xf8, 0x64, 0x7c, 0xfb]),
        ("test and branch", &[0x85, 0xc0, 0x75, 0x20]),
        ("comparison and conditional move", &[0x48, 0x39, 0xd0, 0x48, 0x0f, 0x4c, 0xc2]),
        ("comparison and set", &[0x39, 0xd0, 0x0f, 0x97, 0xc1]),
        ("two branches on one comparison", &[0x39, 0xd0, 0x74, 0x20, 0x7f, 0x20]),
        ("sum with carry", &[0x48, 0x01, 0xd0, 0x48, 0x11, 0xca]),
        ("increment that keeps the carry", &[0x48, 0xff, 0xc0]),
        ("clearing of a register", &[0x31, 0xc0]),
        ("shift by a constant", &[0x48, 0xc1, 0xe0, 0x03]),
        ("shift by a register", &[0x48, 0xd3, 0xe0]),
        ("sum of bytes", &[0x00, 0xd0]),
        ("sum of high bytes", &[0x00, 0xf4]),
        ("comparison of bytes and branch", &[0x3c, 0x20, 0x74, 0x20]),
        ("move of a word", &[0x66, 0x89, 0xd0]),
        ("address", &[0x48, 0x8d, 0x44, 0xca, 0x08]),
        ("load", &[0x8b, 0x44, 0x8a, 0x08]),
        ("sum into memory", &[0x01, 0x42, 0x08]),
        ("push and pop", &[0x50, 0x5a]),
        ("call", &[0xe8, 0, 1, 0, 0]),
        ("return", &[0xc3]),
        ("product", &[0x48, 0x0f, 0xaf, 0xc2]),
        ("quotient of words", &[0xf7, 0xf1]),
        ("repeated move", &[0xf3, 0xa4]),
    ];
    let snippets: Option<Vec<Snippet>> =
        table.iter().map(|(title, code)| snippet(title, code)).collect();
    match snippets {
        Some(snippets) => check(&format!("x86_64-on-{}.txt", std::env::consts::ARCH), &snippets),
        None => println!("there is no translator for this host"),
    }
}
