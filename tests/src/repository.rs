//! The repository that these tests were built from.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The repository's root folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a folder of the root")
}

/// Every file of the repository, relative to [`root`]: those that git tracks, and new ones that
/// it would track.
///
/// # Panics
/// When git cannot list them.
pub fn tracked_files() -> Vec<PathBuf> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git lists the repository's files: is it installed?");
    assert!(output.status.success(), "git: {}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8(output.stdout).expect("file names are UTF-8");
    let mut files: Vec<PathBuf> = names
        .split_terminator('\0')
        .map(PathBuf::from)
        .filter(|f| root().join(f).is_file())
        .collect();
    files.sort();
    files.dedup();
    assert!(files.len() > 10, "git lists only {files:?}");
    files
}

/// Whether this host is a laboratory (`./x lab`): it has a KVM that runs stock guests, and nothing
/// that needs one is left out.
pub fn in_laboratory() -> bool {
    std::env::var_os("POLYVISOR_LABORATORY").is_some()
}

/// The `polyvisor` binary, built with optimisation from this repository if it is not; the one
/// that the environment variable `POLYVISOR` names otherwise.
///
/// # Panics
/// When it cannot be built.
pub fn polyvisor() -> PathBuf {
    if let Some(named) = std::env::var_os("POLYVISOR") {
        return PathBuf::from(named);
    }
    // This program is TARGET/PROFILE/bench or TARGET/PROFILE/deps/test.
    let exe = std::env::current_exe().expect("a program knows its own path");
    let folder = exe.parent().expect("a program is in a folder");
    let profile = if folder.ends_with("deps") { folder.parent() } else { Some(folder) };
    let target = profile.and_then(Path::parent).expect("cargo's folders").to_owned();
    let status = Command::new(root().join("x"))
        .arg("build")
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_TERM_QUIET", "true")
        .status()
        .expect("the script `x` runs");
    assert!(status.success(), "./x build could not build polyvisor");
    target.join("release/polyvisor")
}
