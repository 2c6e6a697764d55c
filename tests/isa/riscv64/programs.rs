//! Programs that end by writing to `tohost` [HTIF], as the public riscv-tests do: those in the
//! folder that `POLYVISOR_RISCV_TESTS` names are run, each in every engine.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arch::boot::{Elf, FileKind, Isa, Program};
use arch::riscv64::{Hart, Model};
use tcg::mmu::host::{Anonymous, HostRange};
use tcg::mmu::ram::Slot;
use tcg::{Config, Machine, Mode, Stop, testing};

use crate::bare::{NoTime, Stopper, Watchdog};

const RAM: u64 = 0x8000_0000;
const RAM_BYTES: usize = 4 << 20;
const TIMEOUT: Duration = Duration::from_secs(20);

/// The word that a program leaves in `tohost` when all is well.
const PASSED: u64 = 1;

fn machine(
    elf: &Elf<'_>,
    mode: Mode,
) -> (Arc<Machine<tcg::guest::riscv64::Riscv64>>, Arc<Stopper>) {
    let stopper = Arc::new(Stopper::default());
    let machine = Machine::new(Config {
        vcpus: 1,
        mode,
        code_bytes: 16 << 20,
        io: stopper.clone(),
        clock: Arc::new(NoTime),
        firmware_calls: false,
        learning: None,
    })
    .expect("memory for code");
    stopper.watch(&machine);
    let host = HostRange::new(Arc::new(Anonymous::new(RAM_BYTES)));
    machine.map(Slot { gpa: RAM, host, readonly: false }).expect("the only slot");
    for segment in &elf.segments {
        testing::write_memory(&machine, segment.paddr, segment.bytes);
    }
    (machine, stopper)
}

/// Runs a program to its word in `tohost`.
fn run(elf: &Elf<'_>, mode: Mode) -> Result<(), String> {
    let tohost = elf.symbol("tohost").ok_or("there is no symbol `tohost`")?;
    let (machine, stopper) = machine(elf, mode);
    if !machine.watch(tohost) {
        return Err("`tohost` is not in memory".to_owned());
    }
    let hart = Hart { pc: elf.entry, ..Hart::new(0, &Model::default()) };
    let mut vcpu = machine.vcpu(0, hart, false).expect("the first vCPU");
    let watchdog = Watchdog::new(stopper, TIMEOUT);
    assert!(watchdog.pat());
    let word = loop {
        match vcpu.run() {
            Stop::Crashed(why) => return Err(why),
            Stop::Exception(e) => return Err(format!("an exception ended the run: {e:?}")),
            Stop::Kicked => {}
        }
        let mut bytes = [0; 8];
        testing::read_memory(&machine, tohost, &mut bytes);
        let word = u64::from_le_bytes(bytes);
        if word != 0 {
            break word;
        }
        if !watchdog.is_patient() {
            return Err(format!("it does not end; it is at {:#x}", vcpu.core().state.pc));
        }
    };
    match word {
        PASSED => Ok(()),
        word if word & 1 != 0 => Err(format!("its test {} failed", word >> 1)),
        word => Err(format!("tohost is {word:#x}")),
    }
}

fn run_file(path: &Path, mode: Mode) -> Result<(), String> {
    let file = std::fs::read(path).map_err(|error| error.to_string())?;
    match Program::parse(&file, Isa::Riscv64) {
        Ok(Program::Elf(elf)) => run(&elf, mode),
        other => Err(format!("it is no program: {other:?}")),
    }
}

/// The ELF files of a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("POLYVISOR_RISCV_TESTS={}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let start = std::fs::read(path).unwrap_or_default();
            matches!(FileKind::of(&start), FileKind::Elf(_))
        })
        .collect();
    files.sort();
    files
}

#[test]
fn programs_of_the_folder_pass() {
    let Some(folder) = std::env::var_os("POLYVISOR_RISCV_TESTS") else {
        // Past the capture of a passing test's output: whoever runs the tests is to know.
        let _ = writeln!(
            std::io::stderr(),
            "POLYVISOR_RISCV_TESTS names no folder of programs with tohost: they are left out"
        );
        return;
    };
    let files = files(Path::new(&folder));
    assert!(!files.is_empty(), "there is no ELF file in POLYVISOR_RISCV_TESTS");
    let mut failures = Vec::new();
    for (name, mode) in [
        ("interpreter", Mode::Interpreter),
        ("Eval", Mode::Eval),
        ("translator", Mode::Jit { threshold: 0 }),
        ("both", Mode::Jit { threshold: Mode::DEFAULT_THRESHOLD }),
    ] {
        let begin = Instant::now();
        let before = failures.len();
        for path in &files {
            if let Err(why) = run_file(path, mode) {
                let file = path.file_name().unwrap_or_default().to_string_lossy();
                failures.push(format!("{file} ({name}): {why}"));
            }
        }
        let passed = files.len() - (failures.len() - before);
        let seconds = begin.elapsed().as_secs_f64();
        println!("{name}: {passed} of {} programs pass, in {seconds:.1} s", files.len());
    }
    assert!(failures.is_empty(), "{} failures:\n  {}", failures.len(), failures.join("\n  "));
}
