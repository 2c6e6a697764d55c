//! Blocks that jump back to their own beginning: inner loops.
//!
//! From one iteration to the next the registers stay where they are. Behind the entry the ones
//! that the block uses most are loaded; at the jump back everything is put into these places
//! again, by moves, and the jump goes past the entry. Whatever is written somewhere in the loop
//! counts as out of date in the state from the first iteration on.
//!
//! Where 32-bit results would be extended only for what is behind the loop, that is done behind
//! the loop ([`crate::jit::demand`]). The registers hold such results from the second run on: the first
//! is emitted in front of the loop.
//!
//! A loop that uses more registers than there are locals is *free*: it takes the hosts of pinned
//! registers that it uses less, and gives them back on its ways out.

use super::asm::{Alu, D, Q, Rm, cc, form};
use super::emit::{Emit, Node, V};
use super::fp_registers::XLocal;
use super::layout;
use super::places::Local;
use super::regs::*;
use crate::guest::Guest;
use crate::jit::demand::{self, Demand};
use crate::jit::probe::Usage;

/// A loop's beginning.
pub(super) struct Head {
    /// Where it is in the code.
    at: usize,
    /// The jump that leaves the loop if somebody asked for it.
    pub(super) exit: usize,
    locals: [Local; PLACES.len()],
    /// [`Emit::narrow`] at the beginning.
    narrow: u64,
    vectors: [XLocal; XLOCALS.len()],
}

/// Places that a loop leaves empty at its beginning, for what comes up in an instruction: of those
/// for integers a free loop only.
const EMPTY: usize = 2;

/// Instructions of a loop whose first run may be emitted by itself.
const MOST_PEELED: usize = 256;

/// A function that calls itself is left as often as it is entered.
fn is_call(usage: &[Usage]) -> bool {
    usage.iter().any(|u| u.branches && u.target.is_some() && (u.writes != 0 || u.accesses))
}

/// What is known about the registers of a loop whose first run is emitted by itself; `None`: it is
/// not, or there is no loop.
pub(super) fn peeled(usage: &[Usage], registers: usize, pc: u64) -> Option<Demand> {
    let loops = usage.last().is_some_and(|u| u.target == Some(pc)) && !is_call(usage);
    (loops && usage.len() <= MOST_PEELED).then(|| demand::analyze_loop(usage, registers)).flatten()
}

/// The registers of `mask` that are used most in a block, the most used first.
fn busiest(usage: &[Usage], mask: u64, used: fn(&Usage) -> u64) -> Vec<u8> {
    let mut counts = [0u32; 64];
    for u in usage {
        let mut rest = used(u) & mask;
        while rest != 0 {
            counts[rest.trailing_zeros() as usize] += 1;
            rest &= rest - 1;
        }
    }
    let mut order: Vec<u8> = (0..64).filter(|&r| counts[usize::from(r)] != 0).collect();
    order.sort_by_key(|&r| u32::MAX - counts[usize::from(r)]);
    order
}

fn mask_of(registers: &[u8]) -> u64 {
    registers.iter().fold(0, |mask, r| mask | 1 << r)
}

impl<G: Guest> Emit<'_, G> {
    /// Behind the entry of a block: begins a loop if it ends in a jump to its beginning.
    pub(super) fn begin_loop(&mut self) {
        if self.usage.last().and_then(|u| u.target) != Some(self.pc) {
            return;
        }
        let pins = &G::INT.pins[..G::INT.pins.len().min(PINS.len())];
        let order = busiest(&self.usage, u64::MAX, |u| u.reads | u.writes);
        let others = order.iter().filter(|r| !pins.contains(r)).count();
        let calls = self.usage.iter().any(|u| u.calls) || is_call(&self.usage);
        if !calls && others >= LOCALS.len() && pins.len() == PINS.len() {
            self.free_places(&order, pins);
        }
        for r in order {
            let Some(at) = self.locals[..self.places].iter().position(|l| l.guest.is_none()) else {
                break;
            };
            let full = self.is_free() && self.empty_places() <= EMPTY;
            if self.resident(r).is_none() && !full {
                let memory = self.memory(r);
                self.asm.load(Q, PLACES[at], memory);
                self.locals[at] = Local::new(r, false);
            }
        }
        self.load_loop_vectors();
        if !self.peeling {
            self.begin_head();
        }
    }

    /// Begins what is run again and again.
    pub(super) fn begin_head(&mut self) {
        self.peeling = false;
        let written = self.usage.iter().fold(0, |mask, u| mask | u.writes | u.sometimes);
        let vectors_written = self.usage.iter().fold(0, |mask, u| mask | u.vectors_written);
        for local in &mut self.locals {
            local.dirty |= local.guest.is_some_and(|r| written >> r & 1 != 0);
        }
        for local in &mut self.fp.locals {
            local.dirty |= local.guest.is_some_and(|r| vectors_written >> r & 1 != 0);
        }
        self.ordered = false;
        self.last = None;
        self.known.clear();
        self.check_loop_singles();
        self.check_loop_nans();
        // The jump out is changed while others may run it: in one piece of eight bytes.
        let check = self.here() + 7;
        let padding = (check.next_multiple_of(8) - check) as usize;
        let at = match padding {
            0..=3 => {
                let at = self.asm.pos();
                self.asm.prefixes(padding);
                at
            }
            _ => {
                self.asm.nops(padding);
                self.asm.pos()
            }
        };
        self.asm.alu_imm(Alu::Cmp, D, Rm::Mem(layout::request::<G>()), 0);
        let exit = self.asm.pos();
        self.jcc_cold(cc::NE);
        self.cold_flush();
        self.cold.mov_imm(RAX, self.pc);
        let stub = self.stubs.request;
        self.cold_jmp(stub);
        self.forget_host_flags();
        self.fp.low = Default::default();
        let (locals, narrow, vectors) = (self.locals, self.narrow, self.fp.locals);
        self.head = Some(Head { at, exit, locals, narrow, vectors });
    }

    /// Takes the hosts of the pinned registers that the loop uses least, as many as are of use for
    /// others. `order`: what it uses, the most used first.
    fn free_places(&mut self, order: &[u8], pins: &[u8]) {
        self.places = PLACES.len();
        for (at, &r) in pins.iter().enumerate() {
            self.locals[LOCALS.len() + at] = Local::new(r, true);
        }
        let worth = |r: &u8| order.iter().position(|o| o == r).unwrap_or(order.len());
        let most = PLACES.len() - EMPTY;
        let stay = |r: &&u8| worth(r) < most.min(order.len());
        let wanted = order.iter().take(most).filter(|r| !pins.contains(r)).count() + EMPTY;
        let mut leave: Vec<u8> = pins.iter().filter(|r| !stay(r)).copied().collect();
        leave.sort_by_key(|r| order.len() - worth(r));
        for r in leave {
            if wanted <= self.empty_places() {
                break;
            }
            let Some(at) = self.local_of(r) else { continue };
            self.write_back(at);
            self.locals[at] = Local::default();
        }
        // What the loop does not use stays where it is.
        for at in 0..self.places {
            if self.locals[at].guest.is_some_and(|r| !order.contains(&r)) {
                self.fixed |= 1 << at;
            }
        }
    }

    fn empty_places(&self) -> usize {
        self.locals[..self.places].iter().filter(|l| l.guest.is_none()).count()
    }

    /// Whether a condition can be looked at without giving registers other places.
    fn is_simple(&self, condition: V) -> bool {
        let leaf = |v: V| matches!(self.node(v), Node::Imm(_) | Node::Reg(_) | Node::Spill(_));
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
        // Where the loop goes on the host's flags are not kept.
        let taken_back = self.asked_by_jump() == 0 && self.take_image(condition);
        let Some(head) = &self.head else { return false };
        let rel = head.at as i64 - (self.asm.pos() as i64 + 6);
        form::JCC_JZ.with_cc(code).j(&mut self.asm, rel as i32);
        self.flush_out();
        self.leave_next(taken_back && self.asked_next() != 0);
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
        let (locals, vectors, narrow) = (head.locals, head.vectors, head.narrow);
        // What is extended here may count as not extended there.
        self.extend(self.narrow & !narrow);
        self.narrow = narrow;
        for at in 0..self.places {
            let guest = self.locals[at].guest;
            if guest.is_some() && locals.iter().all(|wanted| wanted.guest != guest) {
                self.write_back(at);
                self.locals[at] = Local::default();
            }
        }
        while let Some(at) = (0..self.places).find(|&at| {
            let (now, wanted) = (self.locals[at].guest, locals[at].guest);
            wanted.is_some() && now != wanted
        }) {
            self.take_place(at, &locals);
        }
        self.locals = locals;
        self.take_vector_places(&vectors);
    }

    /// Gets the register that is wanted in place `first` there, and on, along the registers that
    /// are in the way.
    fn take_place(&mut self, first: usize, locals: &[Local; PLACES.len()]) {
        let wanted_in = |r| locals.iter().position(|wanted| wanted.guest == Some(r));
        // Whoever is in the way waits in a scratch register.
        let mut moving = self.locals[first].guest.map(|r| (r, self.locals[first].dirty));
        if moving.is_some() {
            self.asm.mov(Q, RAX, PLACES[first]);
        }
        let Some(r) = locals[first].guest else { return };
        match self.local_of(r) {
            Some(from) => {
                self.asm.mov(Q, PLACES[first], PLACES[from]);
                self.locals[first] = Local::new(r, self.locals[from].dirty);
                self.locals[from] = Local::default();
            }
            None => {
                let memory = self.memory(r);
                self.asm.load(Q, PLACES[first], memory);
                self.locals[first] = Local::new(r, false);
            }
        }
        while let Some((r, dirty)) = moving {
            let Some(at) = wanted_in(r) else { return };
            moving = self.locals[at].guest.map(|r| (r, self.locals[at].dirty));
            if moving.is_some() {
                form::XCHG_EV_GV.rm(&mut self.asm, Q, RAX, Rm::Reg(PLACES[at]));
            } else {
                self.asm.mov(Q, PLACES[at], RAX);
            }
            self.locals[at] = Local::new(r, dirty);
        }
    }

    fn load_loop_vectors(&mut self) {
        let pins = &G::FP.pins[..G::FP.pins.len().min(XPINS.len())];
        let used = busiest(&self.usage, !mask_of(pins), |u| u.vectors);
        for (at, r) in used.into_iter().take(XLOCALS.len() - EMPTY).enumerate() {
            super::load_vec::<G>(&mut self.asm, XLOCALS[at], layout::vec::<G>(r));
            self.fp.locals[at] = XLocal::new(r, false);
        }
    }

    /// Brings vector registers to other places, by moves only.
    fn take_vector_places(&mut self, to: &[XLocal; XLOCALS.len()]) {
        for at in 0..XLOCALS.len() {
            let guest = self.fp.locals[at].guest;
            if guest.is_some() && to.iter().all(|wanted| wanted.guest != guest) {
                self.xwrite_back(at);
                self.fp.locals[at] = XLocal::default();
            }
        }
        while let Some((at, from)) = (0..XLOCALS.len()).find_map(|at| {
            let from = self.xlocal_of(to[at].guest?)?;
            (self.fp.locals[at].guest.is_none()).then_some((at, from))
        }) {
            form::MOVAPS_VX_WX.rm(&mut self.asm, Q, XLOCALS[at], Rm::Reg(XLOCALS[from]));
            self.fp.locals[at] = std::mem::take(&mut self.fp.locals[from]);
        }
        // Those in each other's way go by memory.
        for (at, wanted) in to.iter().enumerate() {
            if self.fp.locals[at].guest != wanted.guest {
                self.xwrite_back(at);
            }
        }
        for (at, wanted) in to.iter().enumerate() {
            if let Some(r) = wanted.guest.filter(|_| self.fp.locals[at].guest != wanted.guest) {
                super::load_vec::<G>(&mut self.asm, XLOCALS[at], layout::vec::<G>(r));
            }
        }
        self.fp.locals = *to;
    }
}
