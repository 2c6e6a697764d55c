//! Random encodings of a row, for fuzzing and coverage.

use super::decode::{MAX_LEN, decode};
use super::insn::{ROWS, Row, Width, flag};

/// Bytes that begin with an instruction of row `row`, from random numbers; whatever operands and
/// superfluous prefixes it may have. `None` if the numbers at hand make something else, or if
/// there is no such row: try again.
pub fn sample(row: u16, random: &mut impl FnMut() -> u64) -> Option<[u8; MAX_LEN]> {
    let pattern = ROWS.get(usize::from(row))?;
    let mut bytes = Vec::with_capacity(2 * MAX_LEN);
    if pattern.flags & flag::VEX != 0 {
        vex(pattern, &mut bytes, random);
    } else {
        plain(pattern, &mut bytes, random);
    }
    bytes.push(pattern.opcode | random() as u8 & pattern.low);
    if pattern.modrm {
        let register = choose(pattern.select.mode, random) == 1;
        let mode = if register { 3 } else { choose(7, random) };
        let reg = choose(pattern.select.reg, random);
        let rm = choose(if register { pattern.select.rm } else { 0xff }, random);
        bytes.push(mode << 6 | reg << 3 | rm);
    }
    let mut sample = [0; MAX_LEN];
    for (index, byte) in sample.iter_mut().enumerate() {
        *byte = bytes.get(index).copied().unwrap_or_else(|| random() as u8);
    }
    let decoded = decode(&sample).ok()?;
    (decoded.insn.row == row).then_some(sample)
}

/// A random bit of `set`, as its number.
fn choose(set: u8, random: &mut impl FnMut() -> u64) -> u8 {
    let skip = random() >> 8 & 7;
    let bits = (0..8).filter(|bit| set >> bit & 1 != 0);
    bits.cycle().take(64).nth(skip as usize).unwrap_or(0)
}

/// Whether something that happens once in `times` does.
fn once_in(times: u64, random: &mut impl FnMut() -> u64) -> bool {
    (random() >> 16).is_multiple_of(times)
}

fn plain(pattern: &Row, bytes: &mut Vec<u8>, random: &mut impl FnMut() -> u64) {
    if once_in(8, random) {
        bytes.push([0x64, 0x65, 0x2e, 0x67][usize::from(random() as u8 & 3)]);
    }
    if pattern.flags & flag::LOCK != 0 && once_in(4, random) {
        bytes.push(0xf0);
    }
    let size = choose(pattern.select.size, random);
    if size == Width::W as u8 - 1 && pattern.select.prefix & 3 == 3 {
        bytes.push(0x66);
    }
    // A prefix that selects nothing comes seldom.
    let prefixes = pattern.select.prefix;
    let prefix =
        if prefixes & 1 != 0 && !once_in(8, random) { 0 } else { choose(prefixes, random) };
    bytes.extend([None, Some(0x66), Some(0xf3), Some(0xf2)][usize::from(prefix & 3)]);
    let mut rex = 0x40 | random() as u8 & 7;
    if choose(pattern.select.rex_b, random) == 0 && pattern.select.rex_b == 1 {
        rex &= !1;
    }
    let wide = pattern.select.w == 2 || pattern.select.size == 4;
    if wide || pattern.select.w & 2 != 0 && once_in(3, random) {
        rex |= 8;
    }
    if rex & 8 != 0 || once_in(2, random) {
        bytes.push(rex);
    }
    bytes.extend_from_slice(match pattern.map {
        0 => &[],
        1 => &[0x0f],
        2 => &[0x0f, 0x38],
        _ => &[0x0f, 0x3a],
    });
}

fn vex(pattern: &Row, bytes: &mut Vec<u8>, random: &mut impl FnMut() -> u64) {
    let vvvv = if pattern.flags & flag::VVVV != 0 { random() as u8 & 15 } else { 15 };
    let w = choose(pattern.select.w, random);
    let l = choose(pattern.select.l, random);
    let last = vvvv << 3 | l << 2 | choose(pattern.select.prefix, random);
    let rxb = random() as u8 & 0xe0;
    if w == 0 && pattern.map == 4 && once_in(2, random) {
        bytes.extend([0xc5, rxb & 0x80 | last]);
    } else {
        bytes.extend([0xc4, rxb | (pattern.map - 3), w << 7 | last]);
    }
}
