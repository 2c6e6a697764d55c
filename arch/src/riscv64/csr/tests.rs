//! Access rules and legal values, register by register.

use super::super::fields::*;
use super::super::state::{PRV_M, PRV_S, PRV_U};
use super::super::{Ext, Exts, Hart, Model};
use super::*;

struct Env {
    exts: Exts,
    count: u64,
}

impl CsrEnv for Env {
    fn time(&self) -> u64 {
        self.count + 1
    }
    fn cycle(&self) -> u64 {
        self.count + 2
    }
    fn instret(&self) -> u64 {
        self.count
    }
    fn exts(&self) -> Exts {
        self.exts
    }
}

const ENV: Env = Env { exts: Exts::all(), count: 1000 };

fn hart(prv: u64) -> Hart {
    let mut h = Hart::new(0, &Model::default());
    h.prv = prv;
    h
}

fn num(name: &str) -> u16 {
    CSRS.iter().find(|csr| csr.name == name).unwrap_or_else(|| panic!("no {name}")).number
}

fn get(h: &Hart, name: &str) -> Result<u64, IllegalCsr> {
    read(h, num(name), &ENV)
}

fn put(h: &mut Hart, name: &str, value: u64) -> Result<CsrEffect, IllegalCsr> {
    write(h, num(name), value, &ENV)
}

/// What a register holds after all ones and after zero have been written in machine mode.
fn ones_then_zero(name: &str) -> (u64, u64) {
    let mut h = hart(PRV_M);
    put(&mut h, name, u64::MAX).unwrap();
    let ones = get(&h, name).unwrap();
    put(&mut h, name, 0).unwrap();
    (ones, get(&h, name).unwrap())
}

#[test]
fn every_number_has_the_privilege_it_says() {
    for number in 0..0x1000 {
        let exists = by_number(number).is_some();
        for prv in [PRV_U, PRV_S, PRV_M] {
            let mut h = hart(prv);
            h.mstatus |= MSTATUS_FS;
            h.mcounteren = u64::MAX;
            h.scounteren = u64::MAX;
            h.menvcfg = u64::MAX;
            let privileged = prv >= u64::from(number >> 8 & 3);
            let readable = read(&h, number, &ENV).is_ok();
            assert_eq!(readable, exists && privileged, "{number:#x} in {prv}");
            let writable = write(&mut h, number, 0, &ENV).is_ok();
            assert_eq!(writable, readable && number >> 10 != 3, "{number:#x} in {prv}");
        }
    }
}

#[test]
fn numbers_are_sorted_and_named_as_in_the_manual() {
    assert!(CSRS.is_sorted_by(|a, b| a.number < b.number));
    for (name, number) in [
        ("hpmcounter31", 0xc1f),
        ("mhpmcounter31", 0xb1f),
        ("mhpmevent31", 0x33f),
        ("pmpaddr15", 0x3bf),
        ("tdata3", 0x7a3),
        ("satp", 0x180),
    ] {
        assert_eq!(num(name), number);
        assert_eq!(by_number(number).unwrap().name, name);
    }
    assert_eq!(by_number(0x300).unwrap().spec, "[Priv §3.1]");
    for absent in [0x3a1, 0x3a4, 0x3c0, 0x747, 0x7b0, 0x200, 0x34a] {
        assert_eq!(by_number(absent), None, "{absent:#x}");
    }
}

#[test]
fn masks() {
    let fixed = MSTATUS_UXL_64 | MSTATUS_SXL_64;
    assert_eq!(ones_then_zero("mstatus"), (0x8000_000a_007e_79aa, fixed));
    assert_eq!(ones_then_zero("sstatus"), (0x8000_0002_000c_6122, MSTATUS_UXL_64));
    assert_eq!(ones_then_zero("medeleg"), (0xb3ff, 0));
    assert_eq!(ones_then_zero("mideleg"), (0x222, 0));
    assert_eq!(ones_then_zero("mie"), (0xaaa, 0));
    assert_eq!(ones_then_zero("mip"), (0x222, 0));
    assert_eq!(ones_then_zero("menvcfg"), (0xe000_0000_0000_0001, 0));
    assert_eq!(ones_then_zero("senvcfg"), (1, 0));
    assert_eq!(ones_then_zero("mcounteren"), (0xffff_ffff, 0));
    assert_eq!(ones_then_zero("mcountinhibit"), (5, 0));
    assert_eq!(ones_then_zero("mepc"), (!1, 0));
    assert_eq!(ones_then_zero("sepc"), (!1, 0));
    assert_eq!(ones_then_zero("mscratch"), (u64::MAX, 0));
    assert_eq!(ones_then_zero("pmpaddr3"), ((1 << 54) - 1, 0));
    assert_eq!(ones_then_zero("mhpmcounter3"), (0, 0));
    assert_eq!(ones_then_zero("mhpmevent3"), (0, 0));
    assert_eq!(ones_then_zero("tselect"), (0, 0));
    let misa = hart(PRV_M).misa;
    assert_eq!(ones_then_zero("misa"), (misa, misa));
}

#[test]
fn mstatus_keeps_a_legal_mpp_and_says_what_changed() {
    let mut h = hart(PRV_M);
    let mpp = |v: u64| v << MSTATUS_MPP_SHIFT;
    assert_eq!(put(&mut h, "mstatus", mpp(1)), Ok(CsrEffect::NONE));
    put(&mut h, "mstatus", mpp(2)).unwrap();
    assert_eq!(h.mstatus & MSTATUS_MPP, mpp(1));
    assert_eq!(
        put(&mut h, "mstatus", mpp(1) | MSTATUS_MPRV),
        Ok(CsrEffect::TRANSLATION | CsrEffect::MODE)
    );
    assert!(put(&mut h, "mstatus", mpp(0) | MSTATUS_MPRV).unwrap().contains(CsrEffect::MODE));
    assert_eq!(put(&mut h, "mstatus", MSTATUS_MPRV | MSTATUS_SIE), Ok(CsrEffect::INTERRUPTS));
    assert_eq!(put(&mut h, "sstatus", MSTATUS_SIE | MSTATUS_SUM), Ok(CsrEffect::TRANSLATION));
    assert_eq!(put(&mut h, "sstatus", MSTATUS_SIE | MSTATUS_SUM), Ok(CsrEffect::NONE));
    // The supervisor's view leaves the rest alone.
    assert_eq!(h.mstatus & MSTATUS_MPRV, MSTATUS_MPRV);
}

#[test]
fn floating_point_state_is_guarded_and_made_dirty() {
    let mut h = hart(PRV_U);
    for name in ["fflags", "frm", "fcsr"] {
        assert_eq!(get(&h, name), Err(IllegalCsr));
        assert_eq!(put(&mut h, name, 0), Err(IllegalCsr));
    }
    h.mstatus |= 1 << 13;
    assert_eq!(put(&mut h, "fflags", 0xff), Ok(CsrEffect::MODE));
    assert_eq!(h.mstatus & MSTATUS_FS, MSTATUS_FS);
    assert_eq!(put(&mut h, "fflags", 0x11), Ok(CsrEffect::NONE));
    assert_eq!(put(&mut h, "frm", 7), Ok(CsrEffect::MODE));
    assert_eq!(get(&h, "fcsr"), Ok(0xf1));
    put(&mut h, "fcsr", u64::MAX << 8 | 0x2a).unwrap();
    assert_eq!((h.frm, h.fflags), (1, 0xa));
    let integer_only = Env { exts: Exts::BASE, count: 0 };
    assert_eq!(read(&h, num("fcsr"), &integer_only), Err(IllegalCsr));
    h.prv = PRV_M;
    h.mstatus &= !MSTATUS_FS;
    write(&mut h, num("mstatus"), MSTATUS_FS, &integer_only).unwrap();
    assert_eq!(h.mstatus & MSTATUS_FS, 0);
}

#[test]
fn counters_need_the_bit_of_each_mode_above() {
    for (name, bit, value) in
        [("cycle", 0, 1002), ("time", 1, 1001), ("instret", 2, 1000), ("hpmcounter31", 31, 0)]
    {
        let (mut machine, mut user) = (hart(PRV_M), hart(PRV_U));
        assert_eq!(get(&machine, name), Ok(value));
        machine.prv = PRV_S;
        machine.mcounteren = !(1 << bit);
        assert_eq!(get(&machine, name), Err(IllegalCsr));
        machine.mcounteren = 1 << bit;
        assert_eq!(get(&machine, name), Ok(value));
        user.mcounteren = u64::MAX;
        user.scounteren = !(1 << bit);
        assert_eq!(get(&user, name), Err(IllegalCsr));
        user.scounteren = 1 << bit;
        assert_eq!(get(&user, name), Ok(value));
        user.mcounteren = 0;
        assert_eq!(get(&user, name), Err(IllegalCsr));
    }
}

#[test]
fn counters_can_be_set_and_stopped() {
    let mut h = hart(PRV_M);
    let later = |count| Env { exts: Exts::all(), count };
    put(&mut h, "mcycle", 7).unwrap();
    put(&mut h, "minstret", 7).unwrap();
    assert_eq!(read(&h, num("mcycle"), &later(1010)), Ok(17));
    // The write took the place of its own increment.
    assert_eq!(read(&h, num("minstret"), &later(1001)), Ok(7));
    write(&mut h, num("mcountinhibit"), 1, &later(1010)).unwrap();
    assert_eq!(read(&h, num("cycle"), &later(2000)), Ok(17));
    assert_eq!(read(&h, num("instret"), &later(2000)), Ok(1006));
    write(&mut h, num("mcycle"), 3, &later(2000)).unwrap();
    assert_eq!(read(&h, num("cycle"), &later(2500)), Ok(3));
    write(&mut h, num("mcountinhibit"), 4, &later(3000)).unwrap();
    assert_eq!(read(&h, num("cycle"), &later(3001)), Ok(4));
    assert_eq!(read(&h, num("instret"), &later(4000)), Ok(2006));
}

#[test]
fn supervisor_interrupt_registers_show_what_is_delegated() {
    let mut h = hart(PRV_M);
    assert_eq!(put(&mut h, "mideleg", IRQ_SSI | IRQ_STI), Ok(CsrEffect::INTERRUPTS));
    h.mie = IRQ_MTI;
    h.mip = IRQ_MTI | IRQ_STI | IRQ_SEI;
    h.prv = PRV_S;
    assert_eq!(get(&h, "sip"), Ok(IRQ_STI));
    assert_eq!(put(&mut h, "sie", u64::MAX), Ok(CsrEffect::INTERRUPTS));
    assert_eq!(get(&h, "sie"), Ok(IRQ_SSI | IRQ_STI));
    assert_eq!(h.mie, IRQ_MTI | IRQ_SSI | IRQ_STI);
    assert_eq!(put(&mut h, "sip", IRQ_SSI), Ok(CsrEffect::INTERRUPTS));
    assert_eq!(h.mip, IRQ_MTI | IRQ_STI | IRQ_SEI | IRQ_SSI);
    put(&mut h, "sip", 0).unwrap();
    assert_eq!(h.mip, IRQ_MTI | IRQ_STI | IRQ_SEI);
    h.mideleg = 0;
    assert_eq!(put(&mut h, "sip", IRQ_SSI), Ok(CsrEffect::NONE));
}

#[test]
fn a_line_is_seen_in_mip_but_not_written_back() {
    let mut h = hart(PRV_M);
    h.set_irq_lines(IRQ_SEI | IRQ_MTI);
    let mip = num("mip");
    let (old, effect) = modify(&mut h, mip, Modify::Set, IRQ_SSI, &ENV).unwrap();
    assert_eq!((old, effect), (IRQ_SEI | IRQ_MTI, CsrEffect::INTERRUPTS));
    assert_eq!(h.mip, IRQ_SEI | IRQ_MTI | IRQ_SSI);
    h.set_irq_lines(0);
    assert_eq!(h.mip, IRQ_SSI);
    modify(&mut h, mip, Modify::Set, IRQ_SEI, &ENV).unwrap();
    h.set_irq_lines(IRQ_SEI);
    let (_, effect) = modify(&mut h, mip, Modify::Clear, IRQ_SEI, &ENV).unwrap();
    assert!(effect.is_none() && h.mip & IRQ_SEI != 0, "the line still holds it");
    h.set_irq_lines(0);
    assert_eq!(h.mip, IRQ_SSI);
}

#[test]
fn the_supervisor_timer_is_gated_by_machine_mode() {
    let mut h = hart(PRV_S);
    assert_eq!(put(&mut h, "stimecmp", 5), Err(IllegalCsr));
    h.mcounteren = COUNTER_TM;
    assert_eq!(get(&h, "stimecmp"), Err(IllegalCsr));
    h.prv = PRV_M;
    let effect = put(&mut h, "menvcfg", ENVCFG_STCE).unwrap();
    assert_eq!(effect, CsrEffect::TIMER | CsrEffect::INTERRUPTS);
    h.prv = PRV_S;
    assert_eq!(put(&mut h, "stimecmp", 5), Ok(CsrEffect::TIMER));
    assert_eq!(get(&h, "stimecmp"), Ok(5));
    h.mcounteren = 0;
    assert_eq!(get(&h, "stimecmp"), Err(IllegalCsr));
    // STIP is the comparator's now.
    h.prv = PRV_M;
    put(&mut h, "mip", IRQ_STI).unwrap();
    assert_eq!(h.mip, 0);
    let without = Env { exts: Exts::all().without(Ext::Sstc), count: 0 };
    assert_eq!(read(&h, num("stimecmp"), &without), Err(IllegalCsr));
    write(&mut h, num("menvcfg"), u64::MAX, &without).unwrap();
    assert_eq!(h.menvcfg, ENVCFG_FIOM | ENVCFG_ADUE | ENVCFG_PBMTE);
}

#[test]
fn satp_takes_known_modes_only() {
    let mut h = hart(PRV_S);
    for mode in [SATP_SV39, SATP_SV48, SATP_SV57, SATP_BARE] {
        let value = mode << SATP_MODE_SHIFT | SATP_ASID | 0x80000;
        assert_eq!(put(&mut h, "satp", value), Ok(CsrEffect::TRANSLATION));
        assert_eq!(get(&h, "satp"), Ok(value));
        assert_eq!(put(&mut h, "satp", value), Ok(CsrEffect::NONE));
        for bad in (1..8).chain(11..16) {
            assert_eq!(put(&mut h, "satp", bad << SATP_MODE_SHIFT | 1), Ok(CsrEffect::NONE));
            assert_eq!(h.satp, value);
        }
    }
    h.mstatus |= MSTATUS_TVM;
    assert_eq!(get(&h, "satp"), Err(IllegalCsr));
    assert_eq!(put(&mut h, "satp", 0), Err(IllegalCsr));
    h.prv = PRV_M;
    assert_eq!(put(&mut h, "satp", 0), Ok(CsrEffect::TRANSLATION));
}

#[test]
fn trap_vectors_have_two_modes() {
    let mut h = hart(PRV_M);
    for name in ["mtvec", "stvec"] {
        put(&mut h, name, 0x1001).unwrap();
        assert_eq!(get(&h, name), Ok(0x1001));
        put(&mut h, name, 0x2002).unwrap();
        assert_eq!(get(&h, name), Ok(0x2001));
        put(&mut h, name, 0x3000).unwrap();
        assert_eq!(get(&h, name), Ok(0x3000));
    }
}

#[test]
fn pmp_locks_hold() {
    let mut h = hart(PRV_M);
    let tor = u64::from(PMP_L | PMP_A_TOR | PMP_R);
    // Entry 1 is a locked top of range: it and the address of entry 0 are fixed.
    assert_eq!(put(&mut h, "pmpcfg0", tor << 8), Ok(CsrEffect::TRANSLATION));
    assert_eq!(put(&mut h, "pmpaddr0", 1), Ok(CsrEffect::NONE));
    assert_eq!(put(&mut h, "pmpaddr1", 1), Ok(CsrEffect::NONE));
    assert_eq!(put(&mut h, "pmpaddr2", 1), Ok(CsrEffect::TRANSLATION));
    assert_eq!((h.pmpaddr[0], h.pmpaddr[1], h.pmpaddr[2]), (0, 0, 1));
    put(&mut h, "pmpcfg0", 0x6202).unwrap();
    assert_eq!(h.pmpcfg[0], tor << 8, "W without R is reserved, the lock stays");
    put(&mut h, "pmpcfg2", 0xff << 56).unwrap();
    assert_eq!(h.pmp_entry(15), 0x9f);
    assert_eq!(put(&mut h, "pmpaddr15", 1), Ok(CsrEffect::NONE));
}

#[test]
fn instructions_read_the_old_value_and_write_the_new() {
    let mut h = hart(PRV_S);
    let scratch = num("sscratch");
    assert_eq!(modify(&mut h, scratch, Modify::Swap, 0xf0, &ENV), Ok((0, CsrEffect::NONE)));
    assert_eq!(modify(&mut h, scratch, Modify::Set, 0x0f, &ENV), Ok((0xf0, CsrEffect::NONE)));
    assert_eq!(modify(&mut h, scratch, Modify::Clear, 0x3c, &ENV), Ok((0xff, CsrEffect::NONE)));
    assert_eq!(h.sscratch, 0xc3);
    h.mcounteren = COUNTER_TM;
    assert_eq!(modify(&mut h, num("time"), Modify::Set, 0, &ENV), Err(IllegalCsr));
}

#[test]
fn any_write_leaves_legal_state() {
    let mut seed = 1u64;
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let mut h = hart(PRV_M);
    for _ in 0..200_000 {
        let csr = &CSRS[next() as usize % CSRS.len()];
        let before = h.clone();
        let outcome = write(&mut h, csr.number, next(), &ENV);
        if outcome.is_err() {
            assert_eq!(h, before, "{}", csr.name);
        }
        assert_ne!(h.mstatus & MSTATUS_MPP, 2 << MSTATUS_MPP_SHIFT);
        assert_eq!(h.mstatus & !MSTATUS_WRITE, MSTATUS_UXL_64 | MSTATUS_SXL_64);
        assert!(matches!(h.satp >> SATP_MODE_SHIFT, 0 | 8 | 9 | 10));
        assert_eq!(h.mip & !0x222, 0);
        assert_eq!((h.x[0], h.prv, h.pc), (0, PRV_M, 0));
    }
}
