use std::sync::Arc;

use serde_json::json;

use super::spec::{MSIP, MTIME, MTIMECMP, REGION_LEN};
use super::{Aclint, ticks};
use crate::bus::{Shared, lock};
use crate::device::{Access, Device, Effect};
use crate::testing::{TestClock, TestIrq};

/// A two-hart device; pins 0 and 1 are MSIP, 2 and 3 are MTIP.
struct Rig {
    clock: Arc<TestClock>,
    irq: Arc<TestIrq>,
    aclint: Shared<Aclint>,
}

impl Rig {
    fn new() -> Self {
        let (clock, irq) = (TestClock::new(), TestIrq::new());
        let aclint = Aclint::new(clock.clone(), irq.lines(0, 2), irq.lines(2, 2));
        Self { clock, irq, aclint }
    }

    fn read(&self, offset: u64, size: u8) -> u64 {
        lock(&self.aclint).read(Access { region: 0, offset, size })
    }

    fn write(&self, offset: u64, size: u8, value: u64) {
        let effect = lock(&self.aclint).write(Access { region: 0, offset, size }, value);
        assert_eq!(effect, Effect::None);
    }
}

#[test]
fn the_timebase_is_ten_megahertz() {
    assert_eq!(ticks(1_000_000_000), 10_000_000);
    let rig = Rig::new();
    rig.clock.advance(1_050);
    assert_eq!((rig.read(MTIME, 8), rig.read(MTIME, 4), rig.read(MTIME + 4, 4)), (10, 10, 0));
}

#[test]
fn msip_has_one_bit() {
    let rig = Rig::new();
    rig.write(MSIP + 4, 4, 0xffff_ffff);
    assert_eq!((rig.read(MSIP + 4, 4), rig.irq.high()), (1, vec![1]));
    rig.write(MSIP + 4, 4, 0xffff_fffe);
    assert_eq!((rig.read(MSIP + 4, 4), rig.irq.high()), (0, vec![]));
}

#[test]
fn the_timer_rises_at_mtimecmp_and_falls_when_it_is_moved() {
    let rig = Rig::new();
    rig.write(MTIMECMP + 8, 8, 5);
    rig.clock.advance(499);
    assert_eq!(rig.irq.high(), [0; 0]);
    rig.clock.advance(1);
    assert_eq!(rig.irq.high(), [3]);
    rig.write(MTIMECMP + 8, 8, 100);
    assert_eq!(rig.irq.high(), [0; 0]);
    rig.write(MTIMECMP + 8, 8, 3);
    assert_eq!(rig.irq.high(), [3], "a time that has passed is pending at once");
}

#[test]
fn halves_are_written_apart() {
    let rig = Rig::new();
    rig.write(MTIMECMP, 4, 0x1234_5678);
    rig.write(MTIMECMP + 4, 4, 1);
    assert_eq!(rig.read(MTIMECMP, 8), 0x1_1234_5678);
    assert_eq!((rig.read(MTIMECMP, 4), rig.read(MTIMECMP + 4, 4)), (0x1234_5678, 1));
    assert_eq!(rig.clock.deadlines(), [0x1_1234_5678 * 100]);
}

#[test]
fn a_deadline_beyond_the_clock_arms_nothing() {
    let rig = Rig::new();
    rig.write(MTIMECMP, 8, u64::MAX / 100 + 1);
    assert_eq!(rig.clock.deadlines(), [0; 0]);
    rig.write(MTIMECMP, 8, u64::MAX / 100);
    assert_eq!(rig.clock.deadlines().len(), 1);
}

#[test]
fn writing_mtime_moves_the_comparators() {
    let rig = Rig::new();
    rig.write(MTIMECMP, 8, 1_000);
    rig.clock.advance(10_000);
    rig.write(MTIME, 8, 990);
    assert_eq!(rig.irq.high(), [0; 0]);
    rig.clock.advance(1_000);
    assert_eq!((rig.read(MTIME, 8), rig.irq.high()), (1_000, vec![2]));
    rig.write(MTIME, 8, 0);
    assert_eq!(rig.irq.high(), [0; 0]);
    rig.write(MTIME, 8, u64::MAX - 1);
    assert_eq!(rig.irq.high(), [2]);
    rig.clock.advance(200);
    assert_eq!((rig.read(MTIME, 8), rig.irq.high()), (0, vec![]), "after wrapping around");
}

#[test]
fn holes_and_bad_sizes_read_zero() {
    let rig = Rig::new();
    for (offset, size) in [
        (MSIP + 8, 4),
        (MSIP, 8),
        (MSIP, 1),
        (MTIMECMP + 16, 8),
        (MTIMECMP + 4, 8),
        (MTIME + 2, 4),
        (0xc000, 8),
        (REGION_LEN - 4, 4),
    ] {
        rig.write(offset, size, u64::MAX);
        assert_eq!(rig.read(offset, size), 0, "{size} bytes at {offset:#x}");
    }
    assert_eq!(rig.irq.high(), [0; 0]);
}

#[test]
fn saved_state_of_version_1_is_still_read() {
    let golden = json!({
        "version": 1,
        "offset": 50,
        "harts": [{"msip": true, "mtimecmp": 60}, {"msip": false, "mtimecmp": u64::MAX}],
    });
    let rig = Rig::new();
    lock(&rig.aclint).restore(&golden).unwrap();
    assert_eq!(lock(&rig.aclint).save(), golden);
    assert_eq!(rig.irq.high(), [0]);
    rig.clock.advance(1_000);
    assert_eq!(rig.irq.high(), [0, 2], "the timer was armed");

    let short = json!({"version": 1, "offset": 0, "harts": []});
    assert!(lock(&rig.aclint).restore(&short).is_err());
    assert_eq!(rig.irq.high(), [0; 0], "refused state leaves the reset state");
}

#[test]
fn a_dropped_device_is_not_fired_on() {
    let Rig { clock, irq, aclint } = Rig::new();
    let _ = lock(&aclint).write(Access { region: 0, offset: MTIMECMP, size: 8 }, 10);
    drop(aclint);
    clock.advance(10_000);
    assert_eq!((irq.high(), clock.deadlines()), (vec![], vec![]));
}
