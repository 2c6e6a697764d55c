//! How a block ends, and the ways out in its middle.

use super::asm::{Alu, D, Mem, Q, Rm, Sink, cc, form};
use super::emit::{Emit, Node, V};
use super::flags_image::store_image;
use super::layout;
use super::regs::*;
use super::stubs::Stubs;
use crate::builder::{Bin, Flow, Width};
use crate::cache::jumps;
use crate::guest::Guest;
use crate::mmu::PAGE_BITS;

impl<G: Guest> Emit<'_, G> {
    /// Ends an instruction; true if the block ends with it. `follow`: the address of what is
    /// emitted behind it; it is the last if there is nothing.
    pub(super) fn end_insn(&mut self, flow: Flow<V>, follow: Option<u64>) -> bool {
        let last = follow.is_none();
        match flow {
            Flow::Next => {
                self.commit(&[]);
                if last {
                    self.flush_out();
                    self.leave_to(self.at.next());
                }
                last
            }
            Flow::Goto(target) if follow == Some(target) => {
                self.commit(&[]);
                self.check_on_the_way(target);
                false
            }
            Flow::Goto(target) => {
                self.commit(&[]);
                if last && self.peeling {
                    self.begin_head();
                } else if !self.loop_always(target) {
                    self.flush_out();
                    self.check_request(target, target);
                    self.leave_to(target);
                }
                true
            }
            Flow::Jump(target) => {
                self.commit(&[target]);
                match self.imm_of(target) {
                    Some(target) if follow == Some(target) => {
                        self.check_on_the_way(target);
                        false
                    }
                    _ => {
                        self.jump(target);
                        true
                    }
                }
            }
            Flow::Branch(condition, target) => {
                // An instruction that only branches may be done again.
                let mut again = self.sets.is_empty();
                if let Node::Flag(_) = self.node(condition) {
                    // Nothing comes between the flags and the jump.
                    again &= target > self.at.pc;
                }
                self.commit(&[condition]);
                if last && self.peeling {
                    self.leave_unless(condition);
                    self.begin_head();
                } else if !last || !self.loop_if(condition, target) {
                    self.branch(condition, target, follow, again);
                }
                last
            }
            Flow::ResyncIfAsked => {
                self.commit(&[]);
                self.asm.alu_imm(Alu::Cmp, D, Rm::Mem(layout::resync::<G>()), 0);
                self.jcc_cold(cc::NE);
                self.cold_flush();
                let next = self.at.next();
                self.cold.mov_imm(RAX, next);
                let stub = self.stubs.resync;
                self.cold_jmp(stub);
                if last {
                    self.flush_out();
                    self.leave_to(next);
                }
                last
            }
            Flow::Resync | Flow::Dispatch => {
                self.commit(&[]);
                self.flush_out();
                if flow == Flow::Resync {
                    let next = self.at.next();
                    self.asm.mov_imm(RAX, next);
                    self.asm.store(Q, RAX, layout::field(G::PC));
                }
                let stub = if flow == Flow::Dispatch && !self.direct {
                    self.stubs.dispatch
                } else {
                    self.asm.mov_imm(RAX, crate::jit::Exit::Resync as u64);
                    self.stubs.exit
                };
                self.jmp_stub(stub);
                true
            }
        }
    }

    fn branch(&mut self, condition: V, target: u64, follow: Option<u64>, again: bool) {
        let last = follow.is_none();
        if last {
            self.flush_out();
            if again {
                self.check_request(target, self.at.pc);
            }
        }
        let code = self.truth(condition);
        self.release();
        let (jump, next) = (self.asked_by_jump() != 0, self.asked_next() != 0);
        // Both ways have use for the image only if this is the last branch.
        let taken_back = (last || !next) && !(again && jump && next) && self.take_image(condition);
        let (jump, next) = (jump && taken_back, next && taken_back);
        if last && again {
            if jump {
                self.jcc_cold(code);
                store_image::<G>(&mut self.cold);
                self.cold_leave_to(target);
            } else {
                self.leave_if(code, target);
            }
            self.leave_next(next);
        } else if last {
            let not_taken = self.asm.jcc_near(code ^ 1);
            if jump {
                store_image::<G>(&mut self.asm);
            }
            self.check_request(target, target);
            self.leave_to(target);
            self.asm.bind_near(not_taken);
            self.leave_next(next);
        } else if follow == Some(target) && target != self.at.next() {
            self.leave_on_the_way(code ^ 1, self.at.next(), next);
            self.check_on_the_way(target);
        } else {
            self.leave_on_the_way(code, target, jump);
        }
    }

    /// Behind the last instruction of a path that goes on at its beginning.
    pub(super) fn close(&mut self) {
        if self.peeling {
            self.begin_head();
        } else if !self.loop_always(self.pc) {
            self.flush_out();
            self.check_request(self.pc, self.pc);
            self.leave_to(self.pc);
        }
    }

    /// At a jump back that is followed: leaves if somebody asked for it.
    fn check_on_the_way(&mut self, target: u64) {
        if target > self.at.pc || self.has_checked() {
            return;
        }
        self.checked = true;
        self.keep_image();
        self.asm.alu_imm(Alu::Cmp, D, Rm::Mem(layout::request::<G>()), 0);
        self.jcc_cold(cc::NE);
        self.cold_flush();
        self.cold.mov_imm(RAX, target);
        let stub = self.stubs.request;
        self.cold_jmp(stub);
    }

    /// Goes on behind the block, after storing the flags' image if it is asked for.
    pub(super) fn leave_next(&mut self, image: bool) {
        if image {
            store_image::<G>(&mut self.asm);
        }
        self.leave_to(self.at.next());
    }

    /// In the middle of the code, if the condition holds. The way out writes the locals back, and
    /// the flags' image if it is asked for; the code goes on with them as they are.
    fn leave_on_the_way(&mut self, code: u8, target: u64, image: bool) {
        self.keep_image();
        let back = target <= self.at.pc && !self.has_checked();
        if !image && !back && self.is_up_to_date() {
            self.by_moves(|e| e.leave_if(code, target));
            return;
        }
        self.by_moves(|e| e.jcc_cold(code));
        if image {
            store_image::<G>(&mut self.cold);
        }
        self.cold_flush();
        if back {
            self.cold.alu_imm(Alu::Cmp, D, Rm::Mem(layout::request::<G>()), 0);
            let nobody = self.cold.jcc_short(cc::E);
            self.cold.mov_imm(RAX, target);
            let stub = self.stubs.request;
            self.cold_jmp(stub);
            self.cold.bind(nobody);
        }
        self.cold_leave_to(target);
    }

    /// Behind the first run of a loop: goes on behind the loop if the condition does not hold.
    fn leave_unless(&mut self, condition: V) {
        let code = self.truth(condition);
        self.release();
        self.leave_on_the_way(code ^ 1, self.at.next(), false);
    }

    /// Whether somebody was looked for on the way from the entry to here. A loop does that at its
    /// beginning.
    fn has_checked(&self) -> bool {
        self.checked || self.head.is_some()
    }

    /// At a jump back: leaves if somebody asked for it, to go on at `resume`.
    fn check_request(&mut self, target: u64, resume: u64) {
        if target > self.at.pc || self.has_checked() {
            return;
        }
        self.asm.alu_imm(Alu::Cmp, D, Rm::Mem(layout::request::<G>()), 0);
        self.jcc_cold(cc::NE);
        self.cold.mov_imm(RAX, resume);
        let stub = self.stubs.request;
        self.cold_jmp(stub);
    }

    /// Whether a jump may be patched to go straight there: the mapping of the block's own page
    /// holds for the target too. In user mode there is one mapping, and what is taken out of it
    /// takes its blocks along.
    fn same_page(&self, target: u64) -> bool {
        self.direct || target >> PAGE_BITS == self.pc >> PAGE_BITS
    }

    /// To the code of a guest address, for good.
    pub(super) fn leave_to(&mut self, target: u64) {
        if !self.same_page(target) {
            self.probe(target);
            return;
        }
        self.align_field(1);
        let site = self.here() + 1;
        let rel = self.cold_here().wrapping_sub(site + 4) as i64;
        form::JMP_JZ.j(&mut self.asm, rel as i32);
        self.chain_stub(site, target);
    }

    /// The same, if the condition holds.
    fn leave_if(&mut self, code: u8, target: u64) {
        if self.same_page(target) {
            self.align_field(2);
            let site = self.here() + 2;
            self.jcc_cold(code);
            self.chain_stub(site, target);
        } else {
            self.jcc_cold(code);
            self.cold_probe(target);
        }
    }

    /// The same, from a slow path.
    fn cold_leave_to(&mut self, target: u64) {
        if !self.same_page(target) {
            self.cold_probe(target);
            return;
        }
        let padding = (self.cold_here() + 1).next_multiple_of(4) - (self.cold_here() + 1);
        self.cold.prefixes(padding as usize);
        let site = self.cold_here() + 1;
        // Straight on, until it is patched.
        form::JMP_JZ.j(&mut self.cold, 0);
        self.chain_stub(site, target);
    }

    /// Pads so that the displacement `before` bytes into the next instruction is aligned: it is
    /// replaced at once.
    fn align_field(&mut self, before: u64) {
        let padding = (self.here() + before).next_multiple_of(4) - (self.here() + before);
        self.asm.prefixes(padding as usize);
    }

    /// Where a jump that may be patched goes at first.
    fn chain_stub(&mut self, site: u64, target: u64) {
        let stub = self.stubs.chain;
        self.cold_call(stub);
        let distance = site.wrapping_sub(self.cold_here()) as i32;
        self.cold.put(&distance.to_le_bytes());
        self.cold.put(&target.to_le_bytes());
    }

    /// Where the jump table has an address.
    fn jump_entry(&self, target: u64) -> i32 {
        jumps::index(target, G::INSN_ALIGN, jumps::entries(self.direct)) as i32 * 16
    }

    /// Goes to the code of a constant address in another page by the jump table.
    fn probe(&mut self, target: u64) {
        let entry = self.jump_entry(target);
        self.asm.load(Q, RCX, layout::jumps::<G>());
        self.asm.mov_imm(RAX, target);
        self.asm.alu(Alu::Cmp, Q, RAX, Rm::Mem(Mem::base(RCX, entry)));
        self.jcc_cold(cc::NE);
        form::JMP_EV.m(&mut self.asm, Q, Rm::Mem(Mem::base(RCX, entry + 8)));
        let stub = self.stubs.jump;
        self.cold_jmp(stub);
    }

    fn cold_probe(&mut self, target: u64) {
        let entry = self.jump_entry(target);
        self.cold.load(Q, RCX, layout::jumps::<G>());
        self.cold.mov_imm(RAX, target);
        self.cold.alu(Alu::Cmp, Q, RAX, Rm::Mem(Mem::base(RCX, entry)));
        let miss = self.cold.jcc_short(cc::NE);
        form::JMP_EV.m(&mut self.cold, Q, Rm::Mem(Mem::base(RCX, entry + 8)));
        self.cold.bind(miss);
        let stub = self.stubs.jump;
        self.cold_jmp(stub);
    }

    /// To a computed address, by the jump table.
    fn jump(&mut self, target: V) {
        if let Node::Imm(target) = self.node(target) {
            self.flush_out();
            self.check_request(target, target);
            self.leave_to(target);
            return;
        }
        // Whether an address is odd shows when it is not found: the table has even ones.
        let (address, odd) = match self.node(target) {
            Node::Bin(Bin::And, Width::W64, x, even)
                if G::INSN_ALIGN == 2 && self.imm_of(even) == Some(!1) =>
            {
                (x, true)
            }
            _ => (target, false),
        };
        let at = match self.node(address) {
            Node::Reg(r) if !self.is_free() && self.resident(r).is_some() => self.operand(address),
            Node::Host(host) if !self.is_free() => host,
            _ => {
                self.claim(RAX);
                self.into(address, RAX);
                RAX
            }
        };
        self.flush_out();
        let scale = 4 - G::INSN_ALIGN.trailing_zeros() as u8;
        if scale <= 3 {
            self.asm.lea(D, RCX, Mem { base: None, index: Some((at, scale)), disp: 0 });
        } else {
            self.asm.mov(D, RCX, at);
            form::SHL_EV_IB.mi(&mut self.asm, D, Rm::Reg(RCX), i64::from(scale));
        }
        let mask = (jumps::entries(self.direct) as i32 - 1) << 4;
        self.asm.alu_imm(Alu::And, D, Rm::Reg(RCX), mask);
        self.asm.alu(Alu::Add, Q, RCX, Rm::Mem(layout::jumps::<G>()));
        let Stubs { request, jump: unknown, .. } = *self.stubs;
        if !self.has_checked() {
            self.asm.alu_imm(Alu::Cmp, D, Rm::Mem(layout::request::<G>()), 0);
            self.leave_at(at, odd, request);
        }
        self.asm.alu(Alu::Cmp, Q, at, Rm::Mem(Mem::base(RCX, 0)));
        self.leave_at(at, odd, unknown);
        form::JMP_EV.m(&mut self.asm, Q, Rm::Mem(Mem::base(RCX, 8)));
        self.release();
    }

    /// Unless the comparison said "equal": by a stub, to the guest address in a register. `odd`: the
    /// lowest bit may be set, and does not count.
    fn leave_at(&mut self, address: Reg, odd: bool, stub: usize) {
        self.jcc_cold(cc::NE);
        if address != RAX {
            self.cold.mov(Q, RAX, address);
        }
        if odd {
            self.cold.alu_imm(Alu::And, Q, Rm::Reg(RAX), -2);
        }
        self.cold_jmp(stub);
    }
}
