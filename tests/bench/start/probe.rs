//! One start of one monitor.

use std::io::{Error, Read, Result};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What was measured.
#[derive(Clone)]
pub(crate) struct Sample {
    /// From the start of the process to the guest's words.
    pub(crate) time: Duration,
    /// Resident then, the guest's memory apart.
    pub(crate) memory_kib: Option<u64>,
}

/// A mapping of this size is the guest's memory, KiB.
const GUEST_KIB: u64 = 96 << 10;

/// Starts it, waits for `until` on its console, looks at its memory, and ends it.
pub(crate) fn start(mut command: Command, until: &str) -> Result<Sample> {
    let begin = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let outcome = wait(&mut child, until).map(|()| {
        let time = begin.elapsed();
        Sample { time, memory_kib: memory(child.id()) }
    });
    // It may have ended by itself, which is as good.
    let _ = child.kill();
    child.wait()?;
    outcome
}

fn wait(child: &mut Child, until: &str) -> Result<()> {
    let Some(mut output) = child.stdout.take() else { return Err(Error::other("no output")) };
    let (mut seen, mut bytes) = (Vec::new(), [0; 4096]);
    loop {
        let len = output.read(&mut bytes)?;
        if len == 0 {
            let seen = String::from_utf8_lossy(&seen).into_owned();
            return Err(Error::other(format!("it ended before its guest said `{until}`: {seen}")));
        }
        seen.extend_from_slice(&bytes[..len]);
        if seen.windows(until.len()).any(|window| window == until.as_bytes()) {
            // Kept open: a closed console would be another guest's trouble.
            child.stdout = Some(output);
            return Ok(());
        }
    }
}

/// Resident KiB of a process in mappings that are not the guest's memory.
fn memory(pid: u32) -> Option<u64> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/smaps")).ok()?;
    let field = |line: &str, name: &str| -> Option<u64> {
        line.strip_prefix(name)?.trim().strip_suffix(" kB")?.parse().ok()
    };
    let (mut size, mut resident) = (0, 0);
    for line in maps.lines() {
        if let Some(kib) = field(line, "Size:") {
            size = kib;
        } else if let Some(kib) = field(line, "Rss:").filter(|_| size < GUEST_KIB) {
            resident += kib;
        }
    }
    Some(resident)
}
