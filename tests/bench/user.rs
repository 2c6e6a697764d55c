//! User mode: the programs alone, under `qemu-ARCH` and under `polyvisor user`, alternately.

use crate::Options;
use crate::programs::{self, Program};
use crate::report::{geometric_mean, median};
use polyvisor_tests::{CpuTime, polyvisor};
use serde_json::json;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};

/// What runs the programs: a name, and the command in front of a program's.
struct Runner {
    name: &'static str,
    command: Vec<String>,
}

impl Runner {
    /// Runs a program to its end.
    fn run(&self, program: &Path, args: &[&str]) -> std::io::Result<Output> {
        self.command(program).args(args).stdin(Stdio::null()).output().map_err(|e| {
            let command = self.command.first().map_or(self.name, |first| first);
            std::io::Error::new(e.kind(), format!("{command} cannot be started: {e}"))
        })
    }

    fn command(&self, program: &Path) -> Command {
        let mut words = self.command.iter();
        let mut command = match words.next() {
            Some(first) => Command::new(first),
            None => return Command::new(program),
        };
        command.args(words).arg(program).env("POLYVISOR_NO_LEARN", "1");
        command
    }
}

/// The figures of one program: for each runner the processor time of each round, in milliseconds.
struct Figures {
    program: Program,
    ms: Vec<Vec<f64>>,
}

impl Figures {
    fn median_ms(&self, runner: usize) -> f64 {
        median(self.ms[runner].iter().copied())
    }

    /// QEMU's time over ours.
    fn ratio(&self) -> Option<f64> {
        (self.ms.len() == 2).then(|| self.median_ms(0) / self.median_ms(1).max(1.0))
    }
}

/// Runs everything and prints the table.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let programs = programs::select(&options.only, true);
    if programs.is_empty() {
        return Err("no program has such a name or class".into());
    }
    let built = programs::build(&options.arch, &programs)?;
    let runners = runners(options)?;
    let mut all = Vec::new();
    for (program, (_, file)) in programs.into_iter().zip(&built) {
        eprint!("{}", program.name);
        all.push(measure(options, program, file, &runners)?);
        eprint!(" ");
    }
    eprintln!();
    print_table(&runners, &all);
    if let Some(path) = &options.json {
        std::fs::write(path, as_json(&options.arch, &runners, &all))?;
    }
    let missed = below_target(&all);
    for line in &missed {
        println!("below its target: {line}");
    }
    Ok(if options.check && !missed.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn runners(options: &Options) -> Result<Vec<Runner>, Box<dyn Error>> {
    let binary: PathBuf = options.polyvisor.clone().unwrap_or_else(polyvisor);
    let binary = binary.to_str().ok_or("the binary's path is not in UTF-8")?.to_owned();
    let mut ours = vec![binary, "user".to_owned(), "--arch".to_owned(), options.arch.clone()];
    ours.extend(options.with.iter().cloned());
    let mut runners = vec![
        Runner { name: "qemu", command: vec![format!("qemu-{}", options.arch)] },
        Runner { name: "polyvisor", command: ours },
    ];
    if let Some(name) = &options.emulator {
        runners.retain(|runner| runner.name == name);
    }
    Ok(runners)
}

/// A program is run until it has used so much time: that is counted in steps of 10 ms.
const ENOUGH_MS: u64 = 300;

fn measure(
    options: &Options,
    program: Program,
    file: &Path,
    runners: &[Runner],
) -> Result<Figures, Box<dyn Error>> {
    let mut ms = vec![Vec::new(); runners.len()];
    let mut printed: Option<Vec<u8>> = None;
    for _ in 0..options.rounds {
        for (runner, ms) in runners.iter().zip(&mut ms) {
            let before = CpuTime::of_children()?;
            let mut runs = 0;
            let (mut output, expected) = loop {
                runs += 1;
                let ended = match program.name {
                    // Its children need binfmt_misc, which QEMU may not be registered with: they
                    // are started from here.
                    "startup" => (start(runner, file)?, 1),
                    _ => (runner.run(file, &[])?, 0),
                };
                let took = CpuTime::of_children()?.since(before);
                let took = counted(&program, took);
                if took >= ENOUGH_MS || ended.0.status.code() != Some(ended.1) {
                    ms.push(took as f64 / f64::from(runs));
                    break ended;
                }
            };
            output.stdout.push(expected as u8);
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
    Ok(Figures { program, ms })
}

/// What a program's time is: user time, but of starts the system's too. A kernel that counts by ticks
/// takes all the time of a process that was over before one for user time: there only the sum is exact.
fn counted(program: &Program, took: CpuTime) -> u64 {
    took.user_ms + if program.name == "startup" { took.system_ms } else { 0 }
}

/// Starts a small program again and again.
fn start(runner: &Runner, file: &Path) -> std::io::Result<Output> {
    const TIMES: u32 = 100;
    for _ in 1..TIMES {
        runner.run(file, &["1"])?;
    }
    runner.run(file, &["1"])
}

fn print_table(runners: &[Runner], all: &[Figures]) {
    print!("{:24}", "user s; start-up: all");
    for runner in runners {
        print!("{:>11}", runner.name);
    }
    println!("{}", if runners.len() == 2 { "   ratio" } else { "" });
    for (class, target) in programs::USER_CLASSES {
        let of_class = || all.iter().filter(|f| f.program.class == *class);
        for figures in of_class() {
            print!("{class:13}{:11}", figures.program.name);
            for runner in 0..runners.len() {
                print!("{:11.3}", figures.median_ms(runner) / 1e3);
            }
            match figures.ratio() {
                Some(ratio) => println!("{ratio:8.2}"),
                None => println!(),
            }
        }
        if let Some(ratio) = geometric_mean(of_class().filter_map(Figures::ratio)) {
            println!("{class:13}{:33}{ratio:8.2}   target {target}", "all");
        }
    }
    if let Some(mean) = geometric_mean(all.iter().filter_map(Figures::ratio)) {
        println!(
            "{:46}{mean:8.2}   target {}",
            "geometric mean of all programs",
            programs::USER_MEAN
        );
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
            json!({ "name": name, "class": class, "ms": times })
        })
        .collect();
    let whole = json!({ "arch": arch, "mode": "user", "programs": programs });
    format!("{whole:#}\n")
}
