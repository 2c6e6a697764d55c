//! The initrd with the programs: a second cpio archive behind the guest's own; Linux unpacks
//! both.

use std::io::Result;
use std::path::{Path, PathBuf};

/// The folder of the initrd that holds the programs.
pub(crate) const FOLDER: &str = "bench";

/// Appends `programs` to `initrd`, and returns the file, which goes away with its owner.
pub(crate) fn with_programs(initrd: &Path, programs: &[(String, PathBuf)]) -> Result<Temporary> {
    let mut archive = std::fs::read(initrd)?;
    archive.resize(archive.len().next_multiple_of(512), 0);
    entry(&mut archive, FOLDER, 0o040_755, &[]);
    for (name, path) in programs {
        entry(&mut archive, &format!("{FOLDER}/{name}"), 0o100_755, &std::fs::read(path)?);
    }
    entry(&mut archive, "TRAILER!!!", 0, &[]);
    let file = Temporary(std::env::temp_dir().join(format!("bench-initrd-{}", std::process::id())));
    std::fs::write(&file.0, archive)?;
    Ok(file)
}

/// A file that is removed when it is dropped.
pub(crate) struct Temporary(PathBuf);

impl Temporary {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // It may have been removed already; nothing depends on it.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// One member in the "new" format of cpio: a header of hexadecimal numbers, the name, the data,
/// each padded to four bytes.
fn entry(archive: &mut Vec<u8>, name: &str, mode: u32, data: &[u8]) {
    let size = u32::try_from(data.len()).expect("a program is smaller than 4 GiB");
    let links = if mode & 0o040_000 == 0 { 1 } else { 2 };
    let name_size = u32::try_from(name.len() + 1).expect("a short name");
    archive.extend(b"070701");
    let fields = [0, mode, 0, 0, links, 0, size, 0, 0, 0, 0, name_size, 0];
    for field in fields {
        archive.extend(format!("{field:08X}").bytes());
    }
    archive.extend(name.bytes());
    archive.push(0);
    archive.resize(archive.len().next_multiple_of(4), 0);
    archive.extend(data);
    archive.resize(archive.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_aligned_and_sized() {
        let mut archive = Vec::new();
        entry(&mut archive, "ab", 0o100_644, b"hello");
        assert_eq!(archive.len(), 116 + 8, "header and name, data");
        assert_eq!(&archive[..6], b"070701");
        assert_eq!(&archive[54..62], b"00000005");
        assert_eq!(&archive[94..102], b"00000003");
        assert_eq!(&archive[110..113], b"ab\0");
        assert!(archive.ends_with(b"hello\0\0\0"));
    }
}
