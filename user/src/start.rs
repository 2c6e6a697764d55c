//! From a command line to the first instruction of a guest program.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use tcg::{Learning, Mode, UserConfig};

use crate::clock::HostClock;
use crate::host::call::plain;
use crate::host::signals;
use crate::isa::abi::{self, Abi};
use crate::loader::script::{self, DEEPEST, HEAD};
use crate::loader::{self, LoadError, Program, elf, path_of};
use crate::process::Image;
use crate::space::Space;
use crate::syscalls::exec::close_program;
use crate::{Isa, Mem, Options, Process, Thread, host, thread};

/// Bytes of host code kept at most.
const CODE_BYTES: usize = 128 << 20;

/// Instructions of hot code that are interpreted before anything is translated.
const PATIENCE: u32 = 1 << 15;

/// A program to be run, and how.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// How.
    pub options: Options,
    /// The program's file.
    pub program: Vec<u8>,
    /// argv, the program's own name first.
    pub args: Vec<Vec<u8>>,
    /// The environment, `NAME=VALUE`.
    pub env: Vec<Vec<u8>>,
    /// The architecture, if it is not to be found out from the file.
    pub arch: Option<String>,
    /// The descriptor of our own executable, from a guest program that has started this one and may
    /// have changed its root.
    pub own_fd: Option<i32>,
}

/// Why a program was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no such file.
    #[error("there is no program {0}{sysroot}", sysroot = sysroot_of(.1))]
    Missing(String, Option<PathBuf>),
    /// The file cannot be read.
    #[error("cannot read {0}: {1}")]
    Unreadable(String, io::Error),
    /// It is no program of an architecture that can be run.
    #[error("{0} is no program for riscv64, aarch64 or x86_64: {1}")]
    NoProgram(String, &'static str),
    /// `--arch` and the file disagree.
    #[error("{0} is a program for {1}: leave --arch {2} out")]
    OtherArch(String, &'static str, String),
    /// `--cpu` names no model.
    #[error("there is no processor model {0}: the one model of {1} is `max`")]
    NoModel(String, &'static str),
    /// Scripts whose interpreters are scripts, without end.
    #[error("the interpreter of {0} is a script, and so is its own, and so on")]
    Loop(String),
    /// It cannot be loaded.
    #[error("cannot load {0}: {1}")]
    Load(String, LoadError),
    /// The engine refuses.
    #[error(transparent)]
    Engine(#[from] tcg::UserError),
    /// The host refuses.
    #[error("cannot start a thread: {0}")]
    Host(String),
}

fn sysroot_of(root: &Option<PathBuf>) -> String {
    match root {
        Some(root) => format!(", neither in {} nor on the host", root.display()),
        None => String::new(),
    }
}

impl StartError {
    /// The exit status that a shell gives: 127 for what is not there, 126 for what cannot be run.
    pub fn status(&self) -> u8 {
        if matches!(self, StartError::Missing(..)) { 127 } else { 126 }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A file, and what its head says.
struct Found {
    file: File,
    path: Vec<u8>,
    head: Vec<u8>,
}

fn find(start: &Start, name: &[u8]) -> Result<Found, StartError> {
    let path = start.options.sysroot.resolve(name).into_owned();
    let file = File::open(path_of(&path)).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            StartError::Missing(text(name), start.options.sysroot.root().map(Into::into))
        }
        _ => StartError::Unreadable(text(name), error),
    })?;
    let mut head = vec![0; HEAD];
    let len = file.read_at(&mut head, 0).map_err(|e| StartError::Unreadable(text(name), e))?;
    head.truncate(len);
    Ok(Found { file, path, head })
}

/// Runs a program; comes back only if it cannot be started.
pub fn run(mut start: Start) -> StartError {
    match prepare(&mut start) {
        Ok((found, abi)) if abi.elf_machine == abi::AARCH64.elf_machine => {
            begin::<arch::aarch64::Aarch64>(start, found)
        }
        Ok((found, abi)) if abi.elf_machine == abi::X86_64.elf_machine => {
            begin::<arch::x86_64::X86_64>(start, found)
        }
        Ok((found, _)) => begin::<arch::riscv64::Riscv64>(start, found),
        Err(error) => error,
    }
}

/// Follows scripts to their interpreter, and finds out the architecture.
fn prepare(start: &mut Start) -> Result<(Found, &'static Abi), StartError> {
    let mut name = start.program.clone();
    for _ in 0..=DEEPEST {
        let found = find(start, &name)?;
        if let Some(script) = script::parse(&found.head) {
            let mut all = vec![script.interpreter.clone()];
            all.extend(script.argument);
            all.push(found.path);
            all.extend(start.args.drain(1..));
            start.args = all;
            name = script.interpreter;
            continue;
        }
        let what = text(&name);
        let Some(machine) = elf::machine(&found.head) else {
            return Err(StartError::NoProgram(what, "it is no 64-bit little-endian ELF file"));
        };
        let Some(abi) = abi::by_machine(machine) else {
            return Err(StartError::NoProgram(what, "it is for another processor"));
        };
        if let Some(arch) = start.arch.take_if(|arch| arch != abi.name) {
            return Err(StartError::OtherArch(what, abi.name, arch));
        }
        if let Some(cpu) = start.options.cpu.take_if(|cpu| cpu != "max") {
            return Err(StartError::NoModel(cpu, abi.name));
        }
        return Ok((found, abi));
    }
    Err(StartError::Loop(text(&start.program)))
}

/// Loads the program and runs it.
fn begin<G: Isa>(start: Start, found: Found) -> StartError {
    let Found { file, path, .. } = found;
    host::heap::prepare();
    let random = if start.options.fixed { 0 } else { loader::random_pages(1 << 24) };
    let space = Arc::new(Space::new(G::ABI.mmap_base - random));
    let options = start.options;
    let mode = if options.interpret {
        Mode::Interpreter
    } else {
        Mode::Jit { threshold: Mode::DEFAULT_THRESHOLD }
    };
    let config = UserConfig {
        mode,
        code_bytes: CODE_BYTES,
        patience: PATIENCE,
        memory: space.clone(),
        clock: Arc::new(HostClock::default()),
        // What is to be shown has to be seen.
        host_calls: if options.strace { &[] } else { G::ABI.host_calls },
        learning: options
            .learnt
            .clone()
            .map(|folder| Learning { folder, model: options.cpu.clone().unwrap_or("max".into()) }),
    };
    let machine = match tcg::Machine::<G>::user(config) {
        Ok(machine) => machine,
        Err(error) => return error.into(),
    };
    // From here on guest memory can be read and written.
    if let Err(error) = signals::install(machine.code_range()) {
        return StartError::Host(format!("{error:?}"));
    }
    let program = Program {
        file: &file,
        name: &start.program,
        args: &start.args,
        env: &start.env,
        fixed: options.fixed,
        hwcap: G::hwcap(&options),
    };
    let loaded = match loader::load(&space, Mem, G::ABI, &options.sysroot, &program) {
        Ok(loaded) => loaded,
        Err(error) => return StartError::Load(text(&start.program), error),
    };
    let exe = name_of(&file).unwrap_or_else(|| path.clone());
    drop(file);
    close_program(&path);
    let state = G::start(loaded.entry, loaded.sp);
    set_name(&exe);
    let image = Image { options, loaded, exe, pid: std::process::id() };
    let process = Process::new(machine, space, image, start.own_fd);
    match Thread::first(&process, state, crate::syscalls::call) {
        Some(mut thread) => {
            let status = thread.run();
            thread::calls::leave_host_thread(status);
            process.exit(status)
        }
        None => StartError::Host("there are too many".into()),
    }
}

/// The path of an open file, as the kernel has it; `None` where there is no `/proc`, or if the file is
/// in another root than ours.
fn name_of(file: &File) -> Option<Vec<u8>> {
    let name = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()?;
    name.is_absolute().then(|| name.into_os_string().into_vec())
}

/// What `ps` shows is the guest's name.
fn set_name(exe: &[u8]) {
    const PR_SET_NAME: u64 = 15;
    let mut name = exe.rsplit(|&b| b == b'/').next().unwrap_or_default().to_vec();
    name.push(0);
    // The kernel takes the first 15 bytes; without a name the process runs as well.
    let _ = plain(libc::SYS_prctl, [PR_SET_NAME, name.as_ptr() as u64, 0, 0, 0, 0]);
}
