//! The keyboard controller of PCs, as far as a machine without a keyboard needs it [8042]: its
//! command 0xfe pulses the processor's reset line. Everything else is accepted and does nothing,
//! and there is never a byte to read. It has no state.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::device::{Access, Device, Effect, MachineEvent, SavedState, StateError};
use crate::registry::{Bench, Specimen};

/// Region of the data port.
pub const DATA: u8 = 0;
/// Region of the status and command port.
pub const COMMAND: u8 = 1;
/// Bytes of each region.
pub const REGION_LEN: u64 = 1;
/// Command: pulse the reset line.
pub const RESET: u8 = 0xfe;

/// A keyboard controller.
#[derive(Debug, Default)]
pub struct I8042;

/// Saved state, version 1: there is none.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct I8042V1 {}

impl SavedState for I8042V1 {
    const KIND: &'static str = "i8042";
    const VERSION: u64 = 1;
}

impl Device for I8042 {
    fn kind(&self) -> &'static str {
        I8042V1::KIND
    }

    fn regions(&self) -> Vec<u64> {
        vec![REGION_LEN, REGION_LEN]
    }

    /// Status: both buffers empty.
    fn read(&mut self, _: Access) -> u64 {
        0
    }

    fn write(&mut self, at: Access, value: u64) -> Effect {
        if at.region == COMMAND && value as u8 == RESET {
            return Effect::Machine(MachineEvent::Reset);
        }
        Effect::None
    }

    fn reset(&mut self) {}

    fn save(&self) -> Value {
        I8042V1 {}.to_value()
    }

    fn restore(&mut self, state: &Value) -> Result<(), StateError> {
        I8042V1::from_value(state).map(|_| ())
    }
}

/// A stand-alone controller.
pub fn specimen(_: &Bench) -> Specimen {
    Specimen::new(I8042)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_reset_command_does_something() {
        let write = |region, value| I8042.write(Access { region, offset: 0, size: 1 }, value);
        assert_eq!(write(COMMAND, 0xfe), Effect::Machine(MachineEvent::Reset));
        assert_eq!(write(COMMAND, 0xaa), Effect::None);
        assert_eq!(write(DATA, 0xfe), Effect::None);
        assert_eq!(I8042.read(Access { region: COMMAND, offset: 0, size: 1 }), 0);
    }
}
