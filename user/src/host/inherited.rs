//! What the program that started us has left, and Rust's runtime changes before `main`: it opens
//! /dev/null for standard descriptors that are closed, and ignores SIGPIPE.
#![expect(unsafe_code, reason = "runs before main, where the C library runs its constructors")]

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use super::signals;

/// Bit 0 for descriptor 0.
static CLOSED: AtomicU32 = AtomicU32::new(0);
static IGNORES_SIGPIPE: AtomicBool = AtomicBool::new(false);

// SAFETY: the section holds the addresses of functions of the C convention, which the C library
// calls once, before any other thread is there; this one asks the kernel and stores two words.
#[used]
#[unsafe(link_section = ".init_array")]
static NOTE: extern "C" fn() = note;

extern "C" fn note() {
    for fd in 0..3 {
        // SAFETY: a plain call.
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } == -1 {
            CLOSED.fetch_or(1 << fd, Relaxed);
        }
    }
    IGNORES_SIGPIPE.store(signals::is_ignored(libc::SIGPIPE), Relaxed);
}

/// The standard descriptors that were closed.
pub(crate) fn closed() -> impl Iterator<Item = i32> {
    let closed = CLOSED.load(Relaxed);
    (0..3).filter(move |fd| closed & 1 << fd != 0)
}

/// Whether SIGPIPE was ignored.
pub(crate) fn ignores_sigpipe() -> bool {
    IGNORES_SIGPIPE.load(Relaxed)
}
