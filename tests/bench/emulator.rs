//! The two emulators, started alike: one processor, the same memory, no devices but the console.

use polyvisor_tests::Guest;
use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

const MEMORY: &str = "512M";

/// A program that runs guests.
#[derive(Debug, Clone)]
pub(crate) struct Emulator {
    /// `qemu` or `polyvisor`.
    pub(crate) name: &'static str,
    /// What it says of its version.
    pub(crate) version: String,
    program: PathBuf,
    arguments: Vec<String>,
    cmdline_option: &'static str,
}

impl Emulator {
    /// QEMU's software CPU.
    pub(crate) fn qemu(arch: &str) -> Result<Self> {
        let machine: &[&str] = match arch {
            "riscv64" => &["-M", "virt"],
            "aarch64" => &["-M", "virt", "-cpu", "max"],
            "x86_64" => &["-M", "microvm,rtc=on,pit=on,pic=on", "-cpu", "max"],
            _ => return Err(Error::other(format!("no machine is known for '{arch}'"))),
        };
        let program = PathBuf::from(format!("qemu-system-{arch}"));
        let rest = "-accel tcg,thread=multi -smp 1 -nodefaults -no-user-config -display none \
                    -serial stdio -no-reboot -m";
        let words = machine.iter().copied().chain(rest.split_whitespace()).chain([MEMORY]);
        let arguments = words.map(str::to_owned).collect();
        let version = version_of(&program)?;
        Ok(Self { name: "qemu", version, program, arguments, cmdline_option: "-append" })
    }

    /// Ours.
    pub(crate) fn polyvisor(arch: &str, binary: &Path, more: &[String]) -> Self {
        let words = ["run", "--arch", arch, "--memory", MEMORY, "--cpus", "1", "--accel", "tcg"];
        let mut arguments: Vec<String> = words.map(str::to_owned).to_vec();
        arguments.extend_from_slice(more);
        Self {
            name: "polyvisor",
            version: version_of(binary).unwrap_or_default(),
            program: binary.to_owned(),
            arguments,
            cmdline_option: "--cmdline",
        }
    }

    /// The command that boots `guest` with another initrd and `words` on its command line.
    pub(crate) fn command(&self, guest: &Guest, initrd: &Path, words: &str) -> Command {
        let dashes = if self.name == "qemu" { "-" } else { "--" };
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env("POLYVISOR_NO_LEARN", "1");
        command.arg(format!("{dashes}kernel")).arg(&guest.kernel);
        command.arg(format!("{dashes}initrd")).arg(initrd);
        command.arg(self.cmdline_option).arg(format!("{} quiet {words}", guest.cmdline));
        command
    }
}

fn version_of(program: &Path) -> Result<String> {
    let output = Command::new(program).arg("--version").output().map_err(|e| {
        Error::new(e.kind(), format!("{} cannot be started: {e}", program.display()))
    })?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
