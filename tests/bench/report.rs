//! Medians, ratios and the table.

use crate::emulator::Emulator;
use crate::measure::Run;
use crate::programs::{CLASSES, Program};
use serde_json::{Value, json};
use std::fmt;

/// An idle guest takes at most this much of a core.
const IDLE_TARGET_PERCENT: f64 = 2.0;
/// After the boot, the process holds at most this beside the guest's memory.
const MEMORY_TARGET_MIB: f64 = 64.0;
/// Boot takes at most this part of QEMU's processor time.
const BOOT_TARGET: f64 = 0.7;
/// The geometric mean of all programs' ratios is at least this.
const MEAN_TARGET: f64 = 2.5;

/// The figures of all runs.
pub(crate) struct Comparison<'a> {
    programs: &'a [Program],
    emulators: &'a [Emulator],
    runs: &'a [Vec<Run>],
}

impl<'a> Comparison<'a> {
    /// Fails when the emulators disagree on what a program prints.
    pub(crate) fn new(
        programs: &'a [Program],
        emulators: &'a [Emulator],
        runs: &'a [Vec<Run>],
    ) -> Result<Self, String> {
        for (n, program) in programs.iter().enumerate() {
            let mut outputs = runs.iter().flatten().map(|run| &run.programs[n].output);
            let first = outputs.next();
            if let Some(other) = outputs.find(|output| Some(*output) != first) {
                let (a, b) = (first.map_or("", |text| text.trim()), other.trim());
                return Err(format!("{} printed both '{a}' and '{b}'", program.name));
            }
        }
        Ok(Self { programs, emulators, runs })
    }

    /// User time of a program, median over the rounds.
    fn user_ms(&self, emulator: usize, program: usize) -> f64 {
        median(self.runs[emulator].iter().map(|run| run.programs[program].cpu.user_ms as f64))
    }

    /// User and system time of the boot, median over the rounds.
    fn boot_ms(&self, emulator: usize) -> f64 {
        median(self.runs[emulator].iter().map(|run| (run.boot.user_ms + run.boot.system_ms) as f64))
    }

    fn boot_wall_ms(&self, emulator: usize) -> f64 {
        median(self.runs[emulator].iter().map(|run| run.boot_wall.as_secs_f64() * 1e3))
    }

    /// Resident memory beside the guest's; QEMU's includes the guest's.
    fn memory_mib(&self, emulator: usize) -> f64 {
        median(self.runs[emulator].iter().map(|run| run.memory_kib as f64 / 1024.0))
    }

    /// What an idle guest takes of a processor.
    fn idle_percent(&self, emulator: usize) -> f64 {
        median(self.runs[emulator].iter().map(|run| {
            let cpu = run.idle.cpu;
            (cpu.user_ms + cpu.system_ms) as f64 / run.idle.wall.as_secs_f64() / 10.0
        }))
    }

    /// QEMU's time over ours.
    fn ratio(&self, program: usize) -> f64 {
        self.user_ms(0, program) / self.user_ms(1, program).max(1.0)
    }

    fn is_comparison(&self) -> bool {
        self.emulators.len() == 2
    }

    /// `None` when there is nothing to compare, or no program of the class.
    fn class_ratio(&self, class: &str) -> Option<f64> {
        if !self.is_comparison() {
            return None;
        }
        let of_class = self.programs.iter().enumerate().filter(|(_, p)| p.class == class);
        geometric_mean(of_class.map(|(n, _)| self.ratio(n)))
    }

    fn mean_ratio(&self) -> Option<f64> {
        let all = if self.is_comparison() { self.programs.len() } else { 0 };
        geometric_mean((0..all).map(|n| self.ratio(n)))
    }

    /// What misses its target, one line each.
    pub(crate) fn below_target(&self) -> Vec<String> {
        let mut missed = Vec::new();
        if !self.is_comparison() {
            return missed;
        }
        for (class, target) in CLASSES {
            if let Some(ratio) = self.class_ratio(class).filter(|ratio| ratio < target) {
                missed.push(format!("{class}: {ratio:.2} times as fast, target {target}"));
            }
        }
        if let Some(mean) = self.mean_ratio().filter(|mean| *mean < MEAN_TARGET) {
            missed.push(format!("geometric mean: {mean:.2}, target {MEAN_TARGET}"));
        }
        let boot = self.boot_ms(1) / self.boot_ms(0);
        let (idle, memory) = (self.idle_percent(1), self.memory_mib(1));
        if idle > IDLE_TARGET_PERCENT {
            missed.push(format!("idle: {idle:.1} % of a core, target {IDLE_TARGET_PERCENT}"));
        }
        if memory > MEMORY_TARGET_MIB {
            missed.push(format!("memory: {memory:.0} MiB, target {MEMORY_TARGET_MIB}"));
        }
        if boot > BOOT_TARGET {
            missed.push(format!("boot: {boot:.2} of QEMU's processor time, target {BOOT_TARGET}"));
        }
        missed
    }

    /// Every figure.
    pub(crate) fn json(&self, arch: &str, kernel: &str) -> String {
        let emulators: Vec<Value> = self
            .emulators
            .iter()
            .zip(self.runs)
            .map(|(emulator, runs)| {
                let boots: Vec<Value> = runs
                    .iter()
                    .map(|run| {
                        json!({
                                "user_ms": run.boot.user_ms, "system_ms": run.boot.system_ms,
                                "wall_ms": run.boot_wall.as_millis() as u64,
                        "private_memory_kib": run.memory_kib,
                        "idle_cpu_ms": run.idle.cpu.user_ms + run.idle.cpu.system_ms,
                        "idle_wall_ms": run.idle.wall.as_millis() as u64,
                            })
                    })
                    .collect();
                let programs: Vec<Value> = self
                    .programs
                    .iter()
                    .enumerate()
                    .map(|(n, program)| {
                        let of = |figure: &dyn Fn(&Run) -> u64| {
                            runs.iter().map(figure).collect::<Vec<_>>()
                        };
                        json!({
                            "name": program.name, "class": program.class,
                            "user_ms": of(&|run| run.programs[n].cpu.user_ms),
                            "system_ms": of(&|run| run.programs[n].cpu.system_ms),
                            "wall_ms": of(&|run| run.programs[n].wall.as_millis() as u64),
                        })
                    })
                    .collect();
                json!({
                    "name": emulator.name, "version": emulator.version,
                    "boot": boots, "programs": programs,
                })
            })
            .collect();
        let whole = json!({ "arch": arch, "kernel": kernel, "emulators": emulators });
        format!("{whole:#}\n")
    }

    fn write_programs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (class, target) in CLASSES {
            let of_class = self.programs.iter().enumerate().filter(|(_, p)| p.class == *class);
            for (n, program) in of_class {
                write!(f, "{:13}{:10}", class, program.name)?;
                for emulator in 0..self.emulators.len() {
                    write!(f, "{:11.2}", self.user_ms(emulator, n) / 1e3)?;
                }
                if self.is_comparison() {
                    write!(f, "{:8.2}", self.ratio(n))?;
                }
                writeln!(f)?;
            }
            if let Some(ratio) = self.class_ratio(class) {
                writeln!(f, "{class:13}{:10}{:22}{ratio:8.2}   target {target}", "all", "")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Comparison<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for emulator in self.emulators {
            writeln!(f, "{}: {}", emulator.name, emulator.version)?;
        }
        write!(f, "\n{:13}{:10}", "user seconds", "")?;
        for emulator in self.emulators {
            write!(f, "{:>11}", emulator.name)?;
        }
        writeln!(f, "{}", if self.is_comparison() { "   ratio" } else { "" })?;
        self.write_programs(f)?;
        for (what, figure) in [
            ("boot to init, user + system", Self::boot_ms as fn(&Self, usize) -> f64),
            ("boot to init, wall", Self::boot_wall_ms),
        ] {
            write!(f, "{what:29}")?;
            for emulator in 0..self.emulators.len() {
                let width = if emulator == 0 { 5 } else { 11 };
                write!(f, "{:width$.2}", figure(self, emulator) / 1e3)?;
            }
            if self.is_comparison() {
                write!(f, "{:8.2}", figure(self, 0) / figure(self, 1).max(1.0))?;
            }
            writeln!(f)?;
        }
        for (n, emulator) in self.emulators.iter().enumerate() {
            let what = if emulator.name == "qemu" { "with" } else { "without" };
            writeln!(
                f,
                "{}: idle {:.1} % of a core; after boot {:.0} MiB resident {what} the guest's",
                emulator.name,
                self.idle_percent(n),
                self.memory_mib(n)
            )?;
        }
        if let Some(mean) = self.mean_ratio() {
            writeln!(
                f,
                "{:45}{mean:8.2}   target {MEAN_TARGET}",
                "geometric mean of all programs"
            )?;
        }
        Ok(())
    }
}

/// The middle value, or the mean of the two in the middle.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
    }
}

/// `None` of nothing.
pub(crate) fn geometric_mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let logarithms: Vec<f64> = values.map(f64::ln).collect();
    let mean = logarithms.iter().sum::<f64>() / logarithms.len() as f64;
    (!logarithms.is_empty()).then(|| mean.exp())
}

#[test]
fn means() {
    assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
    assert_eq!(median([4.0, 1.0].into_iter()), 2.5);
    assert_eq!(geometric_mean([2.0, 8.0].into_iter()), Some(4.0));
    assert_eq!(geometric_mean([].into_iter()), None);
}
