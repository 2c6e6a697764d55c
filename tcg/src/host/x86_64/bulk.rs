//! Moving and filling memory in user mode, by the host's own instructions.
//!
//! The registers of the guest say at any time what is left, and so do the host's: when an access
//! faults in the middle they go back to where they belong, and the interpreter goes on from there.

use super::asm::{Alu, Asm, B, D, Form, Q, Rm, W, Width, cc, form};
use super::emit::Emit;
use super::regs::*;
use super::stubs::Writer;
use super::{layout, pins};
use crate::guest::{Bulk, BulkRegisters, Guest};

/// Offsets in the code buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct BulkStubs {
    /// Called in place of a helper's, with that in rax: fills and moves, by size.
    entries: [[usize; 4]; 2],
    /// The first of them, and behind the last.
    pub(super) start: usize,
    pub(super) end: usize,
    /// Where a fault in them goes on.
    pub(super) fault: usize,
}

impl BulkStubs {
    /// All of them, for listings.
    pub(super) fn named(&self) -> impl Iterator<Item = (String, usize)> {
        let all = ["fill", "move"].into_iter().zip(self.entries);
        all.flat_map(|(name, entries)| {
            (0..).zip(entries).map(move |(size, at)| (format!("{name}{}", 8 << size), at))
        })
    }
}

/// Elements done at once at most: requests wait for them.
const AT_ONCE: i32 = 1 << 16;

/// Holds what rdi held: no scratch register, because a handler that sends a thread elsewhere uses
/// those. What was allocated here is in the state.
const KEPT: Reg = LOCALS[0];

/// The host's instructions, by size.
const FILL: [(Form, Width); 4] =
    [(form::STOS_YB_AL, B), (form::STOS_YV_RAX, W), (form::STOS_YV_RAX, D), (form::STOS_YV_RAX, Q)];
const MOVE: [(Form, Width); 4] =
    [(form::MOVS_YB_XB, B), (form::MOVS_YV_XV, W), (form::MOVS_YV_XV, D), (form::MOVS_YV_XV, Q)];

/// Where the guest's registers are.
struct Hosts {
    count: Reg,
    from: Reg,
    to: Reg,
    value: Reg,
}

fn host<G: Guest>(r: u8) -> Option<Reg> {
    pins::<G>().find(|&(_, _, guest)| guest == r).map(|(_, host, _)| host)
}

impl<G: Guest> Writer<G> {
    /// Writes the stubs, if the guest's registers are where these expect them: all pinned, and only
    /// the count in one of the registers that the host's instructions use.
    pub(super) fn bulk(&mut self) -> Option<BulkStubs> {
        let registers = G::BULK?;
        let BulkRegisters { count, from, to, value, .. } = registers;
        let hosts = Hosts {
            count: host::<G>(count)?,
            from: host::<G>(from)?,
            to: host::<G>(to)?,
            value: host::<G>(value)?,
        };
        if hosts.count != RSI || [hosts.from, hosts.to, hosts.value].contains(&RDI) {
            return None;
        }
        let start = self.here();
        let mut entries = [[0; 4]; 2];
        for (instructions, entries) in [FILL, MOVE].into_iter().zip(&mut entries) {
            for ((form, size), entry) in instructions.into_iter().zip(entries) {
                *entry = self.here();
                self.bulk_stub(&hosts, registers.down, |asm| form.rep().nw(asm, size));
            }
        }
        let end = self.asm.pos();
        let fault = self.here();
        self.settle(&hosts);
        self.asm.alu_imm(Alu::Add, Q, Rm::Reg(RSP), 8);
        self.asm.load(Q, RAX, layout::field(G::PC));
        let interpret = self.stubs.interpret;
        self.jmp(interpret);
        Some(BulkStubs { entries, start, end, fault })
    }

    fn bulk_stub(&mut self, hosts: &Hosts, down: usize, go: impl FnOnce(&mut Asm)) {
        self.asm.alu_imm(Alu::Cmp, Q, Rm::Reg(hosts.count), AT_ONCE);
        let many = self.asm.jcc_near(cc::A);
        self.asm.alu_imm(Alu::Cmp, Q, Rm::Mem(layout::field(down)), 0);
        let down = self.asm.jcc_near(cc::NE);
        self.asm.mov(Q, RCX, hosts.count);
        self.asm.mov(Q, KEPT, RDI);
        self.asm.mov(Q, RAX, hosts.value);
        self.asm.mov(Q, RSI, hosts.from);
        self.asm.mov(Q, RDI, hosts.to);
        go(&mut self.asm);
        self.settle(hosts);
        form::RET.n(&mut self.asm);
        self.asm.bind_near(many);
        self.asm.bind_near(down);
        let call = self.stubs.call_registers;
        self.jmp(call);
    }

    /// The guest's registers where they belong.
    fn settle(&mut self, hosts: &Hosts) {
        self.asm.mov(Q, hosts.from, RSI);
        self.asm.mov(Q, hosts.to, RDI);
        self.asm.mov(Q, RDI, KEPT);
        self.asm.mov(Q, hosts.count, RCX);
    }
}

impl<G: Guest> Emit<'_, G> {
    /// What to call for it, the helper in rax.
    pub(super) fn bulk_stub(&self, bulk: Bulk) -> usize {
        let entry =
            |stubs: BulkStubs| stubs.entries[usize::from(bulk.moves)][usize::from(bulk.size & 3)];
        self.stubs.bulk.map_or(self.stubs.call_registers, entry)
    }
}
