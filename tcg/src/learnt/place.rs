//! The folder with what was learnt, and the file of one kind of machine in it.
//!
//! Nothing here fails loudly: what cannot be read, or not be trusted, is as if it were not there,
//! and what cannot be written is learnt again next time. Trusted are files and folders of the
//! user that the process runs as, writable by nobody else, and only if the process never was
//! another user's.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::table::Table;

/// Bytes of a file at most: pages of some hundred MiB of code.
pub(super) const FILE_BYTES: usize = 2 << 20;
/// Bytes of all files of the folder at most; the oldest make room.
const FOLDER_BYTES: u64 = 8 << 20;
/// Folders that are made at most: this one, `polyvisor`, `.cache`. Where there is no home there
/// will be none.
const FOLDERS: usize = 3;
/// What our files' names end in.
const SUFFIX: &str = ".learnt";
/// The file that is locked while others are replaced.
const LOCK: &str = "lock";

/// Where the file is.
#[derive(Debug)]
pub(super) struct Place {
    folder: PathBuf,
    name: String,
    key: u64,
}

impl Place {
    /// The file of this name, for those who know `key`.
    pub(super) fn new(folder: PathBuf, name: &str, key: u64) -> Self {
        Self { folder, name: format!("{name}-{key:016x}{SUFFIX}"), key }
    }

    pub(super) fn key(&self) -> u64 {
        self.key
    }

    fn file(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    /// What was learnt.
    pub(super) fn read(&self) -> Option<Table> {
        let user = user().filter(|_| is_home())?;
        trusts(&fs::symlink_metadata(&self.folder).ok()?, user).then_some(())?;
        self.read_as(user)
    }

    fn read_as(&self, user: u32) -> Option<Table> {
        // Nobody is waited for where the name is that of a pipe.
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(self.file()).ok()?;
        let data = file.metadata().ok()?;
        let len = usize::try_from(data.len()).ok().filter(|len| *len <= FILE_BYTES)?;
        (data.is_file() && trusts(&data, user)).then_some(())?;
        let mut bytes = Vec::new();
        // A guest may have little memory left.
        bytes.try_reserve_exact(len).ok()?;
        file.take(len as u64).read_to_end(&mut bytes).ok()?;
        Table::new(bytes, self.key)
    }

    /// Replaces the file by what `change` makes of it, unless somebody else is doing that.
    pub(super) fn update(&self, change: impl FnOnce(Option<&Table>) -> Vec<u8>) -> Option<()> {
        let user = user().filter(|_| is_home() && may_write())?;
        make_folder(&self.folder, FOLDERS)?;
        let data = fs::symlink_metadata(&self.folder).ok()?;
        (data.is_dir() && trusts(&data, user)).then_some(())?;
        let lock = create(&self.folder.join(LOCK))?;
        lock.try_lock().ok()?;
        let bytes = change(self.read_as(user).as_ref());
        // One name, so that nothing piles up where processes are killed.
        let new = self.folder.join("new");
        let written = create(&new).and_then(|mut file| {
            file.set_len(0).ok()?;
            file.write_all(&bytes).ok()?;
            fs::rename(&new, self.file()).ok()
        });
        if written.is_none() {
            // Where that is impossible too, it is in the way of nothing.
            let _ = fs::remove_file(&new);
        }
        self.drop_oldest();
        written
    }

    /// Removes other files until the folder is small enough.
    fn drop_oldest(&self) -> Option<()> {
        let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.folder).ok()?.flatten() {
            let Ok(data) = entry.metadata() else { continue };
            if entry.file_name().to_string_lossy().ends_with(SUFFIX) {
                files.push((data.modified().ok()?, data.len(), entry.path()));
            }
        }
        files.sort_unstable();
        let mut bytes: u64 = files.iter().map(|(_, len, _)| len).sum();
        for (_, len, path) in files {
            if bytes > FOLDER_BYTES && path != self.file() && fs::remove_file(path).is_ok() {
                bytes -= len;
            }
        }
        Some(())
    }
}

/// Opens a file to be written, which is made if it is not there.
fn create(path: &Path) -> Option<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600).custom_flags(flags);
    options.open(path).ok()
}

/// Makes a folder for this user alone, and up to `levels` - 1 above it.
fn make_folder(path: &Path, levels: usize) -> Option<()> {
    let make = || DirBuilder::new().mode(0o700).create(path);
    let made = match make() {
        Err(error) if error.kind() == ErrorKind::NotFound && levels > 1 => {
            make_folder(path.parent()?, levels - 1)?;
            make()
        }
        made => made,
    };
    match made {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => None,
        _ => Some(()),
    }
}

/// Only this user can have written it.
fn trusts(data: &Metadata, user: u32) -> bool {
    data.uid() == user && data.mode() & 0o022 == 0
}

/// A line of a file of /proc about this thread.
fn fact(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(Path::new("/proc/thread-self").join(file)).ok()?;
    text.lines().find_map(|line| Some(line.strip_prefix(name)?.to_owned()))
}

/// The user of this process; `None` if it has, or may have again, the rights of another one.
fn user() -> Option<u32> {
    single(&fact("status", "Uid:")?)
}

/// The number, if all of them are the same.
fn single(numbers: &str) -> Option<u32> {
    let mut numbers = numbers.split_ascii_whitespace();
    let first = numbers.next()?;
    numbers.all(|other| other == first).then(|| first.parse().ok())?
}

/// Our own executable is found under its name. Otherwise this is another file system than the one
/// that Polyvisor was started in (chroot, a container with binfmt_misc): what is made there may
/// end up in somebody's image.
fn is_home() -> bool {
    const EXE: &str = "/proc/self/exe";
    let id = |data: Metadata| (data.dev(), data.ino());
    let named = fs::read_link(EXE).and_then(fs::metadata).map(id);
    named.is_ok_and(|named| fs::metadata(EXE).map(id).is_ok_and(|own| own == named))
}

/// Files may have any size: where they may not, the kernel sends a signal to who goes beyond.
fn may_write() -> bool {
    fact("limits", "Max file size")
        .is_some_and(|limits| limits.split_ascii_whitespace().next() == Some("unlimited"))
}

#[cfg(test)]
mod tests;
