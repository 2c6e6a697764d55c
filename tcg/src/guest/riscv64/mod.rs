//! RISC-V, 64 bits: RV64GC with Zicsr, Zifencei, Zba, Zbb, Zbs, Zicond; machine, supervisor and
//! user mode, Sv39 to Sv57, Sstc, Svinval, Svnapot, Svpbmt, Svadu, PMP.

mod ecall;
pub mod fp;
mod lower;
pub mod mmu;
pub mod pmp;
pub mod sbi;
mod sem;
mod spaces;
mod system;
mod timer;
pub mod trap;

use std::mem::offset_of;

use arch::riscv64::Hart;
pub use arch::riscv64::Riscv64;
use arch::riscv64::fields::*;

use crate::builder::{At, Bin, Builder, Fmt, FpOp, Lowered, Rm, Width};
use crate::guest::{Access, Decoded, FpMode, Guest, Mapping, Monitored, Pending, RegFile, Syscall};
use crate::isa::riscv64::{self as isa, Ext, Insn};
use crate::mmu::ram::{self, Slots};
use crate::vcpu::Core;

pub use ecall::Shared;
pub use system::Remote;
use trap::Exception;

/// [`Guest::mode`]: the FS field, in two bits.
const MODE_FS: u32 = 3;
const FS_OFF: u32 = 0;
const FS_DIRTY: u32 = 3;
/// The dynamic rounding mode is one that only software has.
const MODE_RMM: u32 = 1 << 2;
/// The dynamic rounding mode is reserved: instructions that use it are illegal.
const MODE_RM_RESERVED: u32 = 1 << 3;
/// The dynamic rounding mode is not to nearest even.
const MODE_RM_OTHER: u32 = 1 << 4;
/// The privilege, in two bits.
const MODE_PRV_SHIFT: u32 = 5;

/// The privilege of a mode.
fn privilege(mode: u32) -> u64 {
    u64::from(mode >> MODE_PRV_SHIFT & 3)
}

/// What a hart has beside its registers.
#[derive(Debug, Default)]
pub struct Local {
    /// It waits for an interrupt.
    waiting: bool,
    /// It waits to be started by another hart.
    stopped: bool,
    /// STIP as the timer drives it.
    timer_line: u64,
    retired: system::Retired,
}

impl Guest for Riscv64 {
    type Insn = Insn;
    type Exception = Exception;
    type Local = Local;
    type Shared = Shared;
    type Remote = Remote;

    const INT: RegFile = RegFile {
        offset: offset_of!(Hart, x),
        stride: 8,
        count: 32,
        // a0 a5 a4 sp a1 a3 a2 s0
        pins: &[10, 15, 14, 2, 11, 13, 12, 8],
    };
    const FP: RegFile = RegFile {
        offset: offset_of!(Hart, f),
        stride: 8,
        count: 32,
        // fa5 fa4 fa3 fa0
        pins: &[15, 14, 13, 10],
    };
    const PC: usize = offset_of!(Hart, pc);
    const FLAGS: usize = usize::MAX;
    const INSN_ALIGN: u64 = 2;
    const INSN_MAX: usize = 4;
    const NAN_BOXED: bool = true;
    const PLACEHOLDER: Insn = Insn::PLACEHOLDER;
    const SYSCALL: Syscall =
        Syscall { number: 17, args: [10, 11, 12, 13, 14, 15], result: 10, bytes: 4 };

    fn mode(h: &Hart) -> u32 {
        let fs = (h.mstatus & MSTATUS_FS) >> 13;
        let fs = if fs == 0 || fs == 3 { fs as u32 } else { 1 };
        let rm = match h.frm {
            0 => 0,
            1..=3 => MODE_RM_OTHER,
            4 => MODE_RMM,
            _ => MODE_RM_RESERVED,
        };
        let float = if fs == FS_OFF { FS_OFF } else { fs | rm };
        float | (h.prv as u32 & 3) << MODE_PRV_SHIFT
    }

    #[inline]
    fn decode_into(bytes: &[u8], mode: u32, insn: &mut Insn) -> Decoded<()> {
        let [a, b, rest @ ..] = bytes else {
            return Decoded::Short;
        };
        let low = u16::from_le_bytes([*a, *b]);
        let mut ext = EXTENSIONS;
        if mode & MODE_FS == FS_OFF {
            ext = ext.without(Ext::F).without(Ext::D);
        }
        if isa::length(low) == 2 {
            return if isa::decode16_into(low, ext, insn) {
                Decoded::Insn((), 2)
            } else {
                Decoded::Undefined(u64::from(low), 2)
            };
        }
        let [c, d, ..] = rest else {
            return Decoded::Short;
        };
        let word = u32::from_le_bytes([*a, *b, *c, *d]);
        let reserved = mode & MODE_RM_RESERVED != 0 && rounds_dynamically(word);
        if reserved || !isa::decode_into(word, ext, insn) {
            return Decoded::Undefined(u64::from(word), 4);
        }
        Decoded::Insn((), 4)
    }

    #[inline]
    fn ends_block(insn: &Insn) -> bool {
        match insn {
            Insn::Jal(_) | Insn::Jalr(_) | Insn::CJ(_) | Insn::CJr(_) | Insn::CJalr(_) => true,
            Insn::Ecall | Insn::Ebreak | Insn::CEbreak | Insn::Mret | Insn::Sret | Insn::Wfi => {
                true
            }
            Insn::FenceI | Insn::SfenceVma(_) | Insn::SinvalVma(_) => true,
            // A branch back, or to itself, is a loop: what follows runs once.
            Insn::Beq(a)
            | Insn::Bne(a)
            | Insn::Blt(a)
            | Insn::Bge(a)
            | Insn::Bltu(a)
            | Insn::Bgeu(a)
            | Insn::CBeqz(a)
            | Insn::CBnez(a) => a.imm <= 0,
            _ => false,
        }
    }

    #[inline]
    fn monitored(insn: &Insn) -> Monitored {
        match insn {
            Insn::LrW(_) | Insn::LrD(_) => Monitored::Load,
            Insn::ScW(_) | Insn::ScD(_) => Monitored::Store,
            _ => Monitored::No,
        }
    }

    fn compares_quietly(insns: [Insn; 3], mode: u32) -> bool {
        mode & MODE_FS == FS_DIRTY && sem::compares_quietly(insns)
    }

    #[inline(always)]
    fn lower<B: Builder<Self>>(b: &mut B, at: At, insn: Insn, mode: u32) -> Lowered<Self, B> {
        if mode & MODE_FS != FS_DIRTY && insn.ext().0 & FLOAT.0 != 0 {
            let field = offset_of!(Hart, mstatus);
            let old = b.field(field);
            let dirty = b.imm(MSTATUS_FS);
            let new = b.bin(Bin::Or, Width::W64, old, dirty);
            b.set_field(field, new);
        }
        if let Some(access) = sem::CsrAccess::of(insn)
            && let Some(lowered) = sem::csr_in_line(b, access, mode)
        {
            return lowered;
        }
        lower::lower(b, at, insn)
    }

    fn undefined(bits: u64) -> Exception {
        Exception { cause: CAUSE_ILLEGAL, tval: bits }
    }

    fn data_space(h: &Hart) -> u64 {
        spaces::data(h)
    }

    fn fetch_space(h: &Hart) -> u64 {
        spaces::fetch(h)
    }

    fn owner(h: &Hart) -> u64 {
        spaces::owner(h)
    }

    fn is_shared(space: u64) -> bool {
        spaces::is_shared(space)
    }

    fn translate(core: &mut Core<Self>, va: u64, access: Access) -> Result<Mapping, Exception> {
        let (h, slots) = core.state_and_slots();
        let prv = if access == Access::Fetch { h.prv } else { mmu::data_privilege(h) };
        let t = mmu::walk(h, va, access, prv, &Ptes(slots))?;
        Ok(Mapping {
            gpa: t.gpa,
            cacheable: t.rights_bits >= 12,
            writable: t.writable,
            readable: t.readable,
            page_bits: t.page_bits,
            global: t.global,
        })
    }

    fn bus_error(va: u64, access: Access) -> Exception {
        let cause = match access {
            Access::Fetch => CAUSE_FETCH_ACCESS,
            Access::Load => CAUSE_LOAD_ACCESS,
            Access::Store => CAUSE_STORE_ACCESS,
        };
        Exception { cause, tval: va }
    }

    fn misaligned(va: u64, access: Access) -> Exception {
        let cause = match access {
            Access::Fetch => CAUSE_FETCH_MISALIGNED,
            Access::Load => CAUSE_LOAD_MISALIGNED,
            Access::Store => CAUSE_STORE_MISALIGNED,
        };
        Exception { cause, tval: va }
    }

    fn deliver(core: &mut Core<Self>, e: Exception) {
        trap::enter(&mut core.state, e);
    }

    fn interrupt(core: &mut Core<Self>, signalled: bool) -> Pending {
        if signalled {
            timer::check(core);
        }
        let lines = core.signals().lines.load(std::sync::atomic::Ordering::SeqCst);
        core.state.set_irq_lines(lines | core.local.timer_line);
        if core.local.stopped {
            return Pending::None;
        }
        match trap::pending_interrupt(&core.state) {
            Some(cause) => {
                core.local.waiting = false;
                core.machine.shared.resumed(core.index);
                trap::enter(&mut core.state, Exception { cause, tval: 0 });
                Pending::Entered
            }
            None => Pending::None,
        }
    }

    fn remote(core: &mut Core<Self>, request: Remote) {
        system::remote(core, request);
    }

    fn park(core: &mut Core<Self>) {
        core.machine.shared.set_stopped(core.index, true);
        core.local.stopped = true;
    }

    fn adopt(core: &mut Core<Self>) {
        timer::adopt(core);
    }

    fn parked(core: &Core<Self>) -> bool {
        core.local.stopped
    }

    fn halted(core: &mut Core<Self>) -> bool {
        if core.local.waiting && trap::wakes(&core.state) {
            core.local.waiting = false;
            core.machine.shared.resumed(core.index);
        }
        core.local.waiting || core.local.stopped
    }

    fn fp_rounding(h: &Hart) -> Option<u8> {
        Self::fp_static(h.frm as u8)
    }

    fn fp_mode(mode: u32) -> FpMode {
        match mode & (MODE_RMM | MODE_RM_RESERVED | MODE_RM_OTHER) {
            0 => FpMode::Nearest,
            MODE_RM_OTHER => FpMode::Host,
            _ => FpMode::Soft,
        }
    }

    fn fp_static(rm: u8) -> Option<u8> {
        // RISC-V: 0 nearest even, 1 toward zero, 2 down, 3 up.
        match rm {
            0 => Some(0),
            1 => Some(3),
            2 => Some(1),
            3 => Some(2),
            _ => None,
        }
    }

    fn fp_raise(h: &mut Hart, flags: u8) {
        // RISC-V: bit 0 inexact, 1 underflow, 2 overflow, 3 divide by zero, 4 invalid.
        let bit = |sse: u8, riscv: u32| u64::from(flags >> sse & 1) << riscv;
        h.fflags |= bit(0, 4) | bit(2, 3) | bit(3, 2) | bit(4, 1) | bit(5, 0);
    }

    fn fp(h: &mut Hart, op: FpOp, fmt: Fmt, rm: Rm, args: [u64; 3]) -> u64 {
        let rm = match rm {
            Rm::Dynamic => h.frm as u8,
            Rm::Static(rm) => rm,
        };
        let (v, flags) = fp::compute(op, fmt, rm, args[0], args[1], args[2]);
        h.fflags |= u64::from(flags);
        v
    }
}

/// Instructions that need the FS field on, and make it dirty.
const FLOAT: Ext = Ext::F.with(Ext::D);

/// Everything that the tables have, until harts have models.
const EXTENSIONS: Ext = Ext::ALL;

/// An arithmetic instruction that takes the dynamic rounding mode: for the opcodes below, rm = 7
/// has no other meaning `[Unpriv §20.2]`.
fn rounds_dynamically(word: u32) -> bool {
    matches!(word & 0x7f, 0x43 | 0x47 | 0x4b | 0x4f | 0x53) && word >> 12 & 7 == 7
}

/// Memory as the page walk sees it.
struct Ptes<'a>(&'a Slots);

impl mmu::PhysMem for Ptes<'_> {
    fn read_pte(&self, gpa: u64) -> Option<u64> {
        ram::memory(self.0, gpa).map(|(hva, _)| hva.load(3))
    }

    fn cas_pte(&self, gpa: u64, old: u64, new: u64) -> Option<bool> {
        let (hva, _) = ram::memory(self.0, gpa).filter(|(_, readonly)| !readonly)?;
        Some(hva.cas(old, new, 3) == old)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The end of a block is where a loop looks whether somebody wants the vCPU.
    #[test]
    fn branches_back_and_to_themselves_end_a_block() {
        for (word, ends) in [(0x0005_1063u32, true), (0xfe05_1ee3, true), (0x0005_1463, false)] {
            match Riscv64::decode(&word.to_le_bytes(), 0) {
                Decoded::Insn(insn, _) => assert_eq!(Riscv64::ends_block(&insn), ends, "{insn}"),
                _ => panic!("{word:#x} is an instruction"),
            }
        }
    }
}
