//! What CPUID says: a processor of the level x86-64-v2. [SDM-2A CPUID]

/// What a leaf answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Leaf {
    pub(super) eax: u32,
    pub(super) ebx: u32,
    pub(super) ecx: u32,
    pub(super) edx: u32,
}

/// The highest basic leaf.
const HIGHEST: u32 = 7;
/// The highest extended leaf.
const HIGHEST_EXTENDED: u32 = 0x8000_0008;
/// Family 6, model 44, stepping 2: a processor of this level, for programs that choose by it.
const SIGNATURE: u32 = 0x0002_06c2;
const VENDOR: &[u8; 12] = b"GenuineIntel";
const BRAND: &[u8; 48] = b"Polyvisor x86-64-v2 processor\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// The bits of these numbers.
const fn bits(numbers: &[u32]) -> u32 {
    let mut set = 0;
    let mut at = 0;
    while at < numbers.len() {
        set |= 1 << numbers[at];
        at += 1;
    }
    set
}

/// SSE3, SSSE3, CMPXCHG16B, SSE4.1, SSE4.2, POPCNT.
const FEATURES_ECX: u32 = bits(&[0, 9, 13, 19, 20, 23]);
/// FPU, TSC, CMPXCHG8B, CMOV, CLFLUSH, MMX, FXSR, SSE, SSE2.
const FEATURES_EDX: u32 = bits(&[0, 4, 8, 15, 19, 23, 24, 25, 26]);
/// FSGSBASE, fast REP MOVSB and STOSB.
const FEATURES_7_EBX: u32 = bits(&[0, 9]);
/// LAHF in 64-bit mode.
const EXTENDED_ECX: u32 = bits(&[0]);
/// SYSCALL, no-execute pages, RDTSCP, 64-bit mode.
const EXTENDED_EDX: u32 = bits(&[11, 20, 27, 29]);

/// Bytes of a cache line.
const LINE: u32 = 64;

/// A cache: level, type (1 data, 2 instructions, 3 both), ways, sets.
const CACHES: [(u32, u32, u32, u32); 4] =
    [(1, 1, 8, 64), (1, 2, 8, 64), (2, 3, 16, 1024), (3, 3, 16, 16384)];

fn word(text: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([text[at], text[at + 1], text[at + 2], text[at + 3]])
}

fn cache(number: u32) -> Leaf {
    let Some(&(level, kind, ways, sets)) = CACHES.get(number as usize) else {
        return Leaf::default();
    };
    Leaf {
        eax: kind | level << 5 | 1 << 8,
        ebx: (LINE - 1) | (ways - 1) << 22,
        ecx: sets - 1,
        edx: 0,
    }
}

/// The answer of a processor of this number.
pub(super) fn leaf(leaf: u32, subleaf: u32, processor: u32) -> Leaf {
    match leaf {
        0 => {
            Leaf { eax: HIGHEST, ebx: word(VENDOR, 0), edx: word(VENDOR, 4), ecx: word(VENDOR, 8) }
        }
        1 => Leaf {
            eax: SIGNATURE,
            ebx: (LINE / 8) << 8 | (processor & 0xff) << 24,
            ecx: FEATURES_ECX,
            edx: FEATURES_EDX,
        },
        // The caches are in leaf 4.
        2 => Leaf { eax: 0x00ff_0001, ..Leaf::default() },
        4 => cache(subleaf),
        7 if subleaf == 0 => Leaf { ebx: FEATURES_7_EBX, ..Leaf::default() },
        0x8000_0000 => Leaf { eax: HIGHEST_EXTENDED, ..Leaf::default() },
        0x8000_0001 => Leaf { ecx: EXTENDED_ECX, edx: EXTENDED_EDX, ..Leaf::default() },
        0x8000_0002..=0x8000_0004 => {
            let at = (leaf - 0x8000_0002) as usize * 16;
            Leaf {
                eax: word(BRAND, at),
                ebx: word(BRAND, at + 4),
                ecx: word(BRAND, at + 8),
                edx: word(BRAND, at + 12),
            }
        }
        // The time-stamp counter runs evenly.
        0x8000_0007 => Leaf { edx: 1 << 8, ..Leaf::default() },
        // 40 bits of physical addresses, 48 of virtual ones.
        0x8000_0008 => Leaf { eax: 0x3028, ..Leaf::default() },
        _ => Leaf::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_of_the_level_it_says() {
        let first = leaf(1, 0, 3);
        // CMOV, CX8, FPU, FXSR, MMX, SSE, SSE2: the baseline.
        assert_eq!(first.edx & 0x0780_8101, 0x0780_8101);
        // SSE3, SSSE3, CX16, SSE4.1, SSE4.2, POPCNT: v2, and neither XSAVE nor AVX.
        assert_eq!(first.ecx & 0x0098_2201, 0x0098_2201);
        assert_eq!(first.ecx & (1 << 26 | 1 << 28), 0);
        assert_eq!(first.ebx >> 24, 3);
        assert_eq!(leaf(0x8000_0001, 0, 0).ecx & 1, 1);
        assert_eq!(leaf(9, 0, 0), Leaf::default());
    }

    #[test]
    fn caches_end() {
        assert_eq!(cache(0).eax & 31, 1);
        assert_eq!(cache(4), Leaf::default());
    }
}
