//! Everything that users can get wrong: one clear sentence that names the thing and the remedy,
//! exit status 2, and no stack trace.

use std::fs::File;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use crate::program::{self, FOREVER, Temporary};

/// Runs `polyvisor` and returns what it says when it refuses.
fn refused(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_polyvisor"))
        .args(args)
        // A cache without guests.
        .env("POLYVISOR_CACHE", "/nonexistent/cache")
        .env("RUST_BACKTRACE", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
    assert!(output.stdout.is_empty(), "{args:?}");
    assert!(!message.contains("panicked") && !message.contains("backtrace"), "{message}");
    message
}

/// The same of a machine that a kernel could be started on, with one sentence.
fn refused_machine(args: &[&str]) -> String {
    let message = refused(&[&["run"], args].concat());
    assert!(message.starts_with("polyvisor: "), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
    message
}

fn assert_says(message: &str, words: &[&str]) {
    for word in words {
        assert!(message.contains(word), "`{word}` is missing: {message}");
    }
}

fn kernel(name: &str) -> Temporary {
    Temporary::new(name, &program::elf(&FOREVER))
}

/// A kernel as Linux has it: `len` bytes of a file whose header tells `told` bytes of memory.
fn image(len: usize, told: u64) -> Vec<u8> {
    let mut image = vec![0; len];
    image[8..16].copy_from_slice(&0x20_0000u64.to_le_bytes());
    image[16..24].copy_from_slice(&told.to_le_bytes());
    image[48..56].copy_from_slice(b"RISCV\0\0\0");
    image[56..60].copy_from_slice(b"RSC\x05");
    image
}

#[test]
fn no_kernel() {
    let message = refused_machine(&[]);
    assert_says(&message, &["no kernel", "--kernel", "./x guest riscv64"]);
}

#[test]
fn a_missing_kernel() {
    let message = refused_machine(&["--kernel", "/nonexistent/Image"]);
    assert_says(&message, &["kernel /nonexistent/Image", "does not exist", "correct its path"]);
}

#[test]
fn a_folder_as_kernel() {
    let message = refused_machine(&["--kernel", "/"]);
    assert_says(&message, &["kernel /", "directory", "give the path of a file"]);
}

#[test]
fn a_missing_initrd_and_firmware() {
    let kernel = kernel("missing-parts");
    for (option, part) in [("--initrd", "initrd"), ("--firmware", "firmware")] {
        let message = refused_machine(&["--kernel", kernel.arg(), option, "/nonexistent/x"]);
        assert_says(&message, &[part, "/nonexistent/x", "does not exist"]);
    }
}

#[test]
fn a_truncated_kernel() {
    let whole = program::elf(&FOREVER);
    let cut = Temporary::new("truncated", &whole[..122]);
    let message = refused_machine(&["--kernel", cut.arg()]);
    assert_says(&message, &[cut.arg(), "cut short", "copy or download it again"]);
}

#[test]
fn a_kernel_for_another_architecture() {
    let message = refused_machine(&["--kernel", env!("CARGO_BIN_EXE_polyvisor")]);
    assert_says(&message, &["but the guest is riscv64", "choose a kernel built for riscv64"]);
}

#[test]
fn something_else_as_kernel() {
    let text = Temporary::new("text", b"#!/bin/sh\necho hello\n");
    let message = refused_machine(&["--kernel", text.arg()]);
    assert_says(&message, &[text.arg(), "a script", "boots a Linux Image"]);
    let empty = Temporary::new("empty", b"");
    assert_says(&refused_machine(&["--kernel", empty.arg()]), &["empty"]);
}

#[test]
fn too_little_memory() {
    let kernel = Temporary::new("large", &image(4096, 64 << 20));
    let message = refused_machine(&["--memory", "32M", "--kernel", kernel.arg()]);
    assert_says(&message, &["the kernel", "more memory"]);
    let message = refused_machine(&["--memory", "1M", "--kernel", kernel.arg()]);
    assert_says(&message, &["too little", "16 MiB"]);
}

#[test]
fn impossible_memory() {
    let kernel = kernel("impossible-memory");
    let more = ["--firmware", "none", "--kernel", kernel.arg()];
    let message = refused_machine(&[&["--memory", "30000T"], &more[..]].concat());
    assert_says(&message, &["--memory"]);
    let message = refused_machine(&[&["--memory", "100000T"], &more[..]].concat());
    assert_says(&message, &["more than 56-bit physical addresses"]);
    let message = refused_machine(&[&["--memory", "20000001"], &more[..]].concat());
    assert_says(&message, &["20000001 bytes", "multiple of 4096"]);
}

#[test]
fn a_large_initrd() {
    let (kernel, initrd) = (kernel("small"), Temporary::new("initrd", &vec![1; 17 << 20]));
    let message =
        refused_machine(&["--memory", "17M", "--kernel", kernel.arg(), "--initrd", initrd.arg()]);
    assert_says(&message, &["initrd", "more"]);
}

fn refused_disk(options: &str) -> String {
    let kernel = kernel("disk");
    refused_machine(&["--firmware", "none", "--kernel", kernel.arg(), "--disk", options])
}

#[test]
fn images_that_cannot_be_used() {
    assert_says(&refused_disk("path=/nonexistent/a.img"), &["/nonexistent/a.img", "create it"]);
    assert_says(&refused_disk("path=/"), &["/ is a directory", "give the path of a file"]);
    let odd = Temporary::new("odd.img", &[0; 700]);
    assert_says(&refused_disk(&format!("path={}", odd.arg())), &[odd.arg(), "multiple of 512"]);
    let empty = Temporary::new("empty.img", b"");
    assert_says(&refused_disk(&format!("path={}", empty.arg())), &[empty.arg(), "truncate -s"]);
}

#[test]
fn an_image_that_cannot_be_written() {
    // Read-only for everybody, the administrator included.
    let message = refused_disk("path=/sys/kernel/uevent_seqnum");
    assert_says(&message, &["/sys/kernel/uevent_seqnum", "cannot be written", "read-only"]);
}

#[test]
fn an_image_in_use() {
    let image = Temporary::new("used.img", &[0; 512]);
    let held = File::open(image.path()).unwrap();
    held.lock().unwrap();
    let message = refused_disk(&format!("path={}", image.arg()));
    assert_says(&message, &[image.arg(), "in use by another process", "stop the other machine"]);
}

#[test]
fn one_image_for_two_disks() {
    let (kernel, image) = (kernel("twice"), Temporary::new("twice.img", &[0; 512]));
    let disk = format!("path={}", image.arg());
    let args = ["--firmware", "none", "--kernel", kernel.arg(), "--disk", &disk, "--disk", &disk];
    assert_says(&refused_machine(&args), &[image.arg(), "in use"]);
}

#[test]
fn too_many_devices_and_equal_ids() {
    let kernel = kernel("devices");
    let mut args = vec!["--firmware", "none", "--kernel", kernel.arg()];
    args.extend([["--net", "user"]; 8].as_flattened());
    assert_says(&refused_machine(&args), &["8 slots", "fewer disks or networks"]);
    let images = [0, 1].map(|n| Temporary::new(&format!("id{n}.img"), &[0; 512]));
    let disks = images.each_ref().map(|image| format!("path={},id=root", image.arg()));
    let args =
        ["--firmware", "none", "--kernel", kernel.arg(), "--disk", &disks[0], "--disk", &disks[1]];
    assert_says(&refused_machine(&args), &["root", "rename one"]);
}

fn refused_net(options: &str) -> String {
    let kernel = kernel("net");
    refused_machine(&["--firmware", "none", "--kernel", kernel.arg(), "--net", options])
}

#[test]
fn a_busy_port() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port();
    let message = refused_net(&format!("user,hostfwd=tcp:127.0.0.1:{port}-:22"));
    assert_says(&message, &[&port.to_string(), "already uses"]);
}

#[test]
fn malformed_forwards_and_interfaces() {
    assert_says(&refused_net("user,hostfwd=2222"), &["hostfwd=2222", "for example"]);
    assert_says(&refused_net("user,hostfwd=tcp::1-:0"), &["guest port", "from 1 to 65535"]);
    assert_says(&refused_net("tap=a/b"), &["a/b", "tap0"]);
}

#[test]
fn a_console_that_cannot_be_had() {
    let kernel = kernel("console");
    let args = ["--firmware", "none", "--kernel", kernel.arg(), "--console", "file=/nonexistent/a"];
    assert_says(&refused_machine(&args), &["/nonexistent/a", "choose a path"]);
}

/// A kernel for x86 of one sector of real-mode code and 4 KiB, which takes 50 MiB from 16 MiB on.
fn bzimage() -> Vec<u8> {
    let mut file = vec![0; 1024 + 4096];
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    put(0x1f1, &[1]);
    put(0x1f4, &256u32.to_le_bytes());
    put(0x1fe, b"\x55\xaa\xeb\x6aHdrS\x0f\x02");
    put(0x211, &[1]);
    put(0x22c, &0x7fff_ffffu32.to_le_bytes());
    put(0x236, &[1]);
    put(0x238, &2047u32.to_le_bytes());
    put(0x258, &0x100_0000u64.to_le_bytes());
    put(0x260, &0x320_0000u32.to_le_bytes());
    file
}

/// All of this is found out before anybody looks for an accelerator.
#[test]
fn kernels_for_x86() {
    let refused_with = |name: &str, bytes: &[u8], more: &[&str]| {
        let kernel = Temporary::new(name, bytes);
        let args = ["--arch", "x86_64", "--kernel", kernel.arg()];
        refused_machine(&[&args[..], more].concat())
    };
    let whole = bzimage();
    let message = refused_with("x86-cut", &whole[..3000], &[]);
    assert_says(&message, &["bzImage", "cut short", "download it again"]);
    let message = refused_with("x86-other", &image(4096, 0x8000), &[]);
    assert_says(&message, &["riscv64", "choose a kernel built for x86_64"]);
    let message = refused_with("x86-small", &whole, &["--memory", "32M"]);
    assert_says(&message, &["too little", "66 MiB"]);
    let message = refused_with("x86-cmdline", &whole, &["--cmdline", &"x".repeat(3000)]);
    assert_says(&message, &["command line", "2047", "shorten"]);
    let message = refused_with("x86-firmware", &whole, &["--firmware", "/dev/null"]);
    assert_says(&message, &["leave out --firmware"]);
    let message = refused_with("x86-odd", &whole, &["--memory", "134217729"]);
    assert_says(&message, &["whole number of pages"]);
    let message = refused_machine(&["--arch", "x86_64", "--kernel", "/nonexistent/bzImage"]);
    assert_says(&message, &["kernel /nonexistent/bzImage", "does not exist"]);
    let kernel = Temporary::new("x86-for-riscv", &whole);
    let message = refused_machine(&["--kernel", kernel.arg()]);
    assert_says(&message, &["bzImage", "choose a kernel built for riscv64"]);
}

#[test]
fn too_many_cpus_for_the_board() {
    let kernel = kernel("cpus");
    let message = refused_machine(&["--cpus", "9", "--kernel", kernel.arg()]);
    assert_says(&message, &["a riscv64 machine has 1 to 8 CPUs", "choose another number"]);
}

#[test]
fn kernels_for_aarch64() {
    let kernel = kernel("for-aarch64");
    let args = ["--arch", "aarch64", "--kernel", kernel.arg()];
    assert_says(&refused_machine(&args), &["RISC-V", "choose a kernel built for aarch64"]);
    let mut whole = vec![0; 4096];
    whole[16..24].copy_from_slice(&0x200_0000u64.to_le_bytes());
    whole[56..60].copy_from_slice(b"ARM\x64");
    let kernel = Temporary::new("aarch64-small", &whole);
    let args = ["--arch", "aarch64", "--memory", "32M", "--kernel", kernel.arg()];
    assert_says(&refused_machine(&args), &["the kernel takes the addresses", "more memory"]);
}

#[test]
fn kvm_for_another_architecture() {
    let host = std::env::consts::ARCH;
    // The way out is one that there is: the software CPU runs machines of riscv64 alone.
    for (arch, kernel, way_out) in [
        ("riscv64", kernel("accel"), "--accel tcg"),
        ("x86_64", Temporary::new("accel-x86", &bzimage()), "use a Linux host that is x86_64"),
    ] {
        if arch != host {
            let args = ["--accel", "kvm", "--arch", arch, "--kernel", kernel.arg()];
            assert_says(&refused_machine(&args), &["host's own architecture", host, way_out]);
        }
    }
}

#[test]
fn malformed_options() {
    for (args, words) in [
        (vec!["--memory", "5X"], ["5X", "512M"]),
        (vec!["--cpus", "0"], ["--cpus", "1..=254"]),
        (vec!["--cpus", "255"], ["--cpus", "1..=254"]),
        (vec!["--cpus", "x"], ["--cpus", "x"]),
        (vec!["--disk", "a.img"], ["a.img", "path=FILE"]),
        (vec!["--net", "usr"], ["usr", "tap=NAME"]),
        (vec!["--net", "user,mac=1"], ["`1`", "52:54:00:12:34:56"]),
        (vec!["--console", "tty"], ["tty", "choose stdio"]),
        (vec!["--arch", "mips"], ["mips", "riscv64"]),
        (vec!["--accel", "magic"], ["magic", "auto"]),
        (vec!["--tcg", "fast"], ["fast", "interp"]),
        (vec!["--handover-every", "1"], ["`1`", "500ms"]),
        (vec!["--kernl", "x"], ["--kernl", "--kernel"]),
    ] {
        let message = refused(&[&["run"], &args[..]].concat());
        assert_says(&message, &words);
    }
    assert_says(&refused(&["start"]), &["start", "--help"]);
    assert_says(&refused(&[]), &["run", "info"]);
}
