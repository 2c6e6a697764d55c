//! The probe's guest: EL1, without translation of its own.

use arch::aarch64::board::RAM_BASE;
use arch::aarch64::{Aarch64, Cpu};

use crate::IrqChips;
use crate::kvm::probe::{Guest, LONG, SHORT, mark};

/// Where marks are stored, in units of 64 KiB: an address without memory.
const DEVICE: u32 = 0x1000;

pub(super) fn guest() -> Guest<Aarch64> {
    Guest {
        image: vec![(0, code().iter().flat_map(|word| word.to_le_bytes()).collect())],
        gpa: RAM_BASE,
        extent: 0x1000,
        state: Cpu { pc: RAM_BASE, ..Cpu::reset() },
        tried: &["eret"],
        irqchips: IrqChips::Machine,
    }
}

fn code() -> Vec<u32> {
    // movz x0, #DEVICE, lsl #16
    let mut code = vec![0xd2a0_0000 | DEVICE << 5];
    let mut marks = mark::START..;
    let mut mark = |code: &mut Vec<u32>| {
        let mark = u32::from(marks.next().unwrap_or_default());
        // mov w1, #MARK; strb w1, [x0]
        code.extend([0x5280_0001 | mark << 5, 0x3900_0001]);
    };
    (mark::START..=mark::SHORT_START).for_each(|_| mark(&mut code));
    for rounds in [SHORT, SHORT, SHORT, LONG, LONG, LONG, LONG] {
        // movz w2, #LOW; movk w2, #HIGH, lsl #16; 1: subs w2, w2, #1; b.ne 1b
        code.extend([
            0x5280_0002 | (rounds & 0xffff) << 5,
            0x72a0_0002 | (rounds >> 16) << 5,
            0x7100_0442,
            0x54ff_ffe1,
        ]);
        mark(&mut code);
    }
    code.extend([
        0x1000_00a3, // adr x3, behind eret
        0xd518_4023, // msr elr_el1, x3
        0xd280_78a4, // mov x4, #0x3c5
        0xd518_4004, // msr spsr_el1, x4
        0xd69f_03e0, // eret
    ]);
    mark(&mut code);
    // 1: wfi; b 1b
    code.extend([0xd503_207f, 0x17ff_ffff]);
    code
}
