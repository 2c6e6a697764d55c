//! The guests of the cache.

use crate::root;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The files of a guest, as `./x guest ARCH --print` names them.
#[derive(Debug, Clone)]
pub struct Guest {
    /// Debian's kernel, as shipped.
    pub kernel: PathBuf,
    /// Busybox, modules, and the init that CONTRIBUTING.md describes.
    pub initrd: PathBuf,
    /// An ext4 image with a small Debian; `None` before it was asked for. Copy it to write to it.
    pub disk: Option<PathBuf>,
    /// What the kernel needs on its command line to find the console.
    pub cmdline: String,
    /// OpenSBI that starts what its caller names, riscv64 only.
    pub firmware: Option<PathBuf>,
    /// OpenSBI that jumps to a fixed address, riscv64 only.
    pub firmware_jump: Option<PathBuf>,
    /// U-Boot for supervisor mode, riscv64 only.
    pub uboot: Option<PathBuf>,
    /// U-Boot for machine mode, riscv64 only.
    pub uboot_machine: Option<PathBuf>,
    /// The kernel's version.
    pub version: String,
}

/// The guest for `arch` (`riscv64`, `aarch64`, `x86_64`), fetched when it is not in the cache yet.
///
/// # Panics
/// When it cannot be had.
pub fn guest(arch: &str) -> Guest {
    let output = Command::new(root().join("x"))
        .args(["guest", arch, "--print"])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .expect("./x starts");
    assert!(output.status.success(), "./x guest {arch} failed");
    let text = String::from_utf8(output.stdout).expect("./x guest prints UTF-8");
    let field = |key: &str| {
        let mut pairs = text.lines().filter_map(|line| line.split_once('='));
        pairs.find(|(name, _)| *name == key).map(|(_, value)| value.to_owned())
    };
    let path = |key: &str| field(key).map(PathBuf::from);
    Guest {
        kernel: path("kernel").expect("a guest has a kernel"),
        initrd: path("initrd").expect("a guest has an initrd"),
        disk: path("disk"),
        cmdline: field("cmdline").expect("a guest has a command line"),
        firmware: path("firmware"),
        firmware_jump: path("firmware_jump"),
        uboot: path("uboot"),
        uboot_machine: path("uboot_machine"),
        version: field("version").expect("a guest's kernel has a version"),
    }
}
