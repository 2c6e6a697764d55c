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

#[test]
fn every_register_has_a_name_of_its_own() {
    let mut names: Vec<&str> = Cpu::REGS.iter().map(|reg| reg.name).collect();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!((names.len(), names[0].is_empty()), (all, false));
}

#[test]
fn msrs_are_found_by_number() {
    let mut cpu = Cpu::reset(true);
    for msr in super::msr::MSRS {
        assert!(cpu.set_msr(msr.number, u64::from(msr.number)), "{}", msr.name);
    }
    for msr in super::msr::MSRS {
        assert_eq!(cpu.get(Cpu::reg(msr.name).unwrap()), u128::from(msr.number), "{}", msr.name);
    }
    assert!(!cpu.set_msr(0xc000_0080, 1), "EFER is a register of its own");
}

#[test]
fn a_reset_starts_below_4_gib() {
    let cpu = Cpu::reset(true);
    assert_eq!(cpu.segment_base(seg::CS) + cpu.rip, 0xffff_fff0);
    assert_eq!((cpu.rflags(), cpu.mp_state), (RFLAGS_FIXED, mp::RUNNING));
    assert_eq!(Cpu::reset(false).mp_state, mp::UNINITIALIZED);
}
