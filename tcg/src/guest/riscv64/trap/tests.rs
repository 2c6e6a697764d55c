use super::*;
use arch::riscv64::Model;

fn hart(prv: u64) -> Hart {
    let mut h = Hart::new(0, &Model::default());
    h.prv = prv;
    h.pc = 0x8000_1000;
    h.mtvec = 0x8000_0000;
    h.stvec = 0x9000_0001;
    h
}

fn page_fault() -> Exception {
    Exception { cause: CAUSE_LOAD_PAGE, tval: 0x1234 }
}

#[test]
fn exceptions_go_to_machine_mode_unless_delegated() {
    let mut h = hart(PRV_U);
    h.mstatus |= MSTATUS_MIE | MSTATUS_SIE;
    enter(&mut h, page_fault());
    assert_eq!((h.prv, h.pc), (PRV_M, 0x8000_0000));
    assert_eq!((h.mcause, h.mepc, h.mtval), (CAUSE_LOAD_PAGE, 0x8000_1000, 0x1234));
    assert_eq!(h.mstatus & MSTATUS_MPP, 0);
    assert_eq!(h.mstatus & (MSTATUS_MIE | MSTATUS_MPIE | MSTATUS_SIE), MSTATUS_MPIE | MSTATUS_SIE);
    assert_eq!(h.scause, 0);

    let mut h = hart(PRV_U);
    h.medeleg = 1 << CAUSE_LOAD_PAGE;
    h.mstatus |= MSTATUS_SIE;
    enter(&mut h, page_fault());
    // The vectored mode is for interrupts only.
    assert_eq!((h.prv, h.pc), (PRV_S, 0x9000_0000));
    assert_eq!((h.scause, h.sepc, h.stval), (CAUSE_LOAD_PAGE, 0x8000_1000, 0x1234));
    assert_eq!(h.mstatus & (MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP), MSTATUS_SPIE);

    let mut h = hart(PRV_M);
    h.medeleg = u64::MAX;
    enter(&mut h, page_fault());
    assert_eq!((h.prv, h.scause), (PRV_M, 0), "a trap never lowers the mode");
    assert_eq!(h.mstatus & MSTATUS_MPP, MSTATUS_MPP);
}

#[test]
fn interrupts_are_vectored() {
    let mut h = hart(PRV_S);
    h.mideleg = IRQ_SEI;
    enter(&mut h, Exception { cause: CAUSE_INTERRUPT | 9, tval: 0 });
    assert_eq!((h.prv, h.pc, h.scause), (PRV_S, 0x9000_0024, 1 << 63 | 9));
    assert_eq!(h.mstatus & MSTATUS_SPP, MSTATUS_SPP);
    h.mtvec |= 1;
    enter(&mut h, Exception { cause: CAUSE_INTERRUPT | 7, tval: 0 });
    assert_eq!((h.prv, h.pc, h.mepc), (PRV_M, 0x8000_001c, 0x9000_0024));
}

#[test]
fn nested_traps_unwind() {
    let mut h = hart(PRV_U);
    h.medeleg = 1 << CAUSE_ECALL_U;
    h.mstatus |= MSTATUS_SIE | MSTATUS_MIE;
    let user = (h.prv, h.pc, h.mstatus & (MSTATUS_SIE | MSTATUS_MIE));
    let call = ecall(&h);
    enter(&mut h, call);
    let supervisor = (h.prv, h.pc);
    h.resv_addr = 0x8000;
    enter(&mut h, Exception { cause: CAUSE_ILLEGAL, tval: 0 });
    assert_eq!(h.resv_addr, NO_RESERVATION);
    assert_eq!(h.mcause, CAUSE_ILLEGAL);
    mret(&mut h).unwrap();
    assert_eq!((h.prv, h.pc), supervisor);
    sret(&mut h).unwrap();
    assert_eq!((h.prv, h.pc, h.mstatus & (MSTATUS_SIE | MSTATUS_MIE)), user);
    assert_eq!(h.mstatus & (MSTATUS_MPP | MSTATUS_SPP), 0);
    assert_eq!(h.mstatus & (MSTATUS_MPIE | MSTATUS_SPIE), MSTATUS_MPIE | MSTATUS_SPIE);
}

#[test]
fn calls_are_told_apart_by_mode() {
    for (prv, cause) in [(PRV_U, CAUSE_ECALL_U), (PRV_S, CAUSE_ECALL_S), (PRV_M, CAUSE_ECALL_M)] {
        assert_eq!(ecall(&hart(prv)), Exception { cause, tval: 0 });
    }
}

#[test]
fn priority_and_enables() {
    let all = IRQ_MEI | IRQ_MSI | IRQ_MTI | IRQ_SEI | IRQ_SSI | IRQ_STI;
    let mut h = hart(PRV_U);
    h.mie = all;
    h.mip = all;
    let mut order = Vec::new();
    while let Some(cause) = pending_interrupt(&h) {
        order.push(cause & 63);
        h.mip &= !(1 << (cause & 63));
    }
    assert_eq!(order, [11, 3, 7, 9, 1, 5]);

    // Delegated ones are the supervisor's, and come after all of machine mode's.
    h.mip = IRQ_SEI | IRQ_STI;
    h.mideleg = IRQ_SEI;
    assert_eq!(pending_interrupt(&h), Some(CAUSE_INTERRUPT | 5));
    h.mip = IRQ_SEI;
    assert_eq!(pending_interrupt(&h), Some(CAUSE_INTERRUPT | 9));
    h.prv = PRV_S;
    assert_eq!(pending_interrupt(&h), None, "SIE is clear");
    h.mstatus |= MSTATUS_SIE;
    assert_eq!(pending_interrupt(&h), Some(CAUSE_INTERRUPT | 9));
    h.prv = PRV_M;
    h.mstatus |= MSTATUS_MIE;
    assert_eq!(pending_interrupt(&h), None, "delegated interrupts do not reach machine mode");
    h.mip = IRQ_MTI;
    assert_eq!(pending_interrupt(&h), Some(CAUSE_INTERRUPT | 7));
    h.mstatus &= !MSTATUS_MIE;
    assert_eq!(pending_interrupt(&h), None);
    assert!(wakes(&h), "but it ends a wait");
    h.prv = PRV_S;
    assert_eq!(pending_interrupt(&h), Some(CAUSE_INTERRUPT | 7));
    h.mie = 0;
    assert_eq!(pending_interrupt(&h), None);
    assert!(!wakes(&h));
}

#[test]
fn returns_clear_mprv_unless_they_stay_in_machine_mode() {
    for (mpp, kept) in [(PRV_U, false), (PRV_S, false), (PRV_M, true)] {
        let mut h = hart(PRV_M);
        h.mstatus |= MSTATUS_MPRV | mpp << MSTATUS_MPP_SHIFT;
        h.mepc = 0x8000_0203;
        mret(&mut h).unwrap();
        assert_eq!((h.prv, h.pc), (mpp, 0x8000_0202));
        assert_eq!(h.mstatus & MSTATUS_MPRV != 0, kept);
    }
    let mut h = hart(PRV_M);
    h.mstatus |= MSTATUS_MPRV | MSTATUS_SPP;
    sret(&mut h).unwrap();
    assert_eq!((h.prv, h.mstatus & (MSTATUS_MPRV | MSTATUS_SPP)), (PRV_S, 0));
    let mut h = hart(PRV_M);
    h.misa &= !(1 << 2);
    h.mepc = 0x8000_0203;
    mret(&mut h).unwrap();
    assert_eq!(h.pc, 0x8000_0200);
}

#[test]
fn privileged_instructions_by_mode_and_trap_bit() {
    type Check = fn(&mut Hart) -> Result<(), Illegal>;
    // Each with the bit that takes it from the supervisor.
    let cases: [(Check, u64, [bool; 3]); 5] = [
        (mret, 0, [false, false, true]),
        (sret, MSTATUS_TSR, [false, true, true]),
        (|h| wfi(h), MSTATUS_TW, [false, true, true]),
        (|h| fence_vma(h), MSTATUS_TVM, [false, true, true]),
        (|h| fence_inval(h), 0, [false, true, true]),
    ];
    for (at, (check, bit, allowed)) in cases.into_iter().enumerate() {
        for (prv, allowed) in [PRV_U, PRV_S, PRV_M].into_iter().zip(allowed) {
            assert_eq!(check(&mut hart(prv)).is_ok(), allowed, "{at} in {prv}");
            let mut h = hart(prv);
            h.mstatus |= bit;
            let before = h.clone();
            let trapped = prv == PRV_S && bit != 0;
            assert_eq!(check(&mut h).is_ok(), allowed && !trapped, "{at} in {prv}, trapped");
            assert!(allowed && !trapped || h == before);
        }
    }
}
