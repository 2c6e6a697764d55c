//! Opening a raw image, with an answer for everything that may be wrong with the path.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Seek, SeekFrom};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use super::RawImage;
use crate::error::OpenError;
use crate::image::SECTOR;

/// How to open an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenOptions {
    /// Refuse writes; others may then read the image at the same time.
    pub readonly: bool,
}

impl RawImage {
    /// Opens the file or block device at `path` and locks it, until the image is dropped,
    /// against being written by two machines. The lock is advisory and of flock(2)'s kind.
    pub fn open(path: &Path, options: OpenOptions) -> Result<Self, OpenError> {
        let host = |source| OpenError::Host { path: path.into(), source };
        check_kind(path)?;
        let file =
            File::options().read(true).write(!options.readonly).open(path).map_err(|source| {
                match source.kind() {
                    ErrorKind::NotFound => OpenError::Missing { path: path.into() },
                    ErrorKind::PermissionDenied if File::open(path).is_err() => {
                        OpenError::NotReadable { path: path.into() }
                    }
                    ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                        OpenError::NotWritable { path: path.into() }
                    }
                    _ => host(source),
                }
            })?;
        Self::from_file(file, path, options)
    }

    /// The same for a file that is open already, as the options say; `path` names it in errors.
    pub fn from_file(mut file: File, path: &Path, options: OpenOptions) -> Result<Self, OpenError> {
        let host = |source| OpenError::Host { path: path.into(), source };
        let locked = if options.readonly { file.try_lock_shared() } else { file.try_lock() };
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse { path: path.into() }),
            // A file system without locks cannot protect anyone; that is no reason to refuse.
            Err(TryLockError::Error(e)) if e.kind() == ErrorKind::Unsupported => {}
            Err(TryLockError::Error(source)) => return Err(host(source)),
        }
        // The length in the metadata of a block device is 0; its end is where seeking says.
        let size = file.seek(SeekFrom::End(0)).map_err(host)?;
        if size == 0 {
            return Err(OpenError::Empty { path: path.into() });
        }
        if !size.is_multiple_of(SECTOR) {
            return Err(OpenError::Unaligned { path: path.into(), size });
        }
        Ok(Self { file, size, readonly: options.readonly })
    }
}

/// Before opening, because opening a FIFO waits and opening a device may act.
fn check_kind(path: &Path) -> Result<(), OpenError> {
    let kind = match fs::metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(source) if source.kind() == ErrorKind::NotFound => {
            return Err(OpenError::Missing { path: path.into() });
        }
        Err(source) => return Err(OpenError::Host { path: path.into(), source }),
    };
    let what = if kind.is_file() || kind.is_block_device() {
        return Ok(());
    } else if kind.is_dir() {
        "a directory"
    } else if kind.is_char_device() {
        "a character device"
    } else if kind.is_fifo() {
        "a pipe"
    } else {
        "a socket"
    };
    Err(OpenError::NotAnImage { path: path.into(), what })
}
