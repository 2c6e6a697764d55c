use super::*;
use arch::riscv64::Model;
use arch::riscv64::state::{PRV_S, PRV_U};

/// A hart with these entries: configuration and address register.
fn hart(entries: &[(u8, u64)]) -> Hart {
    let mut h = Hart::new(0, &Model::default());
    for (n, &(cfg, address)) in entries.iter().enumerate() {
        h.pmpcfg[n / 8] |= u64::from(cfg) << (n % 8 * 8);
        h.pmpaddr[n] = address;
    }
    h
}

fn loads(h: &Hart, gpa: u64, len: u64, prv: u64) -> bool {
    check(h, gpa, len, Access::Load, prv)
}

#[test]
fn without_entries_machine_mode_only() {
    let h = hart(&[]);
    assert!(loads(&h, 0x8000_0000, 8, PRV_M));
    assert!(!loads(&h, 0x8000_0000, 8, PRV_S));
    assert!(!loads(&h, 0x8000_0000, 8, PRV_U));
    assert_eq!(uniform_bits(&h, 0x8000_0000), PHYS_BITS);
}

#[test]
fn all_ones_cover_everything() {
    let h = hart(&[(PMP_A_NAPOT | PMP_R | PMP_W | PMP_X, PMP_ADDR_WRITE)]);
    for gpa in [0, 0x8000_0000, (1 << 56) - 8] {
        for access in [Access::Fetch, Access::Load, Access::Store] {
            assert!(check(&h, gpa, 8, access, PRV_U));
        }
        assert_eq!(uniform_bits(&h, gpa), PHYS_BITS);
    }
}

#[test]
fn napot_na4_and_tor_ranges() {
    // 64 KiB at 0x8000_0000, 4 bytes at 0x1000, [0x1004, 0x3000), and an empty range.
    let h = hart(&[
        (PMP_A_NAPOT | PMP_R, 0x8000_0000 >> 2 | 0x1fff),
        (PMP_A_NA4 | PMP_R, 0x1000 >> 2),
        (0, 0x1004 >> 2),
        (PMP_A_TOR | PMP_R, 0x3000 >> 2),
        (PMP_A_TOR | PMP_R, 0x2000 >> 2),
    ]);
    for (gpa, len, allowed) in [
        (0x8000_0000, 8, true),
        (0x8000_fff8, 8, true),
        (0x8000_fffc, 8, false),
        (0x8001_0000, 8, false),
        (0x7fff_fffc, 8, false),
        (0x1000, 4, true),
        (0x1000, 8, false),
        (0x0ffc, 4, false),
        (0x1004, 4, true),
        (0x2ffc, 4, true),
        (0x2ffd, 4, false),
        (0x3000, 1, false),
        (u64::MAX, 8, false),
    ] {
        assert_eq!(loads(&h, gpa, len, PRV_S), allowed, "{gpa:#x}+{len}");
    }
}

#[test]
fn tor_of_the_first_entry_starts_at_zero() {
    let h = hart(&[(PMP_A_TOR | PMP_X, 0x1000 >> 2)]);
    assert!(check(&h, 0, 4, Access::Fetch, PRV_U));
    assert!(!check(&h, 0, 4, Access::Load, PRV_U));
    assert!(!check(&h, 0x1000, 4, Access::Fetch, PRV_U));
}

#[test]
fn the_lowest_entry_decides_and_locks_bind_machine_mode() {
    let all = PMP_A_NAPOT | PMP_R | PMP_W | PMP_X;
    let first = 0x8000_0000 >> 2 | 0x1ff;
    let h = hart(&[(PMP_A_NAPOT, first), (all, PMP_ADDR_WRITE)]);
    assert!(!loads(&h, 0x8000_0000, 8, PRV_S));
    assert!(loads(&h, 0x8000_1000, 8, PRV_S));
    assert!(!loads(&h, 0x8000_0ffc, 8, PRV_S), "partly in the first entry");
    assert!(loads(&h, 0x8000_0000, 8, PRV_M));
    let h = hart(&[(PMP_A_NAPOT | PMP_L | PMP_R, first), (all, PMP_ADDR_WRITE)]);
    assert!(loads(&h, 0x8000_0000, 8, PRV_M));
    assert!(!check(&h, 0x8000_0000, 8, Access::Store, PRV_M));
    assert!(check(&h, 0x8000_1000, 8, Access::Store, PRV_M));
}

#[test]
fn uniform_blocks_end_at_every_edge() {
    let h = hart(&[
        (PMP_A_NAPOT, 0x8000_0000 >> 2 | 0x7fff),
        (PMP_A_NA4, 0x1010 >> 2),
        (PMP_A_NAPOT | PMP_R, PMP_ADDR_WRITE),
    ]);
    assert_eq!(uniform_bits(&h, 0x8000_0000), 18);
    assert_eq!(uniform_bits(&h, 0x8003_ffff), 18);
    assert_eq!(uniform_bits(&h, 0x8004_0000), 18);
    assert_eq!(uniform_bits(&h, 0x8020_0000), 21);
    assert_eq!(uniform_bits(&h, 0x1010), 2);
    assert_eq!(uniform_bits(&h, 0x1014), 2);
    assert_eq!(uniform_bits(&h, 0x1018), 3);
    assert_eq!(uniform_bits(&h, 0x1000), 4);
    assert_eq!(uniform_bits(&h, 0x2000), 13);
}

/// Against the definition: the same rights for every 4 bytes of the reported block.
#[test]
fn uniform_blocks_are_uniform() {
    let mut seed = 7u64;
    let mut next = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for _ in 0..2_000 {
        let entries: Vec<(u8, u64)> =
            (0..6).map(|_| ((next() & 0x1f) as u8, next() & 0x3ff)).collect();
        let h = hart(&entries);
        let gpa = next() & 0xffc;
        let bits = uniform_bits(&h, gpa).min(13);
        let start = gpa >> bits << bits;
        let expected = rights(&h, gpa, 4, PRV_S);
        for at in (start..start + (1 << bits)).step_by(4) {
            assert_eq!(rights(&h, at, 4, PRV_S), expected, "{entries:x?} {gpa:#x} {at:#x}");
        }
        assert_eq!(rights(&h, start, 1 << bits, PRV_S), expected);
    }
}
