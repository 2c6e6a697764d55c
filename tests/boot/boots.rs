//! Ways to boot Debian's kernel: with Polyvisor as its firmware, with OpenSBI, with U-Boot.

use std::path::Path;

use crate::firmware::boot_disk;
use crate::run::*;

/// The kernel comes up with all harts, reaches user space and switches the machine off.
fn boots(engine: Engine, firmware: Option<&Path>) {
    let guest = this_guest();
    let script = script("uname -srm; echo harts $(nproc)");
    let mut command = kernel(engine, &script);
    if let Some(firmware) = firmware {
        command.arg("--firmware").arg(firmware);
    }
    let mut machine = start(command);
    expect(&mut machine, "polyvisor: init at ");
    let uname = expect(&mut machine, "Linux ");
    assert_eq!(uname, format!("{} riscv64", guest.version));
    assert_eq!(expect(&mut machine, "harts "), engine.cpus.to_string());
    expect(&mut machine, "polyvisor: exit 0");
    expect_power_off(&mut machine);
}

#[test]
fn direct_jit() {
    boots(JIT, None);
}

#[test]
fn direct_jit_4_harts() {
    boots(JIT4, None);
}

#[test]
fn direct_jit_8_harts() {
    boots(JIT8, None);
}

#[test]
fn direct_interpreter() {
    boots(INTERP, None);
}

#[test]
fn direct_interpreter_4_harts() {
    boots(INTERP4, None);
}

#[test]
fn opensbi_jit() {
    boots(JIT, this_guest().firmware.as_deref());
}

#[test]
fn opensbi_jit_4_harts() {
    boots(JIT4, this_guest().firmware.as_deref());
}

#[test]
fn opensbi_jump_jit_4_harts() {
    boots(JIT4, this_guest().firmware_jump.as_deref());
}

#[test]
fn opensbi_interpreter() {
    boots(INTERP, this_guest().firmware.as_deref());
}

#[test]
fn opensbi_interpreter_4_harts() {
    boots(INTERP4, this_guest().firmware.as_deref());
}

/// OpenSBI starts U-Boot, which starts the kernel from a disk.
fn boots_from_disk(name: &str, engine: Engine) {
    let (guest, folder) = (this_guest(), Folder::new(name));
    let disk = boot_disk(&folder, &guest, &script("echo harts $(nproc)"));
    let mut command = command(engine);
    command.arg("--firmware").arg(guest.firmware.expect("there is OpenSBI"));
    command.arg("--kernel").arg(guest.uboot.expect("there is U-Boot"));
    command.arg("--disk").arg(format!("path={},readonly", disk.display()));
    let mut machine = start(command);
    expect(&mut machine, "OpenSBI v");
    expect(&mut machine, "U-Boot ");
    expect(&mut machine, "Starting kernel ...");
    expect(&mut machine, "polyvisor: init at ");
    assert_eq!(expect(&mut machine, "harts "), engine.cpus.to_string());
    expect_power_off(&mut machine);
}

#[test]
fn uboot_jit() {
    boots_from_disk("uboot-jit", JIT);
}

#[test]
fn uboot_jit_4_harts() {
    boots_from_disk("uboot-jit4", JIT4);
}

#[test]
fn uboot_interpreter() {
    boots_from_disk("uboot-interp", INTERP);
}
