//! The programs, and building them for a guest.

use crate::cold;
use polyvisor_tests::root;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// One benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// What kind of work it stands for.
    pub(crate) class: &'static str,
}

/// The classes, in the report's order, with the least ratio of QEMU's time to ours that is asked
/// for; 1 where the only demand is not to be slower.
pub(crate) const CLASSES: &[(&str, f64)] = &[
    ("integer", 2.0),
    ("live values", 1.0),
    ("double", 4.0),
    ("single", 1.0),
    ("indirect", 4.0),
    ("calls", 4.0),
    ("memory", 1.0),
    ("atomics", 1.5),
    ("system calls", 1.0),
    ("cold code", 4.0),
    ("start-up", 1.0),
];

/// The same for user mode.
pub(crate) const USER_CLASSES: &[(&str, f64)] = &[
    ("integer", 2.5),
    ("live values", 1.3),
    ("double", 6.0),
    ("single", 6.0),
    ("indirect", 5.0),
    ("calls", 6.0),
    ("memory", 1.2),
    ("vectors", 3.0),
    ("atomics", 3.0),
    ("system calls", 3.0),
    ("cold code", 8.0),
    ("start-up", 4.0),
    ("applications", 2.5),
];

/// Geometric mean of all programs in user mode.
pub(crate) const USER_MEAN: f64 = 4.5;

const PROGRAMS: &[Program] = &[
    Program { name: "loops", class: "integer" },
    Program { name: "sort", class: "integer" },
    Program { name: "hash", class: "integer" },
    Program { name: "strings", class: "integer" },
    Program { name: "chacha", class: "live values" },
    Program { name: "nbody", class: "double" },
    Program { name: "mandel", class: "double" },
    Program { name: "linpack", class: "double" },
    Program { name: "whetstone", class: "double" },
    Program { name: "single", class: "single" },
    Program { name: "bytecode", class: "indirect" },
    Program { name: "pointers", class: "indirect" },
    Program { name: "recursion", class: "calls" },
    Program { name: "chase", class: "memory" },
    Program { name: "stream", class: "memory" },
    Program { name: "atomics", class: "atomics" },
    Program { name: "syscalls", class: "system calls" },
    Program { name: "cold", class: "cold code" },
    Program { name: "startup", class: "start-up" },
];

/// More for user mode.
const USER_PROGRAMS: &[Program] = &[
    Program { name: "vectors", class: "vectors" },
    Program { name: "compiler", class: "applications" },
    Program { name: "database", class: "applications" },
];

/// The programs whose name or class contains one of `wanted`; all when nothing is wanted.
pub(crate) fn select(wanted: &[String], user: bool) -> Vec<Program> {
    let more = if user { USER_PROGRAMS } else { &[] };
    let is_wanted = |program: &&Program| {
        wanted.is_empty()
            || wanted.iter().any(|w| program.name.contains(&**w) || program.class.contains(&**w))
    };
    PROGRAMS.iter().chain(more).filter(is_wanted).copied().collect()
}

/// Builds `programs` for `arch`, unless the cache has them already, and returns their names and
/// files.
pub(crate) fn build(arch: &str, programs: &[Program]) -> Result<Vec<(String, PathBuf)>> {
    let compiler = match arch {
        "riscv64" => "riscv64-linux-gnu-gcc",
        "aarch64" => "aarch64-linux-gnu-gcc",
        "x86_64" => "x86_64-linux-gnu-gcc",
        _ => return Err(Error::other(format!("there is no compiler for '{arch}'"))),
    };
    let sources = root().join("tests/bench/programs");
    let folder = cache()?.join("bench").join(arch);
    std::fs::create_dir_all(&folder)?;
    let header = std::fs::read_to_string(sources.join("bench.h"))?;
    let mut built = Vec::new();
    for program in programs {
        let source = sources.join(program.name).with_extension("c");
        let (text, flags): (String, &[&str]) = match program.name {
            "cold" => (cold::source(), &["-O1", "-fno-inline", "-fno-ipa-icf"]),
            "vectors" => (std::fs::read_to_string(&source)?, &["-O3"]),
            _ => (std::fs::read_to_string(&source)?, &["-O2"]),
        };
        let mut hasher = DefaultHasher::new();
        (compiler, flags, &header, &text).hash(&mut hasher);
        let binary = folder.join(format!("{}-{:016x}", program.name, hasher.finish()));
        if !binary.exists() {
            eprintln!("building {} for {arch}", program.name);
            remove_older(&folder, program.name)?;
            compile(compiler, flags, &sources, &text, &binary)?;
        }
        built.push((program.name.to_owned(), binary));
    }
    Ok(built)
}

/// What earlier versions of a program's source were built into is of no more use.
fn remove_older(folder: &Path, name: &str) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let file = entry.file_name();
        if file.to_string_lossy().rsplit_once('-').is_some_and(|(stem, _)| stem == name) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn compile(compiler: &str, flags: &[&str], include: &Path, text: &str, to: &Path) -> Result<()> {
    let source = to.with_extension("c");
    let unfinished = to.with_extension("new");
    std::fs::write(&source, text)?;
    let status = Command::new(compiler)
        .args(flags)
        .args(["-static", "-pthread", "-ffp-contract=off", "-I"])
        .arg(include)
        .arg("-o")
        .arg(&unfinished)
        .arg(&source)
        .arg("-lm")
        .status()
        .map_err(|e| Error::new(e.kind(), format!("{compiler} cannot be started: {e}")))?;
    std::fs::remove_file(&source)?;
    if !status.success() {
        return Err(Error::other(format!("{compiler} could not build {}", to.display())));
    }
    std::fs::rename(&unfinished, to)
}

/// The folder that `./x` keeps guests in.
fn cache() -> Result<PathBuf> {
    let set =
        |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("POLYVISOR_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("polyvisor")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/polyvisor")))
        .ok_or_else(|| {
            Error::other("set POLYVISOR_CACHE: there is no home folder to keep files in")
        })
}
