use super::state::*;
use crate::CpuState;

#[test]
fn rflags_come_apart_and_together() {
    let mut cpu = Cpu::new();
    assert_eq!(cpu.rflags(), IF | RFLAGS_FIXED);
    for bit in [CF, PF, AF, ZF, SF, TF, DF, OF, NT, AC, ID] {
        cpu.set_rflags(bit);
        assert_eq!(cpu.rflags(), bit | RFLAGS_FIXED, "{bit:#x}");
    }
    cpu.set_rflags(CF | OF);
    assert_eq!(cpu.flags, 0x301, "as lahf and seto leave them");
}

#[test]
fn registers_have_their_names() {
    let cpu = Cpu { gpr: std::array::from_fn(|n| n as u64), ..Cpu::default() };
    assert_eq!(cpu.get(Cpu::reg("rsp").unwrap()), 4);
    assert_eq!(cpu.get(Cpu::reg("r15").unwrap()), 15);
    assert_eq!(Cpu::reg("xmm3").unwrap().bits, 128);
}
