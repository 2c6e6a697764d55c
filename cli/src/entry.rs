//! How the process begins: as the C library starts it. What Rust's runtime does before its own
//! `main` is not for guest programs, which are to find the process as it was left to them: it opens
//! what is closed of the standard descriptors, ignores SIGPIPE, and takes a part of the time that
//! starting a small program takes (`docs/measured.md`).
#![expect(unsafe_code, reason = "is called by the C library, with its arguments")]

use std::ffi::{CStr, OsString, c_char, c_int};
use std::fs::File;
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::ffi::OsStringExt;

/// The status of a program of Rust that panicked.
const PANICKED: i32 = 101;

// SAFETY: this is the one `main` of the program, of the type that C has for it.
#[unsafe(no_mangle)]
extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    let word = |at: usize| {
        // SAFETY: argv has argc pointers to strings, which nobody changes.
        let word = unsafe { CStr::from_ptr(*argv.add(at)) };
        OsString::from_vec(word.to_bytes().to_vec())
    };
    let words: Vec<_> = (0..usize::try_from(argc).unwrap_or(0)).map(word).collect();
    let status = std::panic::catch_unwind(move || crate::start(words, prepare));
    // What is printed and not yet written is written there.
    std::process::exit(status.map_or(PANICKED, i32::from))
}

/// For what is not a guest's program: the standard descriptors are there, so that no other file
/// takes their place, and writing to a pipe that nobody reads is an error.
fn prepare() {
    // It takes the lowest that is free.
    while let Ok(file) = File::options().read(true).write(true).open("/dev/null") {
        if file.as_raw_fd() > 2 {
            break;
        }
        let _stays_open = file.into_raw_fd();
    }
    // SAFETY: no handler is set, and no other thread is there.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}
