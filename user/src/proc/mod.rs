//! `/proc` as the guest sees it: the files that would show Polyvisor instead, or the host's
//! processor. Everything else of `/proc` is the host's own.

mod content;

use crate::host::call::plain;
use crate::syscalls::open::HERE;
use crate::{Errno, Isa, Thread};

/// What is behind `/proc/self/` or one of its other names.
fn own_file(path: &[u8]) -> Option<&[u8]> {
    let rest = path.strip_prefix(b"/proc/")?;
    let slash = rest.iter().position(|&b| b == b'/')?;
    let (who, file) = (&rest[..slash], &rest[slash + 1..]);
    let pid = std::process::id().to_string();
    if who == b"self" || who == b"thread-self" || who == pid.as_bytes() {
        return Some(file);
    }
    None
}

/// Where a link to the guest's executable leads.
pub(crate) fn exe<G: Isa>(t: &Thread<G>, path: &[u8]) -> Option<Vec<u8>> {
    if own_file(path)? != b"exe" || t.process.image.exe.is_empty() {
        return None;
    }
    Some(t.process.image.exe.clone())
}

/// Whether the descriptor is that of the folder with our own descriptors.
pub(crate) fn lists_descriptors(fd: i32) -> bool {
    let Ok(link) = std::fs::read_link(format!("/proc/self/fd/{fd}")) else { return false };
    let own = format!("/proc/{}/fd", std::process::id());
    link.as_os_str() == own.as_str() || link.as_os_str() == "/proc/self/fd"
}

/// The files that are made here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum File {
    Auxv,
    Cmdline,
    Environ,
    Maps,
    Stat,
    Cpuinfo,
}

fn file(path: &[u8]) -> Option<File> {
    if path == b"/proc/cpuinfo" {
        return Some(File::Cpuinfo);
    }
    match own_file(path)? {
        b"auxv" => Some(File::Auxv),
        b"cmdline" => Some(File::Cmdline),
        b"environ" => Some(File::Environ),
        b"maps" => Some(File::Maps),
        b"stat" => Some(File::Stat),
        _ => None,
    }
}

/// Opens a file of `/proc` that is made here; `None` if the path is none of those.
pub(crate) fn open<G: Isa>(
    t: &mut Thread<G>,
    path: &[u8],
    flags: u64,
) -> Option<Result<u64, Errno>> {
    if !path.starts_with(b"/proc/") {
        return None;
    }
    let file = file(path)?;
    if flags & libc::O_ACCMODE as u64 != libc::O_RDONLY as u64 {
        return Some(Err(Errno::EACCES));
    }
    let content = match file {
        File::Auxv => content::auxv(t),
        File::Cmdline => content::range(t, t.process.image.loaded.args.clone()),
        File::Environ => content::range(t, t.process.image.loaded.env.clone()),
        File::Maps => content::maps(t),
        File::Stat => content::stat(t),
        File::Cpuinfo => G::cpuinfo(t.process.options()).into_bytes(),
    };
    Some(file_with(&content, flags))
}

/// A new file with some content, to be read from its start.
fn file_with(content: &[u8], flags: u64) -> Result<u64, Errno> {
    let name = c"proc".as_ptr() as u64;
    let fd = plain(libc::SYS_memfd_create, [name, libc::MFD_CLOEXEC as u64, 0, 0, 0, 0])?;
    let written = fill(fd, content);
    // Another descriptor, that only reads. Who asks for files of /proc has it mounted.
    let path = format!("/proc/self/fd/{fd}\0");
    let wanted = flags & (libc::O_CLOEXEC | libc::O_NONBLOCK) as u64;
    let reader = written
        .and_then(|()| plain(libc::SYS_openat, [HERE, path.as_ptr() as u64, wanted, 0, 0, 0]));
    plain(libc::SYS_close, [fd, 0, 0, 0, 0, 0])?;
    reader
}

fn fill(fd: u64, content: &[u8]) -> Result<(), Errno> {
    let mut at = 0;
    while at < content.len() {
        let part = &content[at..];
        let (from, len) = (part.as_ptr() as u64, part.len() as u64);
        at += plain(libc::SYS_pwrite64, [fd, from, len, at as u64, 0, 0])? as usize;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_files_are_known_by_all_their_names() {
        let pid = std::process::id();
        assert_eq!(file(b"/proc/self/maps"), Some(File::Maps));
        assert_eq!(file(format!("/proc/{pid}/stat").as_bytes()), Some(File::Stat));
        assert_eq!(file(b"/proc/thread-self/auxv"), Some(File::Auxv));
        assert_eq!(file(b"/proc/cpuinfo"), Some(File::Cpuinfo));
        assert_eq!(file(b"/proc/1/maps"), None);
        assert_eq!(file(b"/proc/self/fd/1"), None);
        assert_eq!(file(b"/etc/maps"), None);
    }
}
