//! C programs that check what system calls give back, and tell how many checks held. That number
//! is known: it is the same in every way of running them.

use std::process::Command;

use polyvisor_tests::polyvisor;

use crate::build::{Folder, Link, SYSROOT, compile, compile_with, run, text, user};

/// Compiles a program and runs it in each way; all checks must hold.
fn all_hold(name: &str) {
    let folder = Folder::new(name);
    let program = compile(&folder, name, Link::Static);
    let mut first = None;
    for options in [&[][..], &["--tcg", "interp"], &["--no-aslr"]] {
        let output = run(user(options, &program));
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{name} {options:?}: {:?}\n{out}{err}", output.status);
        assert!(out.ends_with(" checks held, 0 failed\n") && !out.starts_with("0 "), "{out}");
        assert_eq!(*first.get_or_insert(out.clone()), out, "{options:?}");
    }
    let program = compile(&folder, name, Link::Dynamic);
    let output = run(user(&["--sysroot", SYSROOT], &program));
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{name}, dynamic: {:?}\n{out}{err}", output.status);
    assert_eq!(first, Some(out), "{name}, dynamic");
    // The other architectures; the host's is one of them.
    for gcc in ["aarch64-linux-gnu-gcc", "gcc"] {
        let program = compile_with(gcc, &folder, name, Link::Static);
        let output = run(user(&[], &program));
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{name} by {gcc}: {:?}\n{out}{err}", output.status);
        assert!(out.ends_with(" checks held, 0 failed\n") && !out.starts_with("0 "), "{out}");
    }
}

#[test]
fn files() {
    all_hold("files");
}

#[test]
fn memory() {
    all_hold("memory");
}

#[test]
fn sockets() {
    all_hold("sockets");
}

#[test]
fn system() {
    all_hold("system");
}

#[test]
fn hostile() {
    all_hold("hostile");
}

#[test]
fn exec() {
    all_hold("exec");
}

#[test]
fn all_descriptors_are_the_programs() {
    let folder = Folder::new("limit");
    let program = compile(&folder, "exec", Link::Static);
    for ulimit in ["ulimit -S -n 64", "ulimit -n 64"] {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{ulimit} && exec \"$@\""), "sh"]);
        command.arg(polyvisor()).args(["user", "--"]).arg(&program).arg("limit");
        let output = run(command);
        assert!(output.status.success(), "{ulimit}: {:?}", output.status);
    }
}

#[test]
fn system_calls_are_printed() {
    let folder = Folder::new("strace");
    let program = compile(&folder, "system", Link::Static);
    let err = text(&run(user(&["--strace"], &program)).stderr);
    let has = |part: &str| assert!(err.contains(part), "{part} is not in\n{err}");
    has("openat(AT_FDCWD, \"/proc/self/auxv\", O_RDONLY");
    has("clock_gettime(99, ");
    has(" = -1 EINVAL (Invalid argument)");
    has("syscall_100000() = -1 ENOSYS");
    has("exit_group(0)");
}

#[test]
fn translating_is_counted() {
    let folder = Folder::new("stats");
    let program = compile(&folder, "processes", Link::Static);
    let path = folder.file("stats.json");
    let file = path.to_str().expect("a path in UTF-8");
    let counted = |options: &[&str]| -> serde_json::Value {
        let output = run(user(&[&["--stats", file], options].concat(), &program));
        assert!(output.status.success(), "{:?}", output.status);
        let text = std::fs::read(&path).expect("it was written");
        serde_json::from_slice(&text).expect("it is JSON")
    };
    let translated = counted(&[]);
    for figure in ["blocks", "instructions", "code_bytes", "translation_ns", "peak_kib"] {
        assert!(translated[figure].as_u64().is_some_and(|n| n > 0), "{figure}: {translated}");
    }
    assert_eq!(counted(&["--tcg", "interp"])["blocks"], 0);
}
