//! From a program counter to a block.

use std::sync::Arc;

use super::known::Known;
use super::{Block, Body, Insns, Key, Predecoded, Run};
use crate::builder::Reserve;
use crate::exclusive;
use crate::guest::{Access, Decoded, Guest, Monitored};
use crate::jit::probe;
use crate::learnt::Hints;
use crate::mmu::pages::{CODE, WRITERS};
use crate::mmu::{PAGE_MASK, PAGE_SIZE};
use crate::vcpu::{Core, Work};

/// Instructions per block at most.
const BLOCK_INSNS: usize = 256;
/// A block this long ends at the next branch: where control may leave, what follows is likely to
/// be entered in another way too, and would be translated twice.
const LONG_BLOCK: usize = 64;

impl<G: Guest> Core<G> {
    /// The block at `pc` in the current mode and fetch space; to be given back to that space by
    /// [`Self::give_back`].
    pub(crate) fn lend(&mut self, pc: u64) -> Result<Arc<Block<G>>, G::Exception> {
        if let Some(block) = self.jump_table().take_cold(pc) {
            return Ok(block);
        }
        if let Some(block) = self.jump_table().find(pc) {
            return Ok(block.clone());
        }
        let block = self.find_or_build(pc)?;
        self.enter_jump(&block);
        Ok(block)
    }

    /// Translates the address of an instruction.
    fn fetch_address(&mut self, va: u64) -> Result<u64, G::Exception> {
        if self.direct {
            return Ok(va);
        }
        let space = self.fetch_space.0;
        // What is misaligned is the guest's to refuse.
        if va.is_multiple_of(G::INSN_ALIGN)
            && let Some(gpa) = self.fetches.find(va, space)
        {
            return Ok(gpa);
        }
        let mapping = G::translate(self, va, Access::Fetch)?;
        self.note_mapping(space, mapping.global);
        self.tlb.note_large(va, u32::from(mapping.page_bits));
        if mapping.cacheable {
            self.fetches.enter(va, space, mapping.gpa);
        }
        Ok(mapping.gpa)
    }

    fn find_or_build(&mut self, pc: u64) -> Result<Arc<Block<G>>, G::Exception> {
        if !pc.is_multiple_of(G::INSN_ALIGN) {
            return Err(G::misaligned(pc, Access::Fetch));
        }
        let gpa = self.fetch_address(pc)?;
        let key = Key { gpa, pc, mode: self.fetch_space.1 };
        if self.pages.is_new(&key, self.machine.cache.epoch()) {
            return self.build(key);
        }
        if let Some(block) = self.machine.cache.find(&key) {
            // Its second page is mapped by this space too, or the fetch faults.
            if block.last_page() != block.first_page() {
                let second = self.fetch_address((pc | PAGE_MASK).wrapping_add(1))?;
                if block.second_page != Some(second >> super::PAGE_BITS) {
                    return self.build(key);
                }
            }
            return Ok(block);
        }
        self.build(key)
    }

    fn build(&mut self, key: Key) -> Result<Arc<Block<G>>, G::Exception> {
        loop {
            let epoch = self.machine.cache.epoch();
            let mut page = self.code_page(key.gpa, key.pc, epoch)?;
            let block = self.decode_block(key, &mut page);
            if let (Some(learnt), Ok(block)) = (&self.machine.cache.learnt, &block) {
                learnt.advise(block, page.hints);
            }
            self.pages.put(page);
            if let Some(block) = self.machine.cache.insert(block?, epoch) {
                return Ok(block);
            }
        }
    }

    fn decode_block(&mut self, key: Key, page: &mut CodePage<G>) -> Result<Block<G>, G::Exception> {
        let mode = key.mode;
        let start = (key.gpa & PAGE_MASK) as usize;
        if let Some((run, len)) = page.known.tail(start, mode) {
            return Ok(Block::new(key, len, Body::Insns(run), None));
        }
        let mut insns = std::mem::take(&mut self.insns);
        insns.clear();
        let mut offset = start;
        let mut split = None;
        let (mut cut, mut fresh) = (false, false);
        while insns.len() < BLOCK_INSNS && offset < page.bytes.len() {
            if let Some(known) = page.known.insn(offset) {
                insns.push(known);
            } else {
                let bytes = &page.bytes[offset..];
                // Written where it stays: a copy of what was put together just now would wait.
                let (insn, reserve) = (G::PLACEHOLDER, Reserve::UNKNOWN);
                insns.push(Predecoded { insn, offset: offset as u16, len: 0, reserve });
                let place = insns.last_mut().expect("one was pushed");
                let next = match G::decode_into(bytes, mode, &mut place.insn) {
                    Decoded::Short if offset == start => {
                        let (next, second) = self.decode_split(key, bytes, &mut place.insn)?;
                        split = Some(second);
                        next
                    }
                    next => next,
                };
                match next {
                    Decoded::Insn((), len) => {
                        fresh = true;
                        place.len = len;
                        if G::monitored(&place.insn) == Monitored::Load {
                            place.reserve = self.find_store(&key, *place, &page.bytes);
                        }
                    }
                    Decoded::Undefined(bits, len) if offset == start => {
                        let body = Body::Undefined(bits);
                        return Ok(Block::new(key, u32::from(len.max(1)), body, split));
                    }
                    Decoded::Short | Decoded::Undefined(..) => {
                        insns.pop();
                        break;
                    }
                }
            }
            let Some(last) = insns.last() else { break };
            offset += usize::from(last.len);
            let alone =
                G::monitored(&last.insn) == Monitored::Load && last.reserve == Reserve::UNKNOWN;
            if split.is_some() || alone || G::ends_block(&last.insn) {
                break;
            }
            if insns.len() >= LONG_BLOCK {
                let at = last.at(key.pc);
                cut = insns.len() == BLOCK_INSNS || probe::usage::<G>(at, last.insn, mode).branches;
                if cut {
                    break;
                }
            }
        }
        let all: Insns<_> = insns.as_slice().into();
        self.insns = insns;
        if fresh && split.is_none() {
            page.known.note(&all, cut);
        }
        let body = Body::Insns(Run { all, first: 0 });
        Ok(Block::new(key, (offset - start) as u32, body, split))
    }

    /// Decodes an instruction that runs into the next page, which may not be there; gives that
    /// page's number too. `first`: its bytes in the first page.
    fn decode_split(
        &mut self,
        key: Key,
        first: &[u8],
        insn: &mut G::Insn,
    ) -> Result<(Decoded<()>, u64), G::Exception> {
        let va = key.pc.wrapping_add(first.len() as u64);
        let gpa = self.fetch_address(va)?;
        let mut bytes = first.to_vec();
        bytes.resize(first.len() + G::INSN_MAX, 0);
        self.code_bytes(gpa, va, &mut bytes[first.len()..])?;
        Ok((G::decode_into(&bytes, key.mode, insn), gpa >> super::PAGE_BITS))
    }

    /// How the load-reserved `load` goes on, in its page or the next one.
    fn find_store(&mut self, key: &Key, load: Predecoded<G::Insn>, page: &[u8]) -> Reserve {
        let at = load.at(key.pc);
        let end = usize::from(load.offset) + usize::from(load.len);
        let last = page.len().min(end + exclusive::SEQUENCE_BYTES);
        let mut behind = page.get(end..last).unwrap_or_default().to_vec();
        if last == page.len() {
            // If the next page is not there, control does not get there either.
            let next = at.pc.wrapping_add((page.len() - usize::from(load.offset)) as u64);
            let here = behind.len();
            behind.resize(here + exclusive::SEQUENCE_BYTES, 0);
            let read = self
                .fetch_address(next)
                .and_then(|gpa| self.code_bytes(gpa, next, &mut behind[here..]));
            if read.is_err() {
                behind.truncate(here);
            }
            let own = end.saturating_sub(page.len()).min(behind.len());
            behind.drain(..own);
        }
        exclusive::find_store::<G>(at, &behind, key.mode)
    }

    /// The page of code at `gpa` as it is in `epoch`. To be put back.
    fn code_page(
        &mut self,
        gpa: u64,
        va: u64,
        epoch: u64,
    ) -> Result<Box<CodePage<G>>, G::Exception> {
        let number = gpa >> super::PAGE_BITS;
        let mut page = self.pages.take(number);
        if page.number != number || page.epoch != epoch {
            let read = self.code_bytes(gpa & !PAGE_MASK, va & !PAGE_MASK, &mut page.bytes);
            if read.is_err() {
                // Once more, for an error that names the instruction's address.
                self.code_bytes(gpa, va, &mut page.bytes[..1])?;
            }
            page.known.clear(!self.machine.cache.has_blocks(number));
            page.number = number;
            page.epoch = if read? { epoch } else { NEVER };
            page.hints = Hints::default();
        }
        if let Some(learnt) = self.machine.cache.learnt.as_ref().filter(|_| page.hints.is_none()) {
            page.hints = learnt.hints(&page.bytes);
        }
        Ok(page)
    }

    /// Once the run has shown to be no short one: looks up what earlier runs have learnt, also of
    /// the blocks that are there already. Others' work may be done meanwhile.
    pub(crate) fn recall(&mut self) {
        let Some(learnt) = &self.machine.cache.learnt else { return };
        if !learnt.is_due() {
            return;
        }
        let machine = self.machine.clone();
        let Some(learnt) = &machine.cache.learnt else { return };
        learnt.begin();
        for block in machine.cache.by_page() {
            let epoch = machine.cache.epoch();
            // Of what cannot be read any more nothing is known.
            if let Ok(page) = self.code_page(block.key.gpa, block.key.pc, epoch) {
                learnt.advise(&block, page.hints);
                self.pages.put(page);
            }
        }
    }

    /// The bytes of the block's first page, of which stores are seen already.
    pub(crate) fn page_of_code(&mut self, key: &Key) -> Option<Vec<u8>> {
        let epoch = self.machine.cache.epoch();
        let page = self.code_page(key.gpa, key.pc, epoch).ok()?;
        let bytes = page.bytes.to_vec();
        self.pages.put(page);
        Some(bytes)
    }

    /// Reads code of one page, after making sure that stores to it will be seen; gives whether all
    /// of them will be.
    fn code_bytes(&mut self, gpa: u64, va: u64, out: &mut [u8]) -> Result<bool, G::Exception> {
        if self.direct {
            return self.direct_fetch(va, out);
        }
        let place = self.place(gpa).ok_or_else(|| G::bus_error(va, Access::Fetch))?;
        let before = place.pages.add(place.offset, CODE);
        if before & WRITERS != 0 {
            place.pages.remove(place.offset, WRITERS);
            let host_page = place.hva.page().addr();
            self.tlb.protect(host_page);
            self.machine.clone().broadcast(self, Work::Protect(host_page));
        }
        place.hva.read(out);
        Ok(true)
    }
}

/// A page of code as it was read last.
pub(crate) struct CodePage<G: Guest> {
    /// Its number in guest-physical memory.
    number: u64,
    /// The cache's epoch before it was read: as long as that is the present one, nothing was
    /// stored there since.
    epoch: u64,
    /// What is known of its content.
    hints: Hints,
    bytes: [u8; PAGE_SIZE as usize],
    known: Known<G>,
}

/// No epoch: what was read may be out of date already.
const NEVER: u64 = u64::MAX;
/// Pages kept: those that a function and what it calls are on.
const PAGES: usize = 8;

/// The pages that a vCPU makes blocks from at present.
pub(crate) struct CodePages<G: Guest> {
    pages: [Option<Box<CodePage<G>>>; PAGES],
}

// Not derived: that would ask for `G: Default`.
impl<G: Guest> Default for CodePages<G> {
    fn default() -> Self {
        Self { pages: [const { None }; PAGES] }
    }
}

impl<G: Guest> CodePages<G> {
    /// Memory for a page: its content, if that is known.
    fn take(&mut self, number: u64) -> Box<CodePage<G>> {
        let new = || {
            let (hints, known) = (Hints::default(), Known::default());
            let (number, epoch, bytes) = (u64::MAX, NEVER, [0; PAGE_SIZE as usize]);
            Box::new(CodePage { number, epoch, hints, bytes, known })
        };
        self.pages[number as usize % PAGES].take().unwrap_or_else(new)
    }

    /// No block has been made there, as far as this vCPU knows: there is none to be looked for.
    fn is_new(&self, key: &Key, epoch: u64) -> bool {
        self.pages[key.page() as usize % PAGES].as_ref().is_some_and(|page| {
            page.number == key.page()
                && page.epoch == epoch
                && page.known.is_new((key.gpa & PAGE_MASK) as usize, key.mode)
        })
    }

    fn put(&mut self, page: Box<CodePage<G>>) {
        let at = page.number as usize % PAGES;
        self.pages[at] = Some(page);
    }
}
