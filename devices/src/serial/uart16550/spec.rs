//! Registers of the 16550A: eight of a byte each [PC16550D §8].

/// Bytes of the register region.
pub const REGION_LEN: u64 = 8;
/// Bytes in each FIFO [PC16550D §8.4].
pub const FIFO_LEN: usize = 16;

/// Offsets of the registers by which a port is polled.
pub mod offset {
    /// Receiver buffer.
    pub const RBR: u64 = 0;
    /// Line control.
    pub const LCR: u64 = 3;
    /// Line status.
    pub const LSR: u64 = 5;
}

/// One register; which one an offset means depends on the direction and on LCR.DLAB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Register {
    /// Receiver buffer (read only).
    Rbr,
    /// Transmitter holding register (write only).
    Thr,
    /// Interrupt enable [PC16550D §8.6].
    Ier,
    /// Interrupt identification (read only) [PC16550D §8.5].
    Iir,
    /// FIFO control (write only) [PC16550D §8.4].
    Fcr,
    /// Line control [PC16550D §8.1].
    Lcr,
    /// Modem control [PC16550D §8.7].
    Mcr,
    /// Line status [PC16550D §8.3].
    Lsr,
    /// Modem status [PC16550D §8.8].
    Msr,
    /// Scratch [PC16550D §8.9].
    Scr,
    /// Divisor latch, low byte [PC16550D §8.2].
    Dll,
    /// Divisor latch, high byte [PC16550D §8.2].
    Dlm,
}

impl Register {
    /// What a read of `offset` reaches.
    pub fn for_read(offset: u64, dlab: bool) -> Option<Self> {
        Some(match (offset, dlab) {
            (0, false) => Self::Rbr,
            (2, _) => Self::Iir,
            _ => return Self::either(offset, dlab),
        })
    }

    /// What a write to `offset` reaches.
    pub fn for_write(offset: u64, dlab: bool) -> Option<Self> {
        Some(match (offset, dlab) {
            (0, false) => Self::Thr,
            (2, _) => Self::Fcr,
            _ => return Self::either(offset, dlab),
        })
    }

    fn either(offset: u64, dlab: bool) -> Option<Self> {
        Some(match (offset, dlab) {
            (0, true) => Self::Dll,
            (1, true) => Self::Dlm,
            (1, false) => Self::Ier,
            (3, _) => Self::Lcr,
            (4, _) => Self::Mcr,
            (5, _) => Self::Lsr,
            (6, _) => Self::Msr,
            (7, _) => Self::Scr,
            _ => return None,
        })
    }
}

/// Interrupt enable bits.
pub mod ier {
    /// Received data available, and character timeout.
    pub const ERBFI: u8 = 1 << 0;
    /// Transmitter holding register empty.
    pub const ETBEI: u8 = 1 << 1;
    /// Receiver line status.
    pub const ELSI: u8 = 1 << 2;
    /// Modem status.
    pub const EDSSI: u8 = 1 << 3;
    /// The bits that exist.
    pub const MASK: u8 = 0x0f;
}

/// Interrupt identification, by falling priority.
pub mod iir {
    /// Receiver line status.
    pub const RLS: u8 = 0x06;
    /// Received data available.
    pub const RDA: u8 = 0x04;
    /// Character timeout.
    pub const CTI: u8 = 0x0c;
    /// Transmitter holding register empty.
    pub const THRE: u8 = 0x02;
    /// Modem status.
    pub const MSI: u8 = 0x00;
    /// No interrupt is pending.
    pub const NONE: u8 = 0x01;
    /// Set while the FIFOs are enabled.
    pub const FIFOS: u8 = 0xc0;
}

/// FIFO control bits.
pub mod fcr {
    /// Enables both FIFOs.
    pub const ENABLE: u8 = 1 << 0;
    /// Clears the receiver's FIFO.
    pub const RCVR_RESET: u8 = 1 << 1;
    /// Receiver trigger level.
    pub const TRIGGER: u8 = 0xc0;
    /// The bits that the port keeps.
    pub const MASK: u8 = ENABLE | TRIGGER;
}

/// Line control bits.
pub mod lcr {
    /// Divisor latch access.
    pub const DLAB: u8 = 1 << 7;
}

/// Modem control bits.
pub mod mcr {
    /// Data terminal ready.
    pub const DTR: u8 = 1 << 0;
    /// Request to send.
    pub const RTS: u8 = 1 << 1;
    /// Output 1.
    pub const OUT1: u8 = 1 << 2;
    /// Output 2.
    pub const OUT2: u8 = 1 << 3;
    /// Loopback.
    pub const LOOP: u8 = 1 << 4;
    /// The bits that exist.
    pub const MASK: u8 = 0x1f;
}

/// Line status bits.
pub mod lsr {
    /// Data ready.
    pub const DR: u8 = 1 << 0;
    /// Overrun error.
    pub const OE: u8 = 1 << 1;
    /// Transmitter holding register empty.
    pub const THRE: u8 = 1 << 5;
    /// Transmitter empty.
    pub const TEMT: u8 = 1 << 6;
}

/// Modem status bits.
pub mod msr {
    /// Clear to send has changed.
    pub const DCTS: u8 = 1 << 0;
    /// Data set ready has changed.
    pub const DDSR: u8 = 1 << 1;
    /// The ring indicator has ended.
    pub const TERI: u8 = 1 << 2;
    /// Data carrier detect has changed.
    pub const DDCD: u8 = 1 << 3;
    /// Clear to send.
    pub const CTS: u8 = 1 << 4;
    /// Data set ready.
    pub const DSR: u8 = 1 << 5;
    /// Ring indicator.
    pub const RI: u8 = 1 << 6;
    /// Data carrier detect.
    pub const DCD: u8 = 1 << 7;
    /// The bits that report a change.
    pub const DELTAS: u8 = 0x0f;
}
