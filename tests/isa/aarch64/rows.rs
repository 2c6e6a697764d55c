//! Random instructions of every row, in every engine and in QEMU.

use tcg::guest::aarch64::{Aarch64, Exception};
use tcg::isa::aarch64::{Ext, Insn, PATTERNS, decode};

use crate::qemu::{CODE, CODE_BYTES, Cause, DATA, DATA_BYTES, End, Qemu, State};
use crate::user::{ENGINES, User};

/// Executions of each row.
const SAMPLES: usize = 150;

pub(crate) const BRK: u32 = 0xd420_0000;
/// Where taken branches arrive.
const TAKEN: i32 = 16;

/// Rows that QEMU knows more of, that do something else there, or whose values are the machine's
/// own; and the 16-byte accesses that this guest lacks.
const LEFT_OUT: &[&str] = &[
    "svc",
    "hlt",
    "msr_imm",
    "sys",
    "sysl",
    "msr_reg",
    "mrs_reg",
    "msr_fpcr",
    "msr_fpsr",
    "mrs_fpcr",
    "mrs_fpsr",
    "mrs_ctr_el0",
    "mrs_dczid_el0",
    "msr_tpidr_el0",
    "mrs_tpidr_el0",
    "ldxp_x",
    "stxp_x",
    "casp_x",
    "eret",
    "hvc",
    "smc",
    "dc_zva",
];

pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// Numbers near the edges of all widths come often.
    fn value(&mut self) -> u64 {
        const EDGES: [u64; 8] = [0, 1, 0x7f, 0x80, 0x7fff, 0x8000, 0x7fff_ffff, 0x8000_0000];
        let edge = EDGES[(self.next() & 7) as usize];
        match self.next() >> 61 {
            0 | 1 => edge,
            2 => !edge,
            3 => edge.rotate_left(32),
            4 => self.next() >> (self.next() & 63),
            _ => self.next(),
        }
    }
}

impl Rng {
    /// Zeros, infinities, NaNs, numbers at the borders of the format, and ordinary ones.
    fn double(&mut self) -> u64 {
        const SPECIAL: [u64; 12] = [
            0,
            0x3ff0_0000_0000_0000,
            0x7ff0_0000_0000_0000,
            0x7ff8_0000_0000_0000,
            0x7ff0_0000_0000_0001,
            0x7fff_ffff_1234_5678,
            0x0010_0000_0000_0000,
            0x000f_ffff_ffff_ffff,
            1,
            0x7fef_ffff_ffff_ffff,
            0x41e0_0000_0000_0000,
            0x43df_ffff_ffff_ffff,
        ];
        let sign = self.next() & 1 << 63;
        sign | match self.next() & 7 {
            0 | 1 => SPECIAL[(self.next() % 12) as usize],
            // Numbers that integers are near to, with halves.
            2 => (self.next() as i16 as f64 / 4.0).to_bits() & (u64::MAX >> 1),
            3 => (self.next() as i64 as f64).to_bits() & (u64::MAX >> 1),
            4 => self.next() >> 1,
            // Products of two are of ordinary size.
            _ => 0x3f00_0000_0000_0000 + (self.next() >> 7),
        }
    }

    /// The same in the smaller format.
    fn single(&mut self) -> u64 {
        const SPECIAL: [u32; 12] = [
            0,
            0x3f80_0000,
            0x7f80_0000,
            0x7fc0_0000,
            0x7f80_0001,
            0x7fff_1234,
            0x0080_0000,
            0x007f_ffff,
            1,
            0x7f7f_ffff,
            0x4f00_0000,
            0x4eff_ffff,
        ];
        let sign = (self.next() as u32) & 1 << 31;
        u64::from(
            sign | match self.next() & 7 {
                0 | 1 => SPECIAL[(self.next() % 12) as usize],
                2 => (f32::from(self.next() as i16) / 4.0).to_bits() & (u32::MAX >> 1),
                3 => (self.next() as i32 as f32).to_bits() & (u32::MAX >> 1),
                4 => (self.next() >> 33) as u32,
                _ => 0x3c00_0000 + (self.next() >> 38) as u32,
            },
        )
    }
}

pub(crate) fn state(rng: &mut Rng) -> State {
    let mut data = vec![0; DATA_BYTES];
    for word in data.chunks_exact_mut(8) {
        word.copy_from_slice(&rng.value().to_le_bytes());
    }
    let nzcv = rng.next() >> 60 << 28;
    let fpcr = match rng.next() & 3 {
        0 | 1 => 0,
        2 => (rng.next() & 3) << 22,
        _ => (rng.next() & 15) << 22,
    };
    let fpsr = if rng.next() & 3 == 0 { rng.next() & 0x0800_009f } else { 0 };
    let v = std::array::from_fn(|_| vector(rng));
    State { x: std::array::from_fn(|_| rng.value()), nzcv, fpcr, fpsr, v, data }
}

/// A vector of integers, of singles or of doubles.
fn vector(rng: &mut Rng) -> u128 {
    let kind = rng.next() & 3;
    let mut half = || {
        u128::from(match kind {
            0 => rng.value(),
            1 => rng.single() | rng.single() << 32,
            _ => rng.double(),
        })
    };
    half() | half() << 64
}

/// The same instruction with a target in the code.
fn aimed(insn: Insn, start: &mut State) -> Option<Insn> {
    let literal = (DATA - CODE) as i32 + 64;
    Some(match insn {
        Insn::B(mut a) | Insn::Bl(mut a) => {
            a.imm = TAKEN;
            if matches!(insn, Insn::B(_)) { Insn::B(a) } else { Insn::Bl(a) }
        }
        Insn::BCond(mut a) => {
            a.imm = TAKEN;
            Insn::BCond(a)
        }
        Insn::Cbz(mut a) | Insn::Cbnz(mut a) => {
            a.imm = TAKEN;
            if matches!(insn, Insn::Cbz(_)) { Insn::Cbz(a) } else { Insn::Cbnz(a) }
        }
        Insn::Tbz(mut a) | Insn::Tbnz(mut a) => {
            a.imm = TAKEN;
            if matches!(insn, Insn::Tbz(_)) { Insn::Tbz(a) } else { Insn::Tbnz(a) }
        }
        Insn::Br(a) | Insn::Blr(a) | Insn::Ret(a) => {
            if a.rn == 31 {
                return None;
            }
            start.x[usize::from(a.rn)] = CODE + TAKEN as u64;
            insn
        }
        Insn::LdrWLiteral(mut a) => {
            a.imm = literal;
            Insn::LdrWLiteral(a)
        }
        Insn::LdrXLiteral(mut a) => {
            a.imm = literal;
            Insn::LdrXLiteral(a)
        }
        Insn::LdrswLiteral(mut a) => {
            a.imm = literal;
            Insn::LdrswLiteral(a)
        }
        Insn::LdrSLiteral(mut a) => {
            a.imm = literal;
            Insn::LdrSLiteral(a)
        }
        Insn::LdrDLiteral(mut a) => {
            a.imm = literal;
            Insn::LdrDLiteral(a)
        }
        Insn::LdrQLiteral(mut a) => {
            a.imm = literal;
            Insn::LdrQLiteral(a)
        }
        _ => insn,
    })
}

/// Whether the architecture says what the instruction does when registers are the same.
fn is_predictable(name: &str, word: u32) -> bool {
    let [rt, rn, rt2, rs] = [0, 5, 10, 16].map(|at| word >> at & 31);
    if name.contains("_pre") || name.contains("_post") {
        let pair = name.starts_with("ldp") || name.starts_with("stp");
        if rn != 31 && (rn == rt || pair && rn == rt2) {
            return false;
        }
    }
    if name.starts_with("ldp") || name.starts_with("ldnp") || name.starts_with("ldxp") {
        return rt != rt2;
    }
    if name.starts_with("stx") || name.starts_with("stlx") {
        return rs != rt && rs != rn && (!name.starts_with("stxp") || rs != rt2);
    }
    true
}

pub(crate) fn run(
    user: &mut User<Aarch64>,
    start: &State,
    code: &[u8; CODE_BYTES],
) -> (End, Exception) {
    user.write(CODE, code);
    user.write(DATA, &start.data);
    let cpu = user.state();
    *cpu = arch::aarch64::Cpu::new();
    cpu.x = start.x;
    cpu.set_nzcv(start.nzcv);
    (cpu.fpcr, cpu.fpsr, cpu.v) = (start.fpcr, start.fpsr, start.v);
    cpu.pc = CODE;
    let exception = user.run();
    let cause = match exception {
        Exception::Breakpoint(_) => Cause::Breakpoint,
        Exception::Undefined(_) => Cause::Undefined,
        _ => Cause::Fault,
    };
    let data = user.read(DATA, DATA_BYTES);
    let cpu = user.state();
    let (x, nzcv, v) = (cpu.x, cpu.nzcv(), cpu.v);
    ((State { x, nzcv, fpcr: cpu.fpcr, fpsr: cpu.fpsr, v, data }, cpu.pc, cause), exception)
}

fn code_of(insn: Insn) -> [u8; CODE_BYTES] {
    let mut code = [0; CODE_BYTES];
    for (at, bytes) in code.chunks_exact_mut(4).enumerate() {
        let word = if at == 0 { insn.encode() } else { BRK };
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    code
}

/// Moves the base register until the access is inside the data; false if that does not help.
fn reaches_data(user: &mut User<Aarch64>, insn: Insn, start: &mut State, rng: &mut Rng) -> bool {
    let word = insn.encode();
    let cache = matches!(
        insn,
        Insn::DcZva(_) | Insn::DcCvac(_) | Insn::DcCvau(_) | Insn::DcCivac(_) | Insn::IcIvau(_)
    );
    let base = if cache { word & 31 } else { word >> 5 & 31 };
    let target = DATA + DATA_BYTES as u64 / 2 + (rng.next() & 0x78);
    for _ in 0..3 {
        let (_, exception) = run(user, start, &code_of(insn));
        let (Exception::Abort { address, .. } | Exception::Misaligned { address, .. }) = exception
        else {
            return true;
        };
        if cache && base == 31 {
            return false;
        }
        let moved = &mut start.x[base as usize];
        *moved = moved.wrapping_add(target).wrapping_sub(address);
    }
    false
}

#[test]
fn every_row_does_what_it_does_in_qemu() {
    let regions = [(CODE, 4096), (DATA, 4096)];
    let mut users: Vec<_> =
        ENGINES.iter().map(|&(name, mode)| (name, User::<Aarch64>::new(mode, &regions))).collect();
    let mut qemu = Qemu::new();
    let mut rng = Rng(2024);
    let (mut missing, mut wrong) = (Vec::new(), Vec::new());
    'rows: for p in PATTERNS {
        if LEFT_OUT.contains(&p.name) {
            continue;
        }
        let mut done = 0;
        for _ in 0..100 * SAMPLES {
            if done == SAMPLES {
                break;
            }
            let Some(word) = p.sample(rng.next() as u32) else { continue };
            let Some(insn) = decode(word, Ext::ALL) else { continue };
            if PATTERNS[insn.row()].name != p.name || !is_predictable(p.name, word) {
                continue;
            }
            let mut start = state(&mut rng);
            let Some(insn) = aimed(insn, &mut start) else { continue };
            // QEMU takes all ones for an address that was reserved.
            let exclusive =
                p.name.starts_with("st") && p.name.contains("xr") || p.name.starts_with("stxp");
            if exclusive && start.x[(word >> 5 & 31) as usize] == u64::MAX {
                continue;
            }
            if !reaches_data(&mut users[0].1, insn, &mut start, &mut rng) {
                continue;
            }
            let code = code_of(insn);
            let expected = qemu.run(&start, &code);
            for (name, user) in &mut users {
                let (end, exception) = run(user, &start, &code);
                if !agree(&end, &expected) {
                    let what = differences(&start, &end, &expected);
                    wrong.push(format!("{insn} in {name} ({exception:?}):\n{what}"));
                    continue 'rows;
                }
            }
            done += 1;
        }
        if done < SAMPLES / 4 {
            missing.push((p.name, done));
        }
    }
    assert!(wrong.is_empty(), "{} rows differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(missing.is_empty(), "rows that were hardly executed: {missing:?}");
}

/// Underflow in FPSR.
pub(crate) const UNDERFLOW: u64 = 1 << 3;

/// Whether the ends are the same. Translated code takes the host's word for underflow, which is
/// looked for after rounding: of a number that was rounded up to the smallest normal one it does
/// not know.
fn agree(ours: &End, theirs: &End) -> bool {
    let smallest = |v: u128| {
        let doubles = [v as u64, (v >> 64) as u64].map(|d| d << 1 == 1 << 53);
        let singles = (0..4).map(|i| ((v >> (32 * i)) as u32) << 1 == 1 << 24);
        doubles.contains(&true) || singles.into_iter().any(|is| is)
    };
    let mut ours = ours.clone();
    if ours.0.v.iter().copied().any(smallest) {
        ours.0.fpsr |= theirs.0.fpsr & UNDERFLOW;
    }
    ours == *theirs
}

/// What the two ends differ in, and what it was before.
pub(crate) fn differences(start: &State, ours: &End, theirs: &End) -> String {
    let mut out = format!("ours ends at {:#x} by {:?}, ", ours.1, ours.2);
    out += &format!("theirs at {:#x} by {:?}\n", theirs.1, theirs.2);
    out += &format!("before: nzcv {:#x} fpcr {:#x} {:x?}\n", start.nzcv, start.fpcr, start.x);
    for r in (0..32).filter(|&r| ours.0.v[r] != theirs.0.v[r]) {
        out += &format!("v{r}: ours {:#034x}, theirs {:#034x}\n", ours.0.v[r], theirs.0.v[r]);
    }
    for (r, v) in start.v.iter().enumerate() {
        out += &format!("v{r} was {v:#034x}\n");
    }
    let fpsr = [start.fpsr, ours.0.fpsr, theirs.0.fpsr];
    out += &format!("fpsr: was, ours, theirs {fpsr:x?}\n");
    for r in (0..32).filter(|&r| ours.0.x[r] != theirs.0.x[r]) {
        out += &format!("x{r}: ours {:#x}, theirs {:#x}\n", ours.0.x[r], theirs.0.x[r]);
    }
    out += &format!("nzcv: ours {:#x}, theirs {:#x}\n", ours.0.nzcv, theirs.0.nzcv);
    for (at, (a, b)) in
        ours.0.data.iter().zip(&theirs.0.data).enumerate().filter(|(_, (a, b))| a != b)
    {
        out += &format!("byte {at:#x}: ours {a:#x}, theirs {b:#x}\n");
    }
    out
}
