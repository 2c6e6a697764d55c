//! Debian's static busybox as a shell: processes, pipes, redirections, signals, environment.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;

use polyvisor_tests::guest;

use crate::build::{Folder, run, text, user};

fn busybox() -> PathBuf {
    let initrd = guest("riscv64").initrd;
    initrd.parent().expect("a file is in a folder").join("busybox")
}

/// Runs a script of the shell; gives what it printed.
fn sh(script: &str) -> String {
    let mut command = user(&[], &busybox());
    command.args(["sh", "-c", script]);
    let output = run(command);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{script}: {:?}\n{out}{err}", output.status);
    assert_eq!(err, "", "{script}");
    out
}

#[test]
fn scripts_run() {
    assert_eq!(sh("uname -m"), "riscv64\n");
    assert_eq!(sh("for i in 3 1 2; do echo $i; done | sort -r | tr '\\n' ' '"), "3 2 1 ");
    assert_eq!(sh("(exit 3); echo $?; x=$(echo a; echo b); echo $x"), "3\na b\n");
    assert_eq!(sh("trap 'echo got; exit 0' USR1; kill -USR1 $$; echo not"), "got\n");
    assert_eq!(sh("(sleep 100 & p=$!; kill $p; wait $p; echo $?) 2>/dev/null"), "143\n");
    assert_eq!(sh("awk 'BEGIN { for (i = 0; i < 1000; i++) s += i / 3; print s }'"), "166500\n");
    let hello = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03  -\n";
    assert_eq!(sh("echo hello | sha256sum"), hello);
    assert_eq!(sh("seq 1 20000 | gzip | gzip -d | md5sum"), sh("seq 1 20000 | md5sum"));
}

#[test]
fn the_environment_is_as_asked() {
    let mut command = user(&["-E", "A=b=c", "-U", "GONE", "--argv0", "sh"], &busybox());
    command.env("GONE", "x").env("KEPT", "y").args(["-c", "echo $A-$GONE-$KEPT-$0"]);
    let output = run(command);
    assert_eq!(text(&output.stdout), "b=c--y-sh\n", "{}", text(&output.stderr));
}

#[test]
fn the_end_is_the_programs_own() {
    let end = |script: &str| {
        let mut command = user(&[], &busybox());
        command.args(["sh", "-c", script]);
        run(command).status
    };
    assert_eq!(end("exit 77").code(), Some(77));
    assert_eq!(end("kill -TERM $$").signal(), Some(15));
    assert_eq!(end("kill -KILL $$").signal(), Some(9));
}

#[test]
fn scripts_are_programs() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("script");
    let path = folder.file("script");
    let line = format!("#!{} sh\necho \"$0 $1\"\n", busybox().display());
    std::fs::write(&path, line).expect("a script");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("its mode");
    let mut command = user(&[], &path);
    command.arg("one");
    assert_eq!(text(&run(command).stdout), format!("{} one\n", path.display()));
}
