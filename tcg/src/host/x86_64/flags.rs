//! The guest's arithmetic flags.
//!
//! They cross instructions as an image in the state ([`Guest::FLAGS`]): what `lahf; seto al`
//! leaves in ax. An operation whose flags somebody wants is done by the host instruction that sets
//! the same ones, and the image is stored right behind it; the host's own flags then stay the
//! guest's until something else is emitted, and a condition that is asked for before that uses
//! them. Flags that later instructions of the block overwrite before anybody asks are not made at
//! all: where an instruction between faults, the image is an older one, and becomes right when
//! the program goes on from there.
//!
//! An operation waits until the end of its instruction: by then it is known whether its result
//! goes to a register, and one host instruction gives both.

use super::asm::Form;
use super::emit::{Emit, Node, V};
use super::flags_make::size;
use super::regs::*;
use crate::builder::{FlagOp, Width};
use crate::guest::Guest;
use crate::jit::ahead::Exits;
use crate::jit::probe::{self, Usage};

/// An operation whose flags are not made yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) op: FlagOp,
    pub(super) w: Width,
    pub(super) a: V,
    pub(super) b: V,
    pub(super) r: V,
}

/// A comparison of floating-point numbers: the instruction and its operands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Compared {
    pub(super) form: Form,
    pub(super) x: Reg,
    pub(super) y: Reg,
}

/// What is known about the flags.
#[derive(Debug, Default)]
pub(super) struct Flags {
    pub(super) pending: Option<Pending>,
    /// Where the code ended when the host's flags were the guest's.
    pub(super) resident: Option<usize>,
    /// The code that stored their image, if nothing has read it, and how many rows there were.
    pub(super) saved: Option<(usize, usize, usize)>,
    /// Where the code ends if they are those of a comparison of two numbers.
    pub(super) compared: Option<(usize, Compared)>,
    /// For each instruction of the block the flags that are asked for behind it.
    pub(super) live: Vec<u64>,
    /// Those asked for where it jumps to, if it leaves the block.
    pub(super) jump: Vec<u64>,
    /// Those asked for where it does not.
    pub(super) next: Vec<u64>,
}

impl Flags {
    /// For a block of instructions. Whatever comes behind it may ask for anything.
    pub(super) fn new(usage: &[Usage]) -> Self {
        let last = usage.len().wrapping_sub(1);
        let leaves = |at: usize| at == last || usage[at].branches;
        let asked = |at| if leaves(at) { probe::ALL_FLAGS } else { 0 };
        let jump = (0..usage.len()).map(asked).collect();
        Self::with_exits(usage, &Exits { jump, end: probe::ALL_FLAGS })
    }

    /// For a block of instructions, with what is asked for where it is left.
    fn with_exits(usage: &[Usage], exits: &Exits) -> Self {
        let (mut live, mut next) = (vec![0; usage.len()], vec![0; usage.len()]);
        let jump = exits.jump.clone();
        let mut behind = exits.end;
        for (at, usage) in usage.iter().enumerate().rev() {
            next[at] = behind;
            live[at] = behind | jump[at];
            behind = live[at] & !usage.flags_written | usage.flags_read;
        }
        Self { pending: None, resident: None, saved: None, compared: None, live, jump, next }
    }
}
impl<G: Guest> Emit<'_, G> {
    /// The flags that somebody asks for behind the operation.
    pub(super) fn wanted_flags(&self) -> u64 {
        self.flags.live[self.index] | self.usage[self.index].flags_read
    }

    /// Says which flags are asked for where each instruction leaves the block.
    pub(super) fn look_ahead(&mut self, exits: &Exits) {
        self.flags = Flags::with_exits(&self.usage, exits);
    }

    /// Notes an operation that leaves flags.
    pub(super) fn set_flags(&mut self, op: FlagOp, w: Width, a: V, b: V, r: V) {
        self.finish_flags();
        let count = self.imm_of(b);
        if probe::changed_flags(op, count) & self.wanted_flags() != 0 {
            self.flags.pending = Some(Pending { op, w, a, b, r });
        }
    }

    /// Makes the flags of the waiting operation in the middle of an instruction.
    pub(super) fn finish_flags(&mut self) {
        if let Some(p) = self.flags.pending.take() {
            self.keep_conditions();
            self.make_flags(p);
        }
    }

    /// Before the image changes: computes the conditions that were asked for and not used yet.
    pub(super) fn keep_conditions(&mut self) {
        for at in 0..self.nodes.len() {
            if let Node::Flag(_) = self.nodes[at] {
                self.materialize(V(at as u16));
            }
        }
    }

    pub(super) fn asks_flags(&self, v: V) -> bool {
        match self.node(v) {
            Node::Flag(_) => true,
            Node::Un(_, _, a) => self.asks_flags(a),
            Node::Bin(_, _, a, b) | Node::Cmp(_, _, a, b) => {
                self.asks_flags(a) || self.asks_flags(b)
            }
            Node::Select(a, b, c) => self.asks_flags(a) || self.asks_flags(b) || self.asks_flags(c),
            _ => false,
        }
    }

    /// Does the waiting operation at the end of its instruction; true if that was the only
    /// register write too. `later` are values still to be used.
    pub(super) fn commit_flags(&mut self, sets: &[(u8, V)], later: &[V]) -> bool {
        let Some(p) = self.flags.pending.take() else { return false };
        if let [(r, v)] = *sets
            && !later.iter().any(|&v| self.depends(v, r) || self.asks_flags(v))
            && let Some(make) = self.recognize(p)
            && self.is_result(r, v, p, make)
        {
            let reads_itself = [p.a, p.b, v].iter().any(|&v| self.depends(v, r));
            if self.pin(r).is_none() && reads_itself {
                self.reg(r);
            }
            // All of it is made, from registers that may lack their extensions.
            self.shorten(r, v);
            let to = self.reg_for_set(r);
            self.make(make, size(p.w), to);
            self.save_flags(p.op);
            self.release();
            return true;
        }
        for v in sets.iter().map(|s| s.1).chain(later.iter().copied()) {
            if self.asks_flags(v) {
                self.materialize(v);
            }
        }
        self.make_flags(p);
        false
    }

    /// The flags that are asked for where the present instruction does not jump.
    pub(super) fn asked_next(&self) -> u64 {
        self.flags.next[self.index]
    }

    /// The flags that are asked for where the present instruction jumps to.
    pub(super) fn asked_by_jump(&self) -> u64 {
        self.flags.jump[self.index]
    }
}
