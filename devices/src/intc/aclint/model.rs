//! MSWI and MTIMER as a value; time comes in as the tick count of the machine.

use super::spec::{Register, TIMEBASE_HZ};

/// Nanoseconds of a tick.
pub(super) const NS_PER_TICK: u64 = 1_000_000_000 / TIMEBASE_HZ;

/// Ticks of the timebase, at `now_ns` on the machine's clock. This is also the `time` CSR.
pub fn ticks(now_ns: u64) -> u64 {
    now_ns / NS_PER_TICK
}

/// Registers of one hart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hart {
    pub(super) msip: bool,
    pub(super) mtimecmp: u64,
}

impl Hart {
    /// MTIMECMP is unspecified at reset [ACLINT-1.0 §2.3]; its maximum keeps the timer silent.
    const RESET: Self = Self { msip: false, mtimecmp: u64::MAX };
}

/// The device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Model {
    pub(super) harts: Vec<Hart>,
    /// What MTIME is ahead of the machine's ticks, modulo 2^64.
    pub(super) offset: u64,
}

impl Model {
    /// A device as after power-on.
    pub(super) fn new(harts: usize) -> Self {
        Self { harts: vec![Hart::RESET; harts], offset: 0 }
    }

    /// MTIME when the machine's clock shows `now` ticks.
    pub(super) fn mtime(&self, now: u64) -> u64 {
        now.wrapping_add(self.offset)
    }

    /// The value of a whole register.
    pub(super) fn read(&self, register: Register, now: u64) -> u64 {
        match register {
            Register::Msip(hart) => self.harts[hart].msip.into(),
            Register::Mtimecmp(hart) => self.harts[hart].mtimecmp,
            Register::Mtime => self.mtime(now),
        }
    }

    /// Sets a whole register.
    pub(super) fn write(&mut self, register: Register, value: u64, now: u64) {
        match register {
            Register::Msip(hart) => self.harts[hart].msip = value & 1 != 0,
            Register::Mtimecmp(hart) => self.harts[hart].mtimecmp = value,
            Register::Mtime => self.offset = value.wrapping_sub(now),
        }
    }

    /// Whether the timer interrupt of `hart` is pending [ACLINT-1.0 §2.3].
    pub(super) fn mtip(&self, hart: usize, now: u64) -> bool {
        self.mtime(now) >= self.harts[hart].mtimecmp
    }

    /// The machine's time in nanoseconds at which the pending state of `hart` changes next: MTIME
    /// reaches MTIMECMP, or wraps around to below it. `None` if that is beyond the clock.
    pub(super) fn next_change_ns(&self, hart: usize, now: u64) -> Option<u64> {
        let (mtime, mtimecmp) = (self.mtime(now), self.harts[hart].mtimecmp);
        let ahead = match (mtime >= mtimecmp, mtimecmp) {
            (true, 0) => return None,
            (true, _) => 0u64.wrapping_sub(mtime),
            (false, _) => mtimecmp - mtime,
        };
        now.checked_add(ahead)?.checked_mul(NS_PER_TICK)
    }
}
