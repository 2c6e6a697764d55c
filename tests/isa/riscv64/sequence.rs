//! A sequence of instructions whose jumps stay inside, however much is taken out of it.

use std::fmt::Write;

use tcg::isa::riscv64::{self as isa, Ext, I, Insn, J, S, U};

use crate::state::{CODE, CODE_BYTES};

/// A piece that is kept or removed as a whole.
#[derive(Clone, Debug)]
pub(crate) struct Atom {
    /// Its place in the sequence as it was made. Jumps name where they go by this: to the atom of
    /// that number, or the first behind it that is left.
    pub(crate) id: usize,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// Instructions one after another. Those of `setup` are needed by all of `body`.
    Straight { setup: Vec<u32>, body: Vec<u32> },
    /// A jump or a branch forward.
    Forward { word: u32, to: usize },
    /// `auipc via, 0`, and `jalr link, ..(via)`, or a compressed jump without offset.
    Indirect { via: u8, jump: Indirect, to: usize },
    /// Sets the counter of a loop.
    Count { reg: u8, times: u8 },
    /// Counts down, and goes back to behind the `Count` of that number.
    Back { reg: u8, head: usize },
    /// Replaces the n-th word of a straight atom's body, of four bytes, by another; `fence.i`.
    Patch { address: u8, value: u8, to: usize, n: usize, word: u32 },
}

/// Forms of indirect jumps.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Indirect {
    /// `jalr` with this link register.
    Jalr(u8),
    /// `c.jr`.
    CJr,
    /// `c.jalr`.
    CJalr,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sequence {
    pub(crate) atoms: Vec<Atom>,
}

/// Ends every sequence.
const EBREAK: u32 = 0x0010_0073;

/// Bytes of an instruction.
pub(crate) fn length(word: u32) -> usize {
    isa::length(word as u16).into()
}

/// The instruction of a word of user programs.
pub(crate) fn decode(word: u32) -> Option<Insn> {
    match length(word) {
        2 => isa::decode16(word as u16, Ext::ALL),
        _ => isa::decode(word, Ext::ALL),
    }
}

fn addi(rd: u8, rs1: u8, imm: i32) -> u32 {
    Insn::Addi(I { rd, rs1, imm }).encode()
}

/// The two instructions that load a number of 32 bits, sign-extended.
pub(crate) fn load_number(rd: u8, value: u32) -> [u32; 2] {
    let value = value as i32;
    let low = value << 20 >> 20;
    let high = value.wrapping_sub(low);
    [Insn::Lui(U { rd, imm: high }).encode(), Insn::Addiw(I { rd, rs1: rd, imm: low }).encode()]
}

/// The jump or branch with another distance, if it reaches that far.
pub(crate) fn redirected(word: u32, distance: i32) -> Option<u32> {
    let reach = match decode(word)? {
        Insn::CBeqz(_) | Insn::CBnez(_) => 254,
        Insn::CJ(_) => 2046,
        Insn::Jal(_) => 1 << 19,
        _ => 4094,
    };
    let insn = match decode(word)? {
        Insn::Beq(a) => Insn::Beq(isa::Br { imm: distance, ..a }),
        Insn::Bne(a) => Insn::Bne(isa::Br { imm: distance, ..a }),
        Insn::Blt(a) => Insn::Blt(isa::Br { imm: distance, ..a }),
        Insn::Bge(a) => Insn::Bge(isa::Br { imm: distance, ..a }),
        Insn::Bltu(a) => Insn::Bltu(isa::Br { imm: distance, ..a }),
        Insn::Bgeu(a) => Insn::Bgeu(isa::Br { imm: distance, ..a }),
        Insn::CBeqz(a) => Insn::CBeqz(isa::Br { imm: distance, ..a }),
        Insn::CBnez(a) => Insn::CBnez(isa::Br { imm: distance, ..a }),
        Insn::Jal(a) => Insn::Jal(J { imm: distance, ..a }),
        Insn::CJ(a) => Insn::CJ(J { imm: distance, ..a }),
        _ => return None,
    };
    (distance.abs() <= reach).then(|| insn.encode())
}

impl Kind {
    fn bytes(&self) -> usize {
        match self {
            Kind::Straight { setup, body } => setup.iter().chain(body).map(|&w| length(w)).sum(),
            Kind::Forward { word, .. } => length(*word),
            Kind::Indirect { jump: Indirect::Jalr(_), .. } => 8,
            Kind::Indirect { .. } => 10,
            Kind::Count { .. } => 4,
            Kind::Back { .. } => 8,
            Kind::Patch { .. } => 24,
        }
    }
}

impl Sequence {
    /// The words in order, `ebreak` last.
    pub(crate) fn words(&self) -> Vec<u32> {
        let mut words = Vec::new();
        let mut at = 0;
        for atom in &self.atoms {
            self.assemble(atom, at, &mut words);
            at += atom.kind.bytes();
        }
        words.push(EBREAK);
        words
    }

    /// The code as bytes.
    pub(crate) fn code(&self) -> Vec<u8> {
        let words = self.words();
        let code: Vec<u8> =
            words.iter().flat_map(|&w| w.to_le_bytes().into_iter().take(length(w))).collect();
        assert!(code.len() <= CODE_BYTES);
        code
    }

    /// Where the first atom of at least that number begins.
    fn offset(&self, id: usize) -> usize {
        self.atoms.iter().take_while(|a| a.id < id).map(|a| a.kind.bytes()).sum()
    }

    fn find(&self, id: usize) -> Option<&Kind> {
        self.atoms.iter().find(|a| a.id == id).map(|a| &a.kind)
    }

    fn assemble(&self, atom: &Atom, at: usize, words: &mut Vec<u32>) {
        let distance = |to: usize| (self.offset(to).max(at) - at) as i32;
        match atom.kind {
            Kind::Straight { ref setup, ref body } => words.extend(setup.iter().chain(body)),
            Kind::Forward { word, to } => {
                let next = length(word) as i32;
                // What is out of reach becomes a jump to the next instruction.
                let near = redirected(word, distance(to).max(next))
                    .or_else(|| redirected(word, next))
                    .expect("only jumps go forward");
                words.push(near);
            }
            Kind::Indirect { via, jump, to } => {
                words.push(Insn::Auipc(U { rd: via, imm: 0 }).encode());
                let distance = distance(to).max(atom.kind.bytes() as i32);
                let distance = if distance < 2048 { distance } else { atom.kind.bytes() as i32 };
                if let Indirect::Jalr(rd) = jump {
                    words.push(Insn::Jalr(I { rd, rs1: via, imm: distance }).encode());
                    return;
                }
                words.push(addi(via, via, distance));
                words.push(match jump {
                    Indirect::CJr => Insn::CJr(I { rd: 0, rs1: via, imm: 0 }).encode(),
                    _ => Insn::CJalr(I { rd: 1, rs1: via, imm: 0 }).encode(),
                });
            }
            Kind::Count { reg, times } => words.push(addi(reg, 0, times.into())),
            Kind::Back { reg, head } => {
                words.push(addi(reg, reg, -1));
                // A loop without a counter would not end.
                let counted = self.find(head).is_some();
                let behind = self.offset(head + 1) as i32 - (at as i32 + 4);
                let imm = if counted { behind } else { 4 };
                words.push(Insn::Bne(isa::Br { rs1: reg, rs2: 0, imm }).encode());
            }
            Kind::Patch { address, value, to, n, word } => {
                let target = match self.find(to) {
                    Some(Kind::Straight { setup, body }) if body.get(n).is_some() => {
                        let before = setup.iter().chain(&body[..n]).map(|&w| length(w));
                        CODE + (self.offset(to) + before.sum::<usize>()) as u64
                    }
                    // Its place is gone: behind the sequence, where nothing is.
                    _ => CODE + CODE_BYTES as u64 - 8,
                };
                words.extend(load_number(address, target as u32));
                words.extend(load_number(value, word));
                words.push(Insn::Sw(S { rs1: address, rs2: value, imm: 0 }).encode());
                words.push(Insn::FenceI.encode());
            }
        }
    }

    /// The disassembly.
    pub(crate) fn listing(&self) -> String {
        let mut out = String::new();
        let mut at = CODE;
        for word in self.words() {
            let text = decode(word).map_or_else(|| "?".to_owned(), |insn| insn.to_string());
            let digits = 2 * length(word);
            let _ = writeln!(out, "  {at:#x}: {word:0digits$x}{:1$}{text}", "", 10 - digits);
            at += length(word) as u64;
        }
        out
    }
}
