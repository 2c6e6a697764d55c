//! Why an image could not be opened.

use std::io;
use std::path::PathBuf;

/// Why an image could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no such file.
    #[error("the disk image {} does not exist; create it, or correct its path", path.display())]
    Missing {
        /// The path given.
        path: PathBuf,
    },
    /// A directory or something else that holds no bytes.
    #[error("{} is {what}, not a disk image; give the path of a file or a block device", path.display())]
    NotAnImage {
        /// The path given.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// The user may not write it.
    #[error(
        "the disk image {} cannot be written by this user; attach it read-only (readonly), \
         or change its permissions",
        path.display()
    )]
    NotWritable {
        /// The path given.
        path: PathBuf,
    },
    /// The user may not read it.
    #[error("the disk image {} cannot be read by this user; change its permissions", path.display())]
    NotReadable {
        /// The path given.
        path: PathBuf,
    },
    /// It has no bytes.
    #[error("the disk image {} is empty; give it a size, as with `truncate -s 1G`", path.display())]
    Empty {
        /// The path given.
        path: PathBuf,
    },
    /// It is no whole number of sectors.
    #[error(
        "the disk image {} is {size} bytes long, which is not a multiple of 512; it may have been \
         cut off, or is not a raw image. `truncate -s %512` makes a raw one fit",
        path.display()
    )]
    Unaligned {
        /// The path given.
        path: PathBuf,
        /// Its length in bytes.
        size: u64,
    },
    /// Another process uses it.
    #[error(
        "the disk image {} is in use by another process, and only readers can share an image; \
         stop the other machine, or attach the image read-only to both",
        path.display()
    )]
    InUse {
        /// The path given.
        path: PathBuf,
    },
    /// Anything else the host says.
    #[error("the disk image {} cannot be opened: {source}", path.display())]
    Host {
        /// The path given.
        path: PathBuf,
        /// What the host says.
        #[source]
        source: io::Error,
    },
}
