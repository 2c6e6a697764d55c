//! Models of CPUs, as `--cpu help` lists them.

use accel::choice::Target;
use api::Isa;
use arch::x86_64::X86_64;
use arch::x86_64::feature;
use arch::x86_64::model::MODELS;

use crate::info::Availability;

/// What users can ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cpus {
    /// The models, and why not where this host cannot give one.
    pub models: Vec<Availability>,
    /// Features that can be added or left out.
    pub features: Vec<&'static str>,
}

/// The models of an architecture's CPUs, as this host can give them.
pub fn cpus(isa: Isa) -> Cpus {
    let one = |name, about: &str| Cpus {
        models: vec![Availability { name, about: about.into(), missing: None }],
        features: Vec::new(),
    };
    match isa {
        Isa::Riscv64 => one("max", "every extension that the accelerator has; the default"),
        Isa::Aarch64 => one("host", "the host's processor; the default"),
        Isa::X86_64 => Cpus {
            models: MODELS.into_iter().map(x86_64).collect(),
            features: feature::all().map(|feature| feature.name).collect(),
        },
    }
}

fn x86_64((name, about): (&'static str, &'static str)) -> Availability {
    let given = X86_64::native().and_then(|native| {
        let model = name.parse().map_err(|error| accel::Error::Model(format!("{error}")))?;
        native.accelerator.model(&model)
    });
    let missing = given.err().map(|error| error.to_string());
    Availability { name, about: about.into(), missing }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_architecture_has_a_model() {
        for isa in Isa::ALL {
            assert!(!cpus(isa).models.is_empty(), "{isa}");
        }
        let x86_64 = cpus(Isa::X86_64);
        assert!(x86_64.features.contains(&"avx2"));
        // Whoever can run such guests at all can run those of the first level.
        let missing = |name| x86_64.models.iter().find(|m| m.name == name).unwrap().missing.clone();
        assert_eq!(missing("x86-64-v1").is_some(), missing("host").is_some());
    }
}
