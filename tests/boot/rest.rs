//! What a machine costs while its guest does nothing.

use polyvisor_tests::{Machine, private_memory_kib};

use crate::run::*;

/// Seconds of rest that are looked at.
const REST_S: u64 = 15;

/// Share of a host's CPU that an idle guest may use, in percent.
const IDLE_PERCENT: u64 = 2;

/// KiB of the process's own memory, beyond the guest's, after a boot with the translator.
const OWN_MEMORY_KIB: u64 = 64 << 10;

/// Boots, lets the kernel end what it does in the background (the tests of its ciphers), and
/// rests. Returns what was used meanwhile, in milliseconds.
fn rest(machine: &mut Machine) -> u64 {
    let begin = machine.wait_for("rest begins", PATIENCE).unwrap_or_else(|e| panic!("{e}"));
    let end = machine.wait_for("rest ends", PATIENCE).unwrap_or_else(|e| panic!("{e}"));
    let used = end.cpu.since(begin.cpu);
    used.user_ms + used.system_ms
}

fn rests(engine: Engine) {
    let text = format!(
        "while ps | grep -q '[c]ryptomgr_test'; do sleep 1; done; sleep 2\n\
         echo rest begins; sleep {REST_S}; echo rest ends"
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
