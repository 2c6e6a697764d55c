//! A guest that accelerators take over from one another in the middle of what it does: those that
//! are at hand, which on a riscv64 host with KVM are KVM and the software CPU.

use std::fs;

use crate::run::*;

const ROUNDS: usize = 16;

/// Whether KVM takes part. Such hosts are emulated themselves, mostly, and have no translator: the
/// disk is smaller there, and a turn longer.
fn with_kvm() -> bool {
    std::env::consts::ARCH == "riscv64" && fs::metadata("/dev/kvm").is_ok()
}

/// Each round reads the whole disk, prints its checksum, and writes the checksum to the disk, so
/// that one wrong bit shows in all rounds that follow.
const SCRIPT: &str = "n=0; while [ $n -lt 16 ]; do echo 3 >/proc/sys/vm/drop_caches;\n\
    sum=$(dd if=/dev/vda bs=64k 2>/dev/null | sha256sum); sum=${sum%% *};\n\
    printf %s $sum | dd of=/dev/vda bs=512 seek=$((n * 5 + 1)) conv=fsync 2>/dev/null;\n\
    echo \"sum $n $sum\"; n=$((n + 1)); done";

/// What came of a run.
struct Ended {
    sums: Vec<String>,
    disk: Vec<u8>,
    /// Who took the guest over while it computed.
    taken_over_by: Vec<&'static str>,
}

fn run(name: &str, options: &[&str]) -> Ended {
    let folder = Folder::new(name);
    let disk = folder.file("disk.img");
    let bytes: u32 = if with_kvm() { 512 << 10 } else { 4 << 20 };
    let pattern: Vec<u8> = (0..bytes).map(|n| (n ^ n >> 9) as u8).collect();
    fs::write(&disk, pattern).unwrap();
    let mut command = kernel(JIT, &script(SCRIPT));
    command.arg("--disk").arg(format!("path={}", disk.display())).args(options);
    command.env("POLYVISOR_LOG", "info");
    let mut machine = start(command);
    let (mut sums, mut taken_over_by) = (Vec::new(), Vec::new());
    while let Some(line) = machine.line(PATIENCE).unwrap_or_else(|error| panic!("{error}")) {
        if let Some(sum) = line.text.strip_prefix("sum ") {
            sums.push(sum.to_owned());
        }
        if (1..ROUNDS).contains(&sums.len()) && line.text.contains(" takes the guest over") {
            taken_over_by.push(if line.text.contains("kvm") { "kvm" } else { "tcg" });
        }
    }
    expect_success(&mut machine);
    assert_eq!(sums.len(), ROUNDS, "{}", machine.console());
    Ended { sums, disk: fs::read(disk).unwrap(), taken_over_by }
}

#[test]
fn a_handover_in_the_middle_of_a_checksum_changes_nothing() {
    let undisturbed = run("undisturbed", &[]);
    assert!(undisturbed.taken_over_by.is_empty());
    let every = if with_kvm() { "500ms" } else { "200ms" };
    let disturbed = run("handover", &["--handover-every", every]);
    assert_eq!(disturbed.sums, undisturbed.sums);
    assert!(disturbed.disk == undisturbed.disk, "the disks differ");
    let count = |name| disturbed.taken_over_by.iter().filter(|by| **by == name).count();
    let (kvm, tcg) = (count("kvm"), count("tcg"));
    println!("taken over by kvm {kvm} times, by tcg {tcg} times");
    assert!(tcg >= 2, "the loop was too short: {:?}", disturbed.taken_over_by);
    if with_kvm() {
        assert!(kvm >= 2, "KVM is here, and took no part: {:?}", disturbed.taken_over_by);
    } else {
        println!("left out: this host has no KVM for riscv64 guests");
    }
}
