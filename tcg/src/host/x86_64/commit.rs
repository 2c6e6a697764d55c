//! The end of an instruction: values go to the registers that they are for.

use super::asm::{Q, Rm};
use super::emit::{Emit, LastDef, Node, V, folds};
use super::places::Local;
use super::regs::*;
use crate::builder::{Un, Width};
use crate::guest::Guest;
use crate::jit::demand::Wanted;

impl<G: Guest> Emit<'_, G> {
    /// Does the register writes that were kept back. `later` are values still to be used.
    pub(super) fn commit(&mut self, later: &[V]) {
        let mut sets = std::mem::take(&mut self.sets);
        if self.commit_flags(&sets, later) {
            sets.clear();
        }
        for (i, &(r, _)) in sets.iter().enumerate() {
            let after = sets[i + 1..].iter().map(|s| s.1).chain(later.iter().copied());
            for v in after.collect::<Vec<_>>() {
                if self.depends(v, r) {
                    self.materialize(v);
                }
            }
        }
        for (i, &(r, v)) in sets.iter().enumerate() {
            if let Node::Host(host) = self.node(v) {
                // A temporary that others read stays where it is.
                let mut others = sets[i + 1..].iter().map(|s| s.1).chain(later.iter().copied());
                if others.any(|other| self.reads(other, host)) {
                    self.shorten(r, v);
                    self.hold(host);
                    self.last = None;
                    let to = self.reg_for_set(r);
                    self.asm.mov(Q, to, host);
                    self.release();
                    continue;
                }
            }
            let last = i + 1 == sets.len() && later.is_empty();
            self.assign(r, v, last);
            self.release();
            if let (Some(x), true) = (self.small_imm(v), folds::<G>()) {
                self.known.push((r, x));
            }
        }
        self.sets = sets;
        self.sets.clear();
        self.fcommit();
    }

    /// Computes a value into a temporary.
    pub(super) fn materialize(&mut self, v: V) {
        if matches!(self.node(v), Node::Imm(_) | Node::Host(_) | Node::Spill(_)) {
            return;
        }
        let to = self.temp();
        self.into(v, to);
        self.nodes[usize::from(v.0)] = Node::Host(to);
        self.release();
    }

    /// A register gets a new value.
    pub(super) fn overwrite(&mut self, r: u8) {
        self.narrow &= !(1 << r);
        self.written |= 1 << r;
        self.known.retain(|known| known.0 != r);
    }

    /// Leaves the extension out of what register `r` gets if the upper half is not wanted.
    pub(super) fn shorten(&mut self, r: u8, v: V) -> V {
        self.overwrite(r);
        let wanted = self.demand.wanted(self.index);
        let Some((_, value)) = self.usage[self.index].def.filter(|d| d.0 == r) else { return v };
        // What is loaded comes as it should be.
        if wanted == Wanted::Whole || value.all() == 0 {
            return v;
        }
        if wanted == Wanted::Narrow {
            self.narrow |= 1 << r;
        }
        match self.node(v) {
            Node::Un(Un::Sext32, Width::W64, low) => low,
            _ => v,
        }
    }

    /// Writes a register; `last`: nothing else of the instruction is still to be computed.
    fn assign(&mut self, r: u8, v: V, last: bool) {
        let v = self.shorten(r, v);
        if self.is_dead_behind(r) {
            if let Some(at) = self.local_of(r) {
                self.locals[at] = Local::default();
            }
            return;
        }
        if let Node::Host(host) = self.node(v) {
            match self.pin(r) {
                None => {
                    if let Some(at) = self.local_of(r)
                        && self.head.is_some()
                        && self.redefine(host, PLACES[at])
                    {
                        self.locals[at] = Local::new(r, true);
                        return self.touch(at);
                    }
                    return self.adopt(host, r);
                }
                Some(pin) => {
                    if self.redefine(host, pin) {
                        return;
                    }
                }
            }
        }
        if self.node(v) == Node::Reg(r) {
            return;
        }
        // A register that is not wanted soon goes straight to the state.
        if self.pin(r).is_none() && self.local_of(r).is_none() && !self.worth_local(r) {
            let at = self.memory(r);
            if let Some(x) = self.small_imm(v) {
                self.asm.store_imm(Q, at, x);
            } else {
                let from = self.operand(v);
                self.asm.store(Q, from, at);
            }
            return;
        }
        let absent = self.resident(r).is_none();
        let reads_itself = self.pin(r).is_none() && self.depends(v, r);
        if last && absent && self.make_way(v) {
            // What it held itself is read where it is.
            let memory = Node::Field(self.memory_offset(r));
            for node in self.nodes.iter_mut().filter(|n| **n == Node::Reg(r)) {
                *node = memory;
            }
        } else if reads_itself {
            // Loaded before others may take the place.
            self.reg(r);
        }
        let to = self.reg_for_set(r);
        self.into(v, to);
    }

    /// Frees a local for a value that is all that is left to compute, if that reads it: what it
    /// finds in there it uses in its place.
    fn make_way(&mut self, v: V) -> bool {
        let at = self.farthest();
        let Some(old) = at.and_then(|at| self.locals[at].guest) else { return false };
        let Some(at) = at.filter(|_| self.depends(v, old)) else { return false };
        let written = self.written >> old & 1 != 0;
        if written || !self.is_dead_behind(old) {
            self.write_back(at);
        }
        self.locals[at] = Local::default();
        for node in self.nodes.iter_mut().filter(|n| **n == Node::Reg(old)) {
            *node = Node::Host(PLACES[at]);
        }
        true
    }

    /// A constant that fits into a sign-extended field of 32 bits.
    fn small_imm(&self, v: V) -> Option<i32> {
        match self.node(v) {
            Node::Imm(x) => i32::try_from(x as i64).ok(),
            _ => None,
        }
    }

    /// Writes the last instruction again with `to` as its destination instead of `host`.
    fn redefine(&mut self, host: Reg, to: Reg) -> bool {
        let Some((temp, start, end, def)) = self.last.take() else {
            return false;
        };
        if temp != host || end != self.asm.pos() {
            return false;
        }
        self.asm.code.truncate(start);
        match def {
            LastDef::Mov { from } => self.asm.mov(Q, to, from),
            LastDef::Load { form, width, mem, cold_mov } => {
                form.rm(&mut self.asm, width, to, Rm::Mem(mem));
                if let Some(cold_mov) = cold_mov {
                    self.cold.code.truncate(cold_mov);
                    self.end_slow_load(form, width, to);
                }
            }
        }
        // The local is free again.
        if let Some(at) = PLACES.iter().position(|&l| l == host) {
            self.temps &= !(1 << at);
        }
        true
    }
}
