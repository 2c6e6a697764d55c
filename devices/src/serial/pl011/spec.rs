//! Registers of the PL011 [PL011 §3.2].

/// Bytes of the register region.
pub const REGION_LEN: u64 = 0x1000;
/// Bytes in each FIFO.
pub const FIFO_LEN: usize = 32;

/// RW: data.
pub const DR: u64 = 0x000;
/// R: receive status, W: clears errors.
pub const RSR: u64 = 0x004;
/// R: flags.
pub const FR: u64 = 0x018;
/// RW: infrared divisor.
pub const ILPR: u64 = 0x020;
/// RW: integer part of the divisor.
pub const IBRD: u64 = 0x024;
/// RW: its fraction.
pub const FBRD: u64 = 0x028;
/// RW: line control.
pub const LCR_H: u64 = 0x02c;
/// RW: control.
pub const CR: u64 = 0x030;
/// RW: trigger levels.
pub const IFLS: u64 = 0x034;
/// RW: interrupt mask, a one enables.
pub const IMSC: u64 = 0x038;
/// R: raw interrupts.
pub const RIS: u64 = 0x03c;
/// R: interrupts behind the mask.
pub const MIS: u64 = 0x040;
/// W: clears interrupts.
pub const ICR: u64 = 0x044;
/// RW: DMA control.
pub const DMACR: u64 = 0x048;
/// R: identification, eight bytes in as many words.
pub const ID: u64 = 0xfe0;
/// What is read there: peripheral 011 of Arm, revision r1p5, and the PrimeCell mark.
pub const ID_BYTES: [u8; 8] = [0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1];

/// FR: the receive FIFO is empty.
pub const FR_RXFE: u16 = 1 << 4;
/// FR: the receive FIFO is full.
pub const FR_RXFF: u16 = 1 << 6;
/// FR: the transmit FIFO is empty.
pub const FR_TXFE: u16 = 1 << 7;
/// LCR_H: the FIFOs are on.
pub const LCR_H_FEN: u16 = 1 << 4;
/// LCR_H: bits that exist.
pub const LCR_H_MASK: u16 = 0xff;
/// CR: the port is on.
pub const CR_UARTEN: u16 = 1 << 0;
/// CR: reception is on.
pub const CR_RXE: u16 = 1 << 9;
/// CR after a reset: transmission and reception on, the port off.
pub const CR_RESET: u16 = 0x300;
/// CR: bits that exist.
pub const CR_MASK: u16 = 0xff87;
/// IFLS after a reset: half full.
pub const IFLS_RESET: u16 = 0x12;
/// IFLS: bits that exist.
pub const IFLS_MASK: u16 = 0x3f;
/// Interrupt: the receive FIFO has reached its level.
pub const INT_RX: u16 = 1 << 4;
/// Interrupt: the transmit FIFO has fallen to its level.
pub const INT_TX: u16 = 1 << 5;
/// Interrupt: received bytes have waited for a while.
pub const INT_RT: u16 = 1 << 6;
/// All interrupts.
pub const INT_MASK: u16 = 0x7ff;
/// FBRD: bits that exist.
pub const FBRD_MASK: u16 = 0x3f;
/// ILPR: bits that exist.
pub const ILPR_MASK: u16 = 0xff;
/// DMACR: bits that exist.
pub const DMACR_MASK: u16 = 0x7;
