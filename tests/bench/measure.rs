//! One boot with all programs, and what it took.

use crate::archive::{FOLDER, Temporary};
use crate::emulator::Emulator;
use crate::programs::Program;
use polyvisor_tests::{CpuTime, Guest, Machine, MachineError, private_memory_kib};
use std::time::Duration;

/// A guest that says nothing for so long hangs.
const SILENCE: Duration = Duration::from_secs(300);

/// How long the guest idles, to see what that takes.
const IDLE_SECONDS: u32 = 5;

/// What one boot showed.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// Wall time of the boot, from the start of the process to the start of init.
    pub(crate) boot_wall: Duration,
    /// Processor time of the boot.
    pub(crate) boot: CpuTime,
    /// Resident memory after the boot, without the guest's own.
    pub(crate) memory_kib: u64,
    /// While the guest slept.
    pub(crate) idle: Measurement,
    /// In the order of the programs.
    pub(crate) programs: Vec<Measurement>,
    /// Wall time of everything.
    pub(crate) total: Duration,
}

/// What one program showed.
#[derive(Debug, Clone)]
pub(crate) struct Measurement {
    pub(crate) cpu: CpuTime,
    pub(crate) wall: Duration,
    /// Its output, which must not depend on the emulator.
    pub(crate) output: String,
}

/// Boots `guest` with the initrd that holds `programs`, runs them, and powers off.
pub(crate) fn boot_and_run(
    emulator: &Emulator,
    guest: &Guest,
    initrd: &Temporary,
    programs: &[Program],
) -> Result<Run, Box<dyn std::error::Error>> {
    let names: Vec<&str> = programs.iter().map(|program| program.name).collect();
    let script = format!(
        "echo 'bench: begin idle'; sleep {IDLE_SECONDS}; echo 'bench: end idle 0'\n\
         for p in {}; do echo \"bench: begin $p\"; /{FOLDER}/$p; echo \"bench: end $p $?\"; done",
        names.join(" ")
    );
    let words = format!("polyvisor.exec={}", base64(script.as_bytes()));
    let mut machine = Machine::start(emulator.command(guest, initrd.path(), &words))?;
    let init = machine.wait_for("polyvisor: init at ", SILENCE)?;
    let boot_wall = init.at - machine.started;
    let memory_kib = private_memory_kib(machine.pid()).unwrap_or_default();
    let idle = measure(&mut machine, "idle")?;
    let mut measurements = Vec::new();
    for program in programs {
        eprint!(" {}", program.name);
        measurements.push(measure(&mut machine, program.name)?);
    }
    machine.wait_for("polyvisor: ready", SILENCE)?;
    let status = machine.finish(SILENCE)?;
    if !status.success() {
        return Err(format!("{} ended with {status}", emulator.name).into());
    }
    let total = machine.started.elapsed();
    Ok(Run { boot_wall, boot: init.cpu, memory_kib, idle, programs: measurements, total })
}

fn measure(machine: &mut Machine, program: &str) -> Result<Measurement, MachineError> {
    let begin = machine.wait_for(&format!("bench: begin {program}"), SILENCE)?;
    let end_marker = format!("bench: end {program} ");
    let mut output = String::new();
    loop {
        let Some(line) = machine.line(SILENCE)? else {
            let what = format!("the machine ended during {program}");
            return Err(MachineError { what, tail: machine.console() });
        };
        match line.text.strip_prefix(&end_marker) {
            Some("0") => {
                let cpu = line.cpu.since(begin.cpu);
                return Ok(Measurement { cpu, wall: line.at - begin.at, output });
            }
            Some(status) => {
                let what = format!("{program} ended with status {status}");
                return Err(MachineError { what, tail: output });
            }
            None => {
                output.push_str(&line.text);
                output.push('\n');
            }
        }
    }
}

/// RFC 4648's base64.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |n: usize| u32::from(chunk.get(n).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for n in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * n)) as usize & 63];
            text.push(if n <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[test]
fn base64_pads() {
    assert_eq!(base64(b"Man"), "TWFu");
    assert_eq!(base64(b"Ma"), "TWE=");
    assert_eq!(base64(b"M"), "TQ==");
    assert_eq!(base64(b""), "");
}
