//! User mode: the programs as the host's own, under `qemu-ARCH` and under `polyvisor user`,
//! alternately.

use crate::Options;
use crate::programs::{self, Program};
use crate::report::{geometric_mean, median};
use crate::whole::Whole;
use polyvisor_tests::{CpuTime, polyvisor};
use serde_json::json;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};

/// Places of runners, if none of them is chosen.
const QEMU: usize = 0;
const POLYVISOR: usize = 1;
const NATIVE: usize = 2;

/// What runs the programs.
struct Runner {
    name: &'static str,
    /// The command in front of a program's.
    command: Vec<String>,
    /// The programs.
    files: Vec<PathBuf>,
}

impl Runner {
    /// Runs a program to its end.
    fn run(&self, program: &Path, args: &[&str]) -> std::io::Result<Output> {
        let mut command = match self.command() {
            Some(mut command) => {
                command.arg(program);
                command
            }
            None => Command::new(program),
        };
        command.args(args).stdin(Stdio::null()).output().map_err(|e| {
            let command = self.command.first().map_or(self.name, |first| first);
            std::io::Error::new(e.kind(), format!("{command} cannot be started: {e}"))
        })
    }

    fn command(&self) -> Option<Command> {
        let (first, words) = self.command.split_first()?;
        let mut command = Command::new(first);
        command.args(words).env("POLYVISOR_NO_LEARN", "1");
        Some(command)
    }
}

/// The figures of one program.
struct Figures {
    program: Program,
    /// For each runner the processor time of each round, in milliseconds.
    ms: Vec<Vec<f64>>,
    whole: Option<Whole>,
}

impl Figures {
    fn median_ms(&self, runner: usize) -> f64 {
        median(self.ms[runner].iter().copied())
    }

    /// QEMU's time over that of another runner.
    fn ratio_of(&self, runner: usize) -> Option<f64> {
        (self.ms.len() > runner).then(|| self.median_ms(QEMU) / self.median_ms(runner).max(1.0))
    }

    /// QEMU's time over ours.
    fn ratio(&self) -> Option<f64> {
        self.ratio_of(POLYVISOR)
    }
}

/// Runs everything and prints the table.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let programs = programs::select(&options.only, true);
    if programs.is_empty() {
        return Err("no program has such a name or class".into());
    }
    let runners = runners(options, &programs)?;
    let mut all = Vec::new();
    for (at, program) in programs.into_iter().enumerate() {
        eprint!("{}", program.name);
        all.push(measure(options, program, at, &runners)?);
        eprint!(" ");
    }
    eprintln!();
    print_table(&runners, &all);
    print_whole(&all);
    if let Some(path) = &options.json {
        std::fs::write(path, as_json(&options.arch, &runners, &all))?;
    }
    let missed = below_target(&all);
    for line in &missed {
        println!("below its target: {line}");
    }
    Ok(if options.check && !missed.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn runners(options: &Options, programs: &[Program]) -> Result<Vec<Runner>, Box<dyn Error>> {
    let binary: PathBuf = options.polyvisor.clone().unwrap_or_else(polyvisor);
    let binary = binary.to_str().ok_or("the binary's path is not in UTF-8")?.to_owned();
    let mut ours = vec![binary, "user".to_owned(), "--arch".to_owned(), options.arch.clone()];
    ours.extend(options.with.iter().cloned());
    let files = |arch: &str| -> std::io::Result<Vec<PathBuf>> {
        Ok(programs::build(arch, programs)?.into_iter().map(|(_, file)| file).collect())
    };
    let guest = files(&options.arch)?;
    let qemu = vec![format!("qemu-{}", options.arch)];
    let mut runners = vec![
        Runner { name: "qemu", command: qemu, files: guest.clone() },
        Runner { name: "polyvisor", command: ours, files: guest },
        Runner { name: "native", command: Vec::new(), files: files(std::env::consts::ARCH)? },
    ];
    if let Some(name) = &options.emulator {
        runners.retain(|runner| runner.name == name);
    }
    Ok(runners)
}

/// A program is run until it has used so much time: that is counted in steps of 10 ms.
const ENOUGH_MS: u64 = 300;

/// Measures the program at that place of the runners' lists.
fn measure(
    options: &Options,
    program: Program,
    at: usize,
    runners: &[Runner],
) -> Result<Figures, Box<dyn Error>> {
    let mut ms = vec![Vec::new(); runners.len()];
    // Its children need binfmt_misc, which QEMU may not be registered with: they are started from
    // here.
    let starts = program.name == "startup";
    let (args, expected): (&[&str], _) = if starts { (&["1"], 1) } else { (&[], 0) };
    let mut printed: Option<Vec<u8>> = None;
    for _ in 0..options.rounds {
        for (runner, ms) in runners.iter().zip(&mut ms) {
            let file = &runner.files[at];
            let before = CpuTime::of_children()?;
            let mut runs = 0;
            let output = loop {
                runs += 1;
                let mut output = runner.run(file, args)?;
                for _ in 1..if starts { STARTS } else { 1 } {
                    output = runner.run(file, args)?;
                }
                let took = counted(&program, CpuTime::of_children()?.since(before));
                if took >= ENOUGH_MS || output.status.code() != Some(expected) {
                    ms.push(took as f64 / f64::from(runs));
                    break output;
                }
            };
            if output.status.code() != Some(expected) {
                let text = String::from_utf8_lossy(&output.stderr);
                let (name, status) = (runner.name, output.status);
                return Err(format!("{} under {name}: {status}: {text}", program.name).into());
            }
            match &printed {
                Some(first) if *first != output.stdout => {
                    return Err(format!("{} prints different results", program.name).into());
                }
                _ => printed = Some(output.stdout),
            }
        }
    }
    let named = |name| runners.iter().find(|runner| runner.name == name);
    let whole = match named("polyvisor") {
        Some(ours) => {
            let qemu = named("qemu").and_then(Runner::command);
            let command = ours.command().ok_or("Polyvisor has a command")?;
            Some(Whole::of(qemu, command, &ours.files[at], args)?)
        }
        None => None,
    };
    Ok(Figures { program, ms, whole })
}

/// Runs of a program that does next to nothing.
const STARTS: u32 = 100;

/// What a program's time is: user time, but of starts the system's too. A kernel that counts by ticks
/// takes all the time of a process that was over before one for user time: there only the sum is exact.
fn counted(program: &Program, took: CpuTime) -> u64 {
    took.user_ms + if program.name == "startup" { took.system_ms } else { 0 }
}

fn print_table(runners: &[Runner], all: &[Figures]) {
    print!("{:24}", "user s; start-up: all");
    for runner in runners {
        print!("{:>11}", runner.name);
    }
    println!("{}", if runners.len() > 1 { "   ratio  native's" } else { "" });
    for (class, target) in programs::USER_CLASSES {
        let of_class = || all.iter().filter(|f| f.program.class == *class);
        for figures in of_class() {
            print!("{class:13}{:11}", figures.program.name);
            for runner in 0..runners.len() {
                print!("{:11.3}", figures.median_ms(runner) / 1e3);
            }
            for ratio in [POLYVISOR, NATIVE].into_iter().filter_map(|of| figures.ratio_of(of)) {
                print!("{ratio:8.2}");
            }
            println!();
        }
        if let Some(ratio) = geometric_mean(of_class().filter_map(Figures::ratio)) {
            println!("{class:13}{:44}{ratio:8.2}   target {target}", "all");
        }
    }
    if let Some(mean) = geometric_mean(all.iter().filter_map(Figures::ratio)) {
        println!(
            "{:57}{mean:8.2}   target {}",
            "geometric mean of all programs",
            programs::USER_MEAN
        );
    }
}

/// What translating takes, and memory.
fn print_whole(all: &[Figures]) {
    println!(
        "\n{:24}{:>9}{:>13}{:>10}{:>16}{:>11}{:>11}",
        "whole programs",
        "blocks",
        "instructions",
        "code KiB",
        "translating ms",
        "MiB",
        "QEMU's MiB"
    );
    for (figures, whole) in all.iter().filter_map(|f| Some((f, f.whole.as_ref()?))) {
        let figure = |name| whole.figure(name);
        print!(
            "{:24}{:9}{:13}{:10.0}{:16.1}{:11.1}",
            figures.program.name,
            figure("blocks"),
            figure("instructions"),
            figure("code_bytes") / 1024.0,
            figure("translation_ns") / 1e6,
            figure("peak_kib") / 1024.0
        );
        match whole.qemu_kib {
            Some(kib) => println!("{:11.1}", kib as f64 / 1024.0),
            None => println!(),
        }
    }
}

fn below_target(all: &[Figures]) -> Vec<String> {
    let mut missed = Vec::new();
    for (class, target) in programs::USER_CLASSES {
        let of_class = all.iter().filter(|f| f.program.class == *class);
        if let Some(ratio) = geometric_mean(of_class.filter_map(Figures::ratio))
            && ratio < *target
        {
            missed.push(format!("{class}: {ratio:.2} times as fast, target {target}"));
        }
    }
    missed
}

fn as_json(arch: &str, runners: &[Runner], all: &[Figures]) -> String {
    let programs: Vec<_> = all
        .iter()
        .map(|figures| {
            let times = runners.iter().zip(&figures.ms);
            let times: serde_json::Map<_, _> =
                times.map(|(runner, ms)| (runner.name.to_owned(), json!(ms))).collect();
            let (name, class) = (figures.program.name, figures.program.class);
            let whole = figures.whole.as_ref().map(
                |whole| json!({ "translated": whole.translated, "qemu_peak_kib": whole.qemu_kib }),
            );
            json!({ "name": name, "class": class, "ms": times, "whole": whole })
        })
        .collect();
    let whole = json!({ "arch": arch, "mode": "user", "programs": programs });
    format!("{whole:#}\n")
}
