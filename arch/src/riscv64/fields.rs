//! Bit fields of the system registers, named as in `[Priv]`.
#![expect(missing_docs, reason = "the names are the manual's")]

// mstatus and sstatus `[Priv §3.1.6]`, `[Priv §10.1.1]`.
pub const MSTATUS_SIE: u64 = 1 << 1;
pub const MSTATUS_MIE: u64 = 1 << 3;
pub const MSTATUS_SPIE: u64 = 1 << 5;
pub const MSTATUS_MPIE: u64 = 1 << 7;
pub const MSTATUS_SPP: u64 = 1 << 8;
pub const MSTATUS_MPP_SHIFT: u32 = 11;
pub const MSTATUS_MPP: u64 = 3 << MSTATUS_MPP_SHIFT;
pub const MSTATUS_FS: u64 = 3 << 13;
pub const MSTATUS_MPRV: u64 = 1 << 17;
pub const MSTATUS_SUM: u64 = 1 << 18;
pub const MSTATUS_MXR: u64 = 1 << 19;
pub const MSTATUS_TVM: u64 = 1 << 20;
pub const MSTATUS_TW: u64 = 1 << 21;
pub const MSTATUS_TSR: u64 = 1 << 22;
pub const MSTATUS_UXL: u64 = 3 << 32;
pub const MSTATUS_UXL_64: u64 = 2 << 32;
pub const MSTATUS_SXL_64: u64 = 2 << 34;
/// Computed from FS when read; never stored.
pub const MSTATUS_SD: u64 = 1 << 63;

/// What `sstatus` shows of `mstatus`, SD apart.
pub const SSTATUS_READ: u64 = SSTATUS_WRITE | MSTATUS_UXL;
/// What `sstatus` writes.
pub const SSTATUS_WRITE: u64 =
    MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP | MSTATUS_FS | MSTATUS_SUM | MSTATUS_MXR;
/// What `mstatus` writes.
pub const MSTATUS_WRITE: u64 = SSTATUS_WRITE
    | MSTATUS_MIE
    | MSTATUS_MPIE
    | MSTATUS_MPP
    | MSTATUS_MPRV
    | MSTATUS_TVM
    | MSTATUS_TW
    | MSTATUS_TSR;

// mip, mie, mideleg `[Priv §3.1.9]`: bit numbers are the causes.
pub const IRQ_SSI: u64 = 1 << 1;
pub const IRQ_MSI: u64 = 1 << 3;
pub const IRQ_STI: u64 = 1 << 5;
pub const IRQ_MTI: u64 = 1 << 7;
pub const IRQ_SEI: u64 = 1 << 9;
pub const IRQ_MEI: u64 = 1 << 11;

// mcause and scause `[Priv §3.1.15]`.
pub const CAUSE_INTERRUPT: u64 = 1 << 63;
pub const CAUSE_FETCH_MISALIGNED: u64 = 0;
pub const CAUSE_FETCH_ACCESS: u64 = 1;
pub const CAUSE_ILLEGAL: u64 = 2;
pub const CAUSE_BREAKPOINT: u64 = 3;
pub const CAUSE_LOAD_MISALIGNED: u64 = 4;
pub const CAUSE_LOAD_ACCESS: u64 = 5;
pub const CAUSE_STORE_MISALIGNED: u64 = 6;
pub const CAUSE_STORE_ACCESS: u64 = 7;
pub const CAUSE_ECALL_U: u64 = 8;
pub const CAUSE_ECALL_S: u64 = 9;
pub const CAUSE_ECALL_M: u64 = 11;
pub const CAUSE_FETCH_PAGE: u64 = 12;
pub const CAUSE_LOAD_PAGE: u64 = 13;
pub const CAUSE_STORE_PAGE: u64 = 15;

// mcounteren, scounteren, mcountinhibit `[Priv §3.1.11]`.
pub const COUNTER_CY: u64 = 1 << 0;
pub const COUNTER_TM: u64 = 1 << 1;
pub const COUNTER_IR: u64 = 1 << 2;

// menvcfg `[Priv §3.1.18]`.
pub const ENVCFG_FIOM: u64 = 1 << 0;
pub const ENVCFG_ADUE: u64 = 1 << 61;
pub const ENVCFG_PBMTE: u64 = 1 << 62;
pub const ENVCFG_STCE: u64 = 1 << 63;

// satp `[Priv §10.1.11]`.
pub const SATP_MODE_SHIFT: u32 = 60;
pub const SATP_BARE: u64 = 0;
pub const SATP_SV39: u64 = 8;
pub const SATP_SV48: u64 = 9;
pub const SATP_SV57: u64 = 10;
pub const SATP_ASID_SHIFT: u32 = 44;
pub const SATP_ASID: u64 = 0xffff << SATP_ASID_SHIFT;
pub const SATP_PPN: u64 = (1 << 44) - 1;

// pmpcfg, one byte of it `[Priv §3.7.1]`.
pub const PMP_COUNT: usize = 16;
pub const PMP_R: u8 = 1 << 0;
pub const PMP_W: u8 = 1 << 1;
pub const PMP_X: u8 = 1 << 2;
pub const PMP_A: u8 = 3 << 3;
pub const PMP_A_TOR: u8 = 1 << 3;
pub const PMP_A_NA4: u8 = 2 << 3;
pub const PMP_A_NAPOT: u8 = 3 << 3;
pub const PMP_L: u8 = 1 << 7;
/// Bits 5 and 6 are zero always.
pub const PMP_CFG_WRITE: u8 = PMP_R | PMP_W | PMP_X | PMP_A | PMP_L;
/// Address bits 55 to 2.
pub const PMP_ADDR_WRITE: u64 = (1 << 54) - 1;
