//! From a program counter to a block.

use std::sync::Arc;

use super::{Block, Body, Key, Predecoded};
use crate::builder::At;
use crate::guest::{Access, Decoded, Guest};
use crate::jit::probe;
use crate::mmu::pages::{CODE, WRITERS};
use crate::mmu::{PAGE_MASK, PAGE_SIZE};
use crate::vcpu::{Core, Work};

/// Instructions per block at most.
const BLOCK_INSNS: usize = 256;
/// A block this long ends at the next branch: where control may leave, what follows is likely to
/// be entered in another way too, and would be translated twice.
const LONG_BLOCK: usize = 64;

impl<G: Guest> Core<G> {
    /// The block at `pc` in the current mode and fetch space.
    pub(crate) fn block_at(&mut self, pc: u64) -> Result<Arc<Block<G>>, G::Exception> {
        if let Some(block) = self.jump_table().find(pc) {
            return Ok(block.clone());
        }
        let block = self.find_or_build(pc)?;
        self.jump_table().enter(&block);
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
            let block = self.decode_block(key)?;
            if let Some(block) = self.machine.cache.insert(block, epoch) {
                return Ok(block);
            }
        }
    }

    fn decode_block(&mut self, key: Key) -> Result<Block<G>, G::Exception> {
        let (pc, mode) = (key.pc, key.mode);
        let mut bytes = Vec::with_capacity(BLOCK_INSNS * 4);
        self.code_bytes(key.gpa, pc, &mut bytes)?;
        let mut insns: Vec<Predecoded<G::Insn>> = Vec::new();
        let mut offset = 0;
        let mut second_page = None;
        while insns.len() < BLOCK_INSNS {
            // Few blocks are longer than what was read at first.
            let end = pc.wrapping_add(bytes.len() as u64);
            if bytes.len() < offset + G::INSN_MAX && end & PAGE_MASK != 0 && second_page.is_none() {
                self.code_bytes(key.gpa.wrapping_add(bytes.len() as u64), end, &mut bytes)?;
            }
            if offset >= bytes.len() {
                break;
            }
            let next = match G::decode(&bytes[offset..], mode) {
                Decoded::Short if offset == 0 && second_page.is_none() => {
                    // The instruction runs into the next page, which may not be there.
                    let va = pc.wrapping_add(bytes.len() as u64);
                    let gpa = self.fetch_address(va)?;
                    second_page = Some(gpa >> super::PAGE_BITS);
                    let old = bytes.len();
                    self.code_bytes(gpa, va, &mut bytes)?;
                    bytes.truncate(old + G::INSN_MAX);
                    continue;
                }
                Decoded::Short => break,
                Decoded::Undefined(..) if offset != 0 => break,
                Decoded::Undefined(bits, len) => {
                    let body = Body::Undefined(bits);
                    return Ok(Block::new(key, u32::from(len.max(1)), body, second_page));
                }
                Decoded::Insn(insn, len) => Predecoded { insn, offset: offset as u16, len },
            };
            insns.push(next);
            offset += usize::from(next.len);
            if second_page.is_some() || G::ends_block(next.insn) {
                break;
            }
            if insns.len() >= LONG_BLOCK {
                let at = At { pc: pc.wrapping_add(u64::from(next.offset)), len: next.len };
                if probe::usage::<G>(at, next.insn, mode).branches {
                    break;
                }
            }
        }
        let body = Body::Insns(insns.into());
        Ok(Block::new(key, offset as u32, body, second_page))
    }

    /// The bytes of the block's first page, of which stores are seen already.
    pub(crate) fn page_of_code(&mut self, key: &Key) -> Option<Vec<u8>> {
        let mut bytes = vec![0; PAGE_SIZE as usize];
        if self.direct {
            self.direct_fetch(key.pc & !PAGE_MASK, &mut bytes).ok()?;
        } else {
            self.place(key.gpa & !PAGE_MASK)?.hva.read(&mut bytes);
        }
        Some(bytes)
    }

    /// Appends the bytes from `gpa` to the end of its page (as many as a block can use), after
    /// making sure that stores to them will be seen.
    fn code_bytes(&mut self, gpa: u64, va: u64, bytes: &mut Vec<u8>) -> Result<(), G::Exception> {
        let room = (PAGE_SIZE - (gpa & PAGE_MASK)) as usize;
        let len = room.min(LONG_BLOCK * G::INSN_MAX);
        let old = bytes.len();
        if self.direct {
            bytes.resize(old + len, 0);
            return self.direct_fetch(va, &mut bytes[old..]);
        }
        let place = self.place(gpa).ok_or_else(|| G::bus_error(va, Access::Fetch))?;
        let before = place.pages.add(place.offset, CODE);
        if before & WRITERS != 0 {
            place.pages.remove(place.offset, WRITERS);
            let host_page = place.hva.page().addr();
            self.tlb.protect(host_page);
            self.machine.clone().broadcast(self, Work::Protect(host_page));
        }
        bytes.resize(old + len, 0);
        place.hva.read(&mut bytes[old..]);
        Ok(())
    }
}
