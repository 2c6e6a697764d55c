use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use super::*;
use arch::riscv64::Model;

const ROOT: u64 = 0x8000_0000;
const RWX: u64 = PTE_V | PTE_R | PTE_W | PTE_X;
const USED: u64 = PTE_A | PTE_D;

/// Entries by address; memory exists at `from` and above.
#[derive(Default)]
struct Tables {
    entries: RefCell<BTreeMap<u64, u64>>,
    from: u64,
    read_only: bool,
    /// So many compare-exchanges find that another hart was faster.
    races: Cell<usize>,
}

impl PhysMem for Tables {
    fn read_pte(&self, gpa: u64) -> Option<u64> {
        (gpa >= self.from).then(|| self.entries.borrow().get(&gpa).copied().unwrap_or(0))
    }

    fn cas_pte(&self, gpa: u64, old: u64, new: u64) -> Option<bool> {
        if self.read_only {
            return None;
        }
        if self.races.get() > 0 {
            self.races.set(self.races.get() - 1);
            return Some(false);
        }
        let mut entries = self.entries.borrow_mut();
        assert_eq!(entries.insert(gpa, new), Some(old));
        Some(true)
    }
}

fn pte(gpa: u64, flags: u64) -> u64 {
    gpa >> 12 << PTE_PPN_SHIFT | flags
}

/// A supervisor with PMP open and the root table at [`ROOT`].
fn hart(mode: u64) -> Hart {
    let mut h = Hart::new(0, &Model::default());
    h.prv = PRV_S;
    h.satp = mode << SATP_MODE_SHIFT | ROOT >> 12;
    h.pmpcfg[0] = u64::from(PMP_A_NAPOT | PMP_R | PMP_W | PMP_X);
    h.pmpaddr[0] = PMP_ADDR_WRITE;
    h
}

/// Tables that map `va` by `leaf` at `depth` levels below the root, tables in successive pages.
fn map(va: u64, levels: u32, depth: u32, leaf: u64) -> Tables {
    let tables = Tables::default();
    for step in 0..=depth {
        let index = va >> (12 + 9 * (levels - 1 - step)) & 0x1ff;
        let table = ROOT + u64::from(step) * 0x1000;
        let entry = if step == depth { leaf } else { pte(table + 0x1000, PTE_V) };
        tables.entries.borrow_mut().insert(table + index * 8, entry);
    }
    tables
}

fn leaf_of(tables: &Tables) -> u64 {
    *tables.entries.borrow().values().next_back().unwrap()
}

fn cause(outcome: Result<Translation, Exception>) -> u64 {
    outcome.unwrap_err().cause
}

const LEVELS: [(u64, u32); 3] = [(SATP_SV39, 3), (SATP_SV48, 4), (SATP_SV57, 5)];

#[test]
fn every_level_of_every_mode() {
    for (mode, levels) in LEVELS {
        let h = hart(mode);
        // The highest translated bit is set, so the address is in the upper half.
        let va = 0xffff_ffff_ffff_f123 & !(0x1f << 13) | !0 << (12 + 9 * levels - 1);
        for depth in 0..levels {
            let bits = 12 + 9 * (levels - 1 - depth);
            let base = 0x5a << 48;
            let tables = map(va, levels, depth, pte(base, RWX | USED));
            let found = walk(&h, va, Access::Load, PRV_S, &tables).unwrap();
            assert_eq!(found.gpa, base | va & ((1 << bits) - 1), "{mode} {depth}");
            assert_eq!((found.page_bits, found.rights_bits), (bits as u8, bits as u8));
            assert!(found.readable && found.writable && found.executable);
            assert!(!found.user && !found.global);
            if depth < levels - 1 {
                let skewed = map(va, levels, depth, pte(base | 0x1000, RWX | USED));
                assert_eq!(cause(walk(&h, va, Access::Load, PRV_S, &skewed)), CAUSE_LOAD_PAGE);
            }
        }
        let pointer_at_the_end = map(va, levels, levels - 1, pte(0x8000_9000, PTE_V));
        let outcome = walk(&h, va, Access::Fetch, PRV_S, &pointer_at_the_end);
        assert_eq!(outcome, Err(Exception { cause: CAUSE_FETCH_PAGE, tval: va }));
    }
}

/// Memory in which each entry of each table is this one.
struct Everywhere(u64);

impl PhysMem for Everywhere {
    fn read_pte(&self, _gpa: u64) -> Option<u64> {
        Some(self.0)
    }

    fn cas_pte(&self, _gpa: u64, _old: u64, _new: u64) -> Option<bool> {
        None
    }
}

#[test]
fn addresses_must_be_sign_extended() {
    let tables = Everywhere(pte(0, RWX | USED));
    for (mode, levels) in LEVELS {
        let h = hart(mode);
        let top = 12 + 9 * levels;
        for va in [0, (1 << (top - 1)) - 1, !0 << (top - 1), !0] {
            assert!(walk(&h, va, Access::Store, PRV_S, &tables).is_ok(), "{va:#x}");
        }
        for va in [1 << top, 1 << (top - 1), 1 << 63, !0 >> 1, !(1 << (top - 1))] {
            let outcome = walk(&h, va, Access::Store, PRV_S, &tables);
            assert_eq!(cause(outcome), CAUSE_STORE_PAGE, "{va:#x}");
        }
    }
}

#[test]
fn bare_and_machine_mode_do_not_translate() {
    let mut h = hart(SATP_BARE);
    let found = walk(&h, 0x8000_1234, Access::Store, PRV_U, &Tables::default()).unwrap();
    assert_eq!((found.gpa, found.page_bits), (0x8000_1234, 56));
    assert!(found.writable);
    assert_eq!(
        cause(walk(&h, 1 << 56, Access::Load, PRV_S, &Tables::default())),
        CAUSE_LOAD_ACCESS
    );
    h = hart(SATP_SV39);
    assert_eq!(walk(&h, 0x4567, Access::Load, PRV_M, &Tables::default()).unwrap().gpa, 0x4567);
    h.pmpcfg[0] = 0;
    assert!(walk(&h, 0x4567, Access::Fetch, PRV_M, &Tables::default()).is_ok());
    let outcome = walk(&hart_without_pmp(), 0x4567, Access::Fetch, PRV_S, &Tables::default());
    assert_eq!(cause(outcome), CAUSE_FETCH_ACCESS);
}

fn hart_without_pmp() -> Hart {
    let mut h = hart(SATP_BARE);
    h.pmpcfg[0] = 0;
    h
}

#[test]
fn reserved_encodings_fault() {
    let h = hart(SATP_SV39);
    let good = pte(0x8020_0000, RWX | USED);
    assert!(walk(&h, 0, Access::Load, PRV_S, &map(0, 3, 2, good)).is_ok());
    let writable_only = pte(0x8020_0000, PTE_V | PTE_W | USED);
    let leaves = (54..64).map(|bit| good | 1 << bit).chain([
        good & !PTE_V,
        writable_only,
        writable_only | PTE_X,
    ]);
    for leaf in leaves {
        let outcome = walk(&h, 0, Access::Load, PRV_S, &map(0, 3, 2, leaf));
        assert_eq!(cause(outcome), CAUSE_LOAD_PAGE, "{leaf:#x}");
    }
    for flag in [PTE_A, PTE_D, PTE_U, 1 << 54, 1 << 60, 1 << 61, 1 << 62, PTE_N] {
        let tables = map(0, 3, 2, good);
        *tables.entries.borrow_mut().get_mut(&ROOT).unwrap() |= flag;
        assert_eq!(cause(walk(&h, 0, Access::Load, PRV_S, &tables)), CAUSE_LOAD_PAGE, "{flag:#x}");
    }
}

#[test]
fn permissions() {
    // Page, access, mode, extra status bits, allowed.
    let (r, w, x, u) = (PTE_R, PTE_W, PTE_X, PTE_U);
    let (sum, mxr) = (MSTATUS_SUM, MSTATUS_MXR);
    use Access::{Fetch, Load, Store};
    for (page, access, prv, status, allowed) in [
        (r, Load, PRV_S, 0, true),
        (r, Store, PRV_S, 0, false),
        (r, Fetch, PRV_S, 0, false),
        (r | w, Store, PRV_S, 0, true),
        (x, Fetch, PRV_S, 0, true),
        (x, Load, PRV_S, 0, false),
        (x, Load, PRV_S, mxr, true),
        (x, Store, PRV_S, mxr, false),
        (r, Load, PRV_U, 0, false),
        (r | u, Load, PRV_U, 0, true),
        (x | u, Load, PRV_U, mxr, true),
        (r | w | u, Store, PRV_U, 0, true),
        (x | u, Fetch, PRV_U, 0, true),
        (x, Fetch, PRV_U, sum, false),
        (r | w | u, Load, PRV_S, 0, false),
        (r | w | u, Load, PRV_S, sum, true),
        (r | w | u, Store, PRV_S, sum, true),
        (x | u, Load, PRV_S, sum, false),
        (x | u, Load, PRV_S, sum | mxr, true),
        (r | x | u, Fetch, PRV_S, sum, false),
        (r, Load, PRV_U, sum, false),
    ] {
        let mut h = hart(SATP_SV39);
        h.mstatus |= status;
        let tables = map(0x1000, 3, 2, pte(0x8020_0000, PTE_V | USED | page));
        let outcome = walk(&h, 0x1000, access, prv, &tables);
        assert_eq!(outcome.is_ok(), allowed, "{page:#x} {access:?} {prv} {status:#x}");
        if let Ok(found) = outcome {
            // The other rights agree with what a walk for them would say.
            for (other, may) in
                [(Load, found.readable), (Store, found.writable), (Fetch, found.executable)]
            {
                assert_eq!(walk(&h, 0x1000, other, prv, &tables).is_ok(), may);
            }
            assert_eq!(found.user, page & u != 0);
        }
    }
}

#[test]
fn accessed_and_dirty_fault_or_are_set() {
    let mut h = hart(SATP_SV39);
    let fresh = pte(0x8020_0000, RWX);
    for access in [Access::Fetch, Access::Load, Access::Store] {
        let tables = map(0, 3, 2, fresh);
        assert!(walk(&h, 0, access, PRV_S, &tables).is_err());
        assert_eq!(leaf_of(&tables), fresh);
    }
    assert!(walk(&h, 0, Access::Store, PRV_S, &map(0, 3, 2, fresh | PTE_A)).is_err());
    assert!(!walk(&h, 0, Access::Load, PRV_S, &map(0, 3, 2, fresh | PTE_A)).unwrap().writable);

    h.menvcfg = ENVCFG_ADUE;
    let tables = map(0, 3, 2, fresh);
    assert!(!walk(&h, 0, Access::Load, PRV_S, &tables).unwrap().writable);
    assert_eq!(leaf_of(&tables), fresh | PTE_A);
    tables.races.set(3);
    assert!(walk(&h, 0, Access::Store, PRV_S, &tables).unwrap().writable);
    assert_eq!(leaf_of(&tables), fresh | PTE_A | PTE_D);
    assert_eq!(tables.races.get(), 0);

    // A faulting access leaves no mark.
    let tables = map(0, 3, 2, pte(0x8020_0000, PTE_V | PTE_R));
    assert_eq!(cause(walk(&h, 0, Access::Store, PRV_S, &tables)), CAUSE_STORE_PAGE);
    assert_eq!(leaf_of(&tables) & USED, 0);
    // A race without end does end.
    let tables = Tables { races: Cell::new(usize::MAX), ..map(0, 3, 2, fresh) };
    assert_eq!(cause(walk(&h, 0, Access::Store, PRV_S, &tables)), CAUSE_STORE_PAGE);
    let tables = Tables { read_only: true, ..map(0, 3, 2, fresh) };
    assert_eq!(cause(walk(&h, 0, Access::Fetch, PRV_S, &tables)), CAUSE_FETCH_ACCESS);
}

#[test]
fn contiguous_pages_and_memory_types() {
    let mut h = hart(SATP_SV48);
    let va = 0x1_2345;
    let napot = |low: u64| map(va, 4, 3, pte(0x8020_0000 | low << 12, RWX | USED) | PTE_N);
    let found = walk(&h, va, Access::Load, PRV_S, &napot(8)).unwrap();
    assert_eq!((found.gpa, found.page_bits), (0x8020_2345, 16));
    for low in (0..16).filter(|low| *low != 8) {
        assert!(walk(&h, va, Access::Load, PRV_S, &napot(low)).is_err(), "{low}");
    }
    let superpage = map(va, 4, 2, pte(0x8020_0000, RWX | USED) | PTE_N);
    assert!(walk(&h, va, Access::Load, PRV_S, &superpage).is_err());

    for (kind, allowed) in [(1, true), (2, true), (3, false)] {
        let tables = map(va, 4, 3, pte(0x8020_0000, RWX | USED) | kind << 61);
        h.menvcfg = 0;
        assert!(walk(&h, va, Access::Load, PRV_S, &tables).is_err());
        h.menvcfg = ENVCFG_PBMTE;
        assert_eq!(walk(&h, va, Access::Load, PRV_S, &tables).is_ok(), allowed, "{kind}");
    }
}

#[test]
fn global_at_any_level() {
    let h = hart(SATP_SV39);
    for level in 0..3 {
        let tables = map(0, 3, 2, pte(0x8020_0000, RWX | USED));
        *tables.entries.borrow_mut().get_mut(&(ROOT + level * 0x1000)).unwrap() |= PTE_G;
        assert!(walk(&h, 0, Access::Load, PRV_S, &tables).unwrap().global);
    }
}

#[test]
fn protection_of_tables_and_of_the_page() {
    let open = u64::from(PMP_A_NAPOT | PMP_R | PMP_W | PMP_X);
    let shut = |flags: u8, gpa: u64| {
        let mut h = hart(SATP_SV39);
        h.pmpaddr = [0; 16];
        h.pmpaddr[0] = gpa >> 2 | 0x1ff;
        h.pmpaddr[1] = PMP_ADDR_WRITE;
        h.pmpcfg[0] = u64::from(PMP_A_NAPOT | flags) | open << 8;
        h
    };
    let fresh = || map(0, 3, 2, pte(0x8020_0000, RWX));
    let used = || map(0, 3, 2, pte(0x8020_0000, RWX | USED));
    // The access decides the cause even where the walk's own load is refused.
    let h = shut(PMP_W, ROOT + 0x1000);
    assert_eq!(cause(walk(&h, 0, Access::Store, PRV_S, &used())), CAUSE_STORE_ACCESS);
    assert_eq!(cause(walk(&h, 0, Access::Fetch, PRV_S, &used())), CAUSE_FETCH_ACCESS);
    // A table that can be read but not written.
    let mut h = shut(PMP_R, ROOT + 0x2000);
    h.menvcfg = ENVCFG_ADUE;
    assert!(walk(&h, 0, Access::Load, PRV_S, &used()).is_ok());
    assert_eq!(cause(walk(&h, 0, Access::Load, PRV_S, &fresh())), CAUSE_LOAD_ACCESS);
    // The page itself; rights are cut to what is left.
    let h = shut(PMP_R, 0x8020_0000);
    let found = walk(&h, 0x10, Access::Load, PRV_S, &used()).unwrap();
    assert!(found.readable && !found.writable && !found.executable);
    assert_eq!((found.page_bits, found.rights_bits), (12, 12));
    assert_eq!(cause(walk(&h, 0, Access::Store, PRV_S, &used())), CAUSE_STORE_ACCESS);
    // In a superpage the rights reach as far as the entry does.
    let large = map(0, 3, 1, pte(0x8020_0000, RWX | USED));
    let found = walk(&h, 0x1_0000, Access::Load, PRV_S, &large).unwrap();
    assert_eq!((found.page_bits, found.rights_bits), (21, 16));
    // Tables outside memory.
    let tables = Tables { from: ROOT + 0x1000, ..used() };
    assert_eq!(cause(walk(&hart(SATP_SV39), 0, Access::Load, PRV_S, &tables)), CAUSE_LOAD_ACCESS);
}

#[test]
fn machine_mode_borrows_a_mode_for_data() {
    let mut h = hart(SATP_SV39);
    h.mstatus |= MSTATUS_MPRV | PRV_U << MSTATUS_MPP_SHIFT;
    assert_eq!(data_privilege(&h), PRV_S);
    h.prv = PRV_M;
    assert_eq!(data_privilege(&h), PRV_U);
    h.mstatus |= PRV_S << MSTATUS_MPP_SHIFT;
    assert_eq!(data_privilege(&h), PRV_S);
    h.mstatus &= !MSTATUS_MPRV;
    assert_eq!(data_privilege(&h), PRV_M);
}

/// Whatever is in memory and in the registers, a walk ends, and keeps its word.
#[test]
fn random_tables() {
    let mut seed = 3u64;
    let mut next = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let mut found = 0;
    for round in 0..100_000 {
        let (mode, levels) = LEVELS[round % 3];
        let mut h = hart(mode);
        h.mstatus ^= next() & (MSTATUS_SUM | MSTATUS_MXR);
        h.menvcfg = next();
        let depth = next() as u32 % levels;
        let bits = 12 + 9 * (levels - 1 - depth);
        let leaf = pte(next() >> 8 >> bits << bits, next() & 0xff | PTE_V);
        let leaf = leaf ^ if next() % 8 == 0 { next() << 54 } else { 0 };
        let va = next() >> (64 - (11 + 9 * levels));
        let tables = map(va, levels, depth, leaf);
        let access = [Access::Fetch, Access::Load, Access::Store][next() as usize % 3];
        if let Ok(t) = walk(&h, va, access, next() % 2, &tables) {
            found += 1;
            assert_eq!(t.gpa & 0xfff, va & 0xfff);
            assert!(t.gpa >> 56 == 0 && t.rights_bits <= t.page_bits);
            let allowed = match access {
                Access::Fetch => t.executable,
                Access::Load => t.readable,
                Access::Store => t.writable,
            };
            assert!(allowed);
            let after = leaf_of(&tables);
            assert_eq!(after & !USED, leaf & !USED);
            assert!(after & PTE_A != 0 && (access != Access::Store || after & PTE_D != 0));
        } else {
            assert_eq!(leaf_of(&tables), leaf);
        }
    }
    assert!(found > 5_000, "{found}");
}
