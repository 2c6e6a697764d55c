use std::sync::Arc;

use super::spec::*;
use super::*;
use crate::bus::{Shared, lock};
use crate::clock::Clock;
use crate::device::{Access, Device};
use crate::testing::{TestClock, TestIrq};

struct Rig {
    rtc: Shared<CmosRtc>,
    clock: Arc<TestClock>,
    irq: Arc<TestIrq>,
}

impl Rig {
    /// 2024-01-01 00:00:00 UTC.
    fn new() -> Self {
        let (clock, irq) = (TestClock::new(), TestIrq::new());
        Self { rtc: CmosRtc::new(clock.clone(), irq.line(8)), clock, irq }
    }

    fn at(&self, offset: u64) -> Access {
        Access { region: 0, offset, size: 1 }
    }

    fn read(&self, index: u8) -> u8 {
        let mut rtc = lock(&self.rtc);
        let _ = rtc.write(self.at(0), index.into());
        rtc.read(self.at(1)) as u8
    }

    fn write(&self, index: u8, value: u8) {
        let mut rtc = lock(&self.rtc);
        let _ = rtc.write(self.at(0), index.into());
        let _ = rtc.write(self.at(1), value.into());
    }

    fn time(&self) -> [u8; 8] {
        [CENTURY, YEAR, MONTH, DAY, DAY_OF_WEEK, HOURS, MINUTES, SECONDS].map(|r| self.read(r))
    }

    fn seconds(&self, seconds: u64) {
        self.clock.advance(seconds * 1_000_000_000);
    }
}

#[test]
fn it_shows_the_wall_clock() {
    let rig = Rig::new();
    rig.seconds(31 * 86_400 + 13 * 3600 + 59 * 60 + 58);
    // 2024-02-01 was a Thursday.
    assert_eq!(rig.time(), [0x20, 0x24, 0x02, 0x01, 5, 0x13, 0x59, 0x58]);
    rig.write(B, B_BINARY);
    assert_eq!(rig.time(), [20, 24, 2, 1, 5, 1 | PM, 59, 58]);
    assert_eq!(rig.read(D), D_VALID);
}

#[test]
fn setting_the_time() {
    let rig = Rig::new();
    rig.write(B, B_24H | B_SET);
    for (register, value) in
        [(CENTURY, 0x20), (YEAR, 0x38), (MONTH, 0x12), (DAY, 0x31), (HOURS, 0x23)]
    {
        rig.write(register, value);
    }
    rig.write(MINUTES, 0x59);
    rig.write(SECONDS, 0x59);
    rig.seconds(100);
    assert_eq!(rig.read(SECONDS), 0x59, "time stands still");
    rig.write(B, B_24H);
    rig.seconds(1);
    // 2039-01-01 is a Saturday.
    assert_eq!(rig.time(), [0x20, 0x39, 0x01, 0x01, 7, 0, 0, 0]);
    rig.write(HOURS, 0x07);
    assert_eq!(rig.time(), [0x20, 0x39, 0x01, 0x01, 7, 7, 0, 0]);
    rig.write(MONTH, 0xff);
    assert_eq!(rig.read(MONTH), 1, "no such month");
}

#[test]
fn the_alarm_rings() {
    let rig = Rig::new();
    rig.write(SECONDS_ALARM, 0x30);
    rig.write(MINUTES_ALARM, ANY);
    rig.write(HOURS_ALARM, ANY);
    rig.write(B, B_24H | ALARM);
    rig.seconds(29);
    assert!(!rig.irq.level(8));
    rig.seconds(1);
    assert!(rig.irq.level(8));
    assert_eq!(rig.read(C) & !PERIODIC, C_IRQ | ALARM | UPDATE);
    assert!(!rig.irq.level(8));
    assert_eq!(rig.read(C), 0, "reading clears");
    rig.write(HOURS_ALARM, 0x05);
    rig.write(MINUTES_ALARM, 0x10);
    rig.seconds(5 * 3600 + 10 * 60 - 1);
    assert!(!rig.irq.level(8));
    rig.seconds(1);
    assert_eq!(rig.read(C) & ALARM, ALARM);
    rig.write(HOURS_ALARM, 0x77);
    rig.seconds(3 * 86_400);
    assert_eq!(rig.read(C) & ALARM, 0, "there is no such hour");
}

#[test]
fn updates_and_periods_interrupt() {
    let rig = Rig::new();
    rig.write(B, B_24H | UPDATE);
    rig.seconds(1);
    assert_eq!(rig.read(C) & !PERIODIC, C_IRQ | UPDATE);
    rig.write(B, B_24H | PERIODIC);
    // 1,024 Hz.
    for _ in 0..3 {
        rig.clock.advance(976_563);
        assert!(rig.irq.level(8));
        assert_eq!(rig.read(C) & (C_IRQ | PERIODIC), C_IRQ | PERIODIC);
    }
    rig.write(A, 0x20);
    rig.seconds(1);
    assert!(!rig.irq.level(8), "the rate 0 is none");
}

#[test]
fn an_update_is_announced() {
    let rig = Rig::new();
    assert_eq!(rig.read(A), A_RESET);
    rig.clock.advance(999_900_000);
    assert_eq!(rig.read(A), A_RESET | A_UIP);
    rig.clock.advance(100_000);
    assert_eq!(rig.read(A), A_RESET);
}

#[test]
fn memory_is_kept_and_saved_state_of_version_1_is_still_read() {
    let rig = Rig::new();
    rig.write(0x7f, 0xa5);
    rig.write(0x80 | 0x0e, 0x11);
    assert_eq!((rig.read(0x7f), rig.read(0x0e)), (0xa5, 0x11));
    let mut ram = vec![0; LEN];
    (ram[usize::from(A)], ram[usize::from(B)], ram[usize::from(D)]) = (A_RESET, B_RESET, D_VALID);
    ram[0x40] = 7;
    let golden = serde_json::json!({
        "version": 1, "index": 64, "ram": ram, "offset_ns": 5, "flags": 16,
        "seen_ns": rig.clock.wall_ns() + 5,
    });
    let mut rtc = lock(&rig.rtc);
    rtc.restore(&golden).unwrap();
    assert_eq!(rtc.save(), golden);
    for (field, bad) in [("index", 128), ("flags", 1)] {
        let mut state = golden.clone();
        state[field] = bad.into();
        assert!(rtc.restore(&state).is_err(), "{field}");
    }
}
