//! The port as a value: registers in, transmitted bytes out.

use std::collections::VecDeque;

use super::spec::{FIFO_LEN, Register, fcr, ier, iir, lcr, lsr, mcr, msr};

/// The port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Model {
    /// Received and not yet read: the FIFO, or the one byte of the buffer register.
    pub(super) rx: VecDeque<u8>,
    pub(super) ier: u8,
    pub(super) fcr: u8,
    pub(super) lcr: u8,
    pub(super) mcr: u8,
    pub(super) scr: u8,
    pub(super) dll: u8,
    pub(super) dlm: u8,
    /// LSR.OE.
    pub(super) overrun: bool,
    /// The "holding register empty" interrupt, raised and not yet acknowledged.
    pub(super) thre: bool,
    /// The delta bits of MSR.
    pub(super) msr_deltas: u8,
}

impl Model {
    /// Bytes that can be received before the guest reads some.
    pub(super) fn capacity(&self) -> usize {
        if self.fcr & fcr::ENABLE != 0 { FIFO_LEN } else { 1 }
    }

    /// Whether the port talks to itself.
    pub(super) fn loopback(&self) -> bool {
        self.mcr & mcr::LOOP != 0
    }

    /// Takes what fits of `bytes` from the line; returns how many. In loopback the line is
    /// disconnected: nothing fits.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> usize {
        if self.loopback() {
            return 0;
        }
        let taken = bytes.len().min(self.capacity().saturating_sub(self.rx.len()));
        self.rx.extend(&bytes[..taken]);
        taken
    }

    /// Whether the interrupt pin is asserted.
    pub(super) fn interrupt(&self) -> bool {
        self.cause() != iir::NONE
    }

    /// Reads the register at `offset`.
    pub(super) fn read(&mut self, offset: u64) -> u8 {
        match Register::for_read(offset, self.lcr & lcr::DLAB != 0) {
            Some(Register::Rbr) => self.rx.pop_front().unwrap_or(0),
            Some(Register::Ier) => self.ier,
            Some(Register::Iir) => self.identify(),
            Some(Register::Lcr) => self.lcr,
            Some(Register::Mcr) => self.mcr,
            Some(Register::Lsr) => self.line_status(),
            Some(Register::Msr) => self.modem_lines() | std::mem::take(&mut self.msr_deltas),
            Some(Register::Scr) => self.scr,
            Some(Register::Dll) => self.dll,
            Some(Register::Dlm) => self.dlm,
            Some(Register::Thr | Register::Fcr) | None => 0,
        }
    }

    /// Writes the register at `offset`; returns the byte that goes out on the line, if one does.
    pub(super) fn write(&mut self, offset: u64, value: u8) -> Option<u8> {
        match Register::for_write(offset, self.lcr & lcr::DLAB != 0) {
            Some(Register::Thr) => return self.transmit(value),
            Some(Register::Ier) => {
                let enabled = value & !self.ier;
                self.ier = value & ier::MASK;
                // Enabling the interrupt of an empty transmitter raises it [PC16550D §8.5].
                self.thre |= enabled & ier::ETBEI != 0;
            }
            Some(Register::Fcr) => self.fifo_control(value),
            Some(Register::Lcr) => self.lcr = value,
            Some(Register::Mcr) => self.modem_control(value & mcr::MASK),
            Some(Register::Scr) => self.scr = value,
            Some(Register::Dll) => self.dll = value,
            Some(Register::Dlm) => self.dlm = value,
            // Status registers are for reading; writing them is for factory tests.
            Some(Register::Lsr | Register::Msr | Register::Rbr | Register::Iir) | None => {}
        }
        None
    }

    /// The pending interrupt of highest priority [PC16550D §8.5].
    fn cause(&self) -> u8 {
        let enabled = |bit| self.ier & bit != 0;
        if enabled(ier::ELSI) && self.overrun {
            iir::RLS
        } else if enabled(ier::ERBFI) && self.rx.len() >= self.trigger() {
            iir::RDA
        } else if enabled(ier::ERBFI) && !self.rx.is_empty() {
            iir::CTI
        } else if enabled(ier::ETBEI) && self.thre {
            iir::THRE
        } else if enabled(ier::EDSSI) && self.msr_deltas != 0 {
            iir::MSI
        } else {
            iir::NONE
        }
    }

    /// Received bytes that make the "data available" interrupt [PC16550D §8.4].
    fn trigger(&self) -> usize {
        match self.fcr & (fcr::TRIGGER | fcr::ENABLE) {
            0x41 => 4,
            0x81 => 8,
            0xc1 => 14,
            _ => 1,
        }
    }

    /// A read of IIR acknowledges the transmitter's interrupt if it is the one reported.
    fn identify(&mut self) -> u8 {
        let cause = self.cause();
        if cause == iir::THRE {
            self.thre = false;
        }
        if self.fcr & fcr::ENABLE != 0 { cause | iir::FIFOS } else { cause }
    }

    fn line_status(&mut self) -> u8 {
        let mut status = lsr::THRE | lsr::TEMT;
        if !self.rx.is_empty() {
            status |= lsr::DR;
        }
        if std::mem::take(&mut self.overrun) {
            status |= lsr::OE;
        }
        status
    }

    /// The byte leaves at once, so the holding register is empty again.
    fn transmit(&mut self, byte: u8) -> Option<u8> {
        self.thre = true;
        if !self.loopback() {
            return Some(byte);
        }
        if self.rx.len() < self.capacity() {
            self.rx.push_back(byte);
        } else {
            self.overrun = true;
        }
        None
    }

    fn fifo_control(&mut self, value: u8) {
        let toggled = (value ^ self.fcr) & fcr::ENABLE != 0;
        if value & fcr::ENABLE == 0 {
            // The other bits are programmed only together with this one.
            self.fcr = 0;
        } else {
            self.fcr = value & fcr::MASK;
        }
        if toggled || value & (fcr::ENABLE | fcr::RCVR_RESET) == fcr::ENABLE | fcr::RCVR_RESET {
            self.rx.clear();
        }
    }

    fn modem_control(&mut self, value: u8) {
        let before = self.modem_lines();
        self.mcr = value;
        let after = self.modem_lines();
        let changed = before ^ after;
        for (line, delta) in [(msr::CTS, msr::DCTS), (msr::DSR, msr::DDSR), (msr::DCD, msr::DDCD)] {
            if changed & line != 0 {
                self.msr_deltas |= delta;
            }
        }
        if changed & before & msr::RI != 0 {
            self.msr_deltas |= msr::TERI;
        }
    }

    /// The modem's lines: a peer that is always there, or in loopback the port's own outputs
    /// [PC16550D §8.7].
    fn modem_lines(&self) -> u8 {
        if !self.loopback() {
            return msr::CTS | msr::DSR | msr::DCD;
        }
        [(mcr::RTS, msr::CTS), (mcr::DTR, msr::DSR), (mcr::OUT1, msr::RI), (mcr::OUT2, msr::DCD)]
            .into_iter()
            .filter(|(output, _)| self.mcr & output != 0)
            .fold(0, |lines, (_, input)| lines | input)
    }
}
