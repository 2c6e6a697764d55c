//! Registration with the kernel's binfmt_misc, so that programs of other architectures start as
//! any others do `[binfmt_misc]`.

mod magic;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::host::identity;
use crate::isa::abi::{AARCH64, Abi, HOST_MACHINE, RISCV64, X86_64};

const FOLDER: &str = "/proc/sys/fs/binfmt_misc";

/// Why the registry could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not there.
    #[error(
        "the kernel's registry is not mounted: as root, run `mount -t binfmt_misc binfmt_misc \
         /proc/sys/fs/binfmt_misc`"
    )]
    Absent,
    /// It is root's.
    #[error("only root may change {0}: run this command with sudo")]
    Forbidden(String),
    /// The host runs such programs itself.
    #[error("programs for {0} are the host's own: there is nothing to register")]
    Native(&'static str),
    /// Something else.
    #[error("cannot write {0}: {1}")]
    Io(String, io::Error),
    /// The kernel's limit.
    #[error(
        "the path of this Polyvisor, {0}, is too long for the kernel: move it to a shorter one"
    )]
    TooLong(String),
}

fn failed(path: &Path, error: io::Error) -> Error {
    let name = path.display().to_string();
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            Error::Forbidden(name)
        }
        io::ErrorKind::NotFound => Error::Absent,
        _ => Error::Io(name, error),
    }
}

fn name(abi: &Abi) -> String {
    format!("polyvisor-{}", abi.name)
}

/// The architectures that `arch` names: it alone, or all that the host does not run.
fn chosen(arch: Option<&str>) -> Result<Vec<&'static Abi>, Error> {
    let all = [&RISCV64, &AARCH64, &X86_64];
    let wanted = all.into_iter().filter(|abi| arch.is_none_or(|arch| arch == abi.name));
    let (native, others): (Vec<_>, Vec<_>) =
        wanted.partition(|abi| abi.elf_machine == HOST_MACHINE);
    match native.first() {
        Some(abi) if others.is_empty() => Err(Error::Native(abi.name)),
        _ => Ok(others),
    }
}

/// Whether the kernel started this process for a program of another architecture: it says so in
/// AT_FLAGS, as the flag `P` of the registration asks for.
pub fn started_by_kernel() -> bool {
    const AT_FLAGS: u64 = 8;
    const PRESERVE_ARGV0: u64 = 1;
    identity::auxv(AT_FLAGS) & PRESERVE_ARGV0 != 0
}

/// Whether an executable starts without other files: without an interpreter of its own.
fn is_static(path: &Path) -> bool {
    File::open(path)
        .ok()
        .and_then(|file| crate::loader::elf::Elf::read(&file).ok())
        .is_some_and(|elf| elf.interpreter.is_none())
}

/// Registers this executable; gives what is to be told.
pub fn install(arch: Option<&str>) -> Result<String, Error> {
    let chosen = chosen(arch)?;
    if !Path::new(FOLDER).join("register").exists() {
        return Err(Error::Absent);
    }
    let own = std::env::current_exe().map_err(|e| Error::Io("this executable".into(), e))?;
    // BINPRM_BUF_SIZE, and a path that is text.
    let path = own.to_str().filter(|path| path.len() < 128);
    let path = path.ok_or_else(|| Error::TooLong(own.display().to_string()))?;
    let mut told = String::new();
    for abi in chosen {
        let entry = Path::new(FOLDER).join(name(abi));
        if entry.exists() {
            write(&entry, b"-1")?;
        }
        let (magic, mask) = magic::of(abi);
        let line = [format!(":{}:M::", name(abi)), magic, ":".into(), mask].concat();
        let line = format!("{line}:{path}:FP");
        write(&Path::new(FOLDER).join("register"), line.as_bytes())?;
        told += &format!("programs for {} are run by {path} from now on\n", abi.name);
    }
    if !is_static(&own) {
        told += "this Polyvisor needs libraries of the host: inside a chroot it starts only if \
                 they are there too; a static one (crt-static) starts everywhere\n";
    }
    Ok(told)
}

/// Undoes [`install`].
pub fn remove(arch: Option<&str>) -> Result<String, Error> {
    let mut told = String::new();
    for abi in chosen(arch)? {
        let entry = Path::new(FOLDER).join(name(abi));
        if entry.exists() {
            write(&entry, b"-1")?;
            told += &format!("programs for {} are not run by Polyvisor any more\n", abi.name);
        }
    }
    if told.is_empty() {
        told += "nothing was registered\n";
    }
    Ok(told)
}

/// Says what is registered, Polyvisor's or not, for each architecture.
pub fn status() -> Result<String, Error> {
    let folder = PathBuf::from(FOLDER);
    let entries = fs::read_dir(&folder).map_err(|e| failed(&folder, e))?;
    if !folder.join("register").exists() {
        return Err(Error::Absent);
    }
    let mut all = Vec::new();
    for entry in entries.flatten() {
        let mut text = String::new();
        if File::open(entry.path()).and_then(|mut f| f.read_to_string(&mut text)).is_ok() {
            all.push((entry.file_name().to_string_lossy().into_owned(), text));
        }
    }
    all.sort();
    let mut told = String::new();
    for abi in chosen(None)? {
        let magic = magic::shown(abi);
        let mut found = all.iter().filter(|(_, text)| text.contains(&magic)).peekable();
        if found.peek().is_none() {
            told += &format!("{}: not registered\n", abi.name);
        }
        for (name, text) in found {
            let interpreter = text.lines().find_map(|line| line.strip_prefix("interpreter "));
            let state = text.lines().next().unwrap_or_default();
            let interpreter = interpreter.unwrap_or("?");
            told += &format!("{}: {interpreter}, as {name}, {state}\n", abi.name);
        }
    }
    Ok(told)
}

fn write(path: &Path, content: &[u8]) -> Result<(), Error> {
    let file = OpenOptions::new().write(true).open(path);
    file.and_then(|mut file| file.write_all(content)).map_err(|e| failed(path, e))
}
