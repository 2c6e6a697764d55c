//! Blocks that jump back to their own beginning: inner loops.
//!
//! From one iteration to the next the registers stay where they are. Behind the entry the ones
//! that the block uses most are loaded; at the jump back everything is put into these places
//! again, by moves, and the jump goes past the entry. Whatever is written somewhere in the loop
//! counts as out of date in the state from the first iteration on.

use super::asm::{Alu, D, Q, Rm, cc, form};
use super::emit::{Emit, Local, Node, V};
use super::fp::XLocal;
use super::layout;
use super::regs::*;
use crate::guest::Guest;
use crate::jit::probe::Usage;

/// A loop's beginning.
pub(super) struct Head {
    /// Where it is in the code.
    at: usize,
    /// The jump that leaves the loop if somebody asked for it.
    pub(super) exit: usize,
    locals: [Local; LOCALS.len()],
    vectors: [XLocal; XLOCALS.len()],
}

/// The registers of `mask` that are used most in a block, as far as there are places.
fn busiest<const N: usize>(usage: &[Usage], mask: u64, used: fn(&Usage) -> u64) -> [Option<u8>; N] {
    let mut counts = [0u32; 64];
    for u in usage {
        let mut rest = used(u) & mask;
        while rest != 0 {
            counts[rest.trailing_zeros() as usize] += 1;
            rest &= rest - 1;
        }
    }
    std::array::from_fn(|_| {
        let (r, count) = counts.iter_mut().enumerate().max_by_key(|(_, count)| **count)?;
        if *count == 0 {
            return None;
        }
        *count = 0;
        Some(r as u8)
    })
}

impl<G: Guest> Emit<'_, G> {
    /// Behind the entry of a block: begins a loop if it ends in a jump to its beginning.
    pub(super) fn begin_loop(&mut self) {
        if self.usage.last().and_then(|u| u.target) != Some(self.pc) {
            return;
        }
        let not_pinned = |pins: &[u8]| !pins.iter().fold(0u64, |mask, r| mask | 1 << r);
        let pins = &G::INT.pins[..G::INT.pins.len().min(PINS.len())];
        let int =
            busiest::<{ LOCALS.len() }>(&self.usage, not_pinned(pins), |u| u.reads | u.writes);
        let written = self.usage.iter().fold(0, |mask, u| mask | u.writes | u.sometimes);
        for (at, guest) in int.into_iter().enumerate() {
            let Some(r) = guest else { continue };
            self.asm.load(Q, LOCALS[at], layout::int::<G>(r));
            self.locals[at] = Local::new(r, written >> r & 1 != 0);
        }
        self.load_loop_vectors();
        // The jump out is changed while others may run it: in one piece of eight bytes.
        let check = self.here() + 7;
        self.asm.nops((check.next_multiple_of(8) - check) as usize);
        let at = self.asm.pos();
        self.asm.alu_imm(Alu::Cmp, D, Rm::Mem(layout::request::<G>()), 0);
        let exit = self.asm.pos();
        self.jcc_cold(cc::NE);
        self.cold_flush();
        self.cold.mov_imm(RAX, self.pc);
        let stub = self.stubs.request;
        self.cold_jmp(stub);
        self.forget_host_flags();
        self.fp.low = Default::default();
        let (locals, vectors) = (self.locals, self.fp.locals);
        self.head = Some(Head { at, exit, locals, vectors });
    }

    /// Whether a condition can be looked at without giving registers other places.
    fn is_simple(&self, condition: V) -> bool {
        let leaf = |v: V| {
            matches!(self.node(v), Node::Imm(_) | Node::Reg(_) | Node::Host(_) | Node::Spill(_))
        };
        match self.node(condition) {
            Node::Cmp(_, _, a, b) => leaf(a) && leaf(b),
            Node::Flag(_) => true,
            _ => leaf(condition),
        }
    }

    /// At the end of the block: jumps back if the condition holds. False if that has to be done
    /// in the ordinary way.
    pub(super) fn loop_if(&mut self, condition: V, target: u64) -> bool {
        if target != self.pc || self.head.is_none() || !self.is_simple(condition) {
            return false;
        }
        self.by_moves(Self::take_places);
        self.hold_all();
        let code = self.truth(condition);
        self.release();
        let Some(head) = &self.head else { return false };
        let rel = head.at as i64 - (self.asm.pos() as i64 + 6);
        form::JCC_JZ.with_cc(code).j(&mut self.asm, rel as i32);
        self.flush();
        self.leave_to(self.at.next());
        true
    }

    /// At the end of the block: jumps back. False if there is no loop.
    pub(super) fn loop_always(&mut self, target: u64) -> bool {
        if target != self.pc || self.head.is_none() {
            return false;
        }
        self.take_places();
        let Some(head) = &self.head else { return false };
        let rel = head.at as i64 - (self.asm.pos() as i64 + 5);
        form::JMP_JZ.j(&mut self.asm, rel as i32);
        true
    }

    /// Brings registers to where they are at the loop's beginning, by moves only.
    fn take_places(&mut self) {
        let Some(head) = &self.head else { return };
        let (locals, vectors) = (head.locals, head.vectors);
        for (at, wanted) in locals.iter().enumerate() {
            if self.locals[at].guest != wanted.guest {
                self.write_back(at);
                self.locals[at] = Local::default();
            }
        }
        for (at, wanted) in locals.iter().enumerate() {
            if let (Some(r), None) = (wanted.guest, self.locals[at].guest) {
                self.asm.load(Q, LOCALS[at], layout::int::<G>(r));
            }
            self.locals[at] = *wanted;
        }
        self.take_vector_places(&vectors);
    }

    fn load_loop_vectors(&mut self) {
        let not_pinned = !G::FP.pins.iter().take(XPINS.len()).fold(0u64, |mask, r| mask | 1 << r);
        let used = busiest::<{ XLOCALS.len() }>(&self.usage, not_pinned, |u| u.vectors);
        let written = self.usage.iter().fold(0, |mask, u| mask | u.vectors_written);
        for (at, guest) in used.into_iter().enumerate() {
            let Some(r) = guest else { continue };
            super::load_vec::<G>(&mut self.asm, XLOCALS[at], layout::vec::<G>(r));
            self.fp.locals[at] = XLocal::new(r, written >> r & 1 != 0);
        }
    }

    fn take_vector_places(&mut self, vectors: &[XLocal; XLOCALS.len()]) {
        for (at, wanted) in vectors.iter().enumerate() {
            if self.fp.locals[at].guest != wanted.guest {
                self.xwrite_back(at);
                self.fp.locals[at] = XLocal::default();
            }
        }
        for (at, wanted) in vectors.iter().enumerate() {
            if let (Some(r), None) = (wanted.guest, self.fp.locals[at].guest) {
                super::load_vec::<G>(&mut self.asm, XLOCALS[at], layout::vec::<G>(r));
            }
            self.fp.locals[at] = *wanted;
        }
    }
}
