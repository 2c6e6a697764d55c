//! What cannot be run is refused in one sentence, with a shell's exit status.

use std::path::Path;

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
