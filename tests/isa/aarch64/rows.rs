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

pub(crate) fn state(rng: &mut Rng) -> State {
    let mut data = vec![0; DATA_BYTES];
    for word in data.chunks_exact_mut(8) {
        word.copy_from_slice(&rng.value().to_le_bytes());
    }
    State { x: std::array::from_fn(|_| rng.value()), nzcv: rng.next() >> 60 << 28, data }
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
    cpu.pc = CODE;
    let exception = user.run();
    let cause = match exception {
        Exception::Breakpoint(_) => Cause::Breakpoint,
        Exception::Undefined(_) => Cause::Undefined,
        _ => Cause::Fault,
    };
    let data = user.read(DATA, DATA_BYTES);
    let cpu = user.state();
    ((State { x: cpu.x, nzcv: cpu.nzcv(), data }, cpu.pc, cause), exception)
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
    let mut missing = Vec::new();
    for p in PATTERNS {
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
            if !reaches_data(&mut users[0].1, insn, &mut start, &mut rng) {
                continue;
            }
            let code = code_of(insn);
            let expected = qemu.run(&start, &code);
            for (name, user) in &mut users {
                let (end, exception) = run(user, &start, &code);
                assert!(
                    end == expected,
                    "{insn} in {name} ({exception:?}):\n{}",
                    differences(&start, &end, &expected)
                );
            }
            done += 1;
        }
        if done < SAMPLES / 4 {
            missing.push((p.name, done));
        }
    }
    assert!(missing.is_empty(), "rows that were hardly executed: {missing:?}");
}

/// What the two ends differ in, and what it was before.
pub(crate) fn differences(start: &State, ours: &End, theirs: &End) -> String {
    let mut out = format!("ours ends at {:#x} by {:?}, ", ours.1, ours.2);
    out += &format!("theirs at {:#x} by {:?}\n", theirs.1, theirs.2);
    out += &format!("before: nzcv {:#x} {:x?}\n", start.nzcv, start.x);
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
