use std::sync::Arc;

use serde_json::json;

use super::GoldfishRtc;
use super::spec::*;
use crate::bus::{Shared, lock};
use crate::device::{Access, Device, Effect};
use crate::testing::{TEST_EPOCH_NS, TestClock, TestIrq};

struct Rig {
    clock: Arc<TestClock>,
    irq: Arc<TestIrq>,
    rtc: Shared<GoldfishRtc>,
}

impl Rig {
    fn new() -> Self {
        let (clock, irq) = (TestClock::new(), TestIrq::new());
        let rtc = GoldfishRtc::new(clock.clone(), irq.line(0));
        Self { clock, irq, rtc }
    }

    fn read(&self, offset: u64) -> u32 {
        lock(&self.rtc).read(Access { region: 0, offset, size: 4 }) as u32
    }

    fn write(&self, offset: u64, value: u32) {
        let effect = lock(&self.rtc).write(Access { region: 0, offset, size: 4 }, value.into());
        assert_eq!(effect, Effect::None);
    }

    fn time(&self) -> u64 {
        let low = self.read(TIME_LOW);
        u64::from(self.read(TIME_HIGH)) << 32 | u64::from(low)
    }

    fn set_alarm(&self, ns: u64) {
        self.write(ALARM_HIGH, (ns >> 32) as u32);
        self.write(ALARM_LOW, ns as u32);
    }

    fn asserted(&self) -> bool {
        self.irq.level(0)
    }
}

#[test]
fn it_shows_the_wall_clock() {
    let rig = Rig::new();
    rig.clock.advance(12_345);
    assert_eq!(rig.time(), TEST_EPOCH_NS + 12_345);
}

#[test]
fn the_high_half_is_latched_by_the_low_one() {
    let rig = Rig::new();
    assert_eq!(rig.read(TIME_HIGH), 0, "nothing latched yet");
    let low = rig.read(TIME_LOW);
    rig.clock.advance(1 << 33);
    assert_eq!(rig.read(TIME_HIGH), (TEST_EPOCH_NS >> 32) as u32);
    assert_eq!(low, TEST_EPOCH_NS as u32);
}

#[test]
fn the_guest_sets_its_own_time() {
    let rig = Rig::new();
    let new = 0x1122_3344_5566_7788;
    rig.write(TIME_HIGH, (new >> 32) as u32);
    rig.write(TIME_LOW, new as u32);
    rig.clock.advance(1_000);
    assert_eq!(rig.time(), new + 1_000);
}

#[test]
fn the_alarm_rings_once_and_waits_to_be_cleared() {
    let rig = Rig::new();
    rig.write(IRQ_ENABLED, 1);
    rig.set_alarm(TEST_EPOCH_NS + 1_000);
    assert_eq!(rig.read(ALARM_STATUS), 1);
    rig.clock.advance(999);
    assert!(!rig.asserted());
    rig.clock.advance(1);
    assert!(rig.asserted());
    assert_eq!(rig.read(ALARM_STATUS), 0);
    rig.write(IRQ_ENABLED, 0);
    assert!(!rig.asserted());
    rig.write(IRQ_ENABLED, 1);
    assert!(rig.asserted(), "disabling hides the interrupt and does not clear it");
    rig.write(CLEAR_INTERRUPT, 1);
    assert!(!rig.asserted());
}

#[test]
fn an_alarm_can_be_cleared_and_the_past_rings_at_once() {
    let rig = Rig::new();
    rig.write(IRQ_ENABLED, 1);
    rig.set_alarm(TEST_EPOCH_NS + 10);
    rig.write(CLEAR_ALARM, 1);
    rig.clock.advance(20);
    assert!(!rig.asserted());
    rig.set_alarm(TEST_EPOCH_NS);
    assert!(rig.asserted());
    let now = TEST_EPOCH_NS;
    assert_eq!((rig.read(ALARM_LOW), rig.read(ALARM_HIGH)), (now as u32, (now >> 32) as u32));
}

#[test]
fn an_alarm_waits_when_the_wall_clock_is_set_back() {
    let rig = Rig::new();
    rig.write(IRQ_ENABLED, 1);
    rig.set_alarm(TEST_EPOCH_NS + 100);
    rig.clock.shift_wall(-50);
    rig.clock.advance(149);
    assert!(!rig.asserted());
    rig.clock.advance(1);
    assert!(rig.asserted());
}

#[test]
fn holes_and_bad_sizes_read_zero() {
    let rig = Rig::new();
    for (offset, size) in [(CLEAR_ALARM, 4), (CLEAR_INTERRUPT, 4), (0x20, 4), (0, 8), (0, 1)] {
        assert_eq!(lock(&rig.rtc).read(Access { region: 0, offset, size }), 0, "{offset:#x}");
    }
}

#[test]
fn saved_state_of_version_1_is_still_read() {
    let golden = json!({
        "version": 1, "offset": 5, "time_high": 9, "alarm": TEST_EPOCH_NS + 105, "armed": true,
        "irq_enabled": true, "irq_pending": false,
    });
    let rig = Rig::new();
    lock(&rig.rtc).restore(&golden).unwrap();
    assert_eq!(lock(&rig.rtc).save(), golden);
    rig.clock.advance(100);
    assert!(rig.asserted(), "the alarm was armed");
    assert!(lock(&rig.rtc).restore(&json!({"version": 1})).is_err());
    assert!(!rig.asserted());
}
