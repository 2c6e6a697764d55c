use serde_json::json;

use super::Plic;
use super::spec::{CONTEXT, CONTEXT_STRIDE, ENABLE, ENABLE_STRIDE, PENDING, REGION_LEN};
use crate::device::{Access, Device, Effect, StateError};
use crate::testing::TestIrq;
use std::sync::Arc;

/// M-mode and S-mode of hart 0.
const M: u64 = 0;
const S: u64 = 1;

struct Rig {
    plic: Plic,
    out: Arc<TestIrq>,
}

impl Rig {
    fn new() -> Self {
        let out = TestIrq::new();
        Self { plic: Plic::new(out.lines(0, 4)), out }
    }

    fn read(&mut self, offset: u64) -> u64 {
        self.plic.read(Access { region: 0, offset, size: 4 })
    }

    fn write(&mut self, offset: u64, value: u64) {
        assert_eq!(self.plic.write(Access { region: 0, offset, size: 4 }, value), Effect::None);
    }

    /// Gives `source` a priority and enables it for `context`.
    fn route(&mut self, source: u64, priority: u64, context: u64) {
        self.write(4 * source, priority);
        let word = ENABLE + ENABLE_STRIDE * context + source / 32 * 4;
        let enabled = self.read(word);
        self.write(word, enabled | 1 << (source % 32));
    }

    fn claim(&mut self, context: u64) -> u64 {
        self.read(CONTEXT + CONTEXT_STRIDE * context + 4)
    }

    fn complete(&mut self, context: u64, source: u64) {
        self.write(CONTEXT + CONTEXT_STRIDE * context + 4, source);
    }
}

#[test]
fn a_level_is_claimed_once_and_again_after_completion() {
    let mut rig = Rig::new();
    rig.route(10, 1, S);
    let line = rig.plic.line(10);
    line.set(true);
    assert_eq!(rig.out.high(), [1]);
    assert_eq!(rig.read(PENDING), 1 << 10);
    assert_eq!(rig.claim(S), 10);
    assert_eq!(rig.out.high(), [0; 0], "the claim withdraws the notification");
    assert_eq!(rig.claim(S), 0, "nothing more to claim");
    rig.complete(S, 10);
    assert_eq!(rig.out.high(), [1], "the level is still asserted");
    assert_eq!(rig.claim(S), 10);
    line.set(false);
    rig.complete(S, 10);
    assert_eq!(rig.out.high(), [0; 0]);
}

#[test]
fn a_forwarded_request_is_not_retracted() {
    let mut rig = Rig::new();
    rig.route(40, 3, M);
    let line = rig.plic.line(40);
    line.set(true);
    line.set(false);
    assert_eq!(rig.read(PENDING + 4), 1 << 8);
    assert_eq!(rig.claim(M), 40);
    rig.complete(M, 40);
    assert_eq!(rig.claim(M), 0);
}

#[test]
fn priority_decides_then_the_lowest_id() {
    let mut rig = Rig::new();
    for (source, priority) in [(5, 2), (6, 7), (7, 7), (95, 1)] {
        rig.route(source, priority, M);
        rig.plic.line(source as u32).set(true);
    }
    let order: Vec<u64> = (0..5).map(|_| rig.claim(M)).collect();
    assert_eq!(order, [6, 7, 5, 95, 0]);
}

#[test]
fn the_threshold_masks_the_notification_but_not_the_claim() {
    let mut rig = Rig::new();
    rig.route(3, 4, S);
    rig.write(CONTEXT + CONTEXT_STRIDE * S, 4);
    rig.plic.line(3).set(true);
    assert_eq!(rig.out.high(), [0; 0], "priority 4 does not exceed threshold 4");
    rig.write(CONTEXT + CONTEXT_STRIDE * S, 3);
    assert_eq!(rig.out.high(), [1]);
    rig.write(CONTEXT + CONTEXT_STRIDE * S, 7);
    assert_eq!(rig.out.high(), [0; 0]);
    assert_eq!(rig.claim(S), 3);
}

#[test]
fn priority_zero_never_interrupts() {
    let mut rig = Rig::new();
    rig.route(3, 0, S);
    rig.plic.line(3).set(true);
    assert_eq!((rig.out.high(), rig.claim(S)), (vec![], 0));
}

#[test]
fn completion_needs_the_enable_bit_of_the_context() {
    let mut rig = Rig::new();
    rig.route(9, 1, S);
    rig.plic.line(9).set(true);
    assert_eq!(rig.claim(S), 9);
    rig.complete(M, 9);
    assert_eq!(rig.claim(S), 0, "context M never had the source");
    rig.complete(S, 1 << 31 | 9);
    assert_eq!(rig.claim(S), 0, "no such source");
    rig.complete(S, 9);
    assert_eq!(rig.claim(S), 9);
}

#[test]
fn contexts_are_independent_and_share_the_claim() {
    let mut rig = Rig::new();
    rig.route(1, 1, S);
    rig.route(1, 1, 3);
    rig.plic.line(1).set(true);
    assert_eq!(rig.out.high(), [1, 3]);
    assert_eq!((rig.claim(3), rig.claim(S)), (1, 0));
    assert_eq!(rig.out.high(), [0; 0]);
}

#[test]
fn fields_are_warl_and_reserved_registers_read_zero() {
    let mut rig = Rig::new();
    let all = u64::from(u32::MAX);
    for (offset, expected) in [
        (0, 0),
        (4, 7),
        (4 * 95, 7),
        (4 * 96, 0),
        (PENDING, 0),
        (ENABLE, all - 1),
        (ENABLE + 8, all),
        (ENABLE + 12, 0),
        (ENABLE + 3 * ENABLE_STRIDE, all - 1),
        (ENABLE + 4 * ENABLE_STRIDE, 0),
        (CONTEXT, 7),
        (CONTEXT + 8, 0),
        (CONTEXT + 4 * CONTEXT_STRIDE, 0),
        (REGION_LEN - 4, 0),
    ] {
        rig.write(offset, all);
        assert_eq!(rig.read(offset), expected, "at {offset:#x}");
    }
    assert_eq!(rig.plic.read(Access { region: 0, offset: 4, size: 8 }), 0, "only words");
    rig.plic.line(0).set(true);
    rig.plic.line(96).set(true);
    assert_eq!((rig.read(PENDING), rig.read(PENDING + 8)), (0, 0));
}

#[test]
fn saved_state_of_version_1_is_still_read() {
    let golden = json!({
        "version": 1,
        "priority": (0..96).map(|i| if i == 10 { 7 } else { 0 }).collect::<Vec<u32>>(),
        "level": [1024, 0, 0],
        "pending": [1024, 0, 0],
        "in_service": [0, 2, 0],
        "contexts": [
            {"enable": [0, 0, 0], "threshold": 0},
            {"enable": [1024, 2, 0], "threshold": 5},
            {"enable": [0, 0, 0], "threshold": 0},
            {"enable": [0, 0, 0], "threshold": 7},
        ],
    });
    let mut rig = Rig::new();
    rig.plic.restore(&golden).unwrap();
    assert_eq!(rig.plic.save(), golden);
    assert_eq!(rig.out.high(), [1], "the outputs follow the state");
    assert_eq!(rig.claim(S), 10);
}

#[test]
fn bad_state_is_refused_and_leaves_the_reset_state() {
    let mut rig = Rig::new();
    let fresh = rig.plic.save();
    rig.route(10, 1, S);
    let good = rig.plic.save();
    for (path, bad) in [
        ("/version", json!(2)),
        ("/version", json!("1")),
        ("/priority", json!([0, 0])),
        ("/priority/3", json!(8)),
        ("/contexts", json!([])),
        ("/pending/0", json!(1)),
        ("/contexts/2/enable/0", json!(1)),
    ] {
        let mut state = good.clone();
        *state.pointer_mut(path).unwrap() = bad;
        let error = rig.plic.restore(&state).unwrap_err();
        if path == "/version" && state["version"] == 2 {
            assert_eq!(error, StateError::Version { kind: "plic", found: 2, known: 1 });
        }
        assert_eq!(rig.plic.save(), fresh, "after bad {path}");
    }
}
