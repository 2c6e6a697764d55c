//! execve(2): another program takes the place of this one, run by Polyvisor again if it is for
//! an architecture that the host does not run.

use std::ffi::{CStr, CString, OsString};
use std::fs::File;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, MetadataExt};

use super::int;
use super::open::{self, HERE};
use crate::host::call::{interruptible, plain};
use crate::host::mapping::check_descriptor;
use crate::isa::abi;
use crate::loader::script::{self, DEEPEST, HEAD};
use crate::loader::{elf, path_of};
use crate::{Errno, Isa, Thread, executable};

/// Bytes of arguments and environment at most: more than the kernel takes.
const MOST_BYTES: usize = 8 << 20;
/// The longest argument that the kernel takes (MAX_ARG_STRLEN).
const LONGEST: usize = 32 * 4096;

pub(crate) fn execve<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    execveat(t, [HERE, a[0], a[1], a[2], 0, 0])
}

pub(crate) fn execveat<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    if a[4] & AT_EXECVE_CHECK != 0 {
        return check(t, a);
    }
    let call = prepare(t, a)?;
    // If the program starts, nothing comes after it.
    t.process.leave();
    let result = t.exec.insert(call).start();
    if let Some(call) = t.exec.take() {
        call.close();
    }
    result
}

/// Everything but the call itself.
fn prepare<G: Isa>(t: &Thread<G>, a: [u64; 6]) -> Result<Call, Errno> {
    let flags = int(a[4]);
    if flags & !(libc::AT_EMPTY_PATH | libc::AT_SYMLINK_NOFOLLOW) != 0 {
        return Err(Errno::EINVAL);
    }
    let name = open::path(t, a[1])?;
    let mut left = MOST_BYTES;
    let mut args = strings(t, a[2], &mut left)?;
    let env = strings(t, a[3], &mut left)?;
    if args.is_empty() {
        args.push(Vec::new());
    }
    let from = absolute(int(a[0]), &name, flags)?;
    let mut path = open::lookup(t, &from).unwrap_or(from);
    for _ in 0..=DEEPEST {
        let head = head_of(&path, if name.is_empty() { 0 } else { flags })?;
        if let Some(script) = script::parse(&head) {
            let mut all = vec![script.interpreter.clone()];
            all.extend(script.argument);
            // The interpreter opens it by the name that the guest knows.
            all.push(path);
            all.extend(args.drain(1..));
            args = all;
            path = open::lookup(t, &script.interpreter).unwrap_or(script.interpreter);
            continue;
        }
        let ours = elf::machine(&head).and_then(abi::by_machine).is_some_and(|abi| {
            abi.elf_machine == G::ABI.elf_machine || abi.elf_machine != abi::HOST_MACHINE
        });
        // Where our own file is out of reach, the kernel may know what to do (binfmt_misc).
        if ours && t.process.executable.is_in_reach() {
            return reenter(t, &path, &args, &env);
        }
        return native(&path, &args, &env);
    }
    Err(Errno::ELOOP)
}

/// The strings of a list that ends with a null pointer.
fn strings<G: Isa>(t: &Thread<G>, list: u64, left: &mut usize) -> Result<Vec<Vec<u8>>, Errno> {
    let mut all = Vec::new();
    // Linux takes no list for an empty one.
    if list == 0 {
        return Ok(all);
    }
    for i in 0.. {
        let at: u64 = t.mem().read(list.wrapping_add(8 * i))?;
        if at == 0 {
            break;
        }
        let text = t.mem().cstr(at, LONGEST).map_err(|e| match e {
            Errno::ENAMETOOLONG => Errno::E2BIG,
            other => other,
        })?;
        *left = left.checked_sub(text.len() + 9).ok_or(Errno::E2BIG)?;
        all.push(text);
    }
    Ok(all)
}

/// A name without its folder's descriptor.
fn absolute(at: i32, name: &[u8], flags: i32) -> Result<Vec<u8>, Errno> {
    if name.is_empty() {
        if flags & libc::AT_EMPTY_PATH == 0 {
            return Err(Errno::ENOENT);
        }
        if at != libc::AT_FDCWD {
            check_descriptor(at)?;
        }
        return Ok(format!("/proc/self/fd/{at}").into_bytes());
    }
    if at == libc::AT_FDCWD || name[0] == b'/' {
        return Ok(name.to_vec());
    }
    check_descriptor(at)?;
    let mut path = format!("/proc/self/fd/{at}/").into_bytes();
    path.extend_from_slice(name);
    Ok(path)
}

/// A program that is only known by a descriptor, which may not outlive the call: by what name it can
/// be found afterwards, and its descriptor then, if the file has no name any more. `None` for any
/// other name.
fn opened(path: &[u8]) -> Option<(Vec<u8>, Option<u64>)> {
    let fd: u64 = std::str::from_utf8(path.strip_prefix(b"/proc/self/fd/")?).ok()?.parse().ok()?;
    let link = std::fs::read_link(path_of(path)).ok()?;
    let (own, named) = (std::fs::metadata(path_of(path)).ok()?, std::fs::metadata(&link).ok());
    if named.is_some_and(|n| (n.dev(), n.ino()) == (own.dev(), own.ino())) {
        return Some((link.into_os_string().into_vec(), None));
    }
    // It is closed by the program that it becomes.
    let dup = [fd, libc::F_DUPFD as u64, PROGRAM_FDS, 0, 0, 0];
    let fd = plain(libc::SYS_fcntl, dup).ok()?;
    Some((format!("/proc/self/fd/{fd}").into_bytes(), Some(fd)))
}

/// Descriptors from here on are closed by the program that is loaded from them.
const PROGRAM_FDS: u64 = 900;

/// Closes the descriptor that a program was loaded from, if it had no other name.
pub(crate) fn close_program(path: &[u8]) {
    let fd = path.strip_prefix(b"/proc/self/fd/").and_then(|fd| std::str::from_utf8(fd).ok());
    if let Some(fd) = fd.and_then(|fd| fd.parse::<u64>().ok()).filter(|fd| *fd >= PROGRAM_FDS) {
        let _ = plain(libc::SYS_close, [fd, 0, 0, 0, 0, 0]);
    }
}

fn io(error: &std::io::Error) -> Errno {
    Errno(error.raw_os_error().unwrap_or(libc::EIO))
}

/// Flag of execveat(2) since Linux 6.14: says what the call would, and runs nothing. It is the only
/// way to know that somebody writes to the file.
const AT_EXECVE_CHECK: u64 = 0x1_0000;

/// execveat(2) with that flag.
fn check<G: Isa>(t: &Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    let from = absolute(int(a[0]), &open::path(t, a[1])?, int(a[4]))?;
    let path = CString::new(open::lookup(t, &from).unwrap_or(from)).map_err(|_| Errno::EINVAL)?;
    let flags = a[4] & !(libc::AT_EMPTY_PATH as u64);
    plain(libc::SYS_execveat, [HERE, path.as_ptr() as u64, 0, 0, flags, 0])
}

/// Whether a file may be executed.
fn check_program(name: &CStr) -> Result<(), Errno> {
    let name = name.as_ptr() as u64;
    match plain(libc::SYS_execveat, [HERE, name, 0, 0, AT_EXECVE_CHECK, 0]) {
        Err(Errno::EINVAL | Errno::ENOSYS) => {
            let may = [HERE, name, libc::X_OK as u64, libc::AT_EACCESS as u64, 0, 0];
            plain(libc::SYS_faccessat2, may).map(drop)
        }
        result => result.map(drop),
    }
}

/// The first bytes of a file that may be executed; nothing if it may not be read.
fn head_of(path: &[u8], flags: i32) -> Result<Vec<u8>, Errno> {
    let host = path_of(path);
    if flags & libc::AT_SYMLINK_NOFOLLOW != 0 && host.is_symlink() {
        return Err(Errno::ELOOP);
    }
    let data = std::fs::metadata(&host).map_err(|e| io(&e))?;
    let name = CString::new(path).map_err(|_| Errno::EINVAL)?;
    check_program(&name)?;
    if !data.is_file() || data.mode() & 0o111 == 0 {
        return Err(Errno::EACCES);
    }
    let Ok(file) = File::open(&host) else { return Ok(Vec::new()) };
    let mut head = vec![0; HEAD];
    let mut len = 0;
    while len < HEAD {
        match file.read_at(&mut head[len..], len as u64).map_err(|e| io(&e))? {
            0 => break,
            more => len += more,
        }
    }
    head.truncate(len);
    Ok(head)
}

/// Pointers to C strings, with a null pointer at the end.
struct List {
    pointers: Vec<u64>,
    _strings: Vec<CString>,
}

impl List {
    fn new<'a>(texts: impl Iterator<Item = &'a [u8]>) -> Result<Self, Errno> {
        let strings: Result<Vec<_>, _> = texts.map(CString::new).collect();
        let strings = strings.map_err(|_| Errno::EINVAL)?;
        let pointers = strings.iter().map(|s| s.as_ptr() as u64).chain([0]).collect();
        Ok(Self { pointers, _strings: strings })
    }

    fn address(&self) -> u64 {
        self.pointers.as_ptr() as u64
    }
}

fn bytes(texts: &[Vec<u8>]) -> impl Iterator<Item = &[u8]> {
    texts.iter().map(Vec::as_slice)
}

/// A call of the host that runs another program. A thread keeps it, for nothing comes back from it:
/// where the memory is shared, the thread that waits has it to drop.
pub(crate) struct Call {
    what: What,
    args: List,
    env: List,
    /// A descriptor that is closed by the program, or if it does not start.
    fd: Option<u64>,
}

/// What is run.
enum What {
    /// A program of the host's.
    Native(CString),
    /// Our own executable, and its descriptor, if there is one.
    Own(Option<i32>),
}

impl Call {
    fn start(&self) -> Result<u64, Errno> {
        let (args, env) = (self.args.address(), self.env.address());
        // A signal that has come is delivered first: it would be lost.
        match &self.what {
            What::Native(path) => {
                interruptible(libc::SYS_execve, [path.as_ptr() as u64, args, env, 0, 0, 0])
            }
            What::Own(fd) => executable::run(*fd, args, env),
        }
    }

    /// The program was not started.
    fn close(self) {
        if let Some(fd) = self.fd {
            let _ = plain(libc::SYS_close, [fd, 0, 0, 0, 0, 0]);
        }
    }
}

/// Runs a program of the host's, or what else its kernel knows.
fn native(path: &[u8], args: &[Vec<u8>], env: &[Vec<u8>]) -> Result<Call, Errno> {
    let path = CString::new(path).map_err(|_| Errno::EINVAL)?;
    let (args, env) = (List::new(bytes(args))?, List::new(bytes(env))?);
    Ok(Call { what: What::Native(path), args, env, fd: None })
}

/// Runs a guest's program: Polyvisor once more.
fn reenter<G: Isa>(
    t: &Thread<G>,
    path: &[u8],
    args: &[Vec<u8>],
    env: &[Vec<u8>],
) -> Result<Call, Errno> {
    let (path, fd) = opened(path).unwrap_or_else(|| (path.to_vec(), None));
    let mut line: Vec<OsString> = vec!["polyvisor".into(), "user".into()];
    line.extend(t.process.options().command_line());
    let own = t.process.executable.fd();
    if let Some(fd) = own {
        line.extend(["--own-fd".into(), fd.to_string().into()]);
    }
    line.extend(["--argv0".into(), OsString::from_vec(args[0].clone())]);
    line.extend(["--".into(), OsString::from_vec(path)]);
    let line = line.iter().map(|word| word.as_bytes()).chain(bytes(&args[1..]));
    let (args, env) = (List::new(line)?, List::new(bytes(env))?);
    Ok(Call { what: What::Own(own), args, env, fd })
}
