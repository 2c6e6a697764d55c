//! `bench`: Polyvisor against QEMU, on the same guest or program, in the same run.
//!
//! Both boot the same kernel and initrd, which holds one program per class of work, alternately
//! and several times. What counts is the processor time that the emulator's process spends
//! between the lines that the guest prints before and after a program; a machine's noise hits
//! both. A program whose checksum differs between the two is an error, not a result.
//!
//! Polyvisor runs without what it learnt about code earlier; `--again` shows what that is worth.

mod again;
mod archive;
mod cold;
mod emulator;
mod measure;
mod programs;
mod report;
mod user;
mod whole;

use clap::Parser;
use emulator::Emulator;
use measure::Run;
use polyvisor_tests::{guest, polyvisor};
use std::path::PathBuf;
use std::process::ExitCode;

/// Compares the processor time of Polyvisor and of QEMU for the same work in the same guest.
#[derive(Parser)]
struct Options {
    /// Guest architecture: riscv64, aarch64 or x86_64.
    #[arg(long, default_value = "riscv64")]
    arch: String,
    /// Runs the programs in user mode instead of a machine.
    #[arg(long)]
    user: bool,
    /// Compares Polyvisor with itself instead: the first boot or run, and the next, which know what
    /// was learnt about the code.
    #[arg(long)]
    again: bool,
    /// How often each of the two boots and runs everything; medians are reported.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Runs only programs whose name or class contains this; may be repeated.
    #[arg(long = "only")]
    only: Vec<String>,
    /// Runs only this one: qemu, polyvisor, or with --user native.
    #[arg(long)]
    emulator: Option<String>,
    /// Another binary than the one built here.
    #[arg(long)]
    polyvisor: Option<PathBuf>,
    /// More arguments for `polyvisor run` or `user`, such as `--tcg interp`.
    #[arg(long = "with", value_delimiter = ' ', allow_hyphen_values = true)]
    with: Vec<String>,
    /// Writes every single figure to this file, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Fails when a class is below its target.
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<ExitCode, Box<dyn std::error::Error>> {
    if options.again {
        return again::run(options);
    }
    if options.user {
        return user::run(options);
    }
    let guest = guest(&options.arch);
    let programs = programs::select(&options.only, false);
    if programs.is_empty() {
        return Err("no program has such a name or class".into());
    }
    let built = programs::build(&options.arch, &programs)?;
    let initrd = archive::with_programs(&guest.initrd, &built)?;
    let mut emulators = vec![Emulator::qemu(&options.arch)?];
    if options.emulator.as_deref() != Some("qemu") {
        let binary = options.polyvisor.clone().unwrap_or_else(polyvisor);
        emulators.push(Emulator::polyvisor(&options.arch, &binary, &options.with));
    }
    if let Some(name) = &options.emulator {
        emulators.retain(|emulator| emulator.name == name);
    }
    let mut runs: Vec<Vec<Run>> = vec![Vec::new(); emulators.len()];
    for round in 1..=options.rounds {
        for (emulator, runs) in emulators.iter().zip(&mut runs) {
            eprint!("round {round}/{}, {}:", options.rounds, emulator.name);
            let run = measure::boot_and_run(emulator, &guest, &initrd, &programs)?;
            eprintln!(" {:.1} s", run.total.as_secs_f64());
            runs.push(run);
        }
    }
    let comparison = report::Comparison::new(&programs, &emulators, &runs)?;
    print!("{comparison}");
    if let Some(path) = &options.json {
        std::fs::write(path, comparison.json(&options.arch, &guest.version))?;
    }
    let below = comparison.below_target();
    for missed in &below {
        println!("below its target: {missed}");
    }
    Ok(if options.check && !below.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
