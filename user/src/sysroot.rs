//! The folder that holds the files of the guest's system.

use std::borrow::Cow;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Absolute paths are looked up here first. What is not there is taken from the host.
#[derive(Clone, Debug, Default)]
pub struct Sysroot {
    root: Option<PathBuf>,
}

impl Sysroot {
    /// A sysroot, or none.
    pub fn new(root: Option<PathBuf>) -> Self {
        Self { root: root.filter(|root| root != Path::new("/")) }
    }

    /// The folder.
    pub fn root(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    /// Where `path` is on the host.
    pub fn resolve<'a>(&self, path: &'a [u8]) -> Cow<'a, [u8]> {
        match self.find(path) {
            Some(found) => Cow::Owned(found),
            None => Cow::Borrowed(path),
        }
    }

    /// Where `path` is inside the sysroot, if it is there.
    pub fn find(&self, path: &[u8]) -> Option<Vec<u8>> {
        let root = self.root.as_ref()?;
        if path.first() != Some(&b'/') || path.len() == 1 {
            return None;
        }
        let mut found = root.as_os_str().as_bytes().to_vec();
        found.extend(path);
        Path::new(std::ffi::OsStr::from_bytes(&found)).symlink_metadata().is_ok().then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_sysroot_hides_the_host() {
        let sysroot = Sysroot::new(Some(concat!(env!("CARGO_MANIFEST_DIR"), "/src").into()));
        assert!(sysroot.resolve(b"/lib.rs").ends_with(b"/src/lib.rs"));
        assert_eq!(&*sysroot.resolve(b"/etc"), b"/etc");
        assert_eq!(&*sysroot.resolve(b"lib.rs"), b"lib.rs");
        assert_eq!(&*Sysroot::default().resolve(b"/lib.rs"), b"/lib.rs");
        assert!(Sysroot::new(Some("/".into())).root().is_none());
    }
}
