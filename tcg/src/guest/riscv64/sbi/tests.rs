use super::*;
use arch::riscv64::Model;

/// Records what it is asked for; four harts, of which the last is stopped; memory is everything
/// from 0x8000_0000.
#[derive(Default)]
struct Machine {
    log: Vec<String>,
    input: Option<u8>,
}

const RAM: u64 = 0x8000_0000;

impl SbiHost for Machine {
    fn hart_count(&self) -> u64 {
        4
    }
    fn set_timer(&mut self, hart: u64, deadline: u64) {
        self.log.push(format!("timer {hart} {deadline}"));
    }
    fn send_ipi(&mut self, harts: Harts) {
        let named: Vec<u64> = (0..4).filter(|hart| harts.contains(*hart)).collect();
        self.log.push(format!("ipi {named:?}"));
    }
    fn remote_fence(&mut self, fence: RemoteFence, harts: Harts) {
        self.log.push(format!("{fence:?} {}", (0..4).filter(|n| harts.contains(*n)).count()));
    }
    fn hart_start(&mut self, hart: u64, pc: u64, opaque: u64) -> Result<(), SbiError> {
        if pc < RAM {
            return Err(SbiError::InvalidAddress);
        }
        if hart != 3 {
            return Err(SbiError::AlreadyAvailable);
        }
        self.log.push(format!("start {hart} {pc:#x} {opaque}"));
        Ok(())
    }
    fn hart_status(&self, hart: u64) -> HartStatus {
        if hart == 3 { HartStatus::Stopped } else { HartStatus::Started }
    }
    fn console_write(&mut self, gpa: u64, len: u64) -> Option<u64> {
        (gpa >= RAM).then_some(len)
    }
    fn console_read(&mut self, gpa: u64, len: u64) -> Option<u64> {
        (gpa >= RAM).then(|| len.min(1))
    }
    fn console_write_byte(&mut self, byte: u8) {
        self.log.push(format!("byte {byte}"));
    }
    fn console_read_byte(&mut self) -> Option<u8> {
        self.input.take()
    }
}

fn hart() -> Hart {
    let mut h = Hart::new(1, &Model::default());
    h.prv = PRV_S;
    h.pc = 0x8020_0000;
    h
}

/// One call on a fresh hart: a0, a1, the outcome, and what the machine was asked for.
fn call(eid: u64, fid: u64, args: &[u64]) -> (i64, u64, Outcome, Vec<String>) {
    let (mut h, mut machine) = (hart(), Machine::default());
    h.x[17] = eid;
    h.x[16] = fid;
    h.x[10..10 + args.len()].copy_from_slice(args);
    let before = h.clone();
    let outcome = ecall(&mut h, &mut machine);
    assert_eq!(h.pc, 0x8020_0004);
    // Only the results change, and what the timer is made of.
    let (a0, a1) = (h.x[10], h.x[11]);
    h.x[10..12].copy_from_slice(&before.x[10..12]);
    h.pc = before.pc;
    h.stimecmp = before.stimecmp;
    assert_eq!(h, before);
    (a0 as i64, a1, outcome, machine.log)
}

fn ok(eid: u64, fid: u64, args: &[u64]) -> (u64, Vec<String>) {
    let (error, value, outcome, log) = call(eid, fid, args);
    assert_eq!((error, outcome), (0, Outcome::Return), "{eid:#x} {fid} {args:x?}");
    (value, log)
}

fn error(eid: u64, fid: u64, args: &[u64]) -> i64 {
    let (error, value, outcome, log) = call(eid, fid, args);
    assert_eq!((value, outcome), (0, Outcome::Return));
    assert!(log.is_empty(), "{log:?}");
    error
}

#[test]
fn base_describes_the_implementation() {
    assert_eq!(ok(EXT_BASE, 0, &[]).0, 0x0200_0000);
    assert_eq!(ok(EXT_BASE, 2, &[]).0, 1);
    for fid in 4..7 {
        assert_eq!(ok(EXT_BASE, fid, &[]).0, 0);
    }
    assert_eq!(error(EXT_BASE, 7, &[]), -2);
    for eid in [EXT_BASE, EXT_TIME, EXT_IPI, EXT_RFENCE, EXT_HSM, EXT_SRST, EXT_DBCN] {
        assert_eq!(ok(EXT_BASE, 3, &[eid]).0, 1);
    }
    for eid in [3, 0x0050_4d55, 0x4353_5553, u64::MAX] {
        assert_eq!(ok(EXT_BASE, 3, &[eid]).0, 0);
        assert_eq!(error(eid, 0, &[]), -2);
    }
}

#[test]
fn the_timer_is_armed_and_no_longer_pending() {
    assert_eq!(ok(EXT_TIME, 0, &[77]).1, ["timer 1 77"]);
    assert_eq!(ok(EXT_LEGACY_SET_TIMER, 0, &[78]).1, ["timer 1 78"]);
    assert_eq!(error(EXT_TIME, 1, &[77]), -2);
    let (mut h, mut machine) = (hart(), Machine::default());
    h.set_irq_lines(IRQ_STI | IRQ_SEI);
    h.x[17] = EXT_TIME;
    h.x[10] = 99;
    ecall(&mut h, &mut machine);
    assert_eq!((h.stimecmp, h.mip), (99, IRQ_SEI));
}

#[test]
fn harts_are_named_by_mask_and_base() {
    assert_eq!(ok(EXT_IPI, 0, &[0b101, 0]).1, ["ipi [0, 2]"]);
    assert_eq!(ok(EXT_IPI, 0, &[0b11, 2]).1, ["ipi [2, 3]"]);
    assert_eq!(ok(EXT_IPI, 0, &[7, u64::MAX]).1, ["ipi [0, 1, 2, 3]"]);
    assert_eq!(ok(EXT_IPI, 0, &[0, 1000]).1, ["ipi []"]);
    for (mask, base) in [(0b1_0000, 0), (0b100, 2), (1, 4), (1 << 63, u64::MAX - 9)] {
        assert_eq!(error(EXT_IPI, 0, &[mask, base]), -3);
    }
    assert!(!Harts::Mask { base: 0, bits: u64::MAX }.contains(64));
}

#[test]
fn remote_fences() {
    assert_eq!(ok(EXT_RFENCE, 0, &[3, 0]).1, ["Instructions 2"]);
    for (args, expected) in [
        ([1, 0, 0, 0, 9], "range: None, asid: None"),
        ([1, 0, 0x1000, u64::MAX, 9], "range: None, asid: None"),
        ([1, 0, 0x1000, 0x2000, 9], "range: Some((4096, 8192)), asid: None"),
        ([1, 0, 0x1000, 0, 9], "range: Some((4096, 0)), asid: None"),
    ] {
        assert_eq!(ok(EXT_RFENCE, 1, &args).1, [format!("Translations {{ {expected} }} 1")]);
    }
    let log = ok(EXT_RFENCE, 2, &[1, 0, 0x1000, 0x2000, 9]).1;
    assert_eq!(log, ["Translations { range: Some((4096, 8192)), asid: Some(9) } 1"]);
    assert_eq!(error(EXT_RFENCE, 1, &[1, 0, u64::MAX, 2]), -5);
    assert_eq!(error(EXT_RFENCE, 1, &[1, 9, 0, 0]), -3);
    assert_eq!(error(EXT_RFENCE, 3, &[1, 0, 0, 0]), -2);
}

#[test]
fn hart_states() {
    assert_eq!(ok(EXT_HSM, 0, &[3, RAM, 5]).1, ["start 3 0x80000000 5"]);
    assert_eq!(error(EXT_HSM, 0, &[3, 0, 5]), -5);
    assert_eq!(error(EXT_HSM, 0, &[1, RAM, 5]), -6);
    assert_eq!(error(EXT_HSM, 0, &[4, RAM, 5]), -3);
    assert_eq!(ok(EXT_HSM, 2, &[0]).0, 0);
    assert_eq!(ok(EXT_HSM, 2, &[3]).0, 1);
    assert_eq!(error(EXT_HSM, 2, &[u64::MAX]), -3);
    assert_eq!(call(EXT_HSM, 1, &[]).2, Outcome::Stop);
    assert_eq!(call(EXT_HSM, 3, &[0]).2, Outcome::Wait);
    assert_eq!(error(EXT_HSM, 3, &[1]), -3);
    assert_eq!(error(EXT_HSM, 4, &[]), -2);

    let (mut h, mut machine) = (hart(), Machine::default());
    h.satp = 8 << 60;
    h.mstatus |= MSTATUS_SIE;
    h.x[17] = EXT_HSM;
    h.x[16] = 3;
    h.x[10..13].copy_from_slice(&[0x8000_0000, RAM, 42]);
    assert_eq!(ecall(&mut h, &mut machine), Outcome::Wait);
    assert_eq!((h.pc, h.x[10], h.x[11], h.satp, h.prv), (RAM, 1, 42, 0, PRV_S));
    assert_eq!(h.mstatus & MSTATUS_SIE, 0);
}

#[test]
fn resets() {
    for (kind, expected) in [(0, Reset::Shutdown), (1, Reset::ColdReboot), (2, Reset::WarmReboot)] {
        for (reason, failure) in [(0, false), (1, true), (0xe000_0000, false)] {
            let outcome = call(EXT_SRST, 0, &[kind, reason]).2;
            assert_eq!(outcome, Outcome::Reset { kind: expected, failure });
        }
    }
    assert_eq!(error(EXT_SRST, 0, &[3, 0]), -3);
    assert_eq!(error(EXT_SRST, 0, &[0, 2]), -3);
    assert_eq!(error(EXT_SRST, 1, &[0, 0]), -2);
    let outcome = call(EXT_LEGACY_SHUTDOWN, 0, &[]).2;
    assert_eq!(outcome, Outcome::Reset { kind: Reset::Shutdown, failure: false });
}

#[test]
fn the_console() {
    assert_eq!(ok(EXT_DBCN, 0, &[5, RAM, 0]).0, 5);
    assert_eq!(ok(EXT_DBCN, 0, &[u64::MAX, RAM, 0]).0, CONSOLE_CHUNK);
    assert_eq!(ok(EXT_DBCN, 1, &[5, RAM, 0]).0, 1);
    assert_eq!(ok(EXT_DBCN, 2, &[0x141]).1, ["byte 65"]);
    assert_eq!(error(EXT_DBCN, 0, &[5, 0, 0]), -3);
    assert_eq!(error(EXT_DBCN, 1, &[5, RAM, 1]), -3);
    assert_eq!(error(EXT_DBCN, 3, &[]), -2);

    // Legacy calls leave a1 alone.
    let (a0, a1, outcome, log) = call(EXT_LEGACY_PUTCHAR, 0, &[66, 9]);
    assert_eq!((a0, a1, outcome), (0, 9, Outcome::Return));
    assert_eq!(log, ["byte 66"]);
    assert_eq!(call(EXT_LEGACY_GETCHAR, 0, &[0, 9]).0, -1);
    let (mut h, mut machine) = (hart(), Machine { input: Some(7), ..Machine::default() });
    h.x[17] = EXT_LEGACY_GETCHAR;
    ecall(&mut h, &mut machine);
    assert_eq!(h.x[10], 7);
}

#[test]
fn any_call_is_answered() {
    let mut seed = 9u64;
    let mut next = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let ids = [EXT_BASE, EXT_TIME, EXT_IPI, EXT_RFENCE, EXT_HSM, EXT_SRST, EXT_DBCN, 0, 1, 2, 8];
    let mut machine = Machine::default();
    for _ in 0..100_000 {
        let mut h = hart();
        h.x[17] = ids[next() as usize % ids.len()];
        h.x[16] = next() % 5;
        for n in 10..16 {
            h.x[n] = next() >> (next() % 64);
        }
        ecall(&mut h, &mut machine);
        assert!((-8..=0).contains(&(h.x[10] as i64)) || h.x[17] == EXT_HSM);
        machine.log.clear();
    }
}
