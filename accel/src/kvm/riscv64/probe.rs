//! The probe's guest: supervisor mode, without translation of its own.

use arch::riscv64::board::RAM_BASE;
use arch::riscv64::state::PRV_S;
use arch::riscv64::{Hart, Model, Riscv64};

use crate::IrqChips;
use crate::kvm::probe::{Guest, LONG, SHORT, mark};

/// Where marks are stored, in the upper 20 bits of an address without memory.
const DEVICE: u32 = 0x1_0000;

pub(super) fn guest() -> Guest<Riscv64> {
    let mut state = Hart::new(0, &Model::default());
    (state.prv, state.pc) = (PRV_S, RAM_BASE);
    Guest {
        image: vec![(0, code().iter().flat_map(|word| word.to_le_bytes()).collect())],
        gpa: RAM_BASE,
        extent: 0x1000,
        state,
        tried: &["sret"],
        irqchips: IrqChips::Machine,
    }
}

fn code() -> Vec<u32> {
    let mut code = vec![
        // lui t0, DEVICE
        DEVICE << 12 | 0x2b7,
    ];
    let mut marks = mark::START..;
    let mut mark = |code: &mut Vec<u32>| {
        let mark = u32::from(marks.next().unwrap_or_default());
        // li t1, MARK; sb t1, 0(t0)
        code.extend([mark << 20 | 0x313, 0x0062_8023]);
    };
    (mark::START..=mark::SHORT_START).for_each(|_| mark(&mut code));
    for rounds in [SHORT, SHORT, SHORT, LONG, LONG, LONG, LONG] {
        // lui t2, HIGH; addi t2, t2, LOW; 1: addi t2, t2, -1; bnez t2, 1b
        let high = rounds.wrapping_add(0x800) & !0xfff;
        code.extend([high | 0x3b7, (rounds & 0xfff) << 20 | 0x3_8393, 0xfff3_8393, 0xfe03_9ee3]);
        mark(&mut code);
    }
    code.extend([
        0x0000_0317, // auipc t1, 0
        0x0183_0313, // addi t1, t1, 24: behind sret
        0x1413_1073, // csrw sepc, t1
        0x1000_0393, // li t2, 256: SPP
        0x1003_a073, // csrs sstatus, t2
        0x1020_0073, // sret
    ]);
    mark(&mut code);
    // 1: wfi; j 1b
    code.extend([0x1050_0073, 0xffdf_f06f]);
    code
}
