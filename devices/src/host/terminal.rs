//! Terminals of the host: raw mode that is always undone, pseudo-terminals, and readiness of a
//! descriptor.
//!
//! Raw mode lets every key reach the guest. It must not outlive the process, so it is undone
//! when [`RawTerminal`] is dropped (also by a panic that unwinds), by `exit`, and by the signals
//! that end a program, unless somebody else handles those: then it is theirs to end the machine
//! in good order, which drops the guard. Output processing stays on, so that messages of our own
//! and the guest's both show well. SIGKILL cannot be helped (`stty sane` can).

#![expect(unsafe_code, reason = "std has no interface for termios, signals, ptys and poll")]

#[cfg(test)]
mod tests;

use std::ffi::{CStr, c_int};
use std::io::{self, IsTerminal};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicPtr, Ordering};

use libc::termios;

/// The signals that end a program by default and that somebody may reasonably send; SIGABRT is
/// how Rust ends one that panics while panicking.
const FATAL: [c_int; 5] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT, libc::SIGABRT];

/// A terminal in raw mode, and how it was.
struct Saved {
    fd: OwnedFd,
    original: termios,
    raw: termios,
}

/// The terminal that is in raw mode now. What it points to is never freed: a signal handler may
/// be looking at it. It is a few dozen bytes and a descriptor per use, and a program uses it
/// once.
static SAVED: AtomicPtr<Saved> = AtomicPtr::new(ptr::null_mut());

/// The raw mode of a terminal; dropping it restores the terminal.
#[derive(Debug)]
pub struct RawTerminal(());

impl RawTerminal {
    /// Puts the terminal `fd` into raw mode. `None` if `fd` is no terminal, or if this process is
    /// in the background, which the kernel would stop for touching it.
    pub fn enter(fd: BorrowedFd<'_>) -> io::Result<Option<Self>> {
        if !fd.is_terminal() || !in_foreground(fd.as_raw_fd()) {
            return Ok(None);
        }
        let original = attributes(fd)?;
        let saved = Saved { fd: fd.try_clone_to_owned()?, original, raw: raw_for_guest(original) };
        let saved = Box::into_raw(Box::new(saved));
        if SAVED
            .compare_exchange(ptr::null_mut(), saved, Ordering::AcqRel, Ordering::Acquire)
            .is_err()
        {
            // SAFETY: `saved` came from `Box::into_raw` above and was not published.
            drop(unsafe { Box::from_raw(saved) });
            return Err(io::Error::other("a terminal is in raw mode already"));
        }
        // From here on dropping the guard undoes what was done, also on the error path.
        let guard = Self(());
        install_handlers()?;
        // SAFETY: published pointers stay valid for ever.
        set_attributes(fd.as_raw_fd(), unsafe { &(*saved).raw })?;
        Ok(Some(guard))
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        restore();
    }
}

/// Restores the terminal, if one is in raw mode. Async-signal-safe.
fn restore() {
    let saved = SAVED.swap(ptr::null_mut(), Ordering::AcqRel);
    // SAFETY: what SAVED points to was leaked by `enter`, and is never written nor freed.
    if let Some(saved) = unsafe { saved.as_ref() }
        && in_foreground(saved.fd.as_raw_fd())
    {
        // Nothing can be done about a terminal that is gone.
        let _ = set_attributes(saved.fd.as_raw_fd(), &saved.original);
    }
}

/// Goes into raw mode again after the process was stopped and continued, since the shell set the
/// terminal as it likes it meanwhile. Async-signal-safe.
fn reenter() {
    // SAFETY: as in `restore`.
    if let Some(saved) = unsafe { SAVED.load(Ordering::Acquire).as_ref() }
        && in_foreground(saved.fd.as_raw_fd())
    {
        let _ = set_attributes(saved.fd.as_raw_fd(), &saved.raw);
    }
}

/// Makes sure that `exit`, the fatal signals and SIGCONT do what they should; once per process.
fn install_handlers() -> io::Result<()> {
    static ONCE: Once = Once::new();
    let mut result = Ok(());
    ONCE.call_once(|| {
        // SAFETY: `on_exit` may be called at any time until the process ends.
        if unsafe { libc::atexit(on_exit) } != 0 {
            result = Err(io::Error::other("cannot register the restoring of the terminal"));
        }
        for signal in FATAL {
            install_handler(signal, on_fatal);
        }
        install_handler(libc::SIGCONT, on_continue);
    });
    result
}

/// Handles `signal` unless somebody handles or ignores it already (`nohup`, or a machine that
/// shuts its guest down in good order).
fn install_handler(signal: c_int, handler: extern "C" fn(c_int)) {
    let mut old = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: with a null new action, `sigaction` only fills `old`; it is read only on success.
    // `action` is plain old data for which zero is valid. The handlers are async-signal-safe.
    unsafe {
        if libc::sigaction(signal, ptr::null(), old.as_mut_ptr()) != 0
            || old.assume_init().sa_sigaction != libc::SIG_DFL
        {
            return;
        }
        let mut action = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigemptyset(&raw mut action.sa_mask);
        libc::sigaction(signal, &action, ptr::null_mut());
    }
}

extern "C" fn on_exit() {
    restore();
}

extern "C" fn on_fatal(signal: c_int) {
    restore();
    // SAFETY: both are async-signal-safe; the signal is blocked while it is handled, and does
    // what it does by default as soon as this returns.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
}

extern "C" fn on_continue(_: c_int) {
    let errno = errno_location();
    // SAFETY: the location of the calling thread's errno is valid while the thread runs; the code
    // that was interrupted must find its own value there.
    unsafe {
        let kept = *errno;
        reenter();
        *errno = kept;
    }
}

fn errno_location() -> *mut c_int {
    // SAFETY: the functions have no preconditions.
    #[cfg(target_os = "linux")]
    unsafe {
        libc::__errno_location()
    }
    // SAFETY: as above.
    #[cfg(target_os = "macos")]
    unsafe {
        libc::__error()
    }
}

/// Whether this process may use the terminal `fd`: it is in the terminal's foreground, or the
/// terminal is not the one that controls it. Async-signal-safe.
fn in_foreground(fd: RawFd) -> bool {
    // SAFETY: neither call touches memory of ours; a bad descriptor is an error.
    let (foreground, own) = unsafe { (libc::tcgetpgrp(fd), libc::getpgrp()) };
    foreground <= 0 || foreground == own
}

fn attributes(fd: BorrowedFd<'_>) -> io::Result<termios> {
    let mut attributes = MaybeUninit::uninit();
    // SAFETY: `tcgetattr` fills the struct, which is read only if it succeeded.
    unsafe {
        if libc::tcgetattr(fd.as_raw_fd(), attributes.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(attributes.assume_init())
    }
}

fn set_attributes(fd: RawFd, attributes: &termios) -> io::Result<()> {
    // SAFETY: the struct is valid and only read; a bad descriptor is an error.
    match unsafe { libc::tcsetattr(fd, libc::TCSANOW, attributes) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Raw input, eight bits; output as it was.
fn raw_for_guest(mut mode: termios) -> termios {
    mode.c_iflag &= !(libc::IGNBRK
        | libc::BRKINT
        | libc::PARMRK
        | libc::INPCK
        | libc::ISTRIP
        | libc::INLCR
        | libc::IGNCR
        | libc::ICRNL
        | libc::IXON);
    mode.c_lflag &= !(libc::ECHO | libc::ECHONL | libc::ICANON | libc::ISIG | libc::IEXTEN);
    mode.c_cflag = mode.c_cflag & !(libc::CSIZE | libc::PARENB) | libc::CS8;
    mode.c_cc[libc::VMIN] = 1;
    mode.c_cc[libc::VTIME] = 0;
    mode
}

/// A pseudo-terminal in raw mode.
#[derive(Debug)]
pub struct Pty {
    /// Our end.
    pub master: OwnedFd,
    /// The end that users open.
    pub slave: OwnedFd,
    /// The name of that end (`/dev/pts/7`).
    pub path: PathBuf,
}

/// Opens a new pseudo-terminal, raw in both directions, so that nothing is echoed or rewritten
/// before a user attaches to it.
pub fn open_pty() -> io::Result<Pty> {
    let (mut master, mut slave) = (-1, -1);
    let none = ptr::null_mut();
    // SAFETY: the call writes the two descriptors; the other pointers may be null.
    if unsafe { libc::openpty(&mut master, &mut slave, none, ptr::null_mut(), ptr::null_mut()) }
        != 0
    {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded: both descriptors are open, and nobody else's.
    let (master, slave) = unsafe { (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
    for fd in [&master, &slave] {
        // SAFETY: touches no memory; keeps the terminal from programs that we start.
        unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    let mut mode = attributes(slave.as_fd())?;
    // SAFETY: changes the valid struct it is given.
    unsafe { libc::cfmakeraw(&mut mode) };
    set_attributes(slave.as_raw_fd(), &mode)?;
    let path = terminal_name(slave.as_fd())?;
    Ok(Pty { master, slave, path })
}

fn terminal_name(fd: BorrowedFd<'_>) -> io::Result<PathBuf> {
    let mut name = [0; 256];
    // SAFETY: the buffer is as long as the call is told.
    let error = unsafe { libc::ttyname_r(fd.as_raw_fd(), name.as_mut_ptr(), name.len()) };
    if error != 0 {
        return Err(io::Error::from_raw_os_error(error));
    }
    // SAFETY: on success the buffer holds a terminated string, and outlives the borrow.
    let name = unsafe { CStr::from_ptr(name.as_ptr()) };
    Ok(PathBuf::from(name.to_string_lossy().into_owned()))
}

/// Waits until `fd` can be read, or will never be.
pub fn wait_readable(fd: BorrowedFd<'_>) -> io::Result<()> {
    poll(fd, libc::POLLIN, -1).map(|_| ())
}

/// Waits until `fd` can be written, or will never be.
pub fn wait_writable(fd: BorrowedFd<'_>) -> io::Result<()> {
    poll(fd, libc::POLLOUT, -1).map(|_| ())
}

/// Whether a byte can be written to `fd` at once.
pub fn is_writable(fd: BorrowedFd<'_>) -> bool {
    poll(fd, libc::POLLOUT, 0).is_ok_and(|ready| ready)
}

/// Waits until one of two descriptors can be read, or will never be; says which.
pub fn wait_either(first: BorrowedFd<'_>, second: BorrowedFd<'_>) -> io::Result<[bool; 2]> {
    let entry =
        |fd: BorrowedFd<'_>| libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let mut polled = [entry(first), entry(second)];
    poll_all(&mut polled, -1)?;
    Ok(polled.map(|entry| entry.revents != 0))
}

fn poll(fd: BorrowedFd<'_>, events: i16, timeout_ms: c_int) -> io::Result<bool> {
    let mut polled = [libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 }];
    poll_all(&mut polled, timeout_ms)
}

/// poll(2) that a signal does not end; whether any descriptor is ready.
fn poll_all(polled: &mut [libc::pollfd], timeout_ms: c_int) -> io::Result<bool> {
    loop {
        // SAFETY: as many valid elements as the count says, borrowed exclusively.
        let ready =
            unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, timeout_ms) };
        if ready >= 0 {
            return Ok(ready > 0);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}
