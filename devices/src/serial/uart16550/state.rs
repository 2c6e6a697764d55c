//! Saved state of the 16550A.

use serde::{Deserialize, Serialize};

use super::model::Model;
use super::spec::{fcr, ier, mcr, msr};
use crate::device::{SavedState, StateError};

/// Version 1.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Uart16550V1 {
    rx: Vec<u8>,
    ier: u8,
    fcr: u8,
    lcr: u8,
    mcr: u8,
    scr: u8,
    dll: u8,
    dlm: u8,
    overrun: bool,
    thre: bool,
    msr_deltas: u8,
}

impl SavedState for Uart16550V1 {
    const KIND: &'static str = "uart16550";
    const VERSION: u64 = 1;
}

impl From<&Model> for Uart16550V1 {
    fn from(model: &Model) -> Self {
        Self {
            rx: model.rx.iter().copied().collect(),
            ier: model.ier,
            fcr: model.fcr,
            lcr: model.lcr,
            mcr: model.mcr,
            scr: model.scr,
            dll: model.dll,
            dlm: model.dlm,
            overrun: model.overrun,
            thre: model.thre,
            msr_deltas: model.msr_deltas,
        }
    }
}

impl TryFrom<Uart16550V1> for Model {
    type Error = StateError;

    fn try_from(state: Uart16550V1) -> Result<Self, StateError> {
        for (name, value, mask) in [
            ("ier", state.ier, ier::MASK),
            ("fcr", state.fcr, fcr::MASK),
            ("mcr", state.mcr, mcr::MASK),
            ("msr_deltas", state.msr_deltas, msr::DELTAS),
        ] {
            if value & !mask != 0 {
                let what = format!("{name} is {value:#x}, beyond the bits that it has");
                return Err(Uart16550V1::malformed(what));
            }
        }
        let model = Self {
            rx: state.rx.into(),
            ier: state.ier,
            fcr: state.fcr,
            lcr: state.lcr,
            mcr: state.mcr,
            scr: state.scr,
            dll: state.dll,
            dlm: state.dlm,
            overrun: state.overrun,
            thre: state.thre,
            msr_deltas: state.msr_deltas,
        };
        if model.rx.len() > model.capacity() {
            let what = format!("{} bytes are more than the port can hold", model.rx.len());
            return Err(Uart16550V1::malformed(what));
        }
        Ok(model)
    }
}
