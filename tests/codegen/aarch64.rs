//! Snippets of aarch64: flags above all.

use arch::aarch64::Cpu;
use tcg::guest::aarch64::Aarch64;
use tcg::isa::aarch64::{Ext, Insn, Jump, decode};
use tcg::testing::{HostCode, host_code};

use crate::{Snippet, check};

const PC: u64 = 0x40_0000;

/// A jump to elsewhere in the page: a block ends with it.
const END: Insn = Insn::B(Jump { imm: 0x400 });

fn translate(words: &[u32]) -> Option<HostCode> {
    let code: Vec<u8> = words.iter().chain([&END.encode()]).flat_map(|w| w.to_le_bytes()).collect();
    let mut cpu = Cpu::new();
    cpu.pc = PC;
    host_code::<Aarch64>(cpu, PC, &code)
}

fn snippet(title: &'static str, words: &[u32]) -> Option<Snippet> {
    let insn = |&word: &u32| decode(word, Ext::ALL).expect("the snippets are instructions");
    let guest = words.iter().map(|word| insn(word).to_string()).collect();
    Some(Snippet { title, guest, host: translate(words)?, end: translate(&[])? })
}

#[test]
fn aarch64_on_this_host() {
    let table: &[(&'static str, &[u32])] = &[
        ("sum", &[0x8b02_0020]),
        ("sum with a shifted register", &[0x8b02_0c20]),
        ("sum of words", &[0x0b02_0020]),
        ("constant of two halves", &[0xd282_4680, 0xf2aa_cf00]),
        ("address of a page", &[0xb000_0000]),
        ("comparison and branch", &[0xeb01_001f, 0x5400_0080]),
        ("comparison and branch back", &[0xf100_181f, 0x54ff_ffe1]),
        ("unsigned comparison and branch", &[0xeb01_001f, 0x5400_0088]),
        ("comparison and select", &[0xeb01_001f, 0x9a81_b000]),
        ("comparison and set", &[0x6b01_001f, 0x1a9f_17e0]),
        ("branch on zero", &[0xb400_0080]),
        ("branch on a bit", &[0x3728_0080]),
        ("test and branch", &[0xf240_041f, 0x5400_0080]),
        ("sum with flags", &[0xab02_0020]),
        ("sum with carry", &[0xab02_0020, 0xba04_0063]),
        ("conditional comparison", &[0xeb01_001f, 0xfa42_1064, 0x5400_0080]),
        ("field", &[0xd344_2c20]),
        ("field to insert", &[0xb344_2c20]),
        ("sign extension", &[0x93407c20]),
        ("product and sum", &[0x9b02_0c20]),
        ("quotient", &[0x9ac2_0820]),
        ("load with an index", &[0xf862_7820]),
        ("load and move on", &[0xf840_8420]),
        ("pair of loads", &[0xa940_0440]),
        ("frame", &[0xa9be_7bfd, 0x9100_03fd]),
        ("atomic sum", &[0xf822_0020]),
        ("call", &[0x9400_0040]),
        ("return", &[0xd65f_03c0]),
        ("sum of doubles", &[0x1e62_2820]),
        ("product of singles", &[0x1e2a_0928]),
        ("fused product and sum", &[0x1f42_0c20]),
        ("square root", &[0x1e61_c128]),
        ("comparison of doubles and branch", &[0x1e61_2000, 0x5400_008c]),
        ("comparison of doubles and branch if less", &[0x1e61_2000, 0x5400_0084]),
        ("comparison with zero and branch", &[0x1e20_2008, 0x5400_0080]),
        ("select of doubles", &[0x1e62_4c20]),
        ("double to integer", &[0x1e78_0000]),
        ("double to integer, down", &[0x9e70_0000]),
        ("integer to double", &[0x1e62_0000]),
        ("constant double", &[0x1e6f_1000]),
        ("load of a vector", &[0x3dc0_0000]),
        ("store of a pair of vectors", &[0xad01_0420]),
        ("load of a single", &[0xbd40_0408]),
        ("sum of words", &[0x4ea2_8420]),
        ("search of a zero byte", &[0x4e20_9801, 0x0f0c_8421, 0x9e66_0022]),
        ("bytes at least as great", &[0x6e2a_3d28]),
        ("and of half vectors", &[0x0e22_1c20]),
        ("bits inserted", &[0x6ea2_1c20]),
        ("constant bytes", &[0x4f00_e420]),
        ("word in all lanes", &[0x4e04_0c20]),
        ("lane moved", &[0x6e0c_0420]),
        ("bytes of two vectors", &[0x6e02_1820]),
        ("table of one vector", &[0x4e02_0020]),
        ("even lanes", &[0x4e42_1820]),
        ("sum across lanes", &[0x4eb1_b820]),
        ("maxima of neighbours", &[0x6ea1_a420]),
        ("long product", &[0x0e62_c020]),
        ("lanes widened", &[0x0f10_a420]),
        ("shift of bytes", &[0x6f0c_0420]),
        ("fused product by a lane", &[0x4fa2_1020]),
        ("sums of doubles", &[0x4e62_d420]),
        ("comparisons of singles", &[0x6ea2_e420]),
        ("singles to words", &[0x4ea1_b820]),
        ("words to singles", &[0x4e21_d820]),
        ("structures of two words", &[0x4c40_8800]),
        ("saturating sums", &[0x4e62_0c20]),
        ("round of AES", &[0x4e28_4820]),
    ];
    let snippets: Option<Vec<Snippet>> =
        table.iter().map(|(title, words)| snippet(title, words)).collect();
    match snippets {
        Some(snippets) => check(&format!("aarch64-on-{}.txt", std::env::consts::ARCH), &snippets),
        None => println!("there is no translator for this host"),
    }
}
