//! The port as a value.

use std::collections::VecDeque;

use super::spec::*;

/// The port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Model {
    pub(super) rx: VecDeque<u8>,
    pub(super) ilpr: u16,
    pub(super) ibrd: u16,
    pub(super) fbrd: u16,
    pub(super) lcr_h: u16,
    pub(super) cr: u16,
    pub(super) ifls: u16,
    pub(super) imsc: u16,
    pub(super) ris: u16,
    pub(super) dmacr: u16,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            rx: VecDeque::new(),
            ilpr: 0,
            ibrd: 0,
            fbrd: 0,
            lcr_h: 0,
            cr: CR_RESET,
            ifls: IFLS_RESET,
            imsc: 0,
            ris: 0,
            dmacr: 0,
        }
    }
}

impl Model {
    /// How much the receiver holds.
    pub(super) fn capacity(&self) -> usize {
        if self.lcr_h & LCR_H_FEN != 0 { FIFO_LEN } else { 1 }
    }

    /// Bytes at which the receiver interrupts.
    fn trigger(&self) -> usize {
        if self.lcr_h & LCR_H_FEN == 0 {
            return 1;
        }
        match self.ifls >> 3 & 7 {
            0 => FIFO_LEN / 8,
            1 => FIFO_LEN / 4,
            3 => FIFO_LEN * 3 / 4,
            4 => FIFO_LEN * 7 / 8,
            _ => FIFO_LEN / 2,
        }
    }

    /// Whether bytes can come in at all.
    pub(super) fn receives(&self) -> bool {
        self.cr & (CR_UARTEN | CR_RXE) == CR_UARTEN | CR_RXE
    }

    /// Takes input as far as it fits.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> usize {
        if !self.receives() {
            return 0;
        }
        let room = self.capacity().saturating_sub(self.rx.len());
        let taken = room.min(bytes.len());
        self.rx.extend(&bytes[..taken]);
        if taken > 0 {
            self.ris |= INT_RT;
        }
        if self.rx.len() >= self.trigger() {
            self.ris |= INT_RX;
        }
        taken
    }

    fn take(&mut self) -> u8 {
        let byte = self.rx.pop_front().unwrap_or(0);
        if self.rx.len() < self.trigger() {
            self.ris &= !INT_RX;
        }
        if self.rx.is_empty() {
            self.ris &= !INT_RT;
        }
        byte
    }

    /// Reads the register at `offset`.
    pub(super) fn read(&mut self, offset: u64) -> u16 {
        match offset {
            DR => self.take().into(),
            FR => self.flags(),
            ILPR => self.ilpr,
            IBRD => self.ibrd,
            FBRD => self.fbrd,
            LCR_H => self.lcr_h,
            CR => self.cr,
            IFLS => self.ifls,
            IMSC => self.imsc,
            RIS => self.ris,
            MIS => self.ris & self.imsc,
            DMACR => self.dmacr,
            ID.. => {
                let index = (offset - ID) / 4;
                ID_BYTES.get(index as usize).copied().unwrap_or(0).into()
            }
            _ => 0,
        }
    }

    fn flags(&self) -> u16 {
        let empty = if self.rx.is_empty() { FR_RXFE } else { 0 };
        let full = if self.rx.len() >= self.capacity() { FR_RXFF } else { 0 };
        FR_TXFE | empty | full
    }

    /// Writes the register at `offset`; a byte that is sent is returned.
    pub(super) fn write(&mut self, offset: u64, value: u16) -> Option<u8> {
        match offset {
            DR => {
                // Sent at once, so the FIFO has fallen below its level again.
                self.ris |= INT_TX;
                return Some(value as u8);
            }
            ILPR => self.ilpr = value & ILPR_MASK,
            IBRD => self.ibrd = value,
            FBRD => self.fbrd = value & FBRD_MASK,
            LCR_H => {
                if (self.lcr_h ^ value) & LCR_H_FEN != 0 {
                    self.rx.clear();
                    self.ris &= !(INT_RX | INT_RT);
                }
                self.lcr_h = value & LCR_H_MASK;
            }
            CR => self.cr = value & CR_MASK,
            IFLS => self.ifls = value & IFLS_MASK,
            IMSC => self.imsc = value & INT_MASK,
            ICR => self.ris &= !value,
            DMACR => self.dmacr = value & DMACR_MASK,
            _ => {}
        }
        None
    }

    /// Whether the interrupt line is asserted.
    pub(super) fn interrupt(&self) -> bool {
        self.ris & self.imsc != 0
    }
}
