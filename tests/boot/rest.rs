//! What a machine costs while its guest does nothing.

use polyvisor_tests::{Machine, private_memory_kib};

use crate::run::*;

/// Seconds of rest that are looked at, so many times: the host has work of its own now and then,
/// which makes everything else dearer, so the cheapest time counts.
const REST_S: u64 = 5;
const TIMES: usize = 3;

/// Share of a host's CPU that an idle guest may use, in percent.
const IDLE_PERCENT: u64 = 2;

/// KiB of the process's own memory, beyond the guest's, after a boot with the translator.
const OWN_MEMORY_KIB: u64 = 64 << 10;

/// What a time of rest takes of the host, in milliseconds.
fn rest(machine: &mut Machine) -> u64 {
    let mut mark = || machine.wait_for("resting", PATIENCE).unwrap_or_else(|e| panic!("{e}")).cpu;
    let marks: Vec<_> = (0..=TIMES).map(|_| mark()).collect();
    let used = marks.windows(2).map(|pair| pair[1].since(pair[0]));
    used.map(|used| used.user_ms + used.system_ms).min().unwrap_or_default()
}

fn rests(engine: Engine) {
    // The kernel first ends what it does in the background: the tests of its ciphers.
    let text = format!(
        "while ps | grep -q '[c]ryptomgr_test'; do sleep 1; done; sleep 2\n\
         for i in $(seq 0 {TIMES}); do echo resting; sleep {REST_S}; done"
    );
    let mut command = kernel(engine, &format!("polyvisor.net {}", script(&text)));
    command.args(["--net", "user"]);
    let mut machine = start(command);
    let used_ms = rest(&mut machine);
    let own_kib = private_memory_kib(machine.pid()).expect("the machine runs");
    assert!(used_ms < REST_S * 10 * IDLE_PERCENT, "{used_ms} ms in {REST_S} s");
    assert!(own_kib < OWN_MEMORY_KIB, "{own_kib} KiB");
    expect_power_off(&mut machine);
}

#[test]
fn one_hart() {
    rests(JIT);
}

#[test]
fn four_harts() {
    rests(JIT4);
}
