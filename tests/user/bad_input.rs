//! What cannot be run is refused in one sentence, with a shell's exit status.

use std::path::Path;

use polyvisor_tests::polyvisor;

use crate::build::{Folder, Link, compile, run, text, user};

/// Runs something that cannot be run.
fn refused(options: &[&str], program: &Path, status: i32, says: &[&str]) {
    let output = run(user(options, program));
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{program:?}: {err}");
    assert_eq!(err.lines().count(), 1, "{err}");
    for part in says {
        assert!(err.contains(part), "'{part}' is not in: {err}");
    }
}

#[test]
fn what_is_no_program_is_refused() {
    let folder = Folder::new("refused");
    refused(&[], Path::new("/no/such/program"), 127, &["there is no program /no/such/program"]);
    refused(&["-L", "/tmp"], Path::new("/no/such"), 127, &["neither in /tmp"]);
    refused(&[], Path::new("/tmp"), 126, &["/tmp"]);
    refused(
        &["--stats", "/no/such/file"],
        Path::new("/bin/sh"),
        2,
        &["cannot write /no/such/file"],
    );
    let path = folder.file("text");
    std::fs::write(&path, "no program").expect("a file");
    refused(&[], &path, 126, &["no program", "ELF"]);
    std::fs::write(&path, "#!/no/such/interpreter\n").expect("a file");
    refused(&[], &path, 127, &["/no/such/interpreter"]);
}

#[test]
fn damaged_programs_are_refused() {
    let folder = Folder::new("damaged");
    let program = compile(&folder, "system", Link::Static);
    let good = std::fs::read(&program).expect("the program");
    let path = folder.file("damaged");
    let wrong = |at: usize, byte: u8, says: &[&str]| {
        let mut bad = good.clone();
        bad[at] = byte;
        std::fs::write(&path, bad).expect("a file");
        refused(&[], &path, 126, says);
    };
    wrong(4, 1, &["no 64-bit little-endian ELF"]);
    wrong(18, 40, &["for another processor"]);
    wrong(16, 1, &["object"]);
    wrong(54, 3, &["program headers"]);
    std::fs::write(&path, &good[..100]).expect("a file");
    refused(&[], &path, 126, &["ends in its program headers"]);
    refused(&["--arch", "aarch64"], &program, 126, &["a program for riscv64", "--arch"]);
    refused(&["--cpu", "i386"], &program, 126, &["no processor model i386", "max"]);
}

#[test]
fn a_missing_interpreter_is_named() {
    let folder = Folder::new("interpreter");
    let program = compile(&folder, "system", Link::Dynamic);
    let name = "/lib/ld-linux-riscv64-lp64d.so.1";
    if !Path::new(name).exists() {
        refused(&[], &program, 126, &[name, "--sysroot"]);
    }
    refused(&["-E", "=x"], &program, 2, &["NAME=VALUE"]);
}

#[test]
fn headers_at_random_do_no_harm() {
    const PROGRAMS: usize = 200;
    // The file's header and the program headers of a program of this kind.
    const HEADERS: usize = 64 + 8 * 56;
    let folder = Folder::new("headers");
    let good = std::fs::read(compile(&folder, "system", Link::Static)).expect("the program");
    let path = folder.file("headers");
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below as u64) as usize
    };
    for _ in 0..PROGRAMS {
        let mut bad = good.clone();
        let mut changes = Vec::new();
        for _ in 0..=next(3) {
            let (at, byte) = (next(HEADERS), [0, 1, 0x7f, 0x80, 0xff, next(256)][next(6)]);
            bad[at] = byte as u8;
            changes.push((at, byte));
        }
        std::fs::write(&path, &bad).expect("a file");
        // One that computes or waits for ever, as it may, is ended.
        let mut command = std::process::Command::new("timeout");
        command.args(["-s", "KILL", "1"]).arg(polyvisor()).args(["user", "--"]).arg(&path);
        let output = run(command);
        let err = text(&output.stderr);
        let panicked = err.contains("panicked") || output.status.code() == Some(101);
        assert!(!panicked, "{changes:?}: {:?}\n{err}", output.status);
    }
}
