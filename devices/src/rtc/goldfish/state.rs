//! Saved state of the Goldfish RTC.

use serde::{Deserialize, Serialize};

use super::model::Model;
use crate::device::SavedState;

/// Version 1.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GoldfishRtcV1 {
    /// Nanoseconds from wall-clock to guest time, modulo 2^64.
    offset: u64,
    time_high: u32,
    alarm: u64,
    armed: bool,
    irq_enabled: bool,
    irq_pending: bool,
}

impl SavedState for GoldfishRtcV1 {
    const KIND: &'static str = "goldfish-rtc";
    const VERSION: u64 = 1;
}

impl From<&Model> for GoldfishRtcV1 {
    fn from(model: &Model) -> Self {
        Self {
            offset: model.offset,
            time_high: model.time_high,
            alarm: model.alarm,
            armed: model.armed,
            irq_enabled: model.irq_enabled,
            irq_pending: model.irq_pending,
        }
    }
}

impl From<GoldfishRtcV1> for Model {
    fn from(state: GoldfishRtcV1) -> Self {
        Self {
            offset: state.offset,
            time_high: state.time_high,
            alarm: state.alarm,
            armed: state.armed,
            irq_enabled: state.irq_enabled,
            irq_pending: state.irq_pending,
        }
    }
}
