//! Linux user mode: C programs for the guest (`c/*.c`), compiled here, run by `polyvisor user`
//! with the translator and with the interpreter; what they are to print stands beside them.
//! Wants `riscv64-linux-gnu-gcc` on the path.

mod bad_input;
mod build;
mod learnt;
mod programs;
mod shell;

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use polyvisor_tests::polyvisor;

/// Longer than any of the programs takes on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(120);

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("user/c").join(name)
}

/// Compiles a program statically; gives its file.
fn compile(name: &str) -> PathBuf {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("user-{name}"));
    let status = Command::new("riscv64-linux-gnu-gcc")
        .args(["-O1", "-static", "-pthread", "-o"])
        .args([&program, &source(&format!("{name}.c"))])
        .status()
        .expect("riscv64-linux-gnu-gcc (package gcc-riscv64-linux-gnu) must run");
    assert!(status.success(), "{name}.c does not compile");
    program
}

/// Waits for the end of a program, but not for ever; gives what it printed.
fn finish(mut child: Child) -> (String, ExitStatus) {
    let mut output = child.stdout.take().expect("the output is piped");
    let (sender, receiver) = channel();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        let result = output.read_to_string(&mut text).map(|_| text);
        // Nobody listens any more if it took too long.
        let _ = sender.send(result);
    });
    let text = match receiver.recv_timeout(TIMEOUT) {
        Ok(text) => text.expect("programs print text"),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            child.kill().expect("it can be killed");
            panic!("the program does not end");
        }
    };
    reader.join().expect("the reader has ended");
    (text, child.wait().expect("it has ended"))
}

/// Runs a program in both ways and compares what it prints and how it ends.
fn check(name: &str, status: i32) {
    let program = compile(name);
    let expected = std::fs::read_to_string(source(&format!("{name}.out"))).expect("an output");
    for tcg in ["jit", "interp"] {
        let child = Command::new(polyvisor())
            .args(["user", "--tcg", tcg])
            .arg(&program)
            .stdout(Stdio::piped())
            .spawn()
            .expect("polyvisor starts");
        let (text, ended) = finish(child);
        assert_eq!(text, expected, "{name} with {tcg}");
        assert_eq!(ended.code(), Some(status), "{name} with {tcg}: {:?}", ended.signal());
    }
}

#[test]
fn signals() {
    check("signals", 0);
}

#[test]
fn threads() {
    check("threads", 3);
}

#[test]
fn processes() {
    check("processes", 0);
}

#[test]
fn code_that_changes() {
    check("jit", 0);
}
