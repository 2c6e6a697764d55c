//! From a block to host code.

use std::sync::Arc;
use std::time::Instant;

use super::emit::{self, Emit};
use super::{BLOCK_ROOM, DEAD_BYTES, LOCK, NO_LOCK, Native};
use crate::builder::At;
use crate::cache::{Block, Predecoded};
use crate::guest::{FpMode, Guest};
use crate::jit::ahead::{self, Ahead, Exits};
use crate::jit::{Row, Rows, nans, probe};
use crate::mmu::PAGE_MASK;

impl<G: Guest> Native<G> {
    /// For each instruction the flags that are asked for where it leaves the block; `None` if
    /// nothing is known.
    fn exits(
        &self,
        block: &Block<G>,
        insns: impl ExactSizeIterator<Item = (At, G::Insn)>,
        usage: &[probe::Usage],
        page: &mut dyn FnMut() -> Option<Vec<u8>>,
    ) -> Option<Exits> {
        if usage.iter().all(|usage| usage.flags_written == 0) {
            return None;
        }
        let bytes = page()?;
        let (pc, gpa) = (block.key.pc & !PAGE_MASK, block.key.gpa & !PAGE_MASK);
        let mut ahead = Ahead::new(&bytes, pc, block.key.mode);
        let exits = ahead::exits::<G>(insns, usage, &mut ahead);
        let range = ahead.range();
        // From here on stores there kill the block; those before are seen by reading again.
        let _ = block.ahead.set((gpa + range.start as u64, range.len() as u64));
        (page()?[range.clone()] == bytes[range]).then_some(exits)
    }

    /// Translates a block; gives its entry, or 0 if there is no room. `page` reads the page that
    /// the block begins in.
    pub(crate) fn compile(
        &self,
        cache: &crate::cache::Cache<G>,
        block: &Arc<Block<G>>,
        page: &mut dyn FnMut() -> Option<Vec<u8>>,
    ) -> u64 {
        let Some(path) = cache.path(block) else {
            return 0;
        };
        let insns = &path.insns;
        let mut space = self.space();
        if block.code() != 0 {
            return block.code();
        }
        let begun = Instant::now();
        let hot = space.hot.next_multiple_of(16);
        let cold = space.cold.next_multiple_of(4);
        if !self.has_room(&space) || block.is_dead() {
            return 0;
        }
        let base = self.buf.exec_address(hot);
        let cold_base = self.buf.exec_address(cold);
        let at = |i: &Predecoded<G::Insn>| block.at(i);
        let mode = block.key.mode;
        let mut usage: Vec<_> =
            insns.iter().map(|i| probe::usage::<G>(at(i), i.insn, mode)).collect();
        for (n, i) in insns.windows(3).enumerate() {
            let three = [i[0].insn, i[1].insn, i[2].insn];
            if G::fp_mode(mode) != FpMode::Soft && G::compares_quietly(three, mode) {
                usage[n + 1].quiet = true;
                // Left to the interpreter if it is of no numbers.
                usage[n + 1].traps = true;
            }
        }
        let exits = self.exits(block, insns.iter().map(|i| (at(i), i.insn)), &usage, page);
        if let Some(last) = usage.last_mut().filter(|_| path.closes) {
            last.target = Some(block.key.pc);
        }
        if emit::defers_nans::<G>(mode) {
            let loops = usage.last().is_some_and(|u| u.target == Some(block.key.pc));
            nans::mark(&mut usage, loops);
        }
        let mut e = Emit::<G>::new(
            (&self.buf, &self.stubs, &self.pool),
            base,
            cold_base,
            block.key.pc,
            block.key.mode,
            usage,
        );
        e.direct = self.direct;
        e.alone = space.locks.is_some();
        if let Some(exits) = exits {
            e.look_ahead(&exits);
        }
        e.entry();
        e.begin_loop();
        loop {
            let peeling = e.peeling;
            let mut closes = path.closes;
            for (n, i) in insns.iter().enumerate() {
                let at = at(i);
                e.begin(n, at);
                let flow = match e.left_out().or_else(|| e.fused()) {
                    Some(flow) => flow,
                    None => match G::lower(&mut e, at, i.insn, block.key.mode) {
                        Ok(flow) => flow,
                        Err(never) => match never {},
                    },
                };
                let begins = path.closes.then_some(block.key.pc);
                let follow = insns.get(n + 1).map(|next| block.at(next).pc).or(begins);
                if e.end_insn(flow, follow) {
                    closes = false;
                    break;
                }
            }
            if closes {
                e.close();
            }
            // Behind the first run of a loop: the loop.
            if !peeling || e.peeling {
                break;
            }
        }
        if e.asm.pos() > BLOCK_ROOM || e.cold.pos() > BLOCK_ROOM {
            return 0;
        }
        for &at in &e.locks {
            debug_assert_eq!(e.asm.code[at], LOCK);
            if let Some(locks) = &mut space.locks {
                e.asm.code[at] = NO_LOCK;
                locks.push(hot + at);
            }
        }
        self.buf.write(hot, &e.asm.code);
        self.buf.write(cold, &e.cold.code);
        space.hot = hot + e.asm.pos();
        space.cold = cold + e.cold.pos();
        let mut rows: Vec<Row> = e.rows;
        rows.sort_unstable_by_key(|r| r.host);
        let _ = block.rows.set(Box::new(Rows {
            rows: rows.into(),
            vec: e.fp.lists.into(),
            narrow: e.narrow_lists.into(),
            nans: e.fp.nan_lists.into(),
            homes: e.home_lists.into(),
            loop_exit: e.head.map(|head| hot + head.exit),
        }));
        let done = &mut space.done;
        done.blocks += 1;
        done.insns += insns.len() as u64;
        done.code_bytes += (e.asm.pos() + e.cold.pos()) as u64;
        done.nanoseconds += begun.elapsed().as_nanos() as u64;
        space.blocks.insert(hot, block.clone());
        space.blocks.insert(cold, block.clone());
        let entry = base + DEAD_BYTES as u64;
        cache.set_code(block, entry);
        entry
    }
}
