//! Sleep, reset and event registers of hardware-reduced ACPI [ACPI-6.5 §4.8.3.7]: power-off, reset, and
//! the power button, which raises an interrupt and waits in the event register until it is read.
//!
//! Where the registers are, and which sleep type means power-off, is told by the tables that the
//! machine gives its guest. Sleep types other than that do nothing: the machine does not sleep.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bus::{Shared, lock};
use crate::device::{Access, Device, Effect, MachineEvent, SavedState, StateError};
use crate::irq::IrqLine;
use crate::registry::{Bench, Specimen};

/// Bytes of the region.
pub const REGION_LEN: u64 = 4;
/// W: sleep type in bits 4 to 2, and [`SLEEP_ENABLE`].
pub const SLEEP_CONTROL: u64 = 0;
/// R: zero: the machine did not wake up.
pub const SLEEP_STATUS: u64 = 1;
/// W: [`RESET_VALUE`] resets.
pub const RESET: u64 = 2;
/// R: what happened since the last read, a bit each.
pub const EVENTS: u64 = 3;

/// Do what the sleep type says.
pub const SLEEP_ENABLE: u8 = 1 << 5;
/// The sleep type of power-off.
pub const S5: u8 = 5;
/// What resets.
pub const RESET_VALUE: u8 = 1;
/// An event: the power button was pressed.
pub const POWER_BUTTON: u8 = 1;

/// The registers.
pub struct AcpiPower {
    irq: IrqLine,
    events: u8,
}

/// Saved state, version 1.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AcpiPowerV1 {
    events: u8,
}

impl SavedState for AcpiPowerV1 {
    const KIND: &'static str = "acpi-power";
    const VERSION: u64 = 1;
}

impl AcpiPower {
    /// Registers whose events interrupt over `irq`.
    pub fn new(irq: IrqLine) -> Self {
        Self { irq, events: 0 }
    }

    /// Somebody presses the power button; what that means is the guest's business.
    pub fn press(&mut self) {
        self.set_events(self.events | POWER_BUTTON);
    }

    fn set_events(&mut self, events: u8) {
        self.events = events;
        self.irq.set(events != 0);
    }
}

impl Device for AcpiPower {
    fn kind(&self) -> &'static str {
        AcpiPowerV1::KIND
    }

    fn regions(&self) -> Vec<u64> {
        vec![REGION_LEN]
    }

    fn read(&mut self, at: Access) -> u64 {
        if (at.offset, at.size) != (EVENTS, 1) {
            return 0;
        }
        let events = self.events;
        self.set_events(0);
        events.into()
    }

    fn write(&mut self, at: Access, value: u64) -> Effect {
        let value = value as u8;
        match (at.offset, at.size) {
            (SLEEP_CONTROL, 1) if value & SLEEP_ENABLE != 0 && value >> 2 & 7 == S5 => {
                Effect::Machine(MachineEvent::Shutdown)
            }
            (RESET, 1) if value == RESET_VALUE => Effect::Machine(MachineEvent::Reset),
            _ => Effect::None,
        }
    }

    fn reset(&mut self) {
        self.set_events(0);
    }

    fn save(&self) -> Value {
        AcpiPowerV1 { events: self.events }.to_value()
    }

    fn restore(&mut self, state: &Value) -> Result<(), StateError> {
        self.reset();
        let AcpiPowerV1 { events } = AcpiPowerV1::from_value(state)?;
        if events & !POWER_BUTTON != 0 {
            return Err(AcpiPowerV1::malformed(format!("there are no such events as {events:#x}")));
        }
        self.set_events(events);
        Ok(())
    }
}

/// Stand-alone registers; the stimulus presses the button.
pub fn specimen(bench: &Bench) -> Specimen {
    let power: Shared<AcpiPower> =
        std::sync::Arc::new(std::sync::Mutex::new(AcpiPower::new(bench.irq.line(0))));
    let button = power.clone();
    Specimen::shared(power).stimulated_by(move |_| lock(&button).press())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestIrq;

    fn at(offset: u64) -> Access {
        Access { region: 0, offset, size: 1 }
    }

    #[test]
    fn power_off_and_reset() {
        let mut power = AcpiPower::new(IrqLine::unconnected());
        let off = Effect::Machine(MachineEvent::Shutdown);
        assert_eq!(power.write(at(SLEEP_CONTROL), 5 << 2 | 0x20), off);
        assert_eq!(power.write(at(SLEEP_CONTROL), 5 << 2), Effect::None);
        assert_eq!(power.write(at(SLEEP_CONTROL), 3 << 2 | 0x20), Effect::None);
        assert_eq!(power.write(at(RESET), 1), Effect::Machine(MachineEvent::Reset));
        assert_eq!(power.write(at(RESET), 6), Effect::None);
        assert_eq!(power.read(at(SLEEP_STATUS)), 0);
    }

    #[test]
    fn the_button_interrupts_until_the_event_is_read() {
        let irq = TestIrq::new();
        let mut power = AcpiPower::new(irq.line(9));
        power.press();
        power.press();
        assert!(irq.level(9));
        assert_eq!((power.read(at(EVENTS)), power.read(at(EVENTS))), (1, 0));
        assert!(!irq.level(9));
        power.press();
        let saved = power.save();
        power.reset();
        assert!(!irq.level(9));
        power.restore(&saved).unwrap();
        assert!(irq.level(9));
        assert!(power.restore(&serde_json::json!({"version": 1, "events": 2})).is_err());
    }
}
