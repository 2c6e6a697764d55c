//! Figures of whole programs in user mode: memory, and what translating them takes.

use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use wait4::Wait4;

/// Of one program.
#[derive(Debug)]
pub(crate) struct Whole {
    /// Resident memory at most under QEMU, if that was asked.
    pub(crate) qemu_kib: Option<u64>,
    /// What `polyvisor user --stats` says.
    pub(crate) translated: Value,
}

impl Whole {
    /// Runs a program once under each; the commands lack the program.
    pub(crate) fn of(
        qemu: Option<Command>,
        mut polyvisor: Command,
        program: &Path,
        args: &[&str],
    ) -> Result<Self, Box<dyn Error>> {
        let file = std::env::temp_dir().join(format!("polyvisor-stats-{}", std::process::id()));
        polyvisor.arg("--stats").arg(&file);
        polyvisor.arg(program).args(args).stdin(Stdio::null()).stdout(Stdio::null()).status()?;
        let text = std::fs::read_to_string(&file)?;
        std::fs::remove_file(&file)?;
        let qemu_kib = match qemu {
            Some(mut qemu) => {
                qemu.arg(program).args(args);
                Some(peak_kib(qemu)?)
            }
            None => None,
        };
        Ok(Self { qemu_kib, translated: serde_json::from_str(&text)? })
    }

    /// A figure of `--stats`.
    pub(crate) fn figure(&self, name: &str) -> f64 {
        self.translated[name].as_f64().unwrap_or(f64::NAN)
    }
}

/// The most memory that a command had resident. What starts it counts too, which is little.
fn peak_kib(mut command: Command) -> std::io::Result<u64> {
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
    Ok(child.wait4()?.rusage.maxrss / 1024)
}
