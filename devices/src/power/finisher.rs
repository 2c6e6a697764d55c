//! The SiFive test finisher: one register by which a guest ends its run [SIFIVE-TEST].
//!
//! Writing [`PASS`] powers off, [`RESET`] restarts, [`FAIL`] with a code in the upper half word
//! ends the run with that code. Anything else does nothing, and the register reads as zero. It
//! has no state.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::device::{Access, Device, Effect, MachineEvent, SavedState, StateError};
use crate::registry::{Bench, Specimen};

/// Bytes of the register region.
pub const REGION_LEN: u64 = 0x1000;
/// Finish with the code in bits 31 to 16.
pub const FAIL: u32 = 0x3333;
/// Finish well: power off.
pub const PASS: u32 = 0x5555;
/// Restart.
pub const RESET: u32 = 0x7777;

/// A test finisher.
#[derive(Debug, Default)]
pub struct Finisher;

/// Saved state, version 1: there is none.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FinisherV1 {}

impl SavedState for FinisherV1 {
    const KIND: &'static str = "finisher";
    const VERSION: u64 = 1;
}

impl Device for Finisher {
    fn kind(&self) -> &'static str {
        FinisherV1::KIND
    }

    fn regions(&self) -> Vec<u64> {
        vec![REGION_LEN]
    }

    fn read(&mut self, _: Access) -> u64 {
        0
    }

    fn write(&mut self, at: Access, value: u64) -> Effect {
        // A half word is enough for the verbs without a code; some firmware writes just that.
        if at.offset != 0 || !matches!(at.size, 2 | 4) {
            return Effect::None;
        }
        let value = value as u32;
        match value & 0xffff {
            FAIL => Effect::Machine(MachineEvent::Exit(value >> 16)),
            PASS => Effect::Machine(MachineEvent::Shutdown),
            RESET => Effect::Machine(MachineEvent::Reset),
            _ => Effect::None,
        }
    }

    fn reset(&mut self) {}

    fn save(&self) -> Value {
        FinisherV1 {}.to_value()
    }

    fn restore(&mut self, state: &Value) -> Result<(), StateError> {
        FinisherV1::from_value(state).map(|_| ())
    }
}

/// A stand-alone finisher.
pub fn specimen(_: &Bench) -> Specimen {
    Specimen::new(Finisher)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(offset: u64, size: u8, value: u64) -> Effect {
        Finisher.write(Access { region: 0, offset, size }, value)
    }

    #[test]
    fn the_verbs() {
        assert_eq!(write(0, 4, 0x5555), Effect::Machine(MachineEvent::Shutdown));
        assert_eq!(write(0, 2, 0x7777), Effect::Machine(MachineEvent::Reset));
        assert_eq!(write(0, 4, 0x12_3333), Effect::Machine(MachineEvent::Exit(0x12)));
    }

    #[test]
    fn anything_else_does_nothing() {
        for (offset, size, value) in [(4, 4, 0x5555), (0, 1, 0x55), (0, 8, 0x5555), (0, 4, 1)] {
            assert_eq!(write(offset, size, value), Effect::None);
        }
    }

    #[test]
    fn state_has_only_a_version() {
        assert_eq!(Finisher.save(), serde_json::json!({"version": 1}));
        assert!(Finisher.restore(&serde_json::json!({"version": 2})).is_err());
        assert!(Finisher.restore(&serde_json::json!({"version": 1, "x": 0})).is_err());
    }
}
