//! `--strace`: system calls as they are made, on standard error.

use std::fmt::Write as _;

use crate::host::call::plain;
use crate::syscalls::{Arg, Row};
use crate::{Errno, Isa, Thread};

/// Bytes of a buffer or string that are shown.
const SHOWN: usize = 32;
/// Strings of a list that are shown.
const LISTED: u64 = 16;

/// What was known at the call's start.
pub(crate) struct Entered {
    args: Vec<String>,
}

/// The call begins. What never comes back is printed now.
pub(crate) fn enter<G: Isa>(t: &Thread<G>, row: &Row, a: &[u64; 6]) -> Entered {
    let args = row.args.iter().enumerate().map(|(at, kind)| match kind {
        Arg::Out => String::new(),
        kind => show(t, *kind, a, at),
    });
    let entered = Entered { args: args.collect() };
    if matches!(row.name, "exit" | "exit_group" | "rt_sigreturn" | "execve" | "execveat") {
        print(t, &format!("{}({})", row.name, entered.args.join(", ")));
    }
    entered
}

/// The call has ended.
pub(crate) fn leave<G: Isa>(
    t: &Thread<G>,
    mut entered: Entered,
    row: &Row,
    a: &[u64; 6],
    result: Result<u64, Errno>,
) {
    for (at, kind) in row.args.iter().enumerate() {
        if *kind == Arg::Out {
            entered.args[at] = match result {
                Ok(len) => bytes(t, a[at], len),
                Err(_) => format!("{:#x}", a[at]),
            };
        }
    }
    let mut line = format!("{}({}) = ", row.name, entered.args.join(", "));
    // A String takes everything.
    let _ = match result {
        Ok(value) if value as i64 > 0xffff || (value as i64) < -4096 => write!(line, "{value:#x}"),
        Ok(value) => write!(line, "{}", value as i64),
        Err(Errno::RESTART) => write!(line, "? (made again behind a signal's handler)"),
        Err(Errno::NO_RESULT) => write!(line, "?"),
        Err(error) => {
            let text = std::io::Error::from_raw_os_error(error.0).to_string();
            let text = text.split(" (os error").next().unwrap_or_default().to_owned();
            write!(line, "-1 {error:?} ({text})")
        }
    };
    print(t, &line);
}

/// A number that no call has.
pub(crate) fn unknown<G: Isa>(t: &Thread<G>, number: u64) {
    print(t, &format!("syscall_{number}() = -1 ENOSYS (no call has this number)"));
}

/// One write for each line: threads print at the same time.
fn print<G: Isa>(t: &Thread<G>, line: &str) {
    let line = format!("[{}] {line}\n", t.tid);
    // Nobody could be told of a failure.
    let _ = plain(libc::SYS_write, [2, line.as_ptr() as u64, line.len() as u64, 0, 0, 0]);
}

fn show<G: Isa>(t: &Thread<G>, kind: Arg, a: &[u64; 6], at: usize) -> String {
    let value = a[at];
    let number = value as u32 as i32;
    match kind {
        Arg::Fd | Arg::Int => number.to_string(),
        Arg::At if number == libc::AT_FDCWD => "AT_FDCWD".to_owned(),
        Arg::At => number.to_string(),
        Arg::Len | Arg::Off => (value as i64).to_string(),
        Arg::Hex => format!("{value:#x}"),
        Arg::Oct => format!("{value:#o}"),
        Arg::Ptr | Arg::Out if value == 0 => "NULL".to_owned(),
        Arg::Ptr | Arg::Out => format!("{value:#x}"),
        Arg::Str => string(t, value),
        Arg::Argv => list(t, value),
        Arg::Data => bytes(t, value, a.get(at + 1).copied().unwrap_or(0)),
        Arg::OFlags => flags(crate::syscalls::open::flags_to_host::<G>(value), OPEN, "O_RDONLY"),
        Arg::Prot => flags(value, PROT, "PROT_NONE"),
        Arg::MapFlags => flags(value, MAP, "0"),
        Arg::Sig => signal(number),
    }
}

fn string<G: Isa>(t: &Thread<G>, va: u64) -> String {
    if va == 0 {
        return "NULL".to_owned();
    }
    match t.mem().cstr(va, crate::syscalls::open::LONGEST) {
        Ok(text) => quoted(&text, text.len()),
        Err(_) => format!("{va:#x}"),
    }
}

fn list<G: Isa>(t: &Thread<G>, va: u64) -> String {
    let mut texts = Vec::new();
    for i in 0..LISTED {
        match t.mem().read::<u64>(va.wrapping_add(8 * i)) {
            Ok(0) => return format!("[{}]", texts.join(", ")),
            Ok(text) => texts.push(string(t, text)),
            Err(_) => return format!("{va:#x}"),
        }
    }
    format!("[{}, ...]", texts.join(", "))
}

fn bytes<G: Isa>(t: &Thread<G>, va: u64, len: u64) -> String {
    let shown = usize::try_from(len).unwrap_or(usize::MAX).min(SHOWN);
    let mut content = vec![0; shown];
    match t.mem().read_bytes(va, &mut content) {
        Ok(()) => quoted(&content, usize::try_from(len).unwrap_or(usize::MAX)),
        Err(_) => format!("{va:#x}"),
    }
}

fn quoted(content: &[u8], len: usize) -> String {
    let more = if len > content.len() { "..." } else { "" };
    format!("\"{}\"{more}", content.escape_ascii())
}

const OPEN: &[(u64, &str)] = &[
    (libc::O_WRONLY as u64, "O_WRONLY"),
    (libc::O_RDWR as u64, "O_RDWR"),
    (libc::O_CREAT as u64, "O_CREAT"),
    (libc::O_EXCL as u64, "O_EXCL"),
    (libc::O_NOCTTY as u64, "O_NOCTTY"),
    (libc::O_TRUNC as u64, "O_TRUNC"),
    (libc::O_APPEND as u64, "O_APPEND"),
    (libc::O_NONBLOCK as u64, "O_NONBLOCK"),
    (libc::O_SYNC as u64, "O_SYNC"),
    (libc::O_DSYNC as u64, "O_DSYNC"),
    (libc::O_TMPFILE as u64, "O_TMPFILE"),
    (libc::O_DIRECTORY as u64, "O_DIRECTORY"),
    (libc::O_NOFOLLOW as u64, "O_NOFOLLOW"),
    (libc::O_DIRECT as u64, "O_DIRECT"),
    (libc::O_CLOEXEC as u64, "O_CLOEXEC"),
    (libc::O_PATH as u64, "O_PATH"),
    (libc::O_NOATIME as u64, "O_NOATIME"),
];

const PROT: &[(u64, &str)] = &[(1, "PROT_READ"), (2, "PROT_WRITE"), (4, "PROT_EXEC")];

const MAP: &[(u64, &str)] = &[
    (3, "MAP_SHARED_VALIDATE"),
    (1, "MAP_SHARED"),
    (2, "MAP_PRIVATE"),
    (libc::MAP_FIXED as u64, "MAP_FIXED"),
    (libc::MAP_FIXED_NOREPLACE as u64, "MAP_FIXED_NOREPLACE"),
    (libc::MAP_ANONYMOUS as u64, "MAP_ANONYMOUS"),
    (libc::MAP_GROWSDOWN as u64, "MAP_GROWSDOWN"),
    (libc::MAP_DENYWRITE as u64, "MAP_DENYWRITE"),
    (libc::MAP_NORESERVE as u64, "MAP_NORESERVE"),
    (libc::MAP_POPULATE as u64, "MAP_POPULATE"),
    (libc::MAP_STACK as u64, "MAP_STACK"),
    (libc::MAP_HUGETLB as u64, "MAP_HUGETLB"),
];

/// The names of the bits; a name of several bits comes before those of its parts.
fn flags(value: u64, names: &[(u64, &str)], none: &str) -> String {
    let mut left = value & 0xffff_ffff;
    let mut shown = Vec::new();
    for (bits, name) in names {
        if left & bits == *bits {
            shown.push((*name).to_owned());
            left &= !bits;
        }
    }
    if left != 0 {
        shown.push(format!("{left:#x}"));
    }
    if shown.is_empty() { none.to_owned() } else { shown.join("|") }
}

/// Names of the signals from 1; they are the same on all the architectures here.
const SIGNALS: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

fn signal(number: i32) -> String {
    let name = usize::try_from(number - 1).ok().and_then(|at| SIGNALS.get(at));
    match name {
        Some(name) => format!("SIG{name}"),
        None if (32..=64).contains(&number) => format!("SIGRT_{}", number - 32),
        None => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_names() {
        assert_eq!(flags(0x241, OPEN, "O_RDONLY"), "O_WRONLY|O_CREAT|O_TRUNC");
        assert_eq!(flags(0, OPEN, "O_RDONLY"), "O_RDONLY");
        assert_eq!(flags(0x22, MAP, "0"), "MAP_PRIVATE|MAP_ANONYMOUS");
        assert_eq!(flags(0x8000_0001, PROT, ""), "PROT_READ|0x80000000");
        assert_eq!(
            (signal(11), signal(34), signal(0)),
            ("SIGSEGV".into(), "SIGRT_2".into(), "0".into())
        );
        assert_eq!(quoted(b"a\n\"", 9), r#""a\n\""..."#);
    }
}
