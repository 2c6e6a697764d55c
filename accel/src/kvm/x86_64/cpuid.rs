//! What CPUID answers: what KVM can give `[KVM-API 4.46]`, less what the model leaves out, with
//! each vCPU's own number and place.

use arch::x86_64::Model;
use arch::x86_64::feature::{self, Feature, Output, Word, is_feature_word};
use arch::x86_64::model::Base;
use kvm_bindings::{
    CpuId, KVM_CPUID_FLAG_SIGNIFCANT_INDEX, KVM_MAX_CPUID_ENTRIES, kvm_cpuid_entry2,
};

use super::super::{Kvm, KvmError};
use crate::Error;

/// Leaves that tell of what guests are not given: performance counters, SGX, processor trace,
/// AMX, nested virtualization, memory encryption and platform quality of service.
const WITHHELD: &[u32] = &[
    0xa,
    0xf,
    0x10,
    0x12,
    0x14,
    0x1d,
    0x1e,
    0x8000_000a,
    0x8000_001b,
    0x8000_001f,
    0x8000_0020,
    0x8000_0022,
];

/// State components that we save: x87, SSE, AVX, AVX-512, protection keys.
const XCR0: u32 = 0x2e7;
const XCR0_AVX: u32 = 1 << 2;
const XCR0_AVX512: u32 = 7 << 5;
const XCR0_PKRU: u32 = 1 << 9;

/// Bytes of an XSAVE area with nothing but x87 and SSE.
const XSAVE_LEGACY: u32 = 576;

/// Bits of leaf 8000_0001, EDX, that repeat those of leaf 1 on processors of AMD's.
const REPEATED: u32 = 0x0183_f3ff;

/// Bits that KVM itself sets by what the guest does, or that software may rely on everywhere:
/// OSXSAVE, and OSPKE.
const DYNAMIC: &[(Word, u32)] = &[
    (Word { leaf: 1, subleaf: 0, output: Output::Ecx }, 1 << 27),
    (Word { leaf: 7, subleaf: 0, output: Output::Ecx }, 1 << 4),
];

/// The table of a machine: the same for all vCPUs but for their numbers.
pub(super) struct Table {
    entries: Vec<kvm_cpuid_entry2>,
}

impl Table {
    /// The table for a model.
    pub(super) fn new(host: &Kvm, model: &Model) -> Result<Self, Error> {
        let supported = host
            .fd
            .get_supported_cpuid(KVM_MAX_CPUID_ENTRIES)
            .map_err(KvmError::refused("the list of processor features"))?;
        let mut table = Table { entries: supported.as_slice().to_vec() };
        if model.base == Base::Max {
            table.add_emulated(host);
        }
        table.entries.retain(|entry| !WITHHELD.contains(&entry.function));
        table.complete(host);
        table.apply(model)?;
        table.limit_xsave();
        Ok(table)
    }

    /// What KVM emulates although the host's processor does not have it.
    fn add_emulated(&mut self, host: &Kvm) {
        let Ok(emulated) = host.fd.get_emulated_cpuid(KVM_MAX_CPUID_ENTRIES) else {
            return;
        };
        for from in emulated.as_slice() {
            if let Some(entry) = self.find_mut(from.function, from.index) {
                entry.eax |= from.eax;
                entry.ebx |= from.ebx;
                entry.ecx |= from.ecx;
                entry.edx |= from.edx;
            }
        }
    }

    /// Features that are KVM's to give, and that old kernels do not list.
    fn complete(&mut self, host: &Kvm) {
        if let Some(one) = self.find_mut(1, 0) {
            one.ecx |= 1 << 31 | 1 << 21;
            if host.fd.check_extension(kvm_ioctls::Cap::TscDeadlineTimer) {
                one.ecx |= 1 << 24;
            }
        }
    }

    fn find_mut(&mut self, leaf: u32, subleaf: u32) -> Option<&mut kvm_cpuid_entry2> {
        self.entries.iter_mut().find(|entry| {
            entry.function == leaf
                && (entry.flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX == 0 || entry.index == subleaf)
        })
    }

    fn word_mut(&mut self, word: Word) -> Option<&mut u32> {
        self.find_mut(word.leaf, word.subleaf).map(|entry| match word.output {
            Output::Eax => &mut entry.eax,
            Output::Ebx => &mut entry.ebx,
            Output::Ecx => &mut entry.ecx,
            Output::Edx => &mut entry.edx,
        })
    }

    fn has(&mut self, feature: &Feature) -> bool {
        self.word_mut(feature.word).is_some_and(|word| *word >> feature.bit & 1 != 0)
    }

    /// Leaves those features that the model has.
    fn apply(&mut self, model: &Model) -> Result<(), Error> {
        let required = model.base.required();
        let mut missing = Vec::new();
        let mut kept = Vec::new();
        for feature in feature::all() {
            let there = self.has(&feature);
            let asked = model.toggle(feature.name);
            let demanded = asked.unwrap_or(required.contains(&feature.name));
            if demanded && !there {
                missing.push(feature.name);
            }
            if there && asked.unwrap_or(demanded || model.base.welcomes(feature.name)) {
                kept.push(feature);
            }
        }
        if !missing.is_empty() {
            return Err(Error::Model(format!(
                "this host cannot give the guest's CPU the feature{} {}; leave {} out (--cpu {},-{}), \
                 or use --cpu host",
                if missing.len() == 1 { "" } else { "s" },
                missing.join(", "),
                if missing.len() == 1 { "it" } else { "them" },
                model.base.name(),
                missing.join(",-")
            )));
        }
        self.keep(&kept);
        Ok(())
    }

    /// Clears all bits of feature words but those of `kept`.
    fn keep(&mut self, kept: &[Feature]) {
        let mut words: Vec<Word> = feature::all().map(|feature| feature.word).collect();
        words.dedup();
        for word in words.into_iter().filter(|word| is_feature_word(*word)) {
            let of_word = kept.iter().filter(|feature| feature.word == word);
            let mut mask = of_word.fold(0, |mask, feature| mask | 1 << feature.bit);
            mask |= DYNAMIC.iter().filter(|(other, _)| *other == word).fold(0, |m, (_, b)| m | b);
            if word.leaf == 0x8000_0001 && word.output == Output::Edx {
                mask |= REPEATED;
            }
            if let Some(value) = self.word_mut(word) {
                *value &= mask;
            }
        }
    }

    fn has_named(&mut self, name: &str) -> bool {
        feature::find(name).is_some_and(|feature| self.has(&feature))
    }

    /// Leaf D tells of those state components alone whose features the guest has.
    fn limit_xsave(&mut self) {
        let mut allowed = XCR0;
        for (name, bits) in
            [("avx", XCR0_AVX | XCR0_AVX512), ("avx512f", XCR0_AVX512), ("pku", XCR0_PKRU)]
        {
            if !self.has_named(name) {
                allowed &= !bits;
            }
        }
        let present = self.find_mut(0xd, 0).map_or(0, |entry| {
            entry.eax &= allowed;
            entry.edx = 0;
            entry.eax
        });
        if let Some(entry) = self.find_mut(0xd, 1) {
            (entry.ecx, entry.edx) = (0, 0);
        }
        let is_part = |entry: &kvm_cpuid_entry2| entry.function == 0xd && entry.index > 1;
        self.entries
            .retain(|entry| !is_part(entry) || entry.index < 32 && present >> entry.index & 1 != 0);
        let parts = self.entries.iter().filter(|entry| is_part(entry));
        let size = parts.map(|part| part.ebx.saturating_add(part.eax)).max().unwrap_or(0);
        if let Some(entry) = self.find_mut(0xd, 0) {
            entry.ecx = size.max(XSAVE_LEGACY);
        }
    }

    /// The components of an XSAVE area: number, offset and size in bytes.
    pub(super) fn xsave_parts(&self) -> Vec<(u32, usize, usize)> {
        let parts = self.entries.iter().filter(|entry| entry.function == 0xd && entry.index > 1);
        parts.map(|part| (part.index, part.ebx as usize, part.eax as usize)).collect()
    }

    /// The components that XCR0 may name.
    pub(super) fn xcr0(&mut self) -> u64 {
        self.find_mut(0xd, 0).map_or(1, |entry| entry.eax.into())
    }

    /// The table of vCPU `index` of `count`. All of them are cores of one package.
    pub(super) fn of_vcpu(&self, index: u32, count: u32) -> Result<CpuId, Error> {
        let mut table = Table { entries: self.entries.clone() };
        // The bits of an APIC id that tell cores of a package apart.
        let bits = count.next_power_of_two().trailing_zeros();
        table.entries.retain(|entry| !matches!(entry.function, 0xb | 0x1f));
        for entry in &mut table.entries {
            place(entry, index, count, bits);
        }
        table.entries.extend(topology(index, count, bits));
        CpuId::from_entries(&table.entries)
            .map_err(|_| KvmError::Unsupported("a processor with so many features").into())
    }
}

/// Leaf B: threads, of which a core has one, and cores `[SDM-2A CPUID]`.
fn topology(index: u32, count: u32, bits: u32) -> [kvm_cpuid_entry2; 3] {
    let level = |subleaf: u32, shift: u32, units: u32, kind: u32| kvm_cpuid_entry2 {
        function: 0xb,
        index: subleaf,
        flags: KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
        eax: shift,
        ebx: units,
        ecx: kind << 8 | subleaf,
        edx: index,
        ..kvm_cpuid_entry2::default()
    };
    [level(0, 0, 1, 1), level(1, bits, count, 2), level(2, 0, 0, 0)]
}

/// Puts a vCPU's number and place into the leaves that tell them.
fn place(entry: &mut kvm_cpuid_entry2, index: u32, count: u32, bits: u32) {
    match entry.function {
        1 => {
            entry.ebx &= 0xffff;
            entry.ebx |= index << 24 | count.min(255) << 16;
            // HTT: the number of processors in EBX counts.
            entry.edx = entry.edx & !(1 << 28) | u32::from(count > 1) << 28;
        }
        // Caches: those of the first two levels belong to a core, others to the package.
        4 | 0x8000_001d if entry.eax & 0x1f != 0 => {
            let level = entry.eax >> 5 & 7;
            let sharing = if level < 3 { 0 } else { (1 << bits) - 1 };
            entry.eax = entry.eax & 0x3fff | sharing << 14;
            if entry.function == 4 {
                entry.eax |= ((1u32 << bits) - 1).min(63) << 26;
            }
        }
        0x8000_0008 => entry.ecx = bits << 12 | (count - 1).min(255),
        0x8000_001e => {
            entry.eax = index;
            entry.ebx = index & 0xff;
            entry.ecx = 0;
        }
        _ => {}
    }
}
