//! A guest that restarts its machine.

use std::fs;

use crate::run::*;

/// The first life marks the disk and restarts; the second sees the mark, and everything else as
/// new.
fn restarts(name: &str, engine: Engine, firmware: bool) {
    let folder = Folder::new(name);
    let disk = folder.file("mark.img");
    fs::write(&disk, [0; 4096]).unwrap();
    let text = "if [ \"$(head -c 4 /dev/vda)\" = mark ]; then echo second life of $(nproc)\n\
                else printf mark | dd of=/dev/vda conv=notrunc,fsync 2>/dev/null\n\
                echo first life; reboot -f; fi";
    let mut command = kernel(engine, &script(text));
    command.arg("--disk").arg(format!("path={}", disk.display()));
    if firmware {
        command.arg("--firmware").arg(this_guest().firmware.expect("there is OpenSBI"));
    }
    let mut machine = start(command);
    expect(&mut machine, "polyvisor: init at ");
    expect(&mut machine, "first life");
    expect(&mut machine, "polyvisor: init at ");
    assert_eq!(expect(&mut machine, "second life of "), engine.cpus.to_string());
    expect_power_off(&mut machine);
}

#[test]
fn by_a_call_to_polyvisor() {
    restarts("reset-direct", JIT4, false);
}

#[test]
fn by_a_call_to_opensbi() {
    restarts("reset-opensbi", JIT, true);
}

/// A kernel that panics restarts the machine if it was told to, and does so again in the next
/// life; the user's end is the machine's.
#[test]
fn by_a_panic() {
    let text = "echo 1 >/proc/sys/kernel/panic; echo before the panic; echo c >/proc/sysrq-trigger";
    let mut machine = start(kernel(JIT, &script(text)));
    for _ in 0..2 {
        expect(&mut machine, "before the panic");
    }
    // Dropping the machine ends its process.
}
