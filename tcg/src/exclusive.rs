//! Load-reserved and store-conditional: whether others have stored in between.
//!
//! A store-conditional compares memory with what its load-reserved read. That others have changed it
//! and put the same value back is not seen that way, and need not be seen as long as nothing between
//! the two accesses memory: the whole may then as well have happened when the store did. That is what
//! locks, counters and compare-and-swap are made of, so a load-reserved that is decoded looks for its
//! store-conditional ([`Reserve::ahead`]), and only that one may use what it reserved.
//!
//! Where there is an access in between (what is taken off a list may be read for what comes next),
//! or no store-conditional nearby, the vCPU runs alone from the load-reserved to the
//! store-conditional, or for a number of instructions: all others stand still, as for
//! [`Machine::broadcast`]. Stores by devices, by the host's kernel and by other processes are seen by
//! value only.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use crate::builder::{At, Reserve};
use crate::guest::{Decoded, Guest, Monitored};
use crate::interp::{self, Ended, fields};
use crate::jit::probe;
use crate::machine::Machine;
use crate::run::Vcpu;
use crate::vcpu::{Core, request};

/// Instructions between a load-reserved and its store-conditional that are looked through, or run
/// alone. RISC-V asks for 16 in all [Unpriv §13.3].
const SEQUENCE: usize = 32;
/// Bytes of them.
pub(crate) const SEQUENCE_BYTES: usize = 4 * SEQUENCE;

/// Which vCPU runs alone.
#[derive(Debug, Default)]
pub(crate) struct Alone {
    /// 0 if none does, else its number plus one.
    vcpu: AtomicU64,
}

impl Alone {
    /// Whether the vCPU has to stand still.
    pub(crate) fn forbids(&self, vcpu: u32) -> bool {
        let alone = self.vcpu.load(SeqCst);
        alone != 0 && alone != u64::from(vcpu) + 1
    }

    /// The others may go on. Also in a process that was split off: whoever ran alone is not there.
    pub(crate) fn end(&self) {
        self.vcpu.store(0, SeqCst);
    }
}

impl<G: Guest> Machine<G> {
    /// Has all others stand still until [`Alone::end`].
    fn enter_alone(&self, core: &mut Core<G>) {
        let me = u64::from(core.index) + 1;
        while self.alone.vcpu.compare_exchange(0, me, SeqCst, SeqCst).is_err() {
            core.do_work();
            std::thread::yield_now();
        }
        let others = || (0..self.vcpus()).filter(|&v| v != core.index);
        others().for_each(|v| self.signals(v).raise(request::WORK));
        for other in others() {
            while !self.signals(other).stands_still() {
                std::thread::yield_now();
            }
        }
    }
}

impl<G: Guest> Core<G> {
    /// To be called by a load-reserved of which nothing is known: it is done again, and what follows,
    /// by a vCPU that runs alone. The instruction ends in a look at what changed.
    pub(crate) fn ask_alone(&mut self, pc: u64) {
        fields::write::<G>(&mut self.state, G::PC, pc);
        self.alone = Some(pc);
        self.interpret = true;
        self.ask_resync();
    }
}

impl<G: Guest> Vcpu<G> {
    /// Runs from a load-reserved to its store-conditional while all others stand still; not further
    /// than something happens that is not a plain instruction.
    pub(crate) fn run_alone(&mut self) {
        let core = self.core.get();
        core.raise_fp_flags();
        self.machine.enter_alone(core);
        let mut left = SEQUENCE;
        while left > 0 {
            let space = core.fetch_space;
            // An instruction that cannot be fetched is the dispatcher's.
            let Ok(block) = core.lend(fields::read::<G>(&core.state, G::PC)) else { break };
            let ended = interp::run_alone(core, &block, &mut left);
            core.give_back(space, block);
            if ended == Ended::Resync {
                break;
            }
        }
        self.machine.alone.end();
        core.look_again();
    }
}

/// Where the store-conditional is of a load-reserved with these bytes behind it; `mode` is the block's.
pub(crate) fn find_store<G: Guest>(load: At, behind: &[u8], mode: u32) -> Reserve {
    let mut offset = 0;
    for _ in 0..SEQUENCE {
        let pc = load.next().wrapping_add(offset as u64);
        let Decoded::Insn(insn, len) = G::decode(&behind[offset.min(behind.len())..], mode) else {
            break;
        };
        let at = At { pc, len, reserve: Reserve::UNKNOWN };
        match G::monitored(&insn) {
            Monitored::Store => return Reserve::ahead(pc.wrapping_sub(load.pc)),
            Monitored::Load => break,
            Monitored::No => {}
        }
        let usage = probe::usage::<G>(at, insn, mode);
        if G::ends_block(&insn) || usage.access.is_some() || usage.accesses || usage.calls {
            break;
        }
        offset += usize::from(len);
    }
    Reserve::UNKNOWN
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::riscv64::Riscv64;
    use crate::isa::riscv64::{Amo, Br, I, Insn, J};

    /// What is found behind a load-reserved.
    fn found(behind: &[Insn]) -> Reserve {
        const FS_DIRTY: u32 = 3;
        let bytes: Vec<u8> = behind.iter().flat_map(|i| i.encode().to_le_bytes()).collect();
        let load = At { pc: 0x8000_0ffc, len: 4, reserve: Reserve::UNKNOWN };
        find_store::<Riscv64>(load, &bytes, FS_DIRTY)
    }

    #[test]
    fn only_stores_that_no_access_comes_before_are_found() {
        let store = Insn::ScD(Amo { rd: 5, rs1: 10, rs2: 6, order: 0 });
        let sum = Insn::Addi(I { rd: 6, rs1: 6, imm: 1 });
        let unequal = Insn::Bne(Br { rs1: 6, rs2: 7, imm: 16 });
        assert_eq!(found(&[store]).bytes(), Some(4));
        assert_eq!(found(&[sum, unequal, store]).bytes(), Some(12));
        let load = Insn::Ld(I { rd: 7, rs1: 6, imm: 0 });
        let jump = Insn::Jal(J { rd: 0, imm: 8 });
        let csr = Insn::Csrrs(crate::isa::riscv64::CsrR { rd: 7, rs1: 0, csr: 0xc01 });
        for other in [load, jump, csr, store] {
            let behind = [sum, other, store];
            let expected = (other == store).then_some(8);
            assert_eq!(found(&behind).bytes(), expected, "{other}");
        }
        assert_eq!(found(&[sum; SEQUENCE]), Reserve::UNKNOWN);
        assert_eq!(found(&[]), Reserve::UNKNOWN);
    }
}
