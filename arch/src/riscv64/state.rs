//! The registers of a hart: `[Unpriv §2.1]`, `[Unpriv §20.2]`, `[Priv §3]`, `[Priv §10]`.

use super::fields::*;
use super::{Ext, Model};

/// User mode in [`Hart::prv`].
pub const PRV_U: u64 = 0;
/// Supervisor mode in [`Hart::prv`].
pub const PRV_S: u64 = 1;
/// Machine mode in [`Hart::prv`].
pub const PRV_M: u64 = 3;

/// [`Hart::resv_addr`] when there is no reservation.
pub const NO_RESERVATION: u64 = u64::MAX;

/// gdb numbers CSRs from here.
const GDB_CSR: u32 = 65;

macro_rules! numbered {
    ($prefix:literal: $($n:literal)*) => { [$( concat!($prefix, $n) ),*] };
}

crate::cpu_state! {
    /// One hart. `x[0]` is zero always: whoever writes registers by number keeps it so.
    pub struct Hart {
        /// Integer registers; first, because translated code addresses them most.
        x: [u64; 32] = General, gdb 0,
            names numbered!("x": 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24
                25 26 27 28 29 30 31),
            aliases [
                "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2",
                "a3", "a4", "a5", "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9",
                "s10", "s11", "t3", "t4", "t5", "t6",
            ];
        /// Program counter.
        pc: u64 = General, gdb 32;
        /// Floating-point registers as 64 raw bits; single precision is NaN-boxed.
        f: [u64; 32] = Float, gdb 33,
            names numbered!("f": 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24
                25 26 27 28 29 30 31),
            aliases [
                "ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6", "ft7", "fs0", "fs1", "fa0",
                "fa1", "fa2", "fa3", "fa4", "fa5", "fa6", "fa7", "fs2", "fs3", "fs4", "fs5",
                "fs6", "fs7", "fs8", "fs9", "fs10", "fs11", "ft8", "ft9", "ft10", "ft11",
            ];
        /// Accrued exceptions, NX in bit 0 to NV in bit 4.
        fflags: u64 = Float, gdb GDB_CSR + 0x001;
        /// Dynamic rounding mode, 0 to 7 (5 to 7 are reserved, but can be stored).
        frm: u64 = Float, gdb GDB_CSR + 0x002;
        /// Privilege mode: 0 user, 1 supervisor, 3 machine.
        prv: u64 = System, gdb GDB_CSR + 0x1000;
        /// `[Priv §3.1.6]`. SD is computed on reading, not stored.
        mstatus: u64 = System, gdb GDB_CSR + 0x300;
        /// `[Priv §3.1.1]`.
        misa: u64 = System, gdb GDB_CSR + 0x301;
        /// Exceptions delegated to supervisor mode.
        medeleg: u64 = System, gdb GDB_CSR + 0x302;
        /// Interrupts delegated to supervisor mode.
        mideleg: u64 = System, gdb GDB_CSR + 0x303;
        /// Interrupts enabled.
        mie: u64 = System, gdb GDB_CSR + 0x304;
        /// Interrupts pending, as software sees them: what was written, and
        /// [`Self::mip_lines`]. Kept up to date by [`Self::set_irq_lines`] and CSR writes.
        mip: u64 = System, gdb GDB_CSR + 0x344;
        /// Machine trap vector.
        mtvec: u64 = System, gdb GDB_CSR + 0x305;
        /// Machine scratch.
        mscratch: u64 = System, gdb GDB_CSR + 0x340;
        /// Machine exception program counter.
        mepc: u64 = System, gdb GDB_CSR + 0x341;
        /// Machine trap cause.
        mcause: u64 = System, gdb GDB_CSR + 0x342;
        /// Machine trap value.
        mtval: u64 = System, gdb GDB_CSR + 0x343;
        /// Counters that supervisor mode may read.
        mcounteren: u64 = System, gdb GDB_CSR + 0x306;
        /// Counters that stand still.
        mcountinhibit: u64 = System, gdb GDB_CSR + 0x320;
        /// `[Priv §3.1.18]`.
        menvcfg: u64 = System, gdb GDB_CSR + 0x30a;
        /// `[Priv §3.1.19]`; always zero as long as Smepmp is not implemented.
        mseccfg: u64 = System, gdb GDB_CSR + 0x747;
        /// Supervisor trap vector.
        stvec: u64 = System, gdb GDB_CSR + 0x105;
        /// Supervisor scratch.
        sscratch: u64 = System, gdb GDB_CSR + 0x140;
        /// Supervisor exception program counter.
        sepc: u64 = System, gdb GDB_CSR + 0x141;
        /// Supervisor trap cause.
        scause: u64 = System, gdb GDB_CSR + 0x142;
        /// Supervisor trap value.
        stval: u64 = System, gdb GDB_CSR + 0x143;
        /// Address translation and protection `[Priv §10.1.11]`.
        satp: u64 = System, gdb GDB_CSR + 0x180;
        /// Counters that user mode may read.
        scounteren: u64 = System, gdb GDB_CSR + 0x106;
        /// `[Priv §10.1.10]`.
        senvcfg: u64 = System, gdb GDB_CSR + 0x10a;
        /// Supervisor timer compare `[Sstc §2]`, in ticks of `time`.
        stimecmp: u64 = System, gdb GDB_CSR + 0x14d;
        /// Address that LR reserved, to which the engine adds where its SC is; [`NO_RESERVATION`] if
        /// none.
        resv_addr: u64 = Internal;
        /// What LR read there: SC compares by value.
        resv_value: u64 = Internal;
        /// Number of this hart.
        mhartid: u64 = System, gdb GDB_CSR + 0xf14;
        /// What `mcycle` adds to the engine's cycle counter (wrapping); while `mcountinhibit`
        /// stops it, the value of `mcycle`.
        cycle_offset: u64 = Internal;
        /// What `minstret` adds to the engine's count of retired instructions (wrapping); while
        /// `mcountinhibit` stops it, the value of `minstret`.
        instret: u64 = Internal;
        /// PMP configuration, eight entries in each.
        pmpcfg: [u64; 2] = System, names ["pmpcfg0", "pmpcfg2"];
        /// PMP addresses, in units of 4 bytes.
        pmpaddr: [u64; 16] = System, gdb GDB_CSR + 0x3b0,
            names numbered!("pmpaddr": 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
        /// Bits of `mip` that software wrote and that a line may hide: SEIP.
        mip_soft: u64 = Internal;
        /// Interrupt lines as last delivered to this hart, as bits of `mip`.
        mip_lines: u64 = Internal;
    }
}

impl Hart {
    /// The state after reset `[Priv §3.4]`; `pc` is zero and is the board's to set.
    pub fn new(hartid: u64, model: &Model) -> Self {
        let letters = [
            (Ext::I, 'i'),
            (Ext::M, 'm'),
            (Ext::A, 'a'),
            (Ext::F, 'f'),
            (Ext::D, 'd'),
            (Ext::C, 'c'),
        ];
        let mut misa = 2 << 62 | letter('s') | letter('u');
        for (ext, c) in letters {
            if model.exts.has(ext) {
                misa |= letter(c);
            }
        }
        Self {
            prv: PRV_M,
            misa,
            // UXL and SXL: 64 bits, not changeable.
            mstatus: MSTATUS_SXL_64 | MSTATUS_UXL_64,
            mhartid: hartid,
            resv_addr: NO_RESERVATION,
            stimecmp: u64::MAX,
            ..Self::default()
        }
    }

    /// Tells the hart the levels of its interrupt lines, as bits of `mip`: MSIP and MTIP from
    /// the ACLINT, MEIP and SEIP from the interrupt controller, STIP from `stimecmp`.
    pub fn set_irq_lines(&mut self, lines: u64) {
        let written = self.mip & !self.mip_lines & !IRQ_SEI;
        self.mip_lines = lines;
        self.mip = written | self.mip_soft | lines;
    }

    /// Configuration byte of a PMP entry below [`PMP_COUNT`].
    pub fn pmp_entry(&self, n: usize) -> u8 {
        (self.pmpcfg[n / 8] >> (n % 8 * 8)) as u8
    }
}

/// Bit of a single-letter extension in `misa`.
fn letter(c: char) -> u64 {
    1 << (c as u32 - 'a' as u32)
}
