//! Saved state of the ACLINT.

use serde::{Deserialize, Serialize};

use super::model::{Hart, Model};
use crate::device::{SavedState, StateError};

/// Version 1.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AclintV1 {
    /// MTIME minus the machine's ticks, modulo 2^64.
    offset: u64,
    harts: Vec<HartV1>,
}

/// One hart of [`AclintV1`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HartV1 {
    msip: bool,
    mtimecmp: u64,
}

impl SavedState for AclintV1 {
    const KIND: &'static str = "aclint";
    const VERSION: u64 = 1;
}

impl From<&Model> for AclintV1 {
    fn from(model: &Model) -> Self {
        let hart = |h: &Hart| HartV1 { msip: h.msip, mtimecmp: h.mtimecmp };
        Self { offset: model.offset, harts: model.harts.iter().map(hart).collect() }
    }
}

impl AclintV1 {
    /// The device of this state, which must have `harts` harts.
    pub(super) fn into_model(self, harts: usize) -> Result<Model, StateError> {
        if self.harts.len() != harts {
            let found = self.harts.len();
            return Err(Self::malformed(format!("{found} harts, where this machine has {harts}")));
        }
        let hart = |h: HartV1| Hart { msip: h.msip, mtimecmp: h.mtimecmp };
        Ok(Model { harts: self.harts.into_iter().map(hart).collect(), offset: self.offset })
    }
}
