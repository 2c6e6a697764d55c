//! The clock as a value; the wall-clock time comes in.

use super::calendar::{Date, date_of, day_of_week, days_of};
use super::spec::*;

const SECOND_NS: u64 = 1_000_000_000;
const DAY_SECONDS: u64 = 86_400;
/// The crystal's rate, of which the periodic interrupt takes a power of two.
const CRYSTAL_HZ: u64 = 32_768;

/// The clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Model {
    /// Which byte the data port shows.
    pub(super) index: u8,
    /// Memory. The time registers are kept here only while time stands still; the flags of C and
    /// the busy bit of A never.
    pub(super) ram: [u8; LEN],
    /// What the guest's time is ahead of the wall clock, in nanoseconds modulo 2^64.
    pub(super) offset: u64,
    /// Flags of C without the summary.
    pub(super) flags: u8,
    /// The guest's time up to which flags are right, in nanoseconds.
    pub(super) seen: u64,
}

/// Later years do not fit into nanoseconds of 64 bits.
const YEAR_MAX: u32 = 2500;

/// The registers that time changes.
const TIME: [u8; 8] = [SECONDS, MINUTES, HOURS, DAY_OF_WEEK, DAY, MONTH, YEAR, CENTURY];

impl Model {
    /// As after power-on at wall-clock time `wall_ns`.
    pub(super) fn new(wall_ns: u64) -> Self {
        let mut ram = [0; LEN];
        ram[usize::from(A)] = A_RESET;
        ram[usize::from(B)] = B_RESET;
        ram[usize::from(D)] = D_VALID;
        Self { index: 0, ram, offset: 0, flags: 0, seen: wall_ns }
    }

    fn reg(&self, index: u8) -> u8 {
        self.ram[usize::from(index)]
    }

    fn stands(&self) -> bool {
        self.reg(B) & B_SET != 0
    }

    fn time(&self, wall_ns: u64) -> u64 {
        wall_ns.wrapping_add(self.offset)
    }

    /// Reads the byte at the index.
    pub(super) fn read(&mut self, wall_ns: u64) -> u8 {
        self.catch_up(wall_ns);
        let now = self.time(wall_ns);
        match self.index {
            A => {
                let soon = now % SECOND_NS >= SECOND_NS - ANNOUNCE_NS;
                self.reg(A) | if soon && !self.stands() { A_UIP } else { 0 }
            }
            C => {
                let flags = self.flags | if self.interrupt() { C_IRQ } else { 0 };
                self.flags = 0;
                flags
            }
            index if TIME.contains(&index) && !self.stands() => self.time_register(index, now),
            index => self.reg(index),
        }
    }

    /// Writes the byte at the index.
    pub(super) fn write(&mut self, value: u8, wall_ns: u64) {
        self.catch_up(wall_ns);
        let now = self.time(wall_ns);
        match self.index {
            A => self.ram[usize::from(A)] = value & !A_UIP,
            B => self.write_b(value, now, wall_ns),
            C | D => {}
            index if TIME.contains(&index) && !self.stands() => {
                // Set while it runs: the others stay.
                self.hold(now);
                self.ram[usize::from(index)] = value;
                self.set_time(now, wall_ns);
                self.forget_time();
            }
            index => self.ram[usize::from(index)] = value,
        }
    }

    fn write_b(&mut self, value: u8, now: u64, wall_ns: u64) {
        let was = self.stands();
        if !was {
            // In the old format: a change of it does not change what is held.
            self.hold(now);
        }
        self.ram[usize::from(B)] = value;
        match (was, self.stands()) {
            (true, false) => {
                self.set_time(now, wall_ns);
                self.forget_time();
            }
            (false, false) => self.forget_time(),
            // Updates end, and with them what they would raise [MC146818].
            (_, true) => self.ram[usize::from(B)] &= !UPDATE,
        }
    }

    /// Copies the time to memory.
    fn hold(&mut self, now: u64) {
        for index in TIME {
            self.ram[usize::from(index)] = self.time_register(index, now);
        }
    }

    fn forget_time(&mut self) {
        for index in TIME {
            self.ram[usize::from(index)] = 0;
        }
    }

    fn time_register(&self, index: u8, now: u64) -> u8 {
        let seconds = now / SECOND_NS;
        let (days, second) = (seconds / DAY_SECONDS, seconds % DAY_SECONDS);
        let date = date_of(days);
        let value = match index {
            SECONDS => second % 60,
            MINUTES => second / 60 % 60,
            HOURS => return self.encode_hour((second / 3600) as u8),
            DAY_OF_WEEK => day_of_week(days).into(),
            DAY => date.day.into(),
            MONTH => date.month.into(),
            YEAR => u64::from(date.year % 100),
            _ => u64::from(date.year / 100 % 100),
        };
        self.encode(value as u8)
    }

    /// Takes the time from memory; parts that are no time count as their least.
    fn set_time(&mut self, now: u64, wall_ns: u64) {
        let part = |index, low: u8, high: u8| {
            let value = self.decode(self.reg(index)).filter(|v| (low..=high).contains(v));
            u64::from(value.unwrap_or(low))
        };
        let year = part(CENTURY, 0, 99) * 100 + part(YEAR, 0, 99);
        let date = Date {
            year: (year as u32).clamp(1970, YEAR_MAX),
            month: part(MONTH, 1, 12) as u32,
            day: part(DAY, 1, 31) as u32,
        };
        let hour = self.decode_hour(self.reg(HOURS)).unwrap_or(0);
        let second = u64::from(hour) * 3600 + part(MINUTES, 0, 59) * 60 + part(SECONDS, 0, 59);
        let set = (days_of(date) * DAY_SECONDS + second) * SECOND_NS + now % SECOND_NS;
        self.offset = set.wrapping_sub(wall_ns);
        self.seen = set;
    }

    fn encode(&self, value: u8) -> u8 {
        if self.reg(B) & B_BINARY != 0 { value } else { ((value / 10) << 4) | (value % 10) }
    }

    fn decode(&self, value: u8) -> Option<u8> {
        match (self.reg(B) & B_BINARY != 0, value >> 4, value & 0xf) {
            (true, _, _) => Some(value),
            (false, tens @ 0..=9, ones @ 0..=9) => Some(tens * 10 + ones),
            _ => None,
        }
    }

    fn encode_hour(&self, hour: u8) -> u8 {
        if self.reg(B) & B_24H != 0 {
            return self.encode(hour);
        }
        let of_twelve = if hour.is_multiple_of(12) { 12 } else { hour % 12 };
        self.encode(of_twelve) | if hour >= 12 { PM } else { 0 }
    }

    fn decode_hour(&self, value: u8) -> Option<u8> {
        if self.reg(B) & B_24H != 0 {
            return self.decode(value).filter(|hour| *hour < 24);
        }
        let of_twelve = self.decode(value & !PM).filter(|hour| (1..=12).contains(hour))?;
        Some(of_twelve % 12 + if value & PM != 0 { 12 } else { 0 })
    }

    /// Whether the interrupt line is asserted.
    pub(super) fn interrupt(&self) -> bool {
        self.flags & self.reg(B) & (PERIODIC | ALARM | UPDATE) != 0
    }

    /// Raises the flags of what happened since the last time.
    pub(super) fn catch_up(&mut self, wall_ns: u64) {
        let now = self.time(wall_ns);
        // A wall clock that was put back makes nothing happen.
        let then = std::mem::replace(&mut self.seen, now).min(now);
        if self.rate().is_some_and(|period| ticks(now) >> period != ticks(then) >> period) {
            self.flags |= PERIODIC;
        }
        let (from, to) = (then / SECOND_NS, now / SECOND_NS);
        if from == to || self.stands() {
            return;
        }
        self.flags |= UPDATE;
        if self.next_alarm(from).is_some_and(|seconds| seconds <= to - from) {
            self.flags |= ALARM;
        }
    }

    /// Nanoseconds from `wall_ns` to the next interrupt that is enabled; none if one is asserted
    /// already, or none will come.
    pub(super) fn next_ns(&self, wall_ns: u64) -> Option<u64> {
        if self.interrupt() {
            return None;
        }
        let now = self.time(wall_ns);
        let second = now / SECOND_NS;
        let wants = |flag| self.reg(B) & flag != 0;
        let in_seconds = |n: u64| (second + n).checked_mul(SECOND_NS).map(|at| at - now);
        let periodic = self.rate().filter(|_| wants(PERIODIC)).map(|period| {
            let tick = ((ticks(now) >> period) + 1) << period;
            time_of_tick(tick).saturating_sub(now).max(1)
        });
        let update = (wants(UPDATE) && !self.stands()).then(|| in_seconds(1)).flatten();
        let alarm = (wants(ALARM) && !self.stands())
            .then(|| self.next_alarm(second).and_then(in_seconds))
            .flatten();
        [periodic, update, alarm].into_iter().flatten().min()
    }

    /// The periodic interrupt's period as a power of two of the crystal's; none if it is off.
    fn rate(&self) -> Option<u32> {
        match u32::from(self.reg(A) & A_RATE) {
            0 => None,
            // The two fastest do not exist with this crystal; they are slow ones instead.
            rate @ 1..=2 => Some(rate + 6),
            rate => Some(rate - 1),
        }
    }

    /// Seconds from `second` to the next one that the alarm matches, a day at most.
    fn next_alarm(&self, second: u64) -> Option<u64> {
        let part = |value: u8| if value & ANY == ANY { None } else { Some(value) };
        let of = (second % DAY_SECONDS) as u32;
        let seconds = match part(self.reg(SECONDS_ALARM)) {
            None => [0, (of + 1) % 60].to_vec(),
            Some(value) => vec![self.decode(value).filter(|v| *v < 60)?.into()],
        };
        let minutes = match part(self.reg(MINUTES_ALARM)) {
            None => 0..60,
            Some(value) => {
                let value = self.decode(value).filter(|v| *v < 60)?.into();
                value..value + 1
            }
        };
        let hours = match part(self.reg(HOURS_ALARM)) {
            None => 0..24,
            Some(value) => {
                let value = self.decode_hour(value)?.into();
                value..value + 1
            }
        };
        let day = DAY_SECONDS as u32;
        hours
            .flat_map(|h| minutes.clone().map(move |m| h * 3600 + m * 60))
            .flat_map(|start| seconds.iter().map(move |s| start + s))
            .map(|at| u64::from((at + 2 * day - of - 1) % day + 1))
            .min()
    }
}

/// How often the crystal has ticked, a part of a second included.
fn ticks(ns: u64) -> u64 {
    (ns / SECOND_NS).wrapping_mul(CRYSTAL_HZ) + ns % SECOND_NS * CRYSTAL_HZ / SECOND_NS
}

/// When it does so, rounded up.
fn time_of_tick(tick: u64) -> u64 {
    let (second, part) = (tick / CRYSTAL_HZ, tick % CRYSTAL_HZ);
    second.saturating_mul(SECOND_NS).saturating_add((part * SECOND_NS).div_ceil(CRYSTAL_HZ))
}
