//! Bare programs in the real binary: how they end decides the exit status, and the console
//! connects them with standard input and output or with a terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Output, Stdio};

use crate::program::{self, CRASH, Temporary};
use devices::host::terminal::{self, Pty};

fn polyvisor(program: &Temporary) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_polyvisor"));
    command.args(["run", "--firmware", "none", "--memory", "16M", "--kernel", program.arg()]);
    command
}

/// Runs `code` to its end, with `input` on standard input.
fn run(name: &str, code: &[u32], input: &[u8], more: &[&str]) -> Output {
    let program = Temporary::new(name, &program::elf(code));
    let mut child = polyvisor(&program)
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

fn status(name: &str, code: &[u32], more: &[&str]) -> (Option<i32>, String) {
    let output = run(name, code, b"", more);
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn tohost_ends_the_run_with_its_status() {
    for (number, expected) in [(0, 0), (1, 1), (42, 42), (255, 255), (1000, 255)] {
        let ended = status(&format!("exit{number}"), &program::exit(number), &[]);
        assert_eq!(ended, (Some(expected), String::new()));
    }
}

#[test]
fn every_engine_and_number_of_cpus_sees_tohost() {
    for engine in ["interp", "jit"] {
        for cpus in ["1", "8"] {
            let more = ["--tcg", engine, "--cpus", cpus];
            let ended = status(&format!("exit-{engine}{cpus}"), &program::exit(7), &more);
            assert_eq!(ended, (Some(7), String::new()), "{more:?}");
        }
    }
}

#[test]
fn the_finisher_ends_the_run() {
    for (value, expected) in [(0x5555, 0), (0x3333 | 9 << 16, 9)] {
        let ended = status(&format!("finish{value:x}"), &program::finish(value), &[]);
        assert_eq!(ended, (Some(expected), String::new()), "{value:#x}");
    }
    let (code, message) = status("finish-failed", &program::finish(0x3333), &[]);
    assert_eq!(code, Some(100));
    assert!(message.contains("reports a failure"), "{message}");
}

#[test]
fn a_cpu_that_cannot_go_on_is_a_crash() {
    let (code, message) = status("crash", &CRASH, &[]);
    assert_eq!(code, Some(100));
    assert!(message.starts_with("polyvisor: the guest crashed: vCPU 0"), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
}

#[test]
fn input_from_a_pipe_reaches_the_guest_in_order_however_long_it_is() {
    let echo = program::echo();
    let input: Vec<u8> = (0..20_000).map(|n| b"abcdefghij"[n % 10]).chain([b'.']).collect();
    let output = run("echo", &echo, &input, &[]);
    assert_eq!(output.status.code(), Some(0));
    let expected = [b">", &input[..20_000].to_ascii_uppercase()[..]].concat();
    // The bytes themselves would fill a screen.
    assert_eq!(output.stdout.len(), expected.len());
    assert!(output.stdout == expected, "the bytes are as many, but not the same");
}

/// Debuggers and `top -H` tell vCPUs apart by these names.
#[test]
fn each_vcpu_has_a_thread_with_its_name() {
    let program = Temporary::new("threads", &program::elf(&program::echo()));
    let mut child = polyvisor(&program)
        .args(["--cpus", "3"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // All harts print it.
    let mut seen = [0];
    child.stdout.as_mut().unwrap().read_exact(&mut seen).unwrap();
    let tasks = std::fs::read_dir(format!("/proc/{}/task", child.id())).unwrap();
    let mut names: Vec<_> = tasks
        .filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok())
        .filter(|name| name.starts_with("vcpu"))
        .collect();
    names.sort();
    assert_eq!(names, ["vcpu0\n", "vcpu1\n", "vcpu2\n"]);
    child.stdin.take().unwrap().write_all(b"...").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_console_can_lead_to_a_file() {
    let log = Temporary::new("console", b"old contents");
    let spec = format!("file={}", log.arg());
    let output = run("to-file", &program::print(b"ok"), b"", &["--console", &spec]);
    assert_eq!((output.status.code(), output.stdout), (Some(0), vec![]));
    assert_eq!(std::fs::read(log.path()).unwrap(), b"ok");
}

/// A machine on a terminal of its own.
struct OnTerminal {
    child: Child,
    master: File,
    /// Kept open, so that the terminal's state can be looked at to the end.
    slave: OwnedFd,
    /// That state before the start.
    before: String,
    _program: Temporary,
}

impl OnTerminal {
    /// Starts a program that prints `>` first: the terminal is set up by then.
    fn start(name: &str, code: &[u32]) -> Self {
        let program = Temporary::new(name, &program::elf(code));
        let Pty { master, slave, .. } = terminal::open_pty().unwrap();
        // Echo on, line by line, as a shell leaves a terminal.
        stty(&slave, &["sane"]);
        let before = stty(&slave, &["-g"]);
        let side = || Stdio::from(slave.try_clone().unwrap());
        let child =
            polyvisor(&program).stdin(side()).stdout(side()).stderr(side()).spawn().unwrap();
        let mut machine = Self { child, master: master.into(), slave, before, _program: program };
        machine.read(">");
        machine
    }

    fn assert_restored(&self) {
        assert_eq!(stty(&self.slave, &["-g"]), self.before);
    }

    fn read(&mut self, expected: &str) {
        let mut seen = vec![0; expected.len()];
        self.master.read_exact(&mut seen).unwrap();
        assert_eq!(String::from_utf8_lossy(&seen), expected);
    }
}

fn stty(terminal: &OwnedFd, args: &[&str]) -> String {
    let stdin = Stdio::from(terminal.try_clone().unwrap());
    let output = Command::new("stty").args(args).stdin(stdin).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_terminal_is_raw_while_the_guest_runs_and_as_before_afterwards() {
    let mut machine = OnTerminal::start("raw", &program::echo());
    machine.master.write_all(b"a").unwrap();
    // Were the terminal cooked, it would echo the `a` and wait for the end of the line.
    machine.read("A");
    machine.master.write_all(b"\x03\x01a.").unwrap();
    machine.read("#!");
    assert_eq!(machine.child.wait().unwrap().code(), Some(0));
    machine.assert_restored();
}

#[test]
fn the_escape_key_helps_and_quits_a_guest_that_does_not_listen() {
    let mut machine = OnTerminal::start("escape", &program::deaf());
    // More than the port's FIFO holds, then the escape key.
    machine.master.write_all(&[b'x'; 100]).unwrap();
    machine.master.write_all(b"\x01h").unwrap();
    let mut text = String::new();
    while !text.contains("Ctrl-A x") {
        let mut byte = [0];
        machine.master.read_exact(&mut byte).unwrap();
        text.push(byte[0].into());
    }
    machine.master.write_all(b"\x01x").unwrap();
    assert_eq!(machine.child.wait().unwrap().code(), Some(0));
    machine.assert_restored();
}

#[test]
fn a_signal_restores_the_terminal() {
    let mut machine = OnTerminal::start("signal", &program::echo());
    machine.master.write_all(b"a").unwrap();
    machine.read("A");
    let pid = machine.child.id().to_string();
    assert!(Command::new("kill").arg(pid).status().unwrap().success());
    assert_eq!(machine.child.wait().unwrap().code(), None, "ended by the signal");
    machine.assert_restored();
}
