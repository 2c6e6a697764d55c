//! Code that all blocks share: entry and exit, and the ways into Rust.
//!
//! The ways into Rust take the guest virtual address in rcx, a value in rdx and a number in eax,
//! give a value in rax and keep everything else. When the callee raises an exception they do not
//! return: they leave translated code, the return address in `hot.exit[1]` saying where.

use super::asm::{Alu, Asm, D, Form, Mem, Q, Rm, cc, form};
use super::bulk::BulkStubs;
use super::layout;
use super::regs::*;
use super::syscall_stub::SystemCall;
use super::{calls, load_vec, pins, store_vec};
use crate::cache::jumps;
use crate::guest::Guest;
use crate::jit::Exit;
use crate::user::HostCalls;
use crate::vcpu::LOOK_UP;

/// Offsets of the stubs in the code buffer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stubs {
    /// `extern "sysv64" fn(core, code) -> exit`.
    pub(super) enter: usize,
    /// Leaves with the exit number in eax.
    pub(super) exit: usize,
    /// Called, with the place of the jump and the guest address behind the call: leaves with
    /// [`Exit::Chain`].
    pub(super) chain: usize,
    /// Leaves with [`Exit::Jump`] to the guest address in rax.
    pub(super) jump: usize,
    /// Leaves with [`Exit::Request`] at the guest address in rax.
    pub(super) request: usize,
    /// Does what a helper asked for: leaves with [`Exit::Resync`] at the guest address in rax, or
    /// goes to its code.
    pub(super) resync: usize,
    /// Goes to the code of the program counter in the state; leaves with [`Exit::Resync`] if a
    /// helper asked for it.
    pub(super) dispatch: usize,
    /// Leaves with [`Exit::Interpret`] at the guest address in rax.
    pub(super) interpret: usize,
    /// Where a fault of a guest access, at the host address in rax, goes on: leaves with
    /// [`Exit::Fault`].
    pub(super) fault: usize,
    /// User mode: jumped to at a system call, the state up to date but for the pins, the helper for
    /// [`Exit::Call`] in `hot.exit[0]`.
    pub(super) system_call: Option<SystemCall>,
    /// User mode: what moves and fills memory, if the guest has instructions for it.
    pub(super) bulk: Option<BulkStubs>,
    /// Constants.
    pub(super) pool: usize,
    /// The ways into Rust: those that keep all vector registers, and those for code that has
    /// none allocated.
    pub(super) calls: [Calls; 2],
    /// Helper at rax, which may touch registers; allocated registers must be in the state.
    pub(super) call_registers: usize,
}

/// Ways into Rust.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Calls {
    /// Loads, by size.
    pub(super) load: [usize; 4],
    /// Loads that must be aligned, by size.
    pub(super) load_aligned: [usize; 4],
    /// Stores, by size.
    pub(super) store: [usize; 4],
    /// Stores that must be aligned, by size.
    pub(super) store_aligned: [usize; 4],
    /// Atomic operation eax.
    pub(super) rmw: usize,
    /// Helper at rax, which touches fields only.
    pub(super) call_fields: usize,
    /// The pure function at rax, on the spill slots.
    pub(super) pure: usize,
    /// Floating-point operation eax in software.
    pub(super) fp: usize,
    /// Access eax to a vector in the first spill slot.
    pub(super) vector_access: usize,
    /// Vector operation rax in software, on the spill slots for vectors.
    pub(super) vector: usize,
}

/// What a call into Rust passes behind the core.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Args {
    /// rcx, a constant.
    Address(u32),
    /// rcx, a constant, rdx.
    AddressValue(u32),
    /// rcx, eax, rdx.
    AddressNumberValue,
    /// rax.
    Number,
}

pub(super) struct Writer<G> {
    /// User mode.
    direct: bool,
    pub(super) asm: Asm,
    guest: std::marker::PhantomData<G>,
    pub(super) stubs: Stubs,
    exit_saved: usize,
}

/// Makes the stubs, to be placed at the start of the code buffer.
pub(super) fn write<G: Guest>(user: Option<&HostCalls>) -> (Vec<u8>, Stubs) {
    let mut w = Writer::<G> {
        direct: user.is_some(),
        asm: Asm::default(),
        guest: std::marker::PhantomData,
        stubs: Stubs::default(),
        exit_saved: 0,
    };
    w.stubs.enter = w.here();
    w.enter();
    w.stubs.exit = w.here();
    w.exit();
    w.stubs.chain = w.here();
    w.chain();
    w.stubs.jump = w.exit_at(Exit::Jump);
    w.stubs.request = w.exit_at(Exit::Request);
    let resync = w.exit_at(Exit::Resync);
    w.look_up(resync);
    w.stubs.interpret = w.exit_at(Exit::Interpret);
    w.stubs.fault = w.fault();
    w.stubs.calls = [w.calls(true), w.calls(false)];
    w.stubs.call_registers = w.here();
    w.call_registers(calls::helper_of_registers::<G> as *const () as u64);
    w.stubs.system_call = user.map(|calls| w.system_call(calls));
    w.stubs.bulk = user.and_then(|_| w.bulk());
    w.stubs.pool = w.here();
    w.asm.code.extend(super::pool::bytes());
    (w.asm.code, w.stubs)
}

const CALLEE_SAVED: [Reg; 6] = [RBX, RBP, R12, R13, R14, R15];

impl<G: Guest> Writer<G> {
    pub(super) fn here(&mut self) -> usize {
        let padding = self.asm.pos().next_multiple_of(16) - self.asm.pos();
        self.asm.nops(padding);
        self.asm.pos()
    }

    fn mxcsr(&mut self, form: Form, m: Mem) {
        form.m(&mut self.asm, D, Rm::Mem(m));
    }

    fn enter(&mut self) {
        let asm = &mut self.asm;
        for r in CALLEE_SAVED {
            form::PUSH_ZV.o(asm, Q, r);
        }
        asm.alu_imm(Alu::Sub, Q, Rm::Reg(RSP), 8);
        asm.mov(Q, RAX, RSI);
        asm.lea(Q, RBP, Mem::base(RDI, BIAS));
        self.mxcsr(form::LDMXCSR_MD, layout::guest_mxcsr::<G>());
        self.load_pins(0);
        self.load_vector_pins();
        form::JMP_EV.m(&mut self.asm, Q, Rm::Reg(RAX));
    }

    fn exit(&mut self) {
        self.store_pins(PINS_SAVED, PINS.len());
        self.store_vector_pins();
        self.mxcsr(form::STMXCSR_MD, layout::guest_mxcsr::<G>());
        self.mxcsr(form::LDMXCSR_MD, layout::host_mxcsr::<G>());
        // From here on for those whose caller-saved registers are in the state already.
        self.exit_saved = self.asm.pos();
        self.store_pins(0, PINS_SAVED);
        let asm = &mut self.asm;
        asm.alu_imm(Alu::Add, Q, Rm::Reg(RSP), 8);
        for r in CALLEE_SAVED.iter().rev() {
            form::POP_ZV.o(asm, Q, *r);
        }
        form::RET.n(asm);
    }

    pub(super) fn jmp(&mut self, target: usize) {
        let rel = target as i64 - (self.asm.pos() as i64 + 5);
        form::JMP_JZ.j(&mut self.asm, rel as i32);
    }

    /// Behind the call lie four bytes, the distance to the jump from there, and eight, the guest
    /// address.
    fn chain(&mut self) {
        let asm = &mut self.asm;
        form::POP_ZV.o(asm, Q, RCX);
        form::MOVSXD_GV_EZ.rm(asm, Q, RAX, Rm::Mem(Mem::base(RCX, 0)));
        asm.alu(Alu::Add, Q, RAX, Rm::Reg(RCX));
        asm.store(Q, RAX, layout::exit::<G>(0));
        asm.load(Q, RAX, Mem::base(RCX, 4));
        asm.store(Q, RAX, layout::field(G::PC));
        asm.mov_imm(RAX, Exit::Chain as u64);
        let exit = self.stubs.exit;
        self.jmp(exit);
    }

    fn exit_at(&mut self, exit: Exit) -> usize {
        let at = self.here();
        self.asm.store(Q, RAX, layout::field(G::PC));
        self.asm.mov_imm(RAX, exit as u64);
        let exit = self.stubs.exit;
        self.jmp(exit);
        at
    }

    /// Two ways to the code of a guest address by the jump table; `resync`: where to go if more
    /// than that was asked for.
    fn look_up(&mut self, resync: usize) {
        let Stubs { request, jump, .. } = self.stubs;
        self.stubs.dispatch = self.here();
        self.asm.load(Q, RAX, layout::field(G::PC));
        self.asm.alu_imm(Alu::Cmp, D, Rm::Mem(layout::resync::<G>()), 0);
        let calm = self.asm.jcc_short(cc::E);
        self.jmp(resync);
        self.stubs.resync = self.here();
        self.asm.alu_imm(Alu::Cmp, D, Rm::Mem(layout::resync::<G>()), LOOK_UP as i32);
        self.jump_if(cc::NE, resync);
        let asm = &mut self.asm;
        asm.store_imm(Q, layout::resync::<G>(), 0);
        asm.bind(calm);
        asm.alu_imm(Alu::Cmp, D, Rm::Mem(layout::request::<G>()), 0);
        self.jump_if(cc::NE, request);
        let asm = &mut self.asm;
        asm.mov(D, RCX, RAX);
        form::SHL_EV_IB.mi(asm, D, Rm::Reg(RCX), 4 - i64::from(G::INSN_ALIGN.trailing_zeros()));
        asm.alu_imm(Alu::And, D, Rm::Reg(RCX), (jumps::entries(self.direct) as i32 - 1) << 4);
        asm.alu(Alu::Add, Q, RCX, Rm::Mem(layout::jumps::<G>()));
        asm.alu(Alu::Cmp, Q, RAX, Rm::Mem(Mem::base(RCX, 0)));
        self.jump_if(cc::NE, jump);
        form::JMP_EV.m(&mut self.asm, Q, Rm::Mem(Mem::base(RCX, 8)));
    }

    fn jump_if(&mut self, code: u8, target: usize) {
        let over = self.asm.jcc_short(code ^ 1);
        self.jmp(target);
        self.asm.bind(over);
    }

    fn fault(&mut self) -> usize {
        let at = self.here();
        self.asm.store(Q, RAX, layout::exit::<G>(1));
        for r in LOCALS {
            self.asm.store(Q, r, layout::saved::<G>(r));
        }
        for r in XLOCALS {
            store_vec::<G>(&mut self.asm, r, layout::saved_vec::<G>(r));
        }
        self.asm.mov_imm(RAX, Exit::Fault as u64);
        let exit = self.stubs.exit;
        self.jmp(exit);
        at
    }

    pub(super) fn store_pins(&mut self, from: usize, to: usize) {
        for (_, host, guest) in pins::<G>().filter(|(at, ..)| (from..to).contains(at)) {
            self.asm.store(Q, host, layout::int::<G>(guest));
        }
    }

    pub(super) fn load_pins(&mut self, from: usize) {
        for (_, host, guest) in pins::<G>().filter(|(at, ..)| *at >= from) {
            self.asm.load(Q, host, layout::int::<G>(guest));
        }
    }

    fn store_vector_pins(&mut self) {
        for (host, &guest) in XPINS.iter().zip(G::FP.pins) {
            store_vec::<G>(&mut self.asm, *host, layout::vec::<G>(guest));
        }
    }

    fn load_vector_pins(&mut self) {
        for (host, &guest) in XPINS.iter().zip(G::FP.pins) {
            load_vec::<G>(&mut self.asm, *host, layout::vec::<G>(guest));
        }
    }

    /// Enters Rust with the stack aligned; our control word, not the guest's.
    fn call_rust(&mut self, function: u64, args: Args) {
        let asm = &mut self.asm;
        match args {
            Args::Number => asm.mov(Q, RSI, RAX),
            Args::Address(n) => {
                asm.mov(Q, RSI, RCX);
                asm.mov_imm(RDX, u64::from(n));
            }
            Args::AddressValue(n) => {
                asm.mov(Q, RSI, RCX);
                asm.mov(Q, RCX, RDX);
                asm.mov_imm(RDX, u64::from(n));
            }
            Args::AddressNumberValue => {
                asm.mov(Q, RSI, RCX);
                asm.mov(Q, RCX, RDX);
                asm.mov(D, RDX, RAX);
            }
        }
        self.mxcsr(form::STMXCSR_MD, layout::guest_mxcsr::<G>());
        self.mxcsr(form::LDMXCSR_MD, layout::host_mxcsr::<G>());
        let asm = &mut self.asm;
        asm.lea(Q, RDI, Mem::base(RBP, -BIAS));
        asm.mov_imm(RAX, function);
        form::CALL_EV.m(asm, Q, Rm::Reg(RAX));
    }

    /// After the call: back to the block, or out of it.
    fn back_or_out(&mut self, restore: impl FnOnce(&mut Self)) {
        self.asm.test(D, RDX, RDX);
        let failed = self.asm.jcc_near(cc::NE);
        self.mxcsr(form::LDMXCSR_MD, layout::guest_mxcsr::<G>());
        restore(self);
        self.asm.alu_imm(Alu::Add, Q, Rm::Reg(RSP), 8);
        form::RET.n(&mut self.asm);
        self.asm.bind_near(failed);
        self.out(Exit::Exception);
    }

    /// Leaves with the exception that the callee raised; the return address says where.
    fn out(&mut self, exit: Exit) {
        let asm = &mut self.asm;
        asm.load(Q, RCX, Mem::base(RSP, 8));
        asm.store(Q, RCX, layout::exit::<G>(1));
        asm.alu_imm(Alu::Add, Q, Rm::Reg(RSP), 16);
        asm.mov_imm(RAX, exit as u64);
        let exit = self.exit_saved;
        self.jmp(exit);
    }

    fn calls(&mut self, vectors: bool) -> Calls {
        let mut c = Calls::default();
        for size in 0..4u8 {
            let (args, at) = (Args::Address(u32::from(size)), usize::from(size));
            c.load[at] = self.call(calls::load::<G> as *const () as u64, args, vectors);
            c.load_aligned[at] =
                self.call(calls::load_aligned::<G> as *const () as u64, args, vectors);
            let args = Args::AddressValue(u32::from(size));
            c.store[at] = self.call(calls::store::<G> as *const () as u64, args, vectors);
            c.store_aligned[at] =
                self.call(calls::store_aligned::<G> as *const () as u64, args, vectors);
        }
        let args = Args::AddressNumberValue;
        c.rmw = self.call(calls::rmw::<G> as *const () as u64, args, vectors);
        let access = calls::vector_access::<G> as *const () as u64;
        c.vector_access = self.call(access, args, vectors);
        let args = Args::Number;
        c.call_fields = self.call(calls::helper::<G> as *const () as u64, args, vectors);
        c.fp = self.call(calls::fp::<G> as *const () as u64, args, vectors);
        c.vector = self.call(calls::vector::<G> as *const () as u64, args, vectors);
        c.pure = self.call(calls::pure::<G> as *const () as u64, args, vectors);
        c
    }

    fn call(&mut self, function: u64, args: Args, vectors: bool) -> usize {
        let allocated = if vectors { &XLOCALS[..] } else { &[] };
        let at = self.here();
        self.asm.alu_imm(Alu::Sub, Q, Rm::Reg(RSP), 8);
        self.store_pins(PINS_SAVED, PINS.len());
        for r in LOCALS {
            self.asm.store(Q, r, layout::saved::<G>(r));
        }
        self.store_vector_pins();
        for &r in allocated {
            store_vec::<G>(&mut self.asm, r, layout::saved_vec::<G>(r));
        }
        self.call_rust(function, args);
        self.back_or_out(|w| {
            w.load_pins(PINS_SAVED);
            for r in LOCALS {
                w.asm.load(Q, r, layout::saved::<G>(r));
            }
            w.load_vector_pins();
            for &r in allocated {
                load_vec::<G>(&mut w.asm, r, layout::saved_vec::<G>(r));
            }
        });
        at
    }

    fn call_registers(&mut self, function: u64) {
        self.asm.alu_imm(Alu::Sub, Q, Rm::Reg(RSP), 8);
        self.store_pins(0, PINS.len());
        self.store_vector_pins();
        self.call_rust(function, Args::Number);
        // The state is complete, and the pins are out of date: also on the way out.
        self.asm.test(D, RDX, RDX);
        self.load_pins(0);
        let failed = self.asm.jcc_near(cc::NE);
        self.mxcsr(form::LDMXCSR_MD, layout::guest_mxcsr::<G>());
        self.load_vector_pins();
        self.asm.alu_imm(Alu::Add, Q, Rm::Reg(RSP), 8);
        form::RET.n(&mut self.asm);
        self.asm.bind_near(failed);
        self.asm.alu_imm(Alu::Cmp, D, Rm::Reg(RDX), calls::ENTERED);
        let raised = self.asm.jcc_near(cc::NE);
        self.mxcsr(form::LDMXCSR_MD, layout::guest_mxcsr::<G>());
        self.load_vector_pins();
        self.asm.alu_imm(Alu::Add, Q, Rm::Reg(RSP), 16);
        let dispatch = self.stubs.dispatch;
        self.jmp(dispatch);
        self.asm.bind_near(raised);
        self.out(Exit::Raised);
    }
}
