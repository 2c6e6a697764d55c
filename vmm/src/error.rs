//! What goes wrong on the host's side: each a sentence that names the thing and the way out.

use std::io;
use std::path::PathBuf;

use arch::acpi::TablesTooLarge;
use arch::boot::{BootError, ProgramError};
use arch::fdt::FdtError;
use arch::model::ModelError;
use devices::disk::OpenError;
use devices::host::char::CharError;
use devices::host::nat::{HostFwdError, NatError};
use devices::host::tap::TapError;

use crate::memory::MemoryError;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The specification of the machine contradicts itself or asks for what there is not.
    #[error("{0}")]
    Spec(String),
    /// A file to boot cannot be opened or read.
    #[error("the {part} {} {}", .path.display(), explain(.source))]
    File {
        /// What it is for.
        part: &'static str,
        /// Its path.
        path: PathBuf,
        /// What the host says.
        source: io::Error,
    },
    /// A file is no kernel or firmware for this guest.
    #[error("the {part} {} cannot be started: {source}", .path.display())]
    Program {
        /// What it is for.
        part: &'static str,
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        source: ProgramError,
    },
    /// What is to be booted does not fit.
    #[error("the machine cannot be started: {0}")]
    Boot(#[from] BootError),
    /// The board cannot be described to the guest.
    #[error("the machine cannot be started: {0}")]
    Fdt(#[from] FdtError),
    /// The board cannot be described to the guest.
    #[error("the machine cannot be started: {0}")]
    Acpi(#[from] TablesTooLarge),
    /// The CPU's model.
    #[error(transparent)]
    Cpu(#[from] ModelError),
    /// No memory.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// A disk image.
    #[error(transparent)]
    Disk(#[from] OpenError),
    /// A console's back end.
    #[error(transparent)]
    Char(#[from] CharError),
    /// A port to be forwarded, as text.
    #[error(transparent)]
    HostFwd(#[from] HostFwdError),
    /// The user-mode network.
    #[error(transparent)]
    Nat(#[from] NatError),
    /// A tap interface.
    #[error(transparent)]
    Tap(#[from] TapError),
    /// The accelerator.
    #[error("{blame}{0}", blame = blame(.0))]
    Accel(#[from] accel::Error),
    /// The host has no thread, descriptor or the like left.
    #[error("the host refused {what}: {source}")]
    Host {
        /// What was asked for.
        what: &'static str,
        /// What it says.
        source: io::Error,
    },
    /// A defect of ours.
    #[error("the thread {0} panicked, which is a defect of Polyvisor: please report what it said")]
    Panic(String),
}

impl Error {
    /// Whether what the user gave is at fault, rather than the host or Polyvisor.
    pub fn is_input(&self) -> bool {
        match self {
            Error::Accel(error) => error.is_input(),
            Error::Host { .. } | Error::Panic(_) => false,
            Error::Memory(error) => matches!(error, MemoryError::Host { .. }),
            _ => true,
        }
    }
}

fn blame(error: &accel::Error) -> &'static str {
    if error.is_input() { "" } else { "the accelerator failed: " }
}

fn explain(source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::NotFound => "does not exist; correct its path".into(),
        io::ErrorKind::PermissionDenied => {
            "cannot be read by this user; change its permissions".into()
        }
        io::ErrorKind::IsADirectory => "is a directory; give the path of a file".into(),
        _ => format!("cannot be read: {source}"),
    }
}
