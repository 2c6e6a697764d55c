//! The clock as a value; the wall-clock time comes in.

use super::spec::{
    ALARM_HIGH, ALARM_LOW, ALARM_STATUS, CLEAR_ALARM, CLEAR_INTERRUPT, IRQ_ENABLED, TIME_HIGH,
    TIME_LOW,
};

/// The clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Model {
    /// What the guest's time is ahead of the wall clock, in nanoseconds modulo 2^64.
    pub(super) offset: u64,
    /// High half of the time at the last read of TIME_LOW.
    pub(super) time_high: u32,
    /// Guest time of the alarm, in nanoseconds.
    pub(super) alarm: u64,
    pub(super) armed: bool,
    pub(super) irq_enabled: bool,
    pub(super) irq_pending: bool,
}

impl Model {
    /// Reads the register at `offset`, at wall-clock time `wall_ns`.
    pub(super) fn read(&mut self, offset: u64, wall_ns: u64) -> u32 {
        match offset {
            TIME_LOW => {
                let time = self.time(wall_ns);
                self.time_high = high(time);
                time as u32
            }
            TIME_HIGH => self.time_high,
            ALARM_LOW => self.alarm as u32,
            ALARM_HIGH => high(self.alarm),
            IRQ_ENABLED => self.irq_enabled.into(),
            ALARM_STATUS => self.armed.into(),
            _ => 0,
        }
    }

    /// Writes the register at `offset`.
    pub(super) fn write(&mut self, offset: u64, value: u32, wall_ns: u64) {
        let time = self.time(wall_ns);
        match offset {
            TIME_LOW => self.offset = join(high(time), value).wrapping_sub(wall_ns),
            TIME_HIGH => self.offset = join(value, time as u32).wrapping_sub(wall_ns),
            ALARM_LOW => {
                self.alarm = join(high(self.alarm), value);
                self.armed = true;
            }
            ALARM_HIGH => self.alarm = join(value, self.alarm as u32),
            IRQ_ENABLED => self.irq_enabled = value & 1 != 0,
            CLEAR_ALARM => self.armed = false,
            CLEAR_INTERRUPT => self.irq_pending = false,
            _ => {}
        }
    }

    /// Rings the alarm if its time has come; otherwise says how many nanoseconds are left.
    pub(super) fn ring(&mut self, wall_ns: u64) -> Option<u64> {
        if !self.armed {
            return None;
        }
        let left = self.alarm.saturating_sub(self.time(wall_ns));
        if left > 0 {
            return Some(left);
        }
        self.armed = false;
        self.irq_pending = true;
        None
    }

    /// Whether the interrupt line is asserted.
    pub(super) fn interrupt(&self) -> bool {
        self.irq_enabled && self.irq_pending
    }

    fn time(&self, wall_ns: u64) -> u64 {
        wall_ns.wrapping_add(self.offset)
    }
}

fn high(value: u64) -> u32 {
    (value >> 32) as u32
}

fn join(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}
