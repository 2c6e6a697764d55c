//! The same in qemu-riscv64: `executor.c` runs there and is fed through pipes.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::state::{BREAKPOINT, CODE_BYTES, DATA_BYTES, End, Start};

/// A running executor.
pub(crate) struct Qemu {
    program: PathBuf,
    child: Child,
    to: Option<ChildStdin>,
    from: ChildStdout,
}

/// Bytes of `struct end`: 32 + 32 + 3 words before the data.
const END_BYTES: usize = 67 * 8 + DATA_BYTES;

const SIGILL: u64 = 4;
const SIGTRAP: u64 = 5;
const ILLEGAL: u64 = 2;
/// No cause: other signals.
const SIGNAL: u64 = 1000;
/// No cause either: the program is gone.
const DIED: u64 = 2000;

impl Qemu {
    pub(crate) fn new() -> Self {
        let program = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("isa_executor_{:?}", std::thread::current().id()));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("isa/riscv64/executor.c");
        let status = Command::new("riscv64-linux-gnu-gcc")
            .args(["-O1", "-static", "-o"])
            .args([&program, &source])
            .status()
            .expect("riscv64-linux-gnu-gcc (package gcc-riscv64-linux-gnu) must run");
        assert!(status.success(), "executor.c does not compile");
        Self::start(program)
    }

    fn start(program: PathBuf) -> Self {
        let mut child = Command::new("qemu-riscv64")
            .args(["-cpu", "max"])
            .arg(&program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("qemu-riscv64 (package qemu-user) must run");
        let to = child.stdin.take();
        let from = child.stdout.take().expect("the output is piped");
        Self { program, child, to, from }
    }

    /// Runs `code` until its first signal.
    pub(crate) fn run(&mut self, start: &Start, code: &[u8]) -> End {
        match self.exchange(start, code) {
            Ok(answer) => end(&answer),
            Err(error) => {
                self.to = None;
                println!("the executor died ({error}): {:?}", self.child.wait());
                *self = Self::start(self.program.clone());
                End { cause: DIED, system: None, ..blank() }
            }
        }
    }

    fn exchange(&mut self, start: &Start, code: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut message = Vec::with_capacity(65 * 8 + CODE_BYTES + DATA_BYTES);
        for word in start.x.iter().chain(&start.f) {
            message.extend_from_slice(&word.to_le_bytes());
        }
        message.extend_from_slice(&(start.frm << 5 | start.fflags).to_le_bytes());
        message.extend_from_slice(code);
        message.resize(65 * 8 + CODE_BYTES, 0);
        message.extend_from_slice(&start.data);
        let to = self.to.as_mut().expect("open until dropped");
        to.write_all(&message)?;
        to.flush()?;
        let mut answer = vec![0; END_BYTES];
        self.from.read_exact(&mut answer)?;
        Ok(answer)
    }
}

fn end(answer: &[u8]) -> End {
    let (words, data) = answer.split_at(67 * 8);
    let word =
        |i: usize| u64::from_le_bytes(words[8 * i..8 * i + 8].try_into().expect("eight bytes"));
    let (fcsr, pc, signal) = (word(64), word(65), word(66));
    let mut x = std::array::from_fn(word);
    // The kernel's layout has the program counter there.
    x[0] = 0;
    End {
        x,
        f: std::array::from_fn(|r| word(32 + r)),
        fflags: fcsr & 31,
        frm: fcsr >> 5,
        cause: match signal {
            SIGTRAP => BREAKPOINT,
            SIGILL => ILLEGAL,
            other => SIGNAL + other,
        },
        pc,
        data: data.to_vec(),
        system: None,
    }
}

fn blank() -> End {
    end(&[0; END_BYTES])
}

impl Drop for Qemu {
    fn drop(&mut self) {
        self.to = None;
        let _ = self.child.wait();
    }
}
