//! What kind of processor the guest sees.

use std::str::FromStr;

use super::feature;
use crate::model::ModelError;

/// A kind of processor, and what the user changes about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    /// Where the features come from.
    pub base: Base,
    /// Features added (true) or left out, in the order in which they were given: the last counts.
    pub toggles: Vec<(&'static str, bool)>,
    /// Frequency of the time stamp counter in kHz; the host's if there is none.
    pub tsc_khz: Option<u32>,
}

/// Where a model's features come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Base {
    /// The host's processor, as far as the accelerator can give it to guests.
    #[default]
    Host,
    /// Everything that the accelerator can give, natively or not.
    Max,
    /// A level of the x86-64 psABI, 1 to 4 `[PSABI-X86 §3.1.1]`.
    Level(u8),
}

/// The names of models, and what they are.
pub const MODELS: [(&str, &str); 6] = [
    ("host", "the host's processor, as far as guests can have it; the default"),
    ("max", "everything that the accelerator can give, emulated or not"),
    ("x86-64-v1", "what every x86-64 processor has"),
    ("x86-64-v2", "with SSE4.2 and CMPXCHG16B: since 2009"),
    ("x86-64-v3", "with AVX2, BMI and FMA: since 2013"),
    ("x86-64-v4", "with AVX-512"),
];

/// What every x86-64 processor has, and every system for it expects.
const V1: &[&str] = &[
    "fpu", "de", "pse", "tsc", "msr", "pae", "mce", "cx8", "apic", "sep", "mtrr", "pge", "mca",
    "cmov", "pat", "pse36", "clflush", "mmx", "fxsr", "sse", "sse2", "syscall", "nx", "lm",
];
const V2: &[&str] = &["cx16", "lahf_lm", "popcnt", "pni", "sse4_1", "sse4_2", "ssse3"];
const V3: &[&str] = &["avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"];
const V4: &[&str] = &["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"];

/// What a level's guest has too if the host can give it: nothing that a program could depend on
/// without asking, and much for the kernel's speed.
const WELCOME: &[&str] = &[
    "vme",
    "hypervisor",
    "x2apic",
    "tsc_deadline_timer",
    "tsc_adjust",
    "constant_tsc",
    "rdtscp",
    "pcid",
    "invpcid",
    "pdpe1gb",
    "smep",
    "smap",
    "umip",
    "fsgsbase",
    "erms",
    "xsaveopt",
    "xsavec",
    "xgetbv1",
    "arch_capabilities",
    "spec_ctrl",
    "ssbd",
    "md_clear",
    "ibpb",
    "stibp",
    "virt_ssbd",
    "kvmclock",
    "kvm_nopiodelay",
    "kvmclock2",
    "kvm_steal_time",
    "kvm_pv_eoi",
    "kvm_pv_unhalt",
    "kvm_pv_tlb_flush",
    "kvm_pv_ipi",
    "kvm_poll_control",
    "kvm_pv_sched_yield",
    "kvmclock_stable",
];

impl Base {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        let place = match self {
            Base::Host => 0,
            Base::Max => 1,
            Base::Level(level) => usize::from(level) + 1,
        };
        MODELS.get(place).map_or("host", |(name, _)| name)
    }

    /// Features that a guest must have; none for those that take what there is.
    pub fn required(self) -> Vec<&'static str> {
        let levels = [V1, V2, V3, V4];
        let count = match self {
            Base::Level(level) => usize::from(level),
            Base::Host | Base::Max => 0,
        };
        levels.into_iter().take(count).flatten().copied().collect()
    }

    /// Whether a guest may have a feature that it need not have.
    pub fn welcomes(self, name: &str) -> bool {
        match self {
            Base::Host | Base::Max => true,
            Base::Level(_) => WELCOME.contains(&name),
        }
    }
}

impl Model {
    /// What the user says of a feature; `None` if nothing.
    pub fn toggle(&self, name: &str) -> Option<bool> {
        self.toggles.iter().rev().find(|(toggled, _)| *toggled == name).map(|(_, on)| *on)
    }
}

impl FromStr for Model {
    type Err = ModelError;

    /// `MODEL[,+FEATURE|,-FEATURE|,tsc-khz=N]...`
    fn from_str(text: &str) -> Result<Self, ModelError> {
        let mut words = text.split(',');
        let name = words.next().unwrap_or_default();
        let base = match MODELS.iter().position(|(model, _)| *model == name) {
            Some(0) => Base::Host,
            Some(1) => Base::Max,
            Some(level) => Base::Level(level as u8 - 1),
            None => {
                let models = MODELS.map(|(model, _)| model).join(", ");
                return Err(ModelError::Model { name: name.into(), isa: "x86_64", models });
            }
        };
        let mut model = Model { base, ..Model::default() };
        for word in words {
            if let Some(khz) = word.strip_prefix("tsc-khz=") {
                let khz = khz.parse().map_err(|_| ModelError::Change(word.into()))?;
                model.tsc_khz = Some(khz);
                continue;
            }
            let (on, name) = match word.split_at_checked(1) {
                Some(("+", name)) => (true, name),
                Some(("-", name)) => (false, name),
                _ => return Err(ModelError::Change(word.into())),
            };
            let feature = feature::find(name).ok_or_else(|| ModelError::Feature(name.into()))?;
            model.toggles.push((feature.name, on));
        }
        Ok(model)
    }
}
