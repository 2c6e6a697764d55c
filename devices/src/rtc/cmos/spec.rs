//! Registers of the clock [MC146818].

/// Bytes of the region: index and data port.
pub const REGION_LEN: u64 = 2;
/// Bytes of memory, the clock's registers included.
pub const LEN: usize = 128;

/// Seconds; the alarm's follow at the next index, and so for minutes and hours.
pub const SECONDS: u8 = 0x00;
/// Alarm: seconds.
pub const SECONDS_ALARM: u8 = 0x01;
/// Minutes.
pub const MINUTES: u8 = 0x02;
/// Alarm: minutes.
pub const MINUTES_ALARM: u8 = 0x03;
/// Hours; bit 7 is the afternoon in the format of 12 hours.
pub const HOURS: u8 = 0x04;
/// Alarm: hours.
pub const HOURS_ALARM: u8 = 0x05;
/// Day of the week, 1 is Sunday.
pub const DAY_OF_WEEK: u8 = 0x06;
/// Day of the month from 1.
pub const DAY: u8 = 0x07;
/// Month from 1.
pub const MONTH: u8 = 0x08;
/// Year of the century.
pub const YEAR: u8 = 0x09;
/// Divider and rate.
pub const A: u8 = 0x0a;
/// Formats and interrupt enables.
pub const B: u8 = 0x0b;
/// Interrupt flags; reading clears them.
pub const C: u8 = 0x0c;
/// Bit 7: the battery is good.
pub const D: u8 = 0x0d;
/// Century, where PCs have it.
pub const CENTURY: u8 = 0x32;

/// A: an update is about to come.
pub const A_UIP: u8 = 1 << 7;
/// A: rate of the periodic interrupt.
pub const A_RATE: u8 = 0x0f;
/// A after power-on: a crystal of 32,768 Hz, 1,024 Hz.
pub const A_RESET: u8 = 0x26;
/// B: time stands still, to be set.
pub const B_SET: u8 = 1 << 7;
/// B, C: the periodic interrupt.
pub const PERIODIC: u8 = 1 << 6;
/// B, C: the alarm.
pub const ALARM: u8 = 1 << 5;
/// B, C: the end of an update.
pub const UPDATE: u8 = 1 << 4;
/// B: numbers are binary, not BCD.
pub const B_BINARY: u8 = 1 << 2;
/// B: hours of 24.
pub const B_24H: u8 = 1 << 1;
/// B after power-on.
pub const B_RESET: u8 = B_24H;
/// C: any flag that is also enabled.
pub const C_IRQ: u8 = 1 << 7;
/// D.
pub const D_VALID: u8 = 1 << 7;
/// Hours: afternoon.
pub const PM: u8 = 1 << 7;
/// An alarm's part with these bits is a wild card.
pub const ANY: u8 = 0xc0;
/// How long before an update the clock announces it, in nanoseconds.
pub const ANNOUNCE_NS: u64 = 244_000;
