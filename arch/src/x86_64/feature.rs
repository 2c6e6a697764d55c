//! Features that a processor tells by CPUID, by the names that Linux gives them in
//! `/proc/cpuinfo`: `[SDM-2A CPUID]`, `[APM-3 E]`, `[KVM-CPUID]`.

/// A register of CPUID's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the manual's")]
pub enum Output {
    Eax,
    Ebx,
    Ecx,
    Edx,
}

/// A leaf and subleaf, and one register of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// EAX.
    pub leaf: u32,
    /// ECX.
    pub subleaf: u32,
    /// Where the answer is.
    pub output: Output,
}

/// A feature: one bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Its name.
    pub name: &'static str,
    /// Where it is told.
    pub word: Word,
    /// Its bit there.
    pub bit: u32,
}

/// The names of one word's bits, from bit 0; an empty name is no feature of ours.
struct Names {
    word: Word,
    names: [&'static str; 32],
}

const fn word(leaf: u32, subleaf: u32, output: Output) -> Word {
    Word { leaf, subleaf, output }
}

#[rustfmt::skip]
const WORDS: &[Names] = &[
    Names { word: word(1, 0, Output::Ecx), names: [
        "pni", "pclmulqdq", "", "", "", "", "", "",
        "", "ssse3", "", "", "fma", "cx16", "", "",
        "", "pcid", "", "sse4_1", "sse4_2", "x2apic", "movbe", "popcnt",
        "tsc_deadline_timer", "aes", "xsave", "", "avx", "f16c", "rdrand", "hypervisor",
    ] },
    Names { word: word(1, 0, Output::Edx), names: [
        "fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce",
        "cx8", "apic", "", "sep", "mtrr", "pge", "mca", "cmov",
        "pat", "pse36", "", "clflush", "", "", "", "mmx",
        "fxsr", "sse", "sse2", "ss", "", "", "", "",
    ] },
    Names { word: word(7, 0, Output::Ebx), names: [
        "fsgsbase", "tsc_adjust", "", "bmi1", "hle", "avx2", "fdp_excptn_only", "smep",
        "bmi2", "erms", "invpcid", "rtm", "", "zero_fcs_fds", "", "",
        "avx512f", "avx512dq", "rdseed", "adx", "smap", "avx512ifma", "", "clflushopt",
        "clwb", "", "", "", "avx512cd", "sha_ni", "avx512bw", "avx512vl",
    ] },
    Names { word: word(7, 0, Output::Ecx), names: [
        "", "avx512vbmi", "umip", "pku", "", "waitpkg", "avx512_vbmi2", "",
        "gfni", "vaes", "vpclmulqdq", "avx512_vnni", "avx512_bitalg", "", "avx512_vpopcntdq", "",
        "la57", "", "", "", "", "", "rdpid", "",
        "bus_lock_detect", "cldemote", "", "movdiri", "movdir64b", "", "", "",
    ] },
    Names { word: word(7, 0, Output::Edx), names: [
        "", "", "avx512_4vnniw", "avx512_4fmaps", "fsrm", "", "", "",
        "avx512_vp2intersect", "", "md_clear", "", "", "", "serialize", "",
        "tsxldtrk", "", "", "", "", "", "", "avx512_fp16",
        "", "", "spec_ctrl", "intel_stibp", "flush_l1d", "arch_capabilities", "", "ssbd",
    ] },
    Names { word: word(7, 1, Output::Eax), names: [
        "sha512", "sm3", "sm4", "", "avx_vnni", "avx512_bf16", "", "cmpccxadd",
        "", "", "fzrm", "fsrs", "fsrc", "", "", "",
        "", "", "", "", "", "", "", "avx_ifma",
        "", "", "", "", "", "", "", "",
    ] },
    Names { word: word(7, 1, Output::Edx), names: [
        "", "", "", "", "avx_vnni_int8", "avx_ne_convert", "", "",
        "", "", "avx_vnni_int16", "", "", "", "prefetchiti", "",
        "", "", "", "", "", "", "", "",
        "", "", "", "", "", "", "", "",
    ] },
    Names { word: word(0xd, 1, Output::Eax), names: [
        "xsaveopt", "xsavec", "xgetbv1", "xsaves", "", "", "", "",
        "", "", "", "", "", "", "", "",
        "", "", "", "", "", "", "", "",
        "", "", "", "", "", "", "", "",
    ] },
    Names { word: word(0x8000_0001, 0, Output::Ecx), names: [
        "lahf_lm", "cmp_legacy", "", "", "cr8_legacy", "abm", "sse4a", "misalignsse",
        "3dnowprefetch", "osvw", "", "xop", "", "", "", "",
        "fma4", "", "", "", "", "tbm", "topoext", "perfctr_core",
        "", "", "", "", "", "", "", "",
    ] },
    Names { word: word(0x8000_0001, 0, Output::Edx), names: [
        "", "", "", "", "", "", "", "",
        "", "", "", "syscall", "", "", "", "",
        "", "", "", "", "nx", "", "mmxext", "",
        "", "fxsr_opt", "pdpe1gb", "rdtscp", "", "lm", "", "",
    ] },
    Names { word: word(0x8000_0007, 0, Output::Edx), names: [
        "", "", "", "", "", "", "", "",
        "constant_tsc", "", "", "", "", "", "", "",
        "", "", "", "", "", "", "", "",
        "", "", "", "", "", "", "", "",
    ] },
    Names { word: word(0x8000_0008, 0, Output::Ebx), names: [
        "clzero", "", "xsaveerptr", "", "", "", "", "",
        "", "wbnoinvd", "", "", "ibpb", "", "ibrs", "stibp",
        "", "stibp_always_on", "", "", "", "", "", "",
        "amd_ssbd", "virt_ssbd", "", "", "amd_psfd", "", "", "",
    ] },
    Names { word: word(0x4000_0001, 0, Output::Eax), names: [
        "kvmclock", "kvm_nopiodelay", "", "kvmclock2", "kvm_asyncpf", "kvm_steal_time",
        "kvm_pv_eoi", "kvm_pv_unhalt",
        "", "kvm_pv_tlb_flush", "kvm_asyncpf_vmexit", "kvm_pv_ipi", "kvm_poll_control",
        "kvm_pv_sched_yield", "kvm_asyncpf_int", "",
        "", "", "", "", "", "", "", "",
        "kvmclock_stable", "", "", "", "", "", "", "",
    ] },
];

/// All features that have a name.
pub fn all() -> impl Iterator<Item = Feature> {
    WORDS.iter().flat_map(|Names { word, names }| {
        let named = names.iter().zip(0..).filter(|(name, _)| !name.is_empty());
        named.map(|(name, bit)| Feature { name, word: *word, bit })
    })
}

/// The feature of that name.
pub fn find(name: &str) -> Option<Feature> {
    all().find(|feature| feature.name == name)
}

/// Whether some feature of ours is told in this word: other bits of it are not shown to guests.
pub fn is_feature_word(word: Word) -> bool {
    WORDS.iter().any(|names| names.word == word)
}
