//! What the host's processor has. CPUID takes tens of microseconds in a virtual machine, where the
//! hypervisor answers it, and the C library has asked already: so it is asked first.
#![expect(unsafe_code, reason = "calls the C library, and reads what it points to")]

/// Whether the processor has what translated code uses: BMI1, BMI2, LZCNT, POPCNT, FMA, AVX2.
pub(super) fn usable() -> bool {
    known::usable()
        || std::arch::is_x86_feature_detected!("bmi1")
            && std::arch::is_x86_feature_detected!("bmi2")
            && std::arch::is_x86_feature_detected!("lzcnt")
            && std::arch::is_x86_feature_detected!("popcnt")
            && std::arch::is_x86_feature_detected!("fma")
            && std::arch::is_x86_feature_detected!("avx2")
}

/// What glibc knows `[glibc-platform]`.
#[cfg(target_env = "gnu")]
mod known {
    /// Answers of one leaf: eax, ebx, ecx, edx.
    #[repr(C)]
    struct Leaf {
        present: [u32; 4],
        /// What the operating system lets programs use.
        active: [u32; 4],
    }

    // SAFETY: the function of this name, since version 2.33.
    unsafe extern "C" {
        safe fn __x86_get_cpuid_feature_leaf(leaf: u32) -> *const Leaf;
    }

    /// Number of the leaf in glibc, register, bits.
    const NEEDED: [(u32, usize, u32); 3] = [
        // Leaf 1: FMA, POPCNT.
        (0, 2, 1 << 12 | 1 << 23),
        // Leaf 7: BMI1, AVX2, BMI2.
        (1, 1, 1 << 3 | 1 << 5 | 1 << 8),
        // Leaf 0x80000001: LZCNT.
        (2, 2, 1 << 5),
    ];

    pub(super) fn usable() -> bool {
        NEEDED.iter().all(|&(leaf, register, bits)| {
            let leaf = __x86_get_cpuid_feature_leaf(leaf);
            // SAFETY: it points to constant data of the C library, all zeros for leaves that it
            // does not know.
            let active = unsafe { (*leaf).active[register] };
            active & bits == bits
        })
    }
}

#[cfg(not(target_env = "gnu"))]
mod known {
    pub(super) fn usable() -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_c_library_says_what_the_processor_says() {
        if super::known::usable() {
            assert!(std::arch::is_x86_feature_detected!("bmi1"));
            assert!(std::arch::is_x86_feature_detected!("bmi2"));
            assert!(std::arch::is_x86_feature_detected!("lzcnt"));
            assert!(std::arch::is_x86_feature_detected!("popcnt"));
            assert!(std::arch::is_x86_feature_detected!("fma"));
            assert!(std::arch::is_x86_feature_detected!("avx2"));
        }
    }
}
