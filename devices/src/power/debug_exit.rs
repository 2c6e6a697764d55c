//! The debug-exit device of test machines [QEMU-debug-exit]: a write of the status `n` ends the
//! run with `n * 2 + 1`, so that a program that reports something never ends as one that was
//! switched off. It has no state, and reads as zero.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::device::{Access, Device, Effect, MachineEvent, SavedState, StateError};
use crate::registry::{Bench, Specimen};

/// Bytes of the region.
pub const REGION_LEN: u64 = 4;

/// A debug-exit device.
#[derive(Debug, Default)]
pub struct DebugExit;

/// Saved state, version 1: there is none.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DebugExitV1 {}

impl SavedState for DebugExitV1 {
    const KIND: &'static str = "debug-exit";
    const VERSION: u64 = 1;
}

impl Device for DebugExit {
    fn kind(&self) -> &'static str {
        DebugExitV1::KIND
    }

    fn regions(&self) -> Vec<u64> {
        vec![REGION_LEN]
    }

    fn read(&mut self, _: Access) -> u64 {
        0
    }

    fn write(&mut self, at: Access, value: u64) -> Effect {
        if at.offset != 0 {
            return Effect::None;
        }
        Effect::Machine(MachineEvent::Exit((value as u32) << 1 | 1))
    }

    fn reset(&mut self) {}

    fn save(&self) -> Value {
        DebugExitV1 {}.to_value()
    }

    fn restore(&mut self, state: &Value) -> Result<(), StateError> {
        DebugExitV1::from_value(state).map(|_| ())
    }
}

/// A stand-alone device.
pub fn specimen(_: &Bench) -> Specimen {
    Specimen::new(DebugExit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_doubled_and_odd() {
        let write =
            |offset, size, value| DebugExit.write(Access { region: 0, offset, size }, value);
        let ends = |status| Effect::Machine(MachineEvent::Exit(status));
        assert_eq!(write(0, 1, 0x10), ends(0x21));
        assert_eq!(write(0, 4, 0), ends(1));
        assert_eq!(write(1, 1, 0), Effect::None);
    }
}
