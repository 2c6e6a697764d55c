//! The first time and the next: what is learnt about code in the first boot of a guest, or run of
//! a program, makes the next one faster. No QEMU here: Polyvisor is compared with itself, without
//! learning, with an empty cache folder, and with a filled one.

use crate::Options;
use crate::emulator::Emulator;
use crate::programs;
use crate::report::median;
use polyvisor_tests::{CpuTime, Guest, Machine, guest, polyvisor};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

/// A guest that says nothing for so long hangs.
const SILENCE: Duration = Duration::from_secs(300);
/// How often a program is run for one figure: processor time has steps of 10 ms.
const RUNS: u32 = 10;

/// Milliseconds of processor time.
type Figure = Result<f64, Box<dyn Error>>;

/// A cache folder that is removed when it is dropped.
struct Cache(PathBuf);

impl Cache {
    fn new(name: &str) -> Self {
        let cache = Self(std::env::temp_dir().join(format!("bench-{name}-{}", std::process::id())));
        cache.empty();
        cache
    }

    fn empty(&self) {
        // It is made when it is needed.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        self.empty();
    }
}

/// What is known of the code.
#[derive(Clone, Copy)]
enum Knowing<'a> {
    /// Nothing, and nothing is to be.
    Off,
    /// Nothing yet.
    First(&'a Cache),
    /// What earlier runs have learnt.
    Again(&'a Cache),
}

impl Knowing<'_> {
    fn prepare(self, command: &mut Command) {
        match self {
            Knowing::Off => {
                command.env("POLYVISOR_NO_LEARN", "1");
                return;
            }
            Knowing::First(cache) => {
                cache.empty();
                command.env("POLYVISOR_CACHE", &cache.0);
            }
            Knowing::Again(cache) => {
                command.env("POLYVISOR_CACHE", &cache.0);
            }
        }
        command.env_remove("POLYVISOR_NO_LEARN");
    }
}

/// Measures, alternately, and prints the table.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let binary = options.polyvisor.clone().unwrap_or_else(polyvisor);
    let guest = guest(&options.arch);
    let emulator = Emulator::polyvisor(&options.arch, &binary, &options.with);
    println!("{:22}{:>9}{:>9}{:>9}   again/off", "processor ms, median", "off", "first", "again");
    row("boot to init", options.rounds, &|knowing| boot(&emulator, &guest, knowing))?;
    let wanted = if options.only.is_empty() {
        ["compiler", "database", "cold", "startup"].map(String::from).to_vec()
    } else {
        options.only.clone()
    };
    let programs = programs::select(&wanted, true);
    let built = programs::build(&options.arch, &programs)?;
    for (program, (_, file)) in programs.iter().zip(&built) {
        row(program.name, options.rounds, &|knowing| {
            let args: &[&str] = if program.name == "startup" { &["1"] } else { &[] };
            start(&binary, file, args, knowing)
        })?;
    }
    Ok(ExitCode::SUCCESS)
}

/// One line: what is measured without learning, the first time, and again.
fn row(
    name: &str,
    rounds: usize,
    once: &dyn Fn(Knowing<'_>) -> Figure,
) -> Result<(), Box<dyn Error>> {
    let (empty, filled) = (Cache::new("empty"), Cache::new("filled"));
    once(Knowing::Again(&filled))?;
    let mut figures = [const { Vec::new() }; 3];
    for _ in 0..rounds {
        let ways = [Knowing::Off, Knowing::First(&empty), Knowing::Again(&filled)];
        for (knowing, figures) in ways.into_iter().zip(&mut figures) {
            figures.push(once(knowing)?);
        }
    }
    let [off, first, again] = figures.map(|figures| median(figures.into_iter()));
    println!("{name:22}{off:9.1}{first:9.1}{again:9.1}{:12.3}", again / off);
    Ok(())
}

fn boot(emulator: &Emulator, guest: &Guest, knowing: Knowing<'_>) -> Figure {
    let mut command = emulator.command(guest, &guest.initrd, "polyvisor.report");
    knowing.prepare(&mut command);
    let mut machine = Machine::start(command)?;
    let init = machine.wait_for("polyvisor: init at ", SILENCE)?;
    machine.wait_for("polyvisor: ready", SILENCE)?;
    let status = machine.finish(SILENCE)?;
    if !status.success() {
        return Err(format!("the machine ended with {status}").into());
    }
    Ok(init.cpu.user_ms as f64)
}

/// Processor time of one run of a program.
fn start(binary: &Path, file: &Path, args: &[&str], knowing: Knowing<'_>) -> Figure {
    let before = CpuTime::of_children()?;
    for _ in 0..RUNS {
        let mut command = Command::new(binary);
        command.arg("user").arg(file).args(args);
        knowing.prepare(&mut command);
        // `startup` says by its status how often it was started.
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status()?;
        if status.code().is_none_or(|code| code > 1) {
            return Err(format!("{} ended with {status}", file.display()).into());
        }
    }
    Ok(CpuTime::of_children()?.since(before).user_ms as f64 / f64::from(RUNS))
}
