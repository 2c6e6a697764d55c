//! Starts a program as the kernel's execve(2) does: its image, its interpreter, its stack.

pub(crate) mod elf;
mod image;
pub(crate) mod script;
mod stack;
mod vdso;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::isa::abi::Abi;
use crate::space::{END, PAGE, Request, Space, page_up};
use crate::sysroot::Sysroot;
use crate::{Errno, Mem};
use elf::Elf;
use image::Placed;
pub use vdso::Vdso;

/// Why a program cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is no program that could be loaded.
    #[error("{0}")]
    Damaged(&'static str),
    /// It is for another processor.
    #[error("it is for the processor number {0} of ELF, not for this one")]
    Machine(u16),
    /// Its interpreter cannot be read.
    #[error(
        "its interpreter {path} cannot be used: {why}; --sysroot names the folder that holds the \
         files of its system"
    )]
    Interpreter {
        /// Its name, as the program says it.
        path: String,
        /// The reason.
        why: Box<LoadError>,
    },
    /// The address space is full.
    #[error("there is no room for it in the address space")]
    NoRoom,
    /// Something is mapped where it must go.
    #[error("its fixed address {0:#x} is not free on this host (see the sysctl vm.mmap_min_addr)")]
    Occupied(u64),
    /// A system call failed.
    #[error("the host refuses its memory: {0}")]
    Host(io::Error),
    /// Arguments and environment do not fit.
    #[error("its arguments and environment are longer than a quarter of the stack")]
    TooLong,
}

impl From<Errno> for LoadError {
    fn from(errno: Errno) -> Self {
        LoadError::Host(io::Error::from_raw_os_error(errno.0))
    }
}

/// What is started, and with what.
pub struct Program<'a> {
    /// The file, open for reading.
    pub file: &'a File,
    /// Its name, for AT_EXECFN.
    pub name: &'a [u8],
    /// argv.
    pub args: &'a [Vec<u8>],
    /// The environment, `NAME=VALUE`.
    pub env: &'a [Vec<u8>],
    /// Gives addresses that are not random.
    pub fixed: bool,
    /// The processor's capabilities, AT_HWCAP and AT_HWCAP2.
    pub hwcap: [u64; 2],
}

/// A program in memory, ready to run.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Address of the first instruction.
    pub entry: u64,
    /// The stack pointer.
    pub sp: u64,
    /// The stack's addresses.
    pub stack: std::ops::Range<u64>,
    /// The page of code that every program gets.
    pub vdso: Vdso,
    /// The auxiliary vector, as the program sees it.
    pub auxv: Vec<(u64, u64)>,
    /// Addresses of the arguments, from the first to the end of the last.
    pub args: std::ops::Range<u64>,
    /// Addresses of the environment.
    pub env: std::ops::Range<u64>,
}

/// The stack's size unless its limit says less or more.
const STACK: u64 = 8 << 20;
/// As large as an unlimited stack gets.
const MOST_STACK: u64 = 1 << 30;

/// Loads a program into an empty address space.
pub fn load(
    space: &Space,
    mem: Mem,
    abi: &Abi,
    sysroot: &Sysroot,
    program: &Program<'_>,
) -> Result<Loaded, LoadError> {
    let elf = Elf::read(program.file)?;
    if elf.machine != abi.elf_machine {
        return Err(LoadError::Machine(elf.machine));
    }
    let random = |pages| if program.fixed { 0 } else { random_pages(pages) };
    // With an interpreter the program goes to a place of its own, away from other mappings; a
    // static one likewise, so that its heap has room.
    let main = image::place(space, mem, program.file, &elf, abi.exec_base + random(1 << 26))?;
    let executable_stack = elf.executable_stack.unwrap_or(abi.stack_executes);
    space.set_read_executes(abi.stack_executes && elf.executable_stack.is_none());
    let interpreter = match &elf.interpreter {
        Some(path) => Some(load_interpreter(space, mem, abi, sysroot, path)?),
        None => None,
    };
    space.set_heap(page_up(main.end).unwrap_or(END) + random(1 << 13));
    let vdso = vdso::map(space, mem, abi)?;
    let size = stack_size();
    let mut prot = libc::PROT_READ | libc::PROT_WRITE;
    if executable_stack {
        prot |= libc::PROT_EXEC;
    }
    let top = abi.stack_top - random(1 << 22);
    let stack = space.map(Request {
        addr: top - size,
        len: size,
        prot,
        flags: libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
        fd: -1,
        offset: 0,
    })?;
    let stack = stack..stack + size;
    let content = stack::Content { abi, program, elf: &elf, main, interpreter, vdso: &vdso };
    let made = stack::build(mem, stack.clone(), &content)?;
    Ok(Loaded {
        entry: interpreter.unwrap_or(main).entry,
        sp: made.sp,
        stack,
        vdso,
        auxv: made.auxv,
        args: made.args,
        env: made.env,
    })
}

fn stack_size() -> u64 {
    let limit = crate::host::limits::soft(libc::RLIMIT_STACK).unwrap_or(STACK);
    limit.clamp(128 << 10, MOST_STACK) & !(PAGE - 1)
}

fn load_interpreter(
    space: &Space,
    mem: Mem,
    abi: &Abi,
    sysroot: &Sysroot,
    name: &[u8],
) -> Result<Placed, LoadError> {
    let because = |why: LoadError| LoadError::Interpreter {
        path: String::from_utf8_lossy(name).into_owned(),
        why: Box::new(why),
    };
    let path = sysroot.resolve(name);
    let file = File::open(Path::new(&path_of(&path))).map_err(|e| because(e.into()))?;
    let elf = Elf::read(&file).map_err(because)?;
    if elf.machine != abi.elf_machine {
        return Err(because(LoadError::Machine(elf.machine)));
    }
    image::place(space, mem, &file, &elf, 0).map_err(because)
}

/// A random number of bytes: less than that many pages.
pub(crate) fn random_pages(pages: u64) -> u64 {
    stack::random_u64() % pages * PAGE
}

/// A path of bytes as the host's.
pub(crate) fn path_of(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}
