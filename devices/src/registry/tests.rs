//! What every device model must do.

use super::*;
use crate::bus::lock;
use crate::device::Access;

/// A small, fast generator (splitmix64), so that a seed is all it takes to repeat a run.
struct Random {
    state: u64,
    /// The last value that a device gave: drivers finish with it what they began.
    last_read: u64,
}

impl Random {
    fn new(seed: u64) -> Self {
        Self { state: seed, last_read: 0 }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
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
        match self.below(9) {
            0 => 0,
            1 => u64::MAX,
            2 => 1 << self.below(64),
            3 => self.below(256),
            4 => self.last_read,
            7 => self.last_read.wrapping_add(1),
            5 => self.below(1 << 20),
            _ => self.next(),
        }
    }

    /// An access inside one of the regions, aligned or not, as the bus would pass it on.
    fn access(&mut self, regions: &[Region]) -> Access {
        let index = self.below(regions.len() as u64) as usize;
        let Region { len, live } = &regions[index];
        let mut size = [1, 2, 4, 4, 4, 4, 8, 8][self.below(8) as usize];
        while size > *len {
            size /= 2;
        }
        let mut offset = if live.is_empty() || self.below(4) == 0 {
            self.offset(*len)
        } else {
            live[self.below(live.len() as u64) as usize]
        };
        if self.below(8) == 0 {
            offset = offset.wrapping_add(self.below(8));
        }
        Access { region: index as u8, offset: offset.min(len - size), size: size as u8 }
    }
}

/// A region, and where its registers seem to be.
struct Region {
    len: u64,
    live: Vec<u64>,
}

/// Finds the places where a device shows something, or keeps what is written, and those next to
/// them.
fn survey(kind: &Kind) -> Vec<Region> {
    let specimen = (kind.specimen)(&Bench::new());
    let mut device = lock(&specimen.device);
    let mut regions = Vec::new();
    for (region, len) in device.regions().into_iter().enumerate() {
        let mut live = Vec::new();
        let size = if len < 4 { 1 } else { 4 };
        for offset in (0..len.min(1 << 23) / size).map(|word| word * size) {
            let at = Access { region: region as u8, offset, size: size as u8 };
            let before = device.read(at);
            let _ = device.write(at, u32::MAX.into());
            if before != 0 || device.read(at) != 0 {
                live.extend([offset.saturating_sub(4), offset, offset + 4]);
            }
        }
        live.dedup();
        regions.push(Region { len, live });
    }
    regions
}

fn mask(size: u8) -> u64 {
    u64::MAX >> (64 - 8 * u32::from(size))
}

/// Does one random thing to a specimen, and returns what it read.
fn step(random: &mut Random, bench: &Bench, specimen: &Specimen, regions: &[Region]) -> u64 {
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
            let value = lock(&specimen.device).read(at) & mask(at.size);
            if value != 0 {
                random.last_read = value;
            }
            return value;
        }
        _ => {
            let at = random.access(regions);
            let value = random.value() & mask(at.size);
            let _ = lock(&specimen.device).write(at, value);
        }
    }
    0
}

/// Saved state, through text, taken by a second device: it says the same, and drives its lines
/// the same.
fn check_restore(kind: &Kind, bench: &Bench, specimen: &Specimen, regions: &[Region]) {
    // What is due has happened; otherwise the two would differ by what is about to.
    bench.clock.advance(0);
    let saved = lock(&specimen.device).save();
    let read_back = serde_json::from_str(&saved.to_string()).unwrap();
    let twin_bench = bench.twin();
    let twin = (kind.specimen)(&twin_bench);
    lock(&twin.device).restore(&read_back).unwrap_or_else(|e| panic!("{}: {e}", kind.name));
    assert_eq!(lock(&twin.device).save(), saved, "{}: restored state differs", kind.name);
    assert_eq!(twin_bench.irq.high(), bench.irq.high(), "{}: lines differ", kind.name);
    let seed = saved.to_string().len() as u64;
    check_same_behaviour(kind, (bench, specimen), (&twin_bench, &twin), (seed, regions));
}

/// Two devices of the same state go on in the same way: nothing that matters was left unsaved.
fn check_same_behaviour(
    kind: &Kind,
    one: (&Bench, &Specimen),
    other: (&Bench, &Specimen),
    (seed, regions): (u64, &[Region]),
) {
    let (mut random, mut same) = (Random::new(seed), Random::new(seed));
    for _ in 0..64 {
        let read = step(&mut random, one.0, one.1, regions);
        let read_too = step(&mut same, other.0, other.1, regions);
        assert_eq!(read, read_too, "{}: a restored device reads differently", kind.name);
        assert_eq!(one.0.irq.high(), other.0.irq.high(), "{}: lines go apart", kind.name);
    }
    let (saved, saved_too) = (lock(&one.1.device).save(), lock(&other.1.device).save());
    assert_eq!(saved, saved_too, "{}: a restored device goes another way", kind.name);
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
        let mut random = Random::new(seed);
        let bench = Bench::new();
        let specimen = (kind.specimen)(&bench);
        let regions = survey(kind);
        for _ in 0..accesses {
            step(&mut random, &bench, &specimen, &regions);
            match random.below(4096) {
                0 => check_reset(kind, &bench, &specimen),
                1..=4 => check_restore(kind, &bench, &specimen, &regions),
                _ => {}
            }
        }
        check_restore(kind, &bench, &specimen, &regions);
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
        assert!(regions.iter().all(|len| *len > 0), "{}: {regions:?}", kind.name);
    }
}

#[test]
fn new_equals_reset() {
    for kind in KINDS {
        let bench = Bench::new();
        let specimen = (kind.specimen)(&bench);
        check_reset(kind, &bench, &specimen);
        check_restore(kind, &bench, &specimen, &survey(kind));
    }
}

#[test]
fn every_byte_answers_at_every_size() {
    for kind in KINDS {
        let specimen = (kind.specimen)(&Bench::new());
        let mut device = lock(&specimen.device);
        for (region, len) in device.regions().into_iter().enumerate() {
            for size in [1, 2, 4, 8] {
                // Ports may be narrower than the access.
                let Some(last) = len.checked_sub(size) else { continue };
                for offset in (0..=last).take(0x5000) {
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
