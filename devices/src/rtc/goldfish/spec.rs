//! Registers of the Goldfish RTC: 32 bits each, accessed whole [GOLDFISH §RTC].

/// Bytes of the register region.
pub const REGION_LEN: u64 = 0x1000;

/// Low half of the time; reading it latches the high half, writing it sets the low half.
pub const TIME_LOW: u64 = 0x00;
/// High half of the time as latched; writing it sets the high half.
pub const TIME_HIGH: u64 = 0x04;
/// Low half of the alarm; writing it arms the alarm.
pub const ALARM_LOW: u64 = 0x08;
/// High half of the alarm.
pub const ALARM_HIGH: u64 = 0x0c;
/// Bit 0 lets the interrupt reach the line.
pub const IRQ_ENABLED: u64 = 0x10;
/// Any write disarms the alarm (write only).
pub const CLEAR_ALARM: u64 = 0x14;
/// Bit 0: the alarm is armed (read only).
pub const ALARM_STATUS: u64 = 0x18;
/// Any write clears the interrupt (write only).
pub const CLEAR_INTERRUPT: u64 = 0x1c;
