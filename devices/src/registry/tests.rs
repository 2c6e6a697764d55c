//! What every device model must do.

use super::*;
use crate::bus::lock;
use crate::device::Access;

/// A small, fast generator [splitmix64], so that a seed is all it takes to repeat a run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// Where registers tend to be: near zero, near sums of powers of two, near the end, and
    /// anywhere.
    fn offset(&mut self, len: u64) -> u64 {
        let power = |r: &mut Self| 1 << r.below(u64::from(len.max(2).ilog2()) + 1);
        let base = match self.below(8) {
            0..=2 => 0,
            3 => power(self),
            4 => power(self) + power(self),
            5 => len.saturating_sub(self.below(64)),
            6 => (power(self) + power(self)).wrapping_sub(8),
            _ => self.next(),
        };
        let near = self.below(32) * [1, 4, 8][self.below(3) as usize];
        base.wrapping_add(near) % len
    }

    /// Bits that tend to matter.
    fn value(&mut self) -> u64 {
        match self.below(8) {
            0 => 0,
            1 => u64::MAX,
            2 => 1 << self.below(64),
            3 | 4 => self.below(256),
            5 => self.below(1 << 20),
            _ => self.next(),
        }
    }

    /// An access inside one of the regions, aligned or not, as the bus would pass it on.
    fn access(&mut self, regions: &[u64]) -> Access {
        let region = self.below(regions.len() as u64) as u8;
        let len = regions[usize::from(region)];
        let size = 1 << self.below(4);
        let mut offset = self.offset(len);
        if self.below(8) != 0 {
            offset &= !(size - 1);
        }
        Access { region, offset: offset.min(len - size), size: size as u8 }
    }
}

fn mask(size: u8) -> u64 {
    u64::MAX >> (64 - 8 * u32::from(size))
}

/// Does one random thing to a specimen.
fn step(random: &mut Random, bench: &Bench, specimen: &Specimen, regions: &[u64]) {
    match random.below(32) {
        0 => bench.clock.advance(0),
        1 => bench.clock.advance(1 << random.below(40)),
        2 | 3 => {
            if let Some(stimulus) = &specimen.stimulus {
                stimulus(random.next());
            }
        }
        4..=15 => {
            let at = random.access(regions);
            lock(&specimen.device).read(at);
        }
        _ => {
            let at = random.access(regions);
            let value = random.value() & mask(at.size);
            let _ = lock(&specimen.device).write(at, value);
        }
    }
}

/// Saved state, through text, taken by a second device: it says the same, and drives its lines
/// the same.
fn check_restore(kind: &Kind, bench: &Bench, specimen: &Specimen) {
    // What is due has happened; otherwise the two would differ by what is about to.
    bench.clock.advance(0);
    let saved = lock(&specimen.device).save();
    let read_back = serde_json::from_str(&saved.to_string()).unwrap();
    let twin_bench = bench.twin();
    let twin = (kind.specimen)(&twin_bench);
    lock(&twin.device).restore(&read_back).unwrap_or_else(|e| panic!("{}: {e}", kind.name));
    assert_eq!(lock(&twin.device).save(), saved, "{}: restored state differs", kind.name);
    assert_eq!(twin_bench.irq.high(), bench.irq.high(), "{}: lines differ", kind.name);
}

/// A reset device equals a new one, and so do its lines.
fn check_reset(kind: &Kind, bench: &Bench, specimen: &Specimen) {
    lock(&specimen.device).reset();
    let new_bench = bench.twin();
    let new = (kind.specimen)(&new_bench);
    let (reset, new) = (lock(&specimen.device).save(), lock(&new.device).save());
    assert_eq!(reset, new, "{}: a reset device differs from a new one", kind.name);
    assert_eq!(bench.irq.high(), new_bench.irq.high(), "{}: lines differ", kind.name);
}

fn fuzz(seed: u64, accesses: u32) {
    for kind in KINDS {
        eprintln!("fuzzing {} with seed {seed:#x}", kind.name);
        let mut random = Random(seed);
        let bench = Bench::new();
        let specimen = (kind.specimen)(&bench);
        let regions = lock(&specimen.device).regions();
        for _ in 0..accesses {
            step(&mut random, &bench, &specimen, &regions);
            match random.below(4096) {
                0 => check_reset(kind, &bench, &specimen),
                1 | 2 => check_restore(kind, &bench, &specimen),
                _ => {}
            }
        }
        check_restore(kind, &bench, &specimen);
        check_reset(kind, &bench, &specimen);
    }
}

#[test]
fn fuzz_from_a_fixed_seed() {
    fuzz(0x706f_6c79_7669_736f, 200_000);
}

/// Finds with time what the fixed seed does not; the seed is printed when it fails.
#[test]
fn fuzz_from_a_fresh_seed() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    fuzz(now.as_nanos() as u64, 200_000);
}

#[test]
fn names_are_unique_and_the_devices_own() {
    for kind in KINDS {
        let specimen = (kind.specimen)(&Bench::new());
        assert_eq!(lock(&specimen.device).kind(), kind.name);
        assert_eq!(KINDS.iter().filter(|other| other.name == kind.name).count(), 1);
        assert!(!kind.about.is_empty());
        assert_eq!(find(kind.name).map(|found| found.name), Some(kind.name));
    }
    assert!(find("toaster").is_none());
}

#[test]
fn regions_are_usable() {
    for kind in KINDS {
        let regions = lock(&(kind.specimen)(&Bench::new()).device).regions();
        assert!(!regions.is_empty(), "{}", kind.name);
        assert!(regions.iter().all(|len| *len >= 8), "{}: {regions:?}", kind.name);
    }
}

#[test]
fn new_equals_reset() {
    for kind in KINDS {
        let bench = Bench::new();
        let specimen = (kind.specimen)(&bench);
        check_reset(kind, &bench, &specimen);
        check_restore(kind, &bench, &specimen);
    }
}

#[test]
fn every_byte_answers_at_every_size() {
    for kind in KINDS {
        let specimen = (kind.specimen)(&Bench::new());
        let mut device = lock(&specimen.device);
        for (region, len) in device.regions().into_iter().enumerate() {
            for size in [1, 2, 4, 8] {
                for offset in (0..=len - size).take(0x5000) {
                    let at = Access { region: region as u8, offset, size: size as u8 };
                    device.read(at);
                    let _ = device.write(at, mask(at.size));
                }
            }
        }
    }
}

#[test]
fn states_are_versioned_and_malformed_ones_are_refused() {
    use serde_json::json;
    for kind in KINDS {
        let specimen = (kind.specimen)(&Bench::new());
        let mut device = lock(&specimen.device);
        let new = device.save();
        assert!(new["version"].as_u64().is_some_and(|v| v > 0), "{}: {new}", kind.name);
        let mut future = new.clone();
        future["version"] = json!(1u64 << 40);
        for bad in [json!(null), json!([]), json!({}), json!({"version": 0}), future] {
            let error = device.restore(&bad).expect_err(kind.name).to_string();
            assert!(error.contains(kind.name), "{error}");
            assert_eq!(device.save(), new, "{}: not left reset", kind.name);
        }
    }
}
