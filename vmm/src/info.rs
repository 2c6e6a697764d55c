//! What this build and this host offer.

use serde::Serialize;

use devices::registry;

/// What `polyvisor info` prints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Info {
    /// Polyvisor's version.
    pub version: &'static str,
    /// Ways to run guest code.
    pub accelerators: Vec<Availability>,
    /// Guest architectures.
    pub guests: Vec<Availability>,
    /// Device models.
    pub devices: Vec<Availability>,
    /// Disk image formats.
    pub formats: Vec<Availability>,
}

/// Something that is there, or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Availability {
    /// What users type.
    pub name: &'static str,
    /// What it is.
    pub about: String,
    /// Why it cannot be used here, if it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

fn there(name: &'static str, about: &'static str) -> Availability {
    Availability { name, about: about.into(), missing: None }
}

/// Ways to run guest code, the best first.
pub fn accelerators() -> Vec<Availability> {
    accel::offers()
        .into_iter()
        .map(|offer| Availability { name: offer.name, about: offer.about, missing: offer.missing })
        .collect()
}

/// An architecture of which the software CPU has only what programs see.
fn on_kvm(name: &'static str, about: &'static str, accelerators: &[Availability]) -> Availability {
    let kvm = accelerators.iter().find(|a| a.name == "kvm");
    let missing = if std::env::consts::ARCH == name {
        let reason = kvm.map_or(Some("this build has none"), |kvm| kvm.missing.as_deref());
        reason.map(|reason| format!("its machines need KVM: {reason}"))
    } else {
        let user = "`polyvisor user` runs programs of it on this one";
        Some(format!("its machines need KVM on a host of that architecture; {user}"))
    };
    Availability { name, about: about.into(), missing }
}

/// Looks at this build and this host.
pub fn info() -> Info {
    let accelerators = accelerators();
    let aarch64 = on_kvm("aarch64", "Arm, 64 bits, board `virt`", &accelerators);
    let x86_64 = on_kvm("x86_64", "x86, 64 bits, board `microvm`", &accelerators);
    Info {
        version: env!("CARGO_PKG_VERSION"),
        accelerators,
        guests: vec![there("riscv64", "RISC-V, 64 bits, board `virt`"), aarch64, x86_64],
        devices: registry::KINDS.iter().map(|kind| there(kind.name, kind.about)).collect(),
        formats: vec![there("raw", "the bytes of the disk, in a file or block device")],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_has_a_reason() {
        let info = info();
        assert!(info.accelerators.iter().any(|a| a.name == "tcg" && a.missing.is_none()));
        assert!(info.guests.iter().any(|g| g.name == "riscv64" && g.missing.is_none()));
        assert_eq!(info.devices.len(), registry::KINDS.len());
    }
}
