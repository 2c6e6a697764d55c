//! System calls that translated code makes of the host's kernel without leaving: those that get the
//! guest's arguments as they are.
//!
//! As in [`super::syscall`] a call is made between two labels behind a look at whether somebody wants
//! the thread: a handler that finds it there sends it to where the call was not made. During the call
//! the thread counts as outside of `run`, because it may last. What follows it is looked up as behind
//! a computed jump: everything that was cached may be gone.

use super::asm::{Alu, B, D, Mem, Q, Rm, cc, form};
use super::regs::*;
use super::stubs::Writer;
use super::{layout, pins};
use crate::cache::jumps;
use crate::guest::Guest;
use crate::jit::Exit;
use crate::user::HostCalls;

/// Offsets in the code buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct SystemCall {
    /// Where it begins.
    pub(super) entry: usize,
    /// The look at requests, and behind the call.
    pub(super) start: usize,
    pub(super) end: usize,
    /// Where the call was not made.
    pub(super) restart: usize,
}

/// Where the host's kernel takes arguments from.
const ARGS: [Reg; 6] = [RDI, RSI, RDX, R10, R8, R9];

impl<G: Guest> Writer<G> {
    /// Writes the stub.
    pub(super) fn system_call(&mut self, calls: &HostCalls) -> SystemCall {
        let entry = self.here();
        self.store_pins(PINS_SAVED, PINS.len());
        self.value_of(G::SYSCALL.number, RAX);
        // A table is not longer than some hundred entries.
        self.asm.alu_imm(Alu::Cmp, Q, Rm::Reg(RAX), calls.numbers.len() as i32);
        let unknown = self.asm.jcc_near(cc::AE);
        self.asm.mov_imm(RCX, calls.numbers.as_ptr() as u64);
        let number = Mem::indexed(RCX, RAX, 1, 0);
        form::MOVSX_GV_EW.rm(&mut self.asm, D, RAX, Rm::Mem(number));
        self.asm.test(D, RAX, RAX);
        let not_passed = self.asm.jcc_near(cc::S);
        self.code_pages(calls);
        let writes = self.asm.jcc_near(cc::NE);

        for (to, r) in ARGS.into_iter().zip(G::SYSCALL.args) {
            self.value_of(r, to);
        }
        self.asm.store_imm(B, layout::inside::<G>(), 0);
        let start = self.asm.pos();
        self.asm.alu_imm(Alu::Cmp, D, Rm::Mem(layout::request::<G>()), 0);
        let wanted = self.asm.jcc_near(cc::NE);
        form::SYSCALL.n(&mut self.asm);
        let end = self.asm.pos();
        self.enter_run();

        self.asm.alu_imm(Alu::Cmp, Q, Rm::Reg(RAX), -libc::EFAULT);
        let done = self.asm.jcc_short(cc::NE);
        // Code may have been made meanwhile from where it wanted to write.
        self.code_pages(calls);
        let again = self.asm.jcc_near(cc::NE);
        self.asm.bind(done);
        self.result();
        self.load_pins(PINS_SAVED);
        self.go_on();

        let restart = self.here();
        self.asm.bind_near(wanted);
        self.enter_run();
        self.load_pins(PINS_SAVED);
        self.asm.load(Q, RAX, layout::field(G::PC));
        let request = self.stubs.request;
        self.jmp(request);

        self.asm.bind_near(again);
        self.load_pins(PINS_SAVED);
        for jump in [unknown, not_passed, writes] {
            self.asm.bind_near(jump);
        }
        self.asm.mov_imm(RAX, Exit::Call as u64);
        let exit = self.stubs.exit;
        self.jmp(exit);
        SystemCall { entry, start, end, restart }
    }

    /// A guest register, whose value is in the state unless its host register is one that calls keep.
    fn value_of(&mut self, r: u8, to: Reg) {
        match kept::<G>(r) {
            Some(host) => self.asm.mov(Q, to, host),
            None => self.asm.load(Q, to, layout::int::<G>(r)),
        }
    }

    /// Compares the number of pages that the kernel may not write to with zero.
    fn code_pages(&mut self, calls: &HostCalls) {
        self.asm.mov_imm(RCX, calls.code_pages);
        self.asm.alu_imm(Alu::Cmp, Q, Rm::Mem(Mem::base(RCX, 0)), 0);
    }

    /// The thread uses what it has cached from here on. An exchange is a full fence: others queue
    /// work and look at this; here it is the other way round.
    fn enter_run(&mut self) {
        self.asm.mov_imm(RCX, 1);
        form::XCHG_EB_GB.rm(&mut self.asm, B, RCX, Rm::Mem(layout::inside::<G>()));
    }

    fn result(&mut self) {
        let r = G::SYSCALL.result;
        match kept::<G>(r) {
            Some(host) => self.asm.mov(Q, host, RAX),
            None => self.asm.store(Q, RAX, layout::int::<G>(r)),
        }
    }

    /// To the code of the next instruction, by the jump table.
    fn go_on(&mut self) {
        self.asm.load(Q, RAX, layout::field(G::PC));
        self.asm.alu_imm(Alu::Add, Q, Rm::Reg(RAX), i32::from(G::SYSCALL.bytes));
        self.asm.alu_imm(Alu::Cmp, D, Rm::Mem(layout::request::<G>()), 0);
        let requested = self.asm.jcc_near(cc::NE);
        self.asm.mov(D, RCX, RAX);
        let scale = 4 - G::INSN_ALIGN.trailing_zeros();
        form::SHL_EV_IB.mi(&mut self.asm, D, Rm::Reg(RCX), i64::from(scale));
        let mask = (jumps::entries(true) as i32 - 1) << 4;
        self.asm.alu_imm(Alu::And, D, Rm::Reg(RCX), mask);
        self.asm.alu(Alu::Add, Q, RCX, Rm::Mem(layout::jumps::<G>()));
        self.asm.alu(Alu::Cmp, Q, RAX, Rm::Mem(Mem::base(RCX, 0)));
        let unknown = self.asm.jcc_near(cc::NE);
        form::JMP_EV.m(&mut self.asm, Q, Rm::Mem(Mem::base(RCX, 8)));
        self.asm.bind_near(unknown);
        let jump = self.stubs.jump;
        self.jmp(jump);
        self.asm.bind_near(requested);
        let request = self.stubs.request;
        self.jmp(request);
    }
}

/// The host register that holds a guest register during calls.
fn kept<G: Guest>(r: u8) -> Option<Reg> {
    pins::<G>().find(|&(at, _, guest)| at < PINS_SAVED && guest == r).map(|(_, host, _)| host)
}
