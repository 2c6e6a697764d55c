//! A machine, written down.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A machine: devices name the back ends that they need by id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachineSpec {
    /// The guest's architecture.
    pub isa: Isa,
    /// What runs its code.
    #[serde(default)]
    pub accel: AccelSpec,
    /// CPUs, memory and what is booted.
    pub board: BoardSpec,
    /// Devices beyond those that are part of the board, in the order of their slots.
    #[serde(default)]
    pub devices: Vec<DeviceSpec>,
    /// The host's side of devices.
    #[serde(default)]
    pub backends: Vec<BackendSpec>,
}

/// A guest architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Isa {
    /// RISC-V, 64 bits.
    Riscv64,
    /// Arm, 64 bits.
    Aarch64,
    /// x86, 64 bits.
    X86_64,
}

impl Isa {
    /// All of them.
    pub const ALL: [Isa; 3] = [Isa::Riscv64, Isa::Aarch64, Isa::X86_64];

    /// The name that users type.
    pub const fn name(self) -> &'static str {
        match self {
            Isa::Riscv64 => "riscv64",
            Isa::Aarch64 => "aarch64",
            Isa::X86_64 => "x86_64",
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What runs the guest's code.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccelSpec {
    /// Which accelerator.
    #[serde(default)]
    pub kind: AccelKind,
    /// How the software CPU works, if it is that.
    #[serde(default)]
    pub tcg: TcgKind,
    /// The folder in which the software CPU keeps what it learns about code, to be faster the next
    /// time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learnt: Option<PathBuf>,
    /// Every so many milliseconds another accelerator that is at hand takes the running guest
    /// over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handover_ms: Option<u32>,
}

/// An accelerator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccelKind {
    /// The best that is usable.
    #[default]
    Auto,
    /// Linux KVM.
    Kvm,
    /// The software CPU.
    Tcg,
}

/// How the software CPU executes code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TcgKind {
    /// Interprets what is cold, translates what is hot.
    #[default]
    Jit,
    /// Interprets everything.
    Interp,
}

/// CPUs, memory, boot, console.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoardSpec {
    /// Number of vCPUs.
    pub cpus: u32,
    /// Their model, `MODEL[,+FEATURE|,-FEATURE]...`; without one, the best that there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// Bytes of memory.
    pub memory: u64,
    /// The kernel, or what the firmware starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<PathBuf>,
    /// Initial RAM disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initrd: Option<PathBuf>,
    /// The kernel's command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmdline: Option<String>,
    /// Who starts the kernel.
    #[serde(default)]
    pub firmware: Firmware,
    /// Id of the character back end of the board's serial port; without one it leads nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub console: Option<String>,
}

/// Who starts the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Firmware {
    /// Polyvisor, which also answers the kernel's calls to its firmware.
    #[default]
    Builtin,
    /// Nobody: the kernel is a program for the bare machine.
    None,
    /// This file.
    File(PathBuf),
}

/// A device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceSpec {
    /// Its name for users, unique among devices.
    pub id: String,
    /// What it is.
    #[serde(flatten)]
    pub kind: DeviceKind,
}

/// What a device is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum DeviceKind {
    /// A disk.
    VirtioBlk {
        /// Id of its [`BackendKind::Disk`].
        backend: String,
    },
    /// A network card.
    VirtioNet {
        /// Id of its [`BackendKind::Nat`] or [`BackendKind::Tap`].
        backend: String,
        /// Its address; one is made up if it is missing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mac: Option<[u8; 6]>,
    },
    /// A source of random numbers.
    VirtioRng,
}

/// The host's side of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendSpec {
    /// Its name, unique among back ends.
    pub id: String,
    /// What it is.
    #[serde(flatten)]
    pub kind: BackendKind,
}

/// What a back end is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum BackendKind {
    /// Characters in and out.
    Char {
        /// From where to where.
        to: CharKind,
    },
    /// A disk image in the raw format.
    Disk {
        /// File or block device.
        path: PathBuf,
        /// Refuse writes.
        #[serde(default)]
        readonly: bool,
    },
    /// The host's network through its sockets.
    Nat {
        /// Ports of the host that lead to the guest: `tcp:127.0.0.1:2222-:22`.
        #[serde(default)]
        hostfwd: Vec<String>,
    },
    /// A tap interface.
    Tap {
        /// Its name.
        name: String,
    },
}

/// Where characters go and come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CharKind {
    /// Standard output and input.
    Stdio,
    /// A file for the output; no input.
    File(PathBuf),
    /// A new pseudo-terminal.
    Pty,
    /// Nowhere.
    None,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_survives_json() {
        let spec = MachineSpec {
            isa: Isa::Riscv64,
            accel: AccelSpec {
                kind: AccelKind::Tcg,
                tcg: TcgKind::Interp,
                learnt: Some("/cache/learnt".into()),
                handover_ms: Some(500),
            },
            board: BoardSpec {
                cpus: 4,
                cpu: Some("max".into()),
                memory: 512 << 20,
                kernel: Some("/boot/Image".into()),
                initrd: None,
                cmdline: Some("console=ttyS0".into()),
                firmware: Firmware::File("fw.bin".into()),
                console: Some("console".into()),
            },
            devices: vec![
                DeviceSpec {
                    id: "disk0".into(),
                    kind: DeviceKind::VirtioBlk { backend: "image0".into() },
                },
                DeviceSpec { id: "rng".into(), kind: DeviceKind::VirtioRng },
            ],
            backends: vec![
                BackendSpec {
                    id: "image0".into(),
                    kind: BackendKind::Disk { path: "a.img".into(), readonly: true },
                },
                BackendSpec {
                    id: "console".into(),
                    kind: BackendKind::Char { to: CharKind::File("log".into()) },
                },
            ],
        };
        let text = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<MachineSpec>(&text).unwrap(), spec, "{text}");
    }

    #[test]
    fn what_may_be_left_out_has_its_default() {
        let text = r#"{"isa": "riscv64", "board": {"cpus": 1, "memory": 67108864}}"#;
        let spec: MachineSpec = serde_json::from_str(text).unwrap();
        assert_eq!(spec.accel, AccelSpec::default());
        assert_eq!(spec.board.firmware, Firmware::Builtin);
        assert!(spec.devices.is_empty() && spec.backends.is_empty());
    }

    #[test]
    fn unknown_fields_are_refused() {
        let text = r#"{"isa": "riscv64", "board": {"cpus": 1, "memory": 1, "colour": "red"}}"#;
        let error = serde_json::from_str::<MachineSpec>(text).unwrap_err().to_string();
        assert!(error.contains("colour"), "{error}");
    }
}
