//! A pipe whose end says that another process has ended or runs another program.

use std::io::{PipeReader, PipeWriter, Read, pipe};
use std::mem::forget;

use crate::Errno;

/// Both ends, before the fork.
pub(crate) struct Ends {
    reader: PipeReader,
    writer: PipeWriter,
}

impl Ends {
    pub(crate) fn new() -> Result<Self, Errno> {
        let (reader, writer) =
            pipe().map_err(|e| Errno(e.raw_os_error().unwrap_or(libc::EMFILE)))?;
        Ok(Self { reader, writer })
    }

    /// In the child: the end is closed by execve(2) or the end of the process.
    pub(crate) fn keep_writing(self) {
        drop(self.reader);
        forget(self.writer);
    }

    /// In the parent: waits for that.
    pub(crate) fn wait(self) {
        drop(self.writer);
        let mut reader = self.reader;
        // Nothing is ever written: this ends with the pipe.
        let _ = reader.read(&mut [0]);
    }
}
