//! The monitors, each asked for the same machine: one vCPU, 128 MiB, a serial console.

use std::io::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

const CMDLINE: &str = "console=ttyS0 quiet reboot=k panic=-1";

/// What is started.
pub(crate) struct Guest {
    pub(crate) kernel: PathBuf,
    pub(crate) initrd: Option<PathBuf>,
    /// What the console shows when it has come there.
    pub(crate) until: &'static str,
}

/// A virtual machine monitor, with its binary.
pub(crate) enum Peer {
    Polyvisor(PathBuf),
    Qemu(PathBuf),
    CloudHypervisor(PathBuf),
    Firecracker(PathBuf),
}

impl Peer {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Peer::Polyvisor(_) => "polyvisor",
            Peer::Qemu(_) => "qemu microvm",
            Peer::CloudHypervisor(_) => "cloud-hypervisor",
            Peer::Firecracker(_) => "firecracker",
        }
    }

    /// The command that starts `guest`; files that it needs go to `folder`.
    pub(crate) fn command(&self, guest: &Guest, folder: &Path) -> Result<Command> {
        Ok(match self {
            Peer::Polyvisor(program) => {
                let words = "run --arch x86_64 --accel kvm --memory 128M --cmdline";
                let names = ["--kernel", "--initrd"];
                simple(program, words, names, guest)
            }
            Peer::Qemu(program) => {
                let words = "-M microvm,pit=off,pic=off,rtc=on -accel kvm -cpu host \
                             -m 128M -smp 1 -nodefaults -no-user-config -display none -no-reboot \
                             -serial stdio -append";
                simple(program, words, ["-kernel", "-initrd"], guest)
            }
            Peer::CloudHypervisor(program) => {
                let words = "--cpus boot=1 --memory size=128M --serial tty --console off --cmdline";
                simple(program, words, ["--kernel", "--initramfs"], guest)
            }
            Peer::Firecracker(program) => {
                let config = folder.join("firecracker.json");
                std::fs::write(&config, firecracker(guest).to_string())?;
                let mut command = Command::new(program);
                command.arg("--no-api").arg("--config-file").arg(config);
                command
            }
        })
    }
}

fn simple(program: &Path, words: &str, names: [&str; 2], guest: &Guest) -> Command {
    let mut command = Command::new(program);
    command.args(words.split_whitespace()).arg(CMDLINE);
    command.arg(names[0]).arg(&guest.kernel);
    if let Some(initrd) = &guest.initrd {
        command.arg(names[1]).arg(initrd);
    }
    command
}

fn firecracker(guest: &Guest) -> serde_json::Value {
    let mut source = serde_json::json!({
        "kernel_image_path": guest.kernel,
        "boot_args": CMDLINE,
    });
    if let Some(initrd) = &guest.initrd {
        source["initrd_path"] = serde_json::json!(initrd);
    }
    serde_json::json!({
        "boot-source": source,
        "drives": [],
        "machine-config": { "vcpu_count": 1, "mem_size_mib": 128 },
    })
}
