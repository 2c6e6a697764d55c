//! The guest's arithmetic flags.

use super::asm::Q;
use super::emit::{Emit, Node, V};
use super::layout;
use super::regs::*;
use crate::builder::{FlagOp, Width};
use crate::guest::Guest;

impl<G: Guest> Emit<'_, G> {
    /// The flags image of an operation.
    pub(super) fn flags_image(&mut self, op: FlagOp, w: Width, a: V, b: V, r: V) -> V {
        self.spill_arg(a, 1);
        self.spill_arg(b, 2);
        self.spill_arg(r, 3);
        let old = self.push(Node::Field(G::FLAGS));
        self.spill_arg(old, 4);
        self.asm.mov_imm(RAX, op as u64 | (w as u64) << 8);
        self.asm.store(Q, RAX, layout::spill::<G>(0));
        self.asm.mov_imm(RAX, super::calls::soft_flags as *const () as u64);
        let stub = self.calls().pure;
        self.call_stub(stub);
        self.result_from(RAX)
    }
}
