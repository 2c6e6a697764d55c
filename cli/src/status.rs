//! Exit statuses, and the way errors are told.

use std::io::{self, Write};

/// What the process ends with; `--help` explains it to users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// The guest switched itself off, or the user ended it.
    Success,
    /// Polyvisor or the host failed.
    Failure,
    /// What the user asked for cannot be done.
    Usage,
    /// The guest crashed, or says that something is wrong with it.
    Guest,
    /// The guest's own status.
    Own(u8),
}

/// The status for a guest that crashed: not one that shells or common programs use.
const GUEST: u8 = 100;

impl Status {
    /// The number that the process ends with.
    pub(crate) fn code(self) -> u8 {
        match self {
            Status::Success => 0,
            Status::Failure => 1,
            Status::Usage => 2,
            Status::Guest => GUEST,
            Status::Own(status) => status,
        }
    }

    /// For a status that the guest gives; what does not fit stays a failure.
    pub(crate) fn own(status: u32) -> Self {
        Status::Own(u8::try_from(status).unwrap_or(u8::MAX))
    }
}

/// Tells what went wrong.
pub(crate) fn fail(status: Status, what: &str) -> Status {
    eprintln!("polyvisor: {what}");
    status
}

/// Prints to standard output.
pub(crate) fn print(bytes: &[u8]) -> Status {
    match io::stdout().write_all(bytes) {
        Ok(()) => Status::Success,
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Status::Success,
        Err(error) => fail(Status::Failure, &format!("cannot print: {error}")),
    }
}
