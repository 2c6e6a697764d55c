//! `./x` and the guests that it fetches: what is in the cache is what its names promise, and a
//! mistake on the command line is answered in one sentence. (`./x test` has fetched the guest.)

use polyvisor_tests::{guest, root};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Command, Output};

fn x(arguments: &[&str]) -> Output {
    Command::new(root().join("x")).args(arguments).output().expect("./x starts")
}

fn bytes_at<const N: usize>(path: &Path, offset: u64) -> [u8; N] {
    let mut file = File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut bytes = [0; N];
    file.seek(SeekFrom::Start(offset)).expect("a regular file");
    file.read_exact(&mut bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    bytes
}

#[test]
fn the_riscv64_guest_is_what_it_says() {
    let guest = guest("riscv64");
    // [RISCV-image §Notes]: the second magic number, "RSC\x05", at offset 56.
    assert_eq!(&bytes_at(&guest.kernel, 56), b"RSC\x05");
    assert_eq!(&bytes_at(&guest.initrd, 0), b"070701", "cpio's new format, not compressed");
    let disk = guest.disk.expect("./x test fetches the disk");
    // ext4 keeps its magic number 56 bytes into the superblock at 1024.
    assert_eq!(bytes_at(&disk, 1024 + 56), [0x53, 0xef]);
    assert_eq!(guest.cmdline, "console=ttyS0");
    for firmware in [guest.firmware, guest.firmware_jump, guest.uboot, guest.uboot_machine] {
        let firmware = firmware.expect("riscv64 has firmware");
        assert!(firmware.metadata().expect("the firmware is there").len() > 100_000);
    }
    assert!(guest.version.ends_with("-riscv64"), "{}", guest.version);
}

#[test]
fn mistakes_are_answered_in_one_sentence() {
    let mistakes: [(&[&str], &str); 4] = [
        (&["guest", "sparc"], "'sparc' is no guest architecture"),
        (&["guest"], "which guest?"),
        (&["run", "vax"], "'vax' is no guest architecture"),
        (&["guest", "riscv64", "--pint"], "'--pint' is no option"),
    ];
    for (arguments, answer) in mistakes {
        let output = x(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.contains(answer) && error.lines().count() == 1, "{arguments:?}: {error}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    let output = x(&["tset"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no command 'tset'"));
}

#[test]
fn help_names_every_command() {
    let output = x(&["help"]);
    assert!(output.status.success());
    let text = String::from_utf8_lossy(&output.stdout);
    for command in ["run", "test", "guest", "bench", "help"] {
        assert!(text.contains(&format!("\n  {command} ")), "{command} is missing in:\n{text}");
    }
}
