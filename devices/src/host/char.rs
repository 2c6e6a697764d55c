//! Character back ends: where a guest's console output goes, and where its input comes from.
//!
//! A back end is opened from a [`CharSpec`] into its two halves: a [`CharSink`] that the device
//! writes to on the vCPU's thread, and a [`CharReader`] that a thread of `vmm` reads from. No
//! thread lives here.

pub mod escape;
mod sink;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::str::FromStr;

pub use sink::NullSink;
use sink::{FdSink, PtySink};

use super::terminal::{self, RawTerminal};

/// Takes the bytes that a device sends. Called with the device's lock held: it may wait for a
/// pipe's reader as any program's output does, but not for the guest.
pub trait CharSink: Send {
    /// Writes all of `bytes`. Host failures are reported once and then drop the output: a guest
    /// has nowhere to hear of them.
    fn write(&mut self, bytes: &[u8]);
}

/// What users ask for: `stdio`, `file=PATH`, `pty` or `none`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CharSpec {
    /// Standard output and input; raw mode and escapes if the input is a terminal.
    Stdio,
    /// Output to a file, which is truncated; no input.
    File(PathBuf),
    /// A new pseudo-terminal, whose name is printed to standard error.
    Pty,
    /// No output, no input.
    None,
}

/// A back end that could not be had.
#[derive(Debug, thiserror::Error)]
pub enum CharError {
    /// The words do not name a back end.
    #[error("`{0}` is no character back end; choose stdio, file=PATH, pty or none")]
    Unknown(String),
    /// The output file cannot be created.
    #[error("cannot create {} for console output: {source}; choose a path that can be written", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No pseudo-terminal.
    #[error("cannot open a pseudo-terminal: {0}; is devpts mounted and below its limit?")]
    Pty(io::Error),
    /// The terminal refuses raw mode, or a standard stream cannot be duplicated.
    #[error("cannot use standard input and output as a console: {0}; try --console file=PATH")]
    Stdio(io::Error),
}

impl FromStr for CharSpec {
    type Err = CharError;

    fn from_str(words: &str) -> Result<Self, CharError> {
        match words.split_once('=') {
            None if words == "stdio" => Ok(Self::Stdio),
            None if words == "pty" => Ok(Self::Pty),
            None if words == "none" => Ok(Self::None),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            _ => Err(CharError::Unknown(words.into())),
        }
    }
}

impl fmt::Display for CharSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdio => f.write_str("stdio"),
            Self::File(path) => write!(f, "file={}", path.display()),
            Self::Pty => f.write_str("pty"),
            Self::None => f.write_str("none"),
        }
    }
}

/// An open back end, to be taken apart.
pub struct CharBackend {
    /// Output: goes into the device.
    pub sink: Box<dyn CharSink>,
    /// Input, if there can be any: goes to a thread of the machine.
    pub reader: Option<CharReader>,
    /// The raw mode of the terminal that `reader` reads, if it is one: to be kept until the
    /// machine ends, since dropping it restores the terminal. While it is there, input passes
    /// through an [`escape::EscapeFilter`], as the terminal's own keys for ending a program are
    /// off.
    pub terminal: Option<RawTerminal>,
    /// The terminal device that a user can attach to (`pty`).
    pub path: Option<PathBuf>,
}

impl CharSpec {
    /// Opens the back end. `Stdio` puts a terminal into raw mode.
    pub fn open(&self) -> Result<CharBackend, CharError> {
        let no_input = |sink| CharBackend { sink, reader: None, terminal: None, path: None };
        match self {
            Self::Stdio => open_stdio().map_err(CharError::Stdio),
            Self::File(path) => {
                let file = File::create(path)
                    .map_err(|source| CharError::File { path: path.clone(), source })?;
                let name = path.display().to_string();
                Ok(no_input(Box::new(FdSink::new(file, name))))
            }
            Self::Pty => {
                let backend = open_pty().map_err(CharError::Pty)?;
                if let Some(path) = &backend.path {
                    eprintln!("serial console at {}", path.display());
                }
                Ok(backend)
            }
            Self::None => Ok(no_input(Box::new(NullSink))),
        }
    }
}

fn open_stdio() -> io::Result<CharBackend> {
    let stdin = io::stdin();
    let terminal = RawTerminal::enter(stdin.as_fd())?;
    // A job in the background is stopped by the kernel when it reads from its terminal.
    let readable = terminal.is_some() || !stdin.is_terminal();
    let reader = match readable {
        true => Some(CharReader::new(stdin.as_fd().try_clone_to_owned()?)),
        false => None,
    };
    let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let sink = Box::new(FdSink::new(output, "standard output".into()));
    Ok(CharBackend { sink, reader, terminal, path: None })
}

fn open_pty() -> io::Result<CharBackend> {
    let pty = terminal::open_pty()?;
    let reader = Some(CharReader::new(pty.master.try_clone()?));
    let path = Some(pty.path.clone());
    Ok(CharBackend { sink: Box::new(PtySink::new(pty)), reader, terminal: None, path })
}

/// The input half of a back end. Reading waits for input; 0 bytes means that there will be no
/// more. A thread that must also hear of other things polls the descriptor ([`AsFd`]) first.
#[derive(Debug)]
pub struct CharReader(File);

impl CharReader {
    /// Reads from `fd`, blocking or not.
    pub fn new(fd: OwnedFd) -> Self {
        Self(fd.into())
    }
}

impl Read for CharReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buffer) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // Somebody else who shares the stream made it non-blocking.
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    terminal::wait_readable(self.0.as_fd())?;
                }
                // The other side of the terminal is gone.
                Err(e) if e.raw_os_error() == Some(libc::EIO) => return Ok(0),
                other => return other,
            }
        }
    }
}

impl AsFd for CharReader {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
