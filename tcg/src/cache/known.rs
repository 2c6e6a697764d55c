//! What is decoded of a page already: code that is entered in its middle is not decoded again.

use super::{Insns, Predecoded, Run};
use crate::guest::Guest;
use crate::mmu::PAGE_SIZE;

/// Instructions of one page in one mode, by where they are. Good as long as the bytes are that they
/// were decoded from.
pub(crate) struct Known<G: Guest> {
    /// Per place where an instruction may begin: 0, or the number of its run and its own in the run.
    places: Box<[u32]>,
    /// The mode, and runs of instructions; the flag says that one ended for being long enough, so
    /// what begins inside goes on behind it.
    mode: u32,
    runs: Vec<(Insns<G::Insn>, bool)>,
}

/// Bits of the number of an instruction in its run, counted from 1.
const RUN_BITS: u32 = 9;

// Not derived: that would ask for `G: Default`.
impl<G: Guest> Default for Known<G> {
    fn default() -> Self {
        let places = vec![0; (PAGE_SIZE / G::INSN_ALIGN) as usize].into();
        Self { places, mode: 0, runs: Vec::new() }
    }
}

impl<G: Guest> Known<G> {
    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        if !self.runs.is_empty() {
            self.places.fill(0);
            self.runs.clear();
        }
    }

    /// The run that a block at `offset` in the page consists of, and its length in bytes; `None` if
    /// something of it has to be decoded. Must be asked first: of other modes nothing is known.
    pub(crate) fn tail(&mut self, offset: usize, mode: u32) -> Option<(Run<G::Insn>, u32)> {
        if self.mode != mode {
            self.clear();
            self.mode = mode;
        }
        let (run, first) = self.place(offset)?;
        let (all, cut) = &self.runs[run];
        if *cut {
            return None;
        }
        let last = all.last()?;
        let end = usize::from(last.offset) + usize::from(last.len);
        Some((Run { all: all.clone(), first: first as u16 }, (end - offset) as u32))
    }

    /// The instruction at `offset`.
    #[inline]
    pub(crate) fn insn(&self, offset: usize) -> Option<Predecoded<G::Insn>> {
        let (run, index) = self.place(offset)?;
        Some(self.runs[run].0[index])
    }

    #[inline]
    fn place(&self, offset: usize) -> Option<(usize, usize)> {
        let place = self.places[offset / G::INSN_ALIGN as usize] as usize;
        (place != 0).then(|| (place >> RUN_BITS, (place & ((1 << RUN_BITS) - 1)) - 1))
    }

    /// Notes a run that was decoded now.
    pub(crate) fn note(&mut self, all: &Insns<G::Insn>, cut: bool) {
        let run = (self.runs.len() as u32) << RUN_BITS;
        self.runs.push((all.clone(), cut));
        for (place, i) in (run + 1..).zip(all.iter()) {
            self.places[usize::from(i.offset) / G::INSN_ALIGN as usize] = place;
        }
    }
}
