//! Our own executable, which execve(2) runs once more for the program of a guest.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicI32, Ordering};

use crate::Errno;
use crate::host::call::{interruptible, plain};
use crate::host::limits;

/// Its name, as long as the root and what is mounted there are not the guest's own choice.
const NAME: &std::ffi::CStr = c"/proc/self/exe";

/// No descriptor.
const NONE: i32 = -1;

/// How a process finds our executable: by name as long as it can, for each descriptor is one that
/// the guest cannot have.
#[derive(Debug)]
pub(crate) struct Executable(AtomicI32);

impl Executable {
    /// `inherited` is the descriptor that the program before had.
    pub(crate) fn new(inherited: Option<i32>) -> Self {
        if let Some(fd) = inherited {
            set_close_on_exec(fd, true);
        }
        Self(AtomicI32::new(inherited.unwrap_or(NONE)))
    }

    /// The descriptor, which the guest does not see, if there is one.
    pub(crate) fn fd(&self) -> Option<i32> {
        Some(self.0.load(Ordering::Acquire)).filter(|&fd| fd != NONE)
    }

    /// Opens it, before what the guest does may take the name out of reach. Where that fails the
    /// kernel may know how to run programs (binfmt_misc).
    pub(crate) fn keep(&self) {
        if self.fd().is_some() {
            return;
        }
        let Some(fd) = open() else { return };
        if self.0.compare_exchange(NONE, fd, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            // Another thread was faster.
            let _ = plain(libc::SYS_close, [fd as u64, 0, 0, 0, 0, 0]);
        }
    }

    /// Whether it can be run.
    pub(crate) fn is_in_reach(&self) -> bool {
        let name = [libc::AT_FDCWD as u64, NAME.as_ptr() as u64, libc::X_OK as u64, 0, 0, 0];
        self.fd().is_some() || plain(libc::SYS_faccessat, name).is_ok()
    }
}

impl Clone for Executable {
    /// For a process whose descriptors are a copy of this one's.
    fn clone(&self) -> Self {
        Self(AtomicI32::new(self.0.load(Ordering::Acquire)))
    }
}

/// execve(2) of our executable, by its descriptor if there is one; `args` and `env` are the addresses
/// of the two lists.
pub(crate) fn run(fd: Option<i32>, args: u64, env: u64) -> Result<u64, Errno> {
    let Some(fd) = fd else {
        return interruptible(libc::SYS_execve, [NAME.as_ptr() as u64, args, env, 0, 0, 0]);
    };
    set_close_on_exec(fd, false);
    let (nothing, flags) = (c"".as_ptr() as u64, libc::AT_EMPTY_PATH as u64);
    let result = interruptible(libc::SYS_execveat, [fd as u64, nothing, args, env, flags, 0]);
    set_close_on_exec(fd, true);
    result
}

fn set_close_on_exec(fd: i32, on: bool) {
    let flags = if on { libc::FD_CLOEXEC as u64 } else { 0 };
    // The descriptor is ours and open.
    let _ = plain(libc::SYS_fcntl, [fd as u64, libc::F_SETFD as u64, flags, 0, 0, 0]);
}

/// Opens our executable out of the way of the guest's descriptors: above those that it may have, if
/// that makes no table that each fork must copy at length.
fn open() -> Option<i32> {
    /// The highest limit that is gone above.
    const MOST_BELOW: u64 = 4096;
    /// The first number that is tried otherwise.
    const HIGH: u64 = 1000;
    let file = File::open(NAME.to_str().ok()?).ok()?;
    let [soft, hard] = limits::get(libc::RLIMIT_NOFILE)?;
    let dup = |lowest: u64| {
        let fd = file.as_raw_fd() as u64;
        let fd = plain(libc::SYS_fcntl, [fd, libc::F_DUPFD_CLOEXEC as u64, lowest, 0, 0, 0]);
        fd.ok().and_then(|fd| i32::try_from(fd).ok())
    };
    if soft <= MOST_BELOW && soft < hard && limits::set(libc::RLIMIT_NOFILE, [soft + 1, hard]) {
        let found = dup(soft);
        limits::set(libc::RLIMIT_NOFILE, [soft, hard]);
        return found;
    }
    dup(HIGH.min(soft.saturating_sub(8)))
}
