//! Atomic accesses to guest memory.

use super::asm::{Alu, D, Form, Mem, Q, Rm, cc, form};
use super::calls::rmw_number;
use super::emit::{Emit, Node, V};
use super::layout;
use super::memory::{Va, load_form, operand_size};
use super::regs::*;
use crate::builder::{MemOp, Rmw};
use crate::guest::Guest;

impl<G: Guest> Emit<'_, G> {
    /// The place of an atomic access, which rax and rdx are no part of.
    fn atomic_place(&mut self, va: Va, m: MemOp) -> Rm {
        let mem =
            self.look_up(va, MemOp { aligned: !(self.direct && G::SPLIT_ATOMICS), ..m }, true);
        self.ordered = !self.alone;
        if self.direct {
            return Rm::Mem(mem);
        }
        self.asm.lea(Q, RCX, mem);
        Rm::Mem(Mem::base(RCX, 0))
    }

    pub(super) fn rmw_value(&mut self, op: Rmw, v: V, value: V, m: MemOp) -> V {
        let value = self.operand_kept(value);
        let va = self.address(v);
        let old = self.temp();
        let memory = self.atomic_place(va, m);
        let size = operand_size(m);
        match op {
            Rmw::Swap => {
                // Locked without the prefix.
                self.asm.mov(Q, RAX, value);
                let form = if m.size == 0 { form::XCHG_EB_GB } else { form::XCHG_EV_GV };
                self.access();
                form.rm(&mut self.asm, size, RAX, memory);
            }
            Rmw::Add => {
                self.asm.mov(Q, RAX, value);
                self.locked(form::XADD_EV_GV, form::XADD_EB_GB, m, RAX, memory);
            }
            _ => self.rmw_loop(op, value, m, memory),
        }
        let (form, width) = load_form(m);
        form.rm(&mut self.asm, width, old, Rm::Reg(RAX));
        self.cold_rmw(Some(op), va, value, m, Some(old));
        self.release();
        self.push(Node::Host(old))
    }

    /// The same without the old value: the host has one instruction for more operations then.
    pub(super) fn update_value(&mut self, op: Rmw, v: V, value: V, m: MemOp) {
        let (wide, byte) = match op {
            Rmw::Add => (form::ADD_EV_GV, form::ADD_EB_GB),
            Rmw::And => (form::AND_EV_GV, form::AND_EB_GB),
            Rmw::Or => (form::OR_EV_GV, form::OR_EB_GB),
            Rmw::Xor => (form::XOR_EV_GV, form::XOR_EB_GB),
            Rmw::Swap | Rmw::Min | Rmw::Max | Rmw::Minu | Rmw::Maxu => {
                self.rmw_value(op, v, value, m);
                return;
            }
        };
        let value = self.operand_kept(value);
        let va = self.address(v);
        let memory = self.atomic_place(va, m);
        self.locked(wide, byte, m, value, memory);
        self.cold_rmw(Some(op), va, value, m, None);
        self.release();
    }

    /// A locked access to memory: the form for its size.
    fn locked(&mut self, wide: Form, byte: Form, m: MemOp, reg: Reg, memory: Rm) {
        let form = if m.size == 0 { byte } else { wide };
        self.access();
        self.locks.push(self.asm.pos());
        form.locked().rm(&mut self.asm, operand_size(m), reg, memory);
    }

    /// The slow path of an atomic access, a compare-and-exchange if there is no `op`.
    fn cold_rmw(&mut self, op: Option<Rmw>, va: Va, value: Reg, m: MemOp, old: Option<Reg>) {
        if self.direct && m.size == 0 {
            return;
        }
        self.cold.mov(Q, RDX, value);
        self.cold_address(va);
        self.cold.mov_imm(RAX, u64::from(rmw_number(op, m)));
        let stub = self.calls().rmw;
        self.cold_access(stub);
        if let Some(old) = old {
            self.cold.mov(Q, old, RAX);
        }
        self.cold_back();
    }

    /// rax = old value, by compare-and-exchange until nobody came between.
    fn rmw_loop(&mut self, op: Rmw, value: Reg, m: MemOp, memory: Rm) {
        let size = operand_size(m);
        let load = load_form(MemOp { signed: matches!(op, Rmw::Min | Rmw::Max), ..m });
        form::PREFETCHW_MB.m(&mut self.asm, D, memory);
        self.access();
        load.0.rm(&mut self.asm, load.1, RAX, memory);
        let again = self.asm.pos();
        let compare = if size == Q { Q } else { D };
        match op {
            Rmw::And | Rmw::Or | Rmw::Xor => {
                let alu = match op {
                    Rmw::And => Alu::And,
                    Rmw::Or => Alu::Or,
                    _ => Alu::Xor,
                };
                self.asm.mov(Q, RDX, RAX);
                self.asm.alu(alu, Q, RDX, Rm::Reg(value));
            }
            _ => {
                // For sizes below 32 bits both operands would need extending first; the guests
                // that have such atomics take the slow path for them.
                self.asm.mov(Q, RDX, RAX);
                self.asm.alu(Alu::Cmp, compare, RAX, Rm::Reg(value));
                let replace = match op {
                    Rmw::Min => cc::G,
                    Rmw::Max => cc::L,
                    Rmw::Minu => cc::A,
                    _ => cc::B,
                };
                self.asm.cmov(replace, RDX, value);
            }
        }
        self.locked(form::CMPXCHG_EV_GV, form::CMPXCHG_EB_GB, m, RDX, memory);
        self.asm.jcc_back(cc::NE, again);
    }

    pub(super) fn cas_value(&mut self, v: V, old: V, new: V, m: MemOp) -> V {
        // The slow path finds the expected value in the first spill slot.
        self.spill_arg(old, 0);
        let new = self.operand_kept(new);
        let va = self.address(v);
        let found = self.temp();
        let memory = self.atomic_place(va, m);
        self.asm.load(Q, RAX, layout::spill::<G>(0));
        self.locked(form::CMPXCHG_EV_GV, form::CMPXCHG_EB_GB, m, new, memory);
        let (extend, width) = load_form(m);
        extend.rm(&mut self.asm, width, found, Rm::Reg(RAX));
        self.cold_rmw(None, va, new, m, Some(found));
        self.release();
        self.push(Node::Host(found))
    }
}
