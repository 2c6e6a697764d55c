use super::state::*;
use crate::CpuState;

#[test]
fn nzcv_comes_back() {
    let mut cpu = Cpu::new();
    for nzcv in 0..16 {
        cpu.set_nzcv(nzcv << 28);
        assert_eq!(cpu.nzcv(), nzcv << 28);
    }
    cpu.set_nzcv(0);
    assert_eq!(cpu.flags, 0x300, "no carry is a borrow");
}

#[test]
fn the_stack_pointer_is_register_31() {
    let mut cpu = Cpu::new();
    cpu.x[31] = 7;
    assert_eq!(cpu.get(Cpu::reg("sp").unwrap()), 7);
    assert_eq!(Cpu::reg("v31").unwrap().gdb, Some(65));
}
