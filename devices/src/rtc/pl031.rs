//! The PrimeCell real-time clock, PL031 [PL031]: seconds since 1970 in 32 bits, an alarm at an
//! equal value, and an interrupt for it.

use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bus::Shared;
use crate::clock::{ClockRef, Timer, device_timer};
use crate::device::{Access, Device, Effect, SavedState, StateError};
use crate::irq::IrqLine;
use crate::registry::{Bench, Specimen};

/// Bytes of the register region.
pub const REGION_LEN: u64 = 0x1000;
/// R: the time.
pub const DR: u64 = 0x00;
/// RW: the alarm's time.
pub const MR: u64 = 0x04;
/// RW: the time to go on from.
pub const LR: u64 = 0x08;
/// RW: one; the clock cannot be switched off.
pub const CR: u64 = 0x0c;
/// RW: interrupt mask, a one enables.
pub const IMSC: u64 = 0x10;
/// R: raw interrupt.
pub const RIS: u64 = 0x14;
/// R: interrupt behind the mask.
pub const MIS: u64 = 0x18;
/// W: clears the interrupt.
pub const ICR: u64 = 0x1c;
/// R: identification, eight bytes in as many words.
pub const ID: u64 = 0xfe0;
/// What is read there.
pub const ID_BYTES: [u8; 8] = [0x31, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1];

const SECOND_NS: u64 = 1_000_000_000;

/// A PL031.
pub struct Pl031 {
    state: Pl031V1,
    clock: ClockRef,
    irq: IrqLine,
    timer: Box<dyn Timer>,
}

/// Saved state, version 1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pl031V1 {
    /// What the guest's time is ahead of the wall clock, in seconds modulo 2^32.
    offset: u32,
    matching: u32,
    load: u32,
    enabled: bool,
    pending: bool,
    /// The alarm has not rung since it was set.
    armed: bool,
}

impl SavedState for Pl031V1 {
    const KIND: &'static str = "pl031";
    const VERSION: u64 = 1;
}

impl Pl031 {
    /// A clock that shows the wall-clock time of `clock` and interrupts over `irq`.
    pub fn new(clock: ClockRef, irq: IrqLine) -> Shared<Self> {
        Arc::new_cyclic(|this| {
            let timer = device_timer(&*clock, this, Self::drive);
            Mutex::new(Self { state: Pl031V1::default(), clock, irq, timer })
        })
    }

    fn time(&self) -> u32 {
        ((self.clock.wall_ns() / SECOND_NS) as u32).wrapping_add(self.state.offset)
    }

    /// Rings the alarm if it is due, drives the line, and arms the timer for what is left.
    fn drive(&mut self) {
        let seconds = self.state.matching.wrapping_sub(self.time());
        if self.state.armed && seconds == 0 {
            self.state.armed = false;
            self.state.pending = true;
        }
        self.irq.set(self.state.enabled && self.state.pending);
        let past = self.clock.wall_ns() % SECOND_NS;
        let left = u64::from(seconds) * SECOND_NS - if seconds == 0 { 0 } else { past };
        let wanted = self.state.armed && self.state.enabled;
        self.timer.arm(wanted.then(|| self.clock.now_ns().saturating_add(left)));
    }
}

impl Device for Pl031 {
    fn kind(&self) -> &'static str {
        Pl031V1::KIND
    }

    fn regions(&self) -> Vec<u64> {
        vec![REGION_LEN]
    }

    fn read(&mut self, at: Access) -> u64 {
        if at.size != 4 {
            return 0;
        }
        self.drive();
        let state = &self.state;
        u64::from(match at.offset {
            DR => self.time(),
            MR => state.matching,
            LR => state.load,
            CR => 1,
            IMSC => state.enabled.into(),
            RIS => state.pending.into(),
            MIS => (state.pending && state.enabled).into(),
            ID.. => {
                let index = (at.offset - ID) / 4;
                ID_BYTES.get(index as usize).copied().unwrap_or(0).into()
            }
            _ => 0,
        })
    }

    fn write(&mut self, at: Access, value: u64) -> Effect {
        if at.size != 4 {
            return Effect::None;
        }
        let value = value as u32;
        self.drive();
        match at.offset {
            MR => {
                self.state.matching = value;
                self.state.armed = true;
            }
            LR => {
                self.state.load = value;
                self.state.offset = value.wrapping_sub((self.clock.wall_ns() / SECOND_NS) as u32);
            }
            IMSC => self.state.enabled = value & 1 != 0,
            ICR if value & 1 != 0 => self.state.pending = false,
            _ => {}
        }
        self.drive();
        Effect::None
    }

    fn reset(&mut self) {
        self.state = Pl031V1::default();
        self.drive();
    }

    fn save(&self) -> Value {
        self.state.to_value()
    }

    fn restore(&mut self, state: &Value) -> Result<(), StateError> {
        self.reset();
        self.state = Pl031V1::from_value(state)?;
        self.drive();
        Ok(())
    }
}

/// A stand-alone clock.
pub fn specimen(bench: &Bench) -> Specimen {
    Specimen::shared(Pl031::new(bench.clock.clone(), bench.irq.line(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::lock;
    use crate::testing::{TEST_EPOCH_NS, TestClock, TestIrq};

    fn at(offset: u64) -> Access {
        Access { region: 0, offset, size: 4 }
    }

    #[test]
    fn time_and_alarm() {
        let (clock, irq) = (TestClock::new(), TestIrq::new());
        let shared = Pl031::new(clock.clone(), irq.line(2));
        let read = |offset| lock(&shared).read(at(offset));
        let write = |offset, value| {
            let _ = lock(&shared).write(at(offset), value);
        };
        let start = TEST_EPOCH_NS / SECOND_NS;
        assert_eq!((read(DR), read(CR), read(ID)), (start, 1, 0x31));
        clock.advance(2 * SECOND_NS + SECOND_NS / 2);
        assert_eq!(read(DR), start + 2);
        write(LR, 100);
        write(MR, 110);
        write(IMSC, 1);
        clock.advance(9 * SECOND_NS);
        assert_eq!((read(DR), irq.level(2)), (109, false));
        clock.advance(SECOND_NS);
        assert_eq!((read(RIS), read(MIS), irq.level(2)), (1, 1, true));
        write(ICR, 1);
        assert_eq!((read(RIS), irq.level(2)), (0, false));
        clock.advance(5 * SECOND_NS);
        assert_eq!(read(RIS), 0, "an alarm rings once");
    }
}
