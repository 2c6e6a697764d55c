//! What a sequence starts from, and what it leaves.

use std::fmt::Write;

use crate::rng::Rng;

/// Where code runs.
pub(crate) const CODE: u64 = 0x4000_0000;
/// Bytes of code at most.
pub(crate) const CODE_BYTES: usize = 8192;
/// The memory that sequences work on.
pub(crate) const DATA: u64 = 0x4010_0000;
/// Its size: pages enough that accesses cross from one to another.
pub(crate) const DATA_BYTES: usize = 8192;

/// Names of the integer registers, for reports.
pub(crate) const X: [&str; 32] = [
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4",
    "a5", "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4",
    "t5", "t6",
];

/// Registers and memory before.
#[derive(Clone)]
pub(crate) struct Start {
    pub(crate) x: [u64; 32],
    pub(crate) f: [u64; 32],
    pub(crate) fflags: u64,
    pub(crate) frm: u64,
    /// The field FS of mstatus: 1 initial, 3 dirty.
    pub(crate) fs: u64,
    pub(crate) data: Vec<u8>,
}

/// Registers and memory afterwards.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) x: [u64; 32],
    pub(crate) f: [u64; 32],
    pub(crate) fflags: u64,
    pub(crate) frm: u64,
    /// The trap that ended it, as `mcause` numbers them.
    pub(crate) cause: u64,
    /// Where.
    pub(crate) pc: u64,
    pub(crate) data: Vec<u8>,
    /// What only a machine of our own shows: mtval, mstatus, sscratch, the reservation.
    pub(crate) system: Option<[u64; 4]>,
}

/// The cause of a breakpoint.
pub(crate) const BREAKPOINT: u64 = 3;

impl Start {
    /// All zero.
    pub(crate) fn zero() -> Self {
        Self { x: [0; 32], f: [0; 32], fflags: 0, frm: 0, fs: 3, data: vec![0; DATA_BYTES] }
    }

    /// Values that instructions find interesting.
    pub(crate) fn random(rng: &mut Rng) -> Self {
        let mut start = Self::zero();
        for r in 1..32 {
            start.x[r] = integer(rng);
        }
        for r in 0..32 {
            start.f[r] = float(rng);
        }
        start.fflags = if rng.chance(3, 4) { 0 } else { rng.below(32) };
        start.fs = if rng.chance(3, 4) { 3 } else { 1 };
        start.frm = if rng.chance(1, 2) { 0 } else { rng.below(5) };
        for word in start.data.chunks_exact_mut(8) {
            let value = if rng.chance(1, 2) { float(rng) } else { integer(rng) };
            word.copy_from_slice(&value.to_le_bytes());
        }
        start
    }

    /// The registers and memory that are not zero.
    pub(crate) fn listing(&self) -> String {
        let mut out = format!("  frm {} fflags {:#x} fs {}\n", self.frm, self.fflags, self.fs);
        for r in (0..32).filter(|&r| self.x[r] != 0) {
            let _ = writeln!(out, "  {:4} = {:#018x}", X[r], self.x[r]);
        }
        for r in (0..32).filter(|&r| self.f[r] != 0) {
            let _ = writeln!(out, "  f{r:<3} = {:#018x}", self.f[r]);
        }
        if self.data.iter().any(|&byte| byte != 0) {
            out.push_str("  data is not zero\n");
        }
        out
    }
}

fn integer(rng: &mut Rng) -> u64 {
    const CORNERS: [u64; 18] = [
        0,
        1,
        2,
        3,
        u64::MAX,
        u64::MAX - 1,
        1 << 63,
        (1 << 63) - 1,
        (1 << 63) + 1,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_ffff,
        0x1_0000_0000,
        0xffff_ffff_8000_0000,
        0xffff_ffff_7fff_ffff,
        63,
        64,
        0x80,
    ];
    match rng.below(8) {
        0..=3 => rng.pick(&CORNERS),
        4 => 1 << rng.below(64),
        5 => rng.next() >> rng.below(64),
        _ => rng.next(),
    }
}

/// A double at the border of underflow, of overflow, or of what a single can be, with bits behind
/// that decide how it is rounded to one.
fn edge(rng: &mut Rng) -> u64 {
    const EXPONENTS: [u64; 13] =
        [0, 0, 1, 2, 26, 54, 0x7fd, 0x7fe, 0x369, 0x36a, 0x380, 0x381, 0x47e];
    let any = rng.next() & ((1 << 52) - 1);
    let fraction =
        rng.pick(&[0, any, 1 << 28, 1 << 29, 3 << 28, 0xf_ffff_e000_0000, 0xf_ffff_f000_0000]);
    let sticky = rng.pick(&[0, 0, 1]);
    rng.next() & 1 << 63 | rng.pick(&EXPONENTS) << 52 | fraction | sticky
}

/// A register of doubles and boxed singles.
fn float(rng: &mut Rng) -> u64 {
    const DOUBLES: [u64; 16] = [
        0,
        1 << 63,
        0x3ff0_0000_0000_0000,
        0xbff0_0000_0000_0000,
        0x7ff0_0000_0000_0000,
        0xfff0_0000_0000_0000,
        0x7ff8_0000_0000_0000,
        0x7ff0_0000_0000_0001,
        0xfff8_0000_dead_beef,
        0x0010_0000_0000_0000,
        0x000f_ffff_ffff_ffff,
        1,
        0x7fef_ffff_ffff_ffff,
        0x43e0_0000_0000_0000,
        0x41df_ffff_ffc0_0000,
        0x3fe0_0000_0000_0000,
    ];
    const SINGLES: [u32; 16] = [
        0,
        0x8000_0000,
        0x3f80_0000,
        0xbf80_0000,
        0x7f80_0000,
        0xff80_0000,
        0x7fc0_0000,
        0x7f80_0001,
        0xffc0_beef,
        0x0080_0000,
        0x007f_ffff,
        1,
        0x7f7f_ffff,
        0x5f00_0000,
        0x4f00_0000,
        0x3f00_0000,
    ];
    let boxed = |single: u32| 0xffff_ffff_0000_0000 | u64::from(single);
    match rng.below(9) {
        8 => edge(rng),
        0..=1 => rng.pick(&DOUBLES),
        2..=3 => boxed(rng.pick(&SINGLES)),
        4 => boxed(rng.next() as u32),
        // Exponents near those of small integers, so that sums are not all of one operand.
        5 => (rng.next() & !(0x7ff << 52)) | (0x3f0 + rng.below(0x40)) << 52,
        6 => boxed((rng.next() as u32 & !(0xff << 23)) | (0x78 + rng.below(0x20) as u32) << 23),
        _ => rng.next(),
    }
}

impl End {
    /// What differs; nothing if all is the same.
    pub(crate) fn differences(&self, other: &End) -> String {
        let mut out = String::new();
        let mut compare = |name: &str, a: u64, b: u64| {
            if a != b {
                let _ = writeln!(out, "  {name:8} {a:#018x} {b:#018x}");
            }
        };
        for (r, name) in X.iter().enumerate() {
            compare(name, self.x[r], other.x[r]);
        }
        for r in 0..32 {
            compare(&format!("f{r}"), self.f[r], other.f[r]);
        }
        compare("fflags", self.fflags, other.fflags);
        compare("frm", self.frm, other.frm);
        compare("cause", self.cause, other.cause);
        compare("pc", self.pc, other.pc);
        if let (Some(a), Some(b)) = (&self.system, &other.system) {
            for (i, name) in ["mtval", "mstatus", "sscratch", "reserved"].iter().enumerate() {
                compare(name, a[i], b[i]);
            }
        }
        let words = |data: &[u8]| -> Vec<u64> {
            data.chunks_exact(8).map(|b| u64::from_le_bytes(b.try_into().expect("8"))).collect()
        };
        for (i, (a, b)) in words(&self.data).iter().zip(words(&other.data)).enumerate() {
            compare(&format!("{:#x}", DATA + 8 * i as u64), *a, b);
        }
        out
    }
}
