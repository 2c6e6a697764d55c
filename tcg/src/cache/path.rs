//! What is translated as one: a block and what it goes on with.
//!
//! A jump in the host's code costs more than several other instructions, and so do registers that
//! one block stores and the next loads. When a block is translated, the interpreter has run what
//! follows it as often: a jump or a call is followed to its target, a branch back to where it has
//! gone nearly always. Paths stay in the page that they begin in.

use std::borrow::Cow;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};

use super::{Block, Body, Cache, Predecoded};
use crate::builder::Flow;
use crate::guest::Guest;
use crate::jit::probe;
use crate::mmu::{PAGE_BITS, PAGE_MASK};

/// Instructions of a path at most. What is longer by itself is not followed.
const MOST_INSNS: usize = 48;
/// Blocks of a path at most.
const MOST_BLOCKS: usize = 6;
/// How often a branch that is followed goes there for each time that it does not, at least.
const TIMES: u32 = 4;

/// Instructions in the order in which they run.
pub(crate) struct Path<'a, G: Guest> {
    pub(crate) insns: Cow<'a, [Predecoded<G::Insn>]>,
    /// Behind the last one the first runs again, other than by the target of a branch.
    pub(crate) closes: bool,
}

impl<G: Guest> Cache<G> {
    /// What a block is translated with. When any of that changes, the block dies.
    pub(crate) fn path<'a>(&self, block: &'a Block<G>) -> Option<Path<'a, G>> {
        let Body::Insns(own) = &block.body else { return None };
        let mut path = Path { insns: Cow::Borrowed(&own[..]), closes: false };
        // Of guests with flags, what lies ahead is looked through as it lies there.
        if G::FLAGS != usize::MAX || block.second_page.is_some() {
            return Some(path);
        }
        // While it is held nothing dies.
        let pages = self.pages.read().unwrap_or_else(PoisonError::into_inner);
        let find = |pc: u64| {
            let page = pages.get(&block.key.page())?;
            let found = page.blocks.get(&(pc, block.key.mode))?;
            (found.second_page.is_none() && !found.is_dead()).then_some(found)
        };
        for _ in 1..MOST_BLOCKS {
            let Some(next) = next(block, &path.insns, find) else { break };
            if next == block.key.pc {
                path.closes = true;
                break;
            }
            let Some(Body::Insns(more)) = find(next).map(|next| &next.body) else { break };
            if path.insns.len() + more.len() > MOST_INSNS || !add(&mut path, more) {
                break;
            }
        }
        if let Cow::Owned(all) = &path.insns {
            let page = block.key.gpa & !PAGE_MASK;
            let ends = |i: &Predecoded<G::Insn>| u64::from(i.offset) + u64::from(i.len);
            let low = all.iter().map(|i| u64::from(i.offset)).min()?;
            let high = all.iter().map(ends).max()?;
            // From here on stores there kill the block.
            let &(from, len) = block.ahead.get_or_init(|| (page + low, high - low));
            if page + low < from || page + high > from + len {
                return Some(Path { insns: Cow::Borrowed(&own[..]), closes: false });
            }
        }
        Some(path)
    }
}

/// Where the instructions of a block's path go on, as far as is known.
fn next<'a, G: Guest>(
    block: &Block<G>,
    insns: &[Predecoded<G::Insn>],
    find: impl Fn(u64) -> Option<&'a Arc<Block<G>>>,
) -> Option<u64> {
    let last = insns.last()?;
    let at = block.at(last);
    let mode = block.key.mode;
    let next = match probe::usage_and_flow::<G>(at, last.insn, mode).1 {
        Flow::Goto(to) if to != block.key.pc => to,
        Flow::Branch((), to) if to != block.key.pc => {
            let [jumps, nexts] = [to, at.next()].map(|pc| find(pc).map_or(0, |b| runs(b)));
            let most = block.hits.load(Relaxed) / 2;
            let mostly = |a: u32, b: u32| a >= most && a / TIMES > b;
            if mostly(jumps, nexts) {
                to
            } else if mostly(nexts, jumps) {
                at.next()
            } else {
                return None;
            }
        }
        // Behind the call that the path came by.
        Flow::Jump(()) => link(block, insns)?,
        _ => return None,
    };
    (next >> PAGE_BITS == block.key.pc >> PAGE_BITS).then_some(next)
}

/// Where the last instruction jumps to, if it is to where a call on the path left in a register.
fn link<G: Guest>(block: &Block<G>, insns: &[Predecoded<G::Insn>]) -> Option<u64> {
    let usage = |i: &Predecoded<G::Insn>| probe::usage::<G>(block.at(i), i.insn, block.key.mode);
    let (last, before) = insns.split_last()?;
    let last = usage(last);
    let r = last.reads.trailing_zeros() as u8;
    if last.reads.count_ones() != 1 || last.accesses {
        return None;
    }
    let writer = before.iter().rev().map(usage).find(|u| (u.writes | u.sometimes) >> r & 1 != 0)?;
    let (_, value) = writer.def.filter(|_| writer.branches)?;
    // As far as translators know constants.
    value.imm.filter(|&to| i32::try_from(to as i64).is_ok())
}

/// How often a block has run, as far as was counted: one that earlier runs have learnt of, more often
/// than any other.
fn runs<G: Guest>(block: &Block<G>) -> u32 {
    if block.code() != 0 { u32::MAX } else { block.hits.load(Relaxed) }
}

/// Adds instructions up to the first that the path has already; gives whether it may go on.
fn add<G: Guest>(path: &mut Path<'_, G>, more: &[Predecoded<G::Insn>]) -> bool {
    let has = |i: &Predecoded<G::Insn>| path.insns.iter().any(|known| known.offset == i.offset);
    let new = more.iter().position(has).unwrap_or(more.len());
    if new == 0 {
        return false;
    }
    let closes = more.get(new).is_some_and(|i| i.offset == path.insns[0].offset);
    path.insns.to_mut().extend_from_slice(&more[..new]);
    path.closes = closes;
    new == more.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::absent::{NoDevices, NoTime};
    use crate::guest::riscv64::Riscv64;
    use crate::machine::{Config, Machine, Mode};
    use crate::mmu::host::{Anonymous, HostRange};
    use crate::mmu::ram::Slot;
    use crate::testing;
    use arch::riscv64::{Hart, Model};

    const CODE: u64 = 0x1_0000;
    const ADDI_A0_A0_1: u32 = 0x0015_0513;
    const JAL_RA_8: u32 = 0x0080_00ef;
    const J_M8: u32 = 0xff9f_f06f;
    const J_0: u32 = 0x0000_006f;
    const RET: u32 = 0x0000_8067;
    const BNEZ_A0_M12: u32 = 0xfe05_1ae3;

    /// Blocks at `starts`, by runs; the path of the first, as distances from the code's beginning.
    fn path(code: &[u32], starts: &[(u64, u32)]) -> (Vec<u64>, bool) {
        let machine = Machine::<Riscv64>::new(Config {
            vcpus: 1,
            mode: Mode::Interpreter,
            code_bytes: 0,
            io: Arc::new(NoDevices),
            clock: Arc::new(NoTime),
            firmware_calls: false,
            learning: None,
        })
        .expect("no code is made");
        let host = HostRange::new(Arc::new(Anonymous::new(1 << 16)));
        machine.map(Slot { gpa: CODE, host, readonly: false }).expect("the only slot");
        let bytes: Vec<u8> = code.iter().flat_map(|word| word.to_le_bytes()).collect();
        testing::write_memory(&machine, CODE, &bytes);
        let hart = Hart::new(0, &Model::default());
        let mut vcpu = machine.vcpu(0, hart, false).expect("the only vCPU");
        vcpu.core().sync_spaces();
        let lent = starts.iter().map(|&(at, runs)| {
            let block = vcpu.core().lend(CODE + at).expect("memory is mapped");
            block.hits.store(runs, Relaxed);
            block
        });
        let blocks: Vec<_> = lent.collect();
        let path = machine.cache.path(&blocks[0]).expect("it is code");
        let at = path.insns.iter().map(|i| blocks[0].at(i).pc - CODE).collect();
        let closes = path.closes;
        // Whatever is on the path, the block dies of.
        let last = path.insns.last().map(|i| blocks[0].at(i).pc).expect("it is not empty");
        testing::write_memory(&machine, last, &[0]);
        assert!(blocks[0].is_dead());
        (at, closes)
    }

    #[test]
    fn calls_and_their_returns_are_followed() {
        let code = [ADDI_A0_A0_1, JAL_RA_8, J_M8, ADDI_A0_A0_1, RET];
        let starts = |first: u64| [first, 0, 8, 12].map(|at| (at, 1));
        assert_eq!(path(&code, &starts(0)), (vec![0, 4, 12, 16, 8], false));
        assert_eq!(path(&code, &starts(8)), (vec![8, 0, 4, 12, 16], true));
        // Nobody knows where it returns to.
        assert_eq!(path(&code, &starts(12)), (vec![12, 16], false));
        // What has not run yet.
        assert_eq!(path(&code, &[(0, 1)]), (vec![0, 4], false));
    }

    #[test]
    fn branches_back_are_followed_where_they_mostly_go() {
        let code = [ADDI_A0_A0_1, ADDI_A0_A0_1, ADDI_A0_A0_1, BNEZ_A0_M12, J_0];
        let path = |back, on| path(&code, &[(8, 12), (0, back), (16, on)]);
        assert_eq!(path(12, 0), (vec![8, 12, 0, 4], true));
        assert_eq!(path(0, 12), (vec![8, 12, 16], false));
        for (back, on) in [(12, 4), (5, 0), (4, 12), (0, 5)] {
            assert_eq!(path(back, on), (vec![8, 12], false), "{back} and {on} runs");
        }
    }
}
