//! What is decoded of a page already: code that is entered in its middle is not decoded again.

use super::{Insns, Predecoded, Run};
use crate::guest::Guest;
use crate::mmu::PAGE_SIZE;

/// Instructions of one page in one mode, by where they are. Good as long as the bytes are that they
/// were decoded from.
pub(crate) struct Known<G: Guest> {
    /// Per place where an instruction may begin: 0, or the number of its run, counted from 1.
    places: Box<[u16]>,
    /// The mode, and runs of instructions; the flag says that one ended for being long enough, so
    /// what begins inside goes on behind it.
    mode: u32,
    runs: Vec<(Insns<G::Insn>, bool)>,
    /// Of all blocks that this vCPU has made there the instructions are known.
    whole: bool,
}

// Not derived: that would ask for `G: Default`.
impl<G: Guest> Default for Known<G> {
    fn default() -> Self {
        let places = vec![0; (PAGE_SIZE / G::INSN_ALIGN) as usize].into();
        Self { places, mode: 0, runs: Vec::new(), whole: false }
    }
}

impl<G: Guest> Known<G> {
    /// Forgets everything. `whole`: there are no blocks.
    pub(crate) fn clear(&mut self, whole: bool) {
        self.whole = whole;
        if !self.runs.is_empty() {
            self.places.fill(0);
            self.runs.clear();
        }
    }

    /// The run that a block at `offset` in the page consists of, and its length in bytes; `None` if
    /// something of it has to be decoded. Must be asked first: of other modes nothing is known.
    pub(crate) fn tail(&mut self, offset: usize, mode: u32) -> Option<(Run<G::Insn>, u32)> {
        if self.mode != mode {
            self.clear(self.whole && self.runs.is_empty());
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

    /// Whether this vCPU has certainly made no block there.
    pub(crate) fn is_new(&self, offset: usize, mode: u32) -> bool {
        self.whole && self.mode == mode && self.places[offset / G::INSN_ALIGN as usize] == 0
    }

    #[inline]
    fn place(&self, offset: usize) -> Option<(usize, usize)> {
        let run = usize::from(self.places[offset / G::INSN_ALIGN as usize]).checked_sub(1)?;
        let index = self.runs[run].0.binary_search_by_key(&offset, |i| usize::from(i.offset));
        Some((run, index.ok()?))
    }

    /// Notes a run of which something was decoded now. So there are no more runs than places.
    pub(crate) fn note(&mut self, all: &Insns<G::Insn>, cut: bool) {
        self.runs.push((all.clone(), cut));
        let run = self.runs.len() as u16;
        for i in all.iter() {
            self.places[usize::from(i.offset) / G::INSN_ALIGN as usize] = run;
        }
    }
}
