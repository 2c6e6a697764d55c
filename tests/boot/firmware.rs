//! Firmware as far as it comes by itself, and the disk from which U-Boot boots.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::process::Command;

use polyvisor_tests::Guest;

use crate::run::*;

const MIB: u64 = 1 << 20;
const SECTOR: u64 = 512;
/// Where the one partition of a boot disk begins, in bytes.
const PARTITION: u64 = MIB;

/// A disk in the format of U-Boot's standard boot: a DOS partition table, and one ext4 partition
/// with kernel, initrd and `extlinux.conf`, which adds `words` to the command line.
pub(crate) fn boot_disk(folder: &Folder, guest: &Guest, words: &str) -> PathBuf {
    let tree = folder.file("tree");
    fs::create_dir_all(tree.join("extlinux")).unwrap();
    fs::copy(&guest.kernel, tree.join("kernel")).unwrap();
    fs::copy(&guest.initrd, tree.join("initrd")).unwrap();
    let menu = format!(
        "timeout 1\ndefault debian\nlabel debian\n  kernel /kernel\n  initrd /initrd\n  \
         append {} quiet {words}\n",
        guest.cmdline
    );
    fs::write(tree.join("extlinux/extlinux.conf"), menu).unwrap();
    let used =
        fs::metadata(&guest.kernel).unwrap().len() + fs::metadata(&guest.initrd).unwrap().len();
    let len = (used / MIB + 48) * MIB;
    let disk = folder.file("boot.img");
    let mut file = File::create(&disk).unwrap();
    file.set_len(len).unwrap();
    let status = Command::new("mke2fs")
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .args(["-q", "-F", "-t", "ext4", "-O", "^64bit,^metadata_csum", "-E"])
        .arg(format!("offset={PARTITION}"))
        .arg("-d")
        .args([&tree, &disk])
        .arg(format!("{}k", (len - PARTITION) / 1024))
        .status()
        .expect("mke2fs runs: it is in e2fsprogs");
    assert!(status.success(), "mke2fs failed");
    partition(&mut file, len);
    disk
}

/// Writes the partition table: active, Linux, by sector numbers alone.
fn partition(file: &mut File, len: u64) {
    let mut table = [0; 66];
    table[..8].copy_from_slice(&[0x80, 0xfe, 0xff, 0xff, 0x83, 0xfe, 0xff, 0xff]);
    table[8..12].copy_from_slice(&((PARTITION / SECTOR) as u32).to_le_bytes());
    table[12..16].copy_from_slice(&(((len - PARTITION) / SECTOR) as u32).to_le_bytes());
    table[64..].copy_from_slice(&[0x55, 0xaa]);
    file.seek(SeekFrom::Start(446)).unwrap();
    file.write_all(&table).unwrap();
}

/// U-Boot in machine mode has no next stage to start: its commands work, and switch off.
fn uboot_in_machine_mode(engine: Engine) {
    let mut command = command(engine);
    command.arg("--firmware").arg(this_guest().uboot_machine.expect("there is U-Boot"));
    let mut machine = start(command);
    expect(&mut machine, "U-Boot ");
    // Any key keeps it from booting on; it reads when it is ready to.
    machine.type_in("\n").unwrap();
    expect(&mut machine, "Err: ");
    machine.type_in("\n\necho reached\npoweroff\n").unwrap();
    expect(&mut machine, "reached");
    expect_success(&mut machine);
}

#[test]
fn uboot_machine_mode_jit() {
    uboot_in_machine_mode(JIT);
}

#[test]
fn uboot_machine_mode_interpreter() {
    uboot_in_machine_mode(INTERP);
}
