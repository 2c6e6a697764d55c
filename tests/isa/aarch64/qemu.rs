//! Single instructions in qemu-aarch64: `executor.c` runs there and is fed through pipes.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Where code runs.
pub(crate) const CODE: u64 = 0x4000_0000;
/// Bytes of code.
pub(crate) const CODE_BYTES: usize = 64;
/// The memory that instructions work on.
pub(crate) const DATA: u64 = 0x4008_0000;
/// Its size.
pub(crate) const DATA_BYTES: usize = 1024;

/// Registers and memory, before or afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// X0 to X30, SP.
    pub(crate) x: [u64; 32],
    /// In bits 31 to 28.
    pub(crate) nzcv: u64,
    pub(crate) fpcr: u64,
    pub(crate) fpsr: u64,
    pub(crate) v: [u128; 32],
    pub(crate) data: Vec<u8>,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Breakpoint,
    Undefined,
    Fault,
}

/// Where and how it ended.
pub(crate) type End = (State, u64, Cause);

/// A running executor.
pub(crate) struct Qemu {
    child: Child,
    to: Option<ChildStdin>,
    from: ChildStdout,
}

/// Words of `struct end` before the data.
const END_WORDS: usize = 101;

impl Qemu {
    pub(crate) fn new() -> Self {
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("isa_executor_aarch64");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("isa/aarch64/executor.c");
        let status = Command::new("aarch64-linux-gnu-gcc")
            .args(["-O1", "-static", "-o"])
            .args([&program, &source])
            .status()
            .expect("aarch64-linux-gnu-gcc (package gcc-aarch64-linux-gnu) must run");
        assert!(status.success(), "executor.c does not compile");
        let mut child = Command::new("qemu-aarch64")
            .args(["-cpu", "max,pauth=off,sve=off,sme=off"])
            .arg(&program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("qemu-aarch64 (package qemu-user) must run");
        let to = child.stdin.take();
        let from = child.stdout.take().expect("the output is piped");
        Self { child, to, from }
    }

    /// Runs `code` until its first signal.
    pub(crate) fn run(&mut self, start: &State, code: &[u8; CODE_BYTES]) -> End {
        let mut message = Vec::with_capacity(99 * 8 + CODE_BYTES + DATA_BYTES);
        for word in start.x.iter().chain([&start.nzcv, &start.fpcr, &start.fpsr]) {
            message.extend_from_slice(&word.to_le_bytes());
        }
        for v in &start.v {
            message.extend_from_slice(&v.to_le_bytes());
        }
        message.extend_from_slice(code);
        message.extend_from_slice(&start.data);
        let to = self.to.as_mut().expect("open until dropped");
        to.write_all(&message).expect("the executor listens");
        to.flush().expect("the executor listens");
        let mut answer = vec![0; END_WORDS * 8 + DATA_BYTES];
        self.from.read_exact(&mut answer).expect("the executor answers");
        let (words, data) = answer.split_at(END_WORDS * 8);
        let word =
            |i: usize| u64::from_le_bytes(words[8 * i..8 * i + 8].try_into().expect("eight bytes"));
        let vector = |i: usize| u128::from(word(35 + 2 * i)) | u128::from(word(36 + 2 * i)) << 64;
        let state = State {
            x: std::array::from_fn(word),
            nzcv: word(32),
            fpcr: word(33),
            fpsr: word(34),
            v: std::array::from_fn(vector),
            data: data.to_vec(),
        };
        const SIGILL: u64 = 4;
        const SIGTRAP: u64 = 5;
        let cause = match word(100) {
            SIGTRAP => Cause::Breakpoint,
            SIGILL => Cause::Undefined,
            _ => Cause::Fault,
        };
        (state, word(99), cause)
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        self.to = None;
        let _ = self.child.wait();
    }
}
