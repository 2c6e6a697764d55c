//! Numbers that a loop finds in the registers which it overwrites.

use tcg::Mode;
use tcg::isa::riscv64::{Br, FArith2, FLoad, I, Insn};

use crate::bare::{Bare, World};
use crate::state::{DATA, Start};

const A0: u8 = 10;
const A1: u8 = 11;
const FA4: u8 = 14;
const FA5: u8 = 15;
const DYNAMIC: u8 = 7;

fn arithmetic(rd: u8, rs1: u8, rs2: u8) -> FArith2 {
    FArith2 { rd, rs1, rs2, rm: DYNAMIC }
}

/// A loop may leave any NaN in a register that its next run overwrites. What was there before the
/// first run is neither changed nor looked at, whatever it is.
#[test]
fn what_a_loop_overwrites_raises_no_flag() {
    let code: Vec<u8> = [
        Insn::Fld(FLoad { rd: FA5, rs1: A0, imm: 0 }),
        Insn::FmulD(arithmetic(FA5, FA5, FA4)),
        Insn::FaddD(arithmetic(FA4, FA4, FA5)),
        Insn::Addi(I { rd: A1, rs1: A1, imm: -1 }),
        Insn::Bne(Br { rs1: A1, rs2: 0, imm: -16 }),
        Insn::Ebreak,
    ]
    .iter()
    .flat_map(|insn| insn.encode().to_le_bytes())
    .collect();
    let signaling = 0x7ff0_0000_0000_0001;
    let quiet = 0xfff8_0000_0000_1234;
    for (before, address) in [signaling, quiet, 0].into_iter().flat_map(|f| [(f, DATA), (f, 8)]) {
        let mut start = Start::zero();
        start.x[usize::from(A0)] = address;
        start.x[usize::from(A1)] = 3;
        start.f[usize::from(FA4)] = 1f64.to_bits();
        start.f[usize::from(FA5)] = before;
        start.data[..8].copy_from_slice(&1f64.to_le_bytes());
        for mode in [Mode::Interpreter, Mode::Eval, Mode::Jit { threshold: 0 }] {
            let end = Bare::new(mode, World::User { code_writable: false }).run(&start, &code);
            assert_eq!(end.fflags, 0, "{mode:?}: {before:#x} from {address:#x}");
            let (sum, product) =
                if address == DATA { (8.0, 4f64.to_bits()) } else { (1.0, before) };
            assert_eq!(end.f[usize::from(FA4)], f64::to_bits(sum), "{mode:?}: {before:#x}");
            assert_eq!(end.f[usize::from(FA5)], product, "{mode:?}: {before:#x}");
        }
    }
}
