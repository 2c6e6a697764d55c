//! The output halves of the back ends.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};

use super::CharSink;
use crate::host::terminal::{self, Pty};

/// Drops everything.
#[derive(Debug, Default)]
pub struct NullSink;

impl CharSink for NullSink {
    fn write(&mut self, _: &[u8]) {}
}

/// A stream of the host: a file, a pipe, a terminal.
pub(super) struct FdSink {
    file: File,
    name: String,
    failed: bool,
}

impl FdSink {
    pub(super) fn new(file: File, name: String) -> Self {
        Self { file, name, failed: false }
    }

    fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.file.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => bytes = &bytes[written..],
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    terminal::wait_writable(self.file.as_fd())?;
                }
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

impl CharSink for FdSink {
    fn write(&mut self, bytes: &[u8]) {
        if self.failed {
            return;
        }
        if let Err(error) = self.write_all(bytes) {
            self.failed = true;
            tracing::warn!("console output to {} failed, and is dropped: {error}", self.name);
        }
    }
}

/// A pseudo-terminal, to which perhaps nobody is attached: what does not fit is dropped, so that
/// the guest never waits for a user.
pub(super) struct PtySink {
    master: File,
    /// Kept open so that the terminal lives on, in raw mode, while nobody is attached.
    _slave: OwnedFd,
}

impl PtySink {
    pub(super) fn new(pty: Pty) -> Self {
        Self { master: pty.master.into(), _slave: pty.slave }
    }
}

impl CharSink for PtySink {
    fn write(&mut self, bytes: &[u8]) {
        // The descriptor blocks, as the reader's half wants it; a byte at a time, each after
        // asking, never does.
        for byte in bytes.chunks(1) {
            let room = terminal::is_writable(self.master.as_fd());
            if !room || self.master.write(byte).is_err() {
                return;
            }
        }
    }
}
