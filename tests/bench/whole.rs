//! Figures of whole programs in user mode: memory, and what translating them takes.

use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// How often a process is asked for its memory, which only grows in this respect.
const EVERY: Duration = Duration::from_millis(2);

/// Of one program.
#[derive(Debug)]
pub(crate) struct Whole {
    /// Resident memory at most under QEMU, if that was asked.
    pub(crate) qemu_kib: Option<u64>,
    /// The same under Polyvisor.
    pub(crate) polyvisor_kib: u64,
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
        let peak = |mut command: Command| peak_kib(command.arg(program).args(args));
        let polyvisor_kib = peak(polyvisor)?;
        let text = std::fs::read_to_string(&file)?;
        std::fs::remove_file(&file)?;
        let qemu_kib = qemu.map(peak).transpose()?;
        Ok(Self { qemu_kib, polyvisor_kib, translated: serde_json::from_str(&text)? })
    }

    /// A figure of `--stats`.
    pub(crate) fn figure(&self, name: &str) -> f64 {
        self.translated[name].as_f64().unwrap_or(f64::NAN)
    }
}

/// The most memory that a command had resident, as far as it was seen (VmHWM of proc(5)).
fn peak_kib(command: &mut Command) -> std::io::Result<u64> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait()?.is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        most = most.max(kib.unwrap_or(0));
        std::thread::sleep(EVERY);
    }
    Ok(most)
}
