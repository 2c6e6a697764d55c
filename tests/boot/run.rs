//! Starting machines.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use polyvisor_tests::{Guest, Machine, guest, in_laboratory, polyvisor};

/// More than any of these boots takes, interpreted, on a busy machine. It only ends tests that
/// hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);

/// Runs that differ in what runs the code, and how many harts there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Engine {
    pub(crate) tcg: &'static str,
    pub(crate) cpus: u32,
}

pub(crate) const JIT: Engine = Engine { tcg: "jit", cpus: 1 };
pub(crate) const JIT4: Engine = Engine { tcg: "jit", cpus: 4 };
pub(crate) const JIT8: Engine = Engine { tcg: "jit", cpus: 8 };
pub(crate) const INTERP: Engine = Engine { tcg: "interp", cpus: 1 };
pub(crate) const INTERP4: Engine = Engine { tcg: "interp", cpus: 4 };

/// The guest's architecture: in a laboratory it is the host's, which KVM runs.
pub(crate) fn isa() -> &'static str {
    if in_laboratory() { std::env::consts::ARCH } else { "riscv64" }
}

/// The guest of these tests.
pub(crate) fn this_guest() -> Guest {
    static GUEST: OnceLock<Guest> = OnceLock::new();
    GUEST.get_or_init(|| guest(isa())).clone()
}

/// `polyvisor run` without anything to boot.
pub(crate) fn command(engine: Engine) -> Command {
    let mut command = Command::new(polyvisor());
    command.args(["run", "--arch", isa(), "--tcg", engine.tcg]);
    command.args(["--cpus", &engine.cpus.to_string()]);
    command
}

/// The same with Debian's kernel, the initrd, and `words` on the kernel's command line.
pub(crate) fn kernel(engine: Engine, words: &str) -> Command {
    let guest = this_guest();
    let mut command = command(engine);
    command.arg("--kernel").arg(&guest.kernel).arg("--initrd").arg(&guest.initrd);
    command.args(["--cmdline", &format!("{} quiet {words}", guest.cmdline)]);
    command
}

/// The word that has the guest run a shell script.
pub(crate) fn script(text: &str) -> String {
    format!("polyvisor.exec={}", base64(text.as_bytes()))
}

/// Starts the machine.
pub(crate) fn start(command: Command) -> Machine {
    Machine::start(command).expect("polyvisor starts")
}

/// Waits for a line that begins with `prefix`, and returns the rest of it.
pub(crate) fn expect(machine: &mut Machine, prefix: &str) -> String {
    match machine.wait_for(prefix, PATIENCE) {
        Ok(line) => line.text[prefix.len()..].to_owned(),
        Err(error) => panic!("{error}"),
    }
}

/// Waits for the end: the guest did what it was asked to, and switched the machine off.
pub(crate) fn expect_power_off(machine: &mut Machine) {
    expect(machine, "polyvisor: ready");
    expect_success(machine);
}

/// Waits for the end, which is exit status 0.
pub(crate) fn expect_success(machine: &mut Machine) {
    match machine.finish(PATIENCE) {
        Ok(status) => assert!(status.success(), "{status}:\n{}", machine.console()),
        Err(error) => panic!("{error}"),
    }
}

/// A folder that is removed when it is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// A new folder; `name` is its test's.
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("polyvisor-{name}-{}", std::process::id()));
        std::fs::create_dir(&path).expect("the folder for temporary files can be written");
        Self(path)
    }

    /// The path of something in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing depends on it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// [RFC-4648 §4]
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().enumerate().map(|(n, b)| u32::from(*b) << (16 - 8 * n)).sum::<u32>();
        for n in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * n) & 63) as usize];
            text.push(if n <= chunk.len() { digit.into() } else { '=' });
        }
    }
    text
}

#[test]
fn base64_is_that_of_everybody() {
    for (plain, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v")] {
        assert_eq!(base64(plain.as_bytes()), coded);
    }
    assert_eq!(base64(&[0xfb, 0xff, 0xbf]), "+/+/");
}
