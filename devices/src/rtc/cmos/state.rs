//! Saved state of the CMOS clock.

use serde::{Deserialize, Serialize};

use super::model::Model;
use super::spec::{ALARM, LEN, PERIODIC, UPDATE};
use crate::device::{SavedState, StateError};

/// Version 1.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CmosRtcV1 {
    index: u8,
    ram: Vec<u8>,
    offset_ns: u64,
    flags: u8,
    seen_ns: u64,
}

impl SavedState for CmosRtcV1 {
    const KIND: &'static str = "cmos-rtc";
    const VERSION: u64 = 1;
}

impl From<&Model> for CmosRtcV1 {
    fn from(model: &Model) -> Self {
        Self {
            index: model.index,
            ram: model.ram.to_vec(),
            offset_ns: model.offset,
            flags: model.flags,
            seen_ns: model.seen,
        }
    }
}

impl TryFrom<CmosRtcV1> for Model {
    type Error = StateError;

    fn try_from(state: CmosRtcV1) -> Result<Self, StateError> {
        let len = state.ram.len();
        let ram: [u8; LEN] = state
            .ram
            .try_into()
            .map_err(|_| CmosRtcV1::malformed(format!("{len} bytes of memory instead of {LEN}")))?;
        if usize::from(state.index) >= LEN || state.flags & !(PERIODIC | ALARM | UPDATE) != 0 {
            return Err(CmosRtcV1::malformed("its index or its flags do not exist".into()));
        }
        Ok(Self {
            index: state.index,
            ram,
            offset: state.offset_ns,
            flags: state.flags,
            seen: state.seen_ns,
        })
    }
}
