//! Makes a failing sequence small.

use crate::sequence::{Kind, Sequence};
use crate::state::Start;

/// Removes what can be removed while `fails` stays true.
pub(crate) fn shrink(
    sequence: &Sequence,
    start: &Start,
    mut fails: impl FnMut(&Sequence, &Start) -> bool,
) -> (Sequence, Start) {
    let (mut sequence, mut start) = (sequence.clone(), start.clone());
    loop {
        let before = size(&sequence);
        remove_atoms(&mut sequence, |s| fails(s, &start));
        remove_words(&mut sequence, |s| fails(s, &start));
        if size(&sequence) == before {
            break;
        }
    }
    clear_state(&mut start, |s| fails(&sequence, s));
    (sequence, start)
}

fn size(sequence: &Sequence) -> usize {
    sequence.words().len()
}

/// Halves, quarters, and so on down to single atoms.
fn remove_atoms(sequence: &mut Sequence, mut fails: impl FnMut(&Sequence) -> bool) {
    let mut chunk = sequence.atoms.len().div_ceil(2);
    while chunk > 0 {
        let mut at = 0;
        while at < sequence.atoms.len() {
            let mut smaller = sequence.clone();
            let end = (at + chunk).min(smaller.atoms.len());
            smaller.atoms.drain(at..end);
            if fails(&smaller) {
                *sequence = smaller;
            } else {
                at += chunk;
            }
        }
        chunk /= 2;
    }
}

fn remove_words(sequence: &mut Sequence, mut fails: impl FnMut(&Sequence) -> bool) {
    for atom in 0..sequence.atoms.len() {
        let mut n = 0;
        loop {
            let mut smaller = sequence.clone();
            let Kind::Straight { body, .. } = &mut smaller.atoms[atom].kind else {
                break;
            };
            if n >= body.len() {
                break;
            }
            body.remove(n);
            if fails(&smaller) {
                *sequence = smaller;
            } else {
                n += 1;
            }
        }
    }
}

/// Zeroes registers and memory that do not matter.
fn clear_state(start: &mut Start, mut fails: impl FnMut(&Start) -> bool) {
    let mut attempt = |change: &mut dyn FnMut(&mut Start)| {
        let mut simpler = start.clone();
        change(&mut simpler);
        if fails(&simpler) {
            *start = simpler;
        }
    };
    attempt(&mut |s| s.data.fill(0));
    attempt(&mut |s| s.fflags = 0);
    attempt(&mut |s| s.frm = 0);
    attempt(&mut |s| s.fs = 3);
    for r in 0..32 {
        attempt(&mut |s| s.x[r] = 0);
        attempt(&mut |s| s.f[r] = 0);
    }
}
