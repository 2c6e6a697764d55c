//! Saved state of the PL011.

use serde::{Deserialize, Serialize};

use super::model::Model;
use super::spec::*;
use crate::device::{SavedState, StateError};

/// Version 1.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pl011V1 {
    rx: Vec<u8>,
    ilpr: u16,
    ibrd: u16,
    fbrd: u16,
    lcr_h: u16,
    cr: u16,
    ifls: u16,
    imsc: u16,
    ris: u16,
    dmacr: u16,
}

impl SavedState for Pl011V1 {
    const KIND: &'static str = "pl011";
    const VERSION: u64 = 1;
}

impl From<&Model> for Pl011V1 {
    fn from(model: &Model) -> Self {
        let Model { rx, ilpr, ibrd, fbrd, lcr_h, cr, ifls, imsc, ris, dmacr } = model.clone();
        Self { rx: rx.into(), ilpr, ibrd, fbrd, lcr_h, cr, ifls, imsc, ris, dmacr }
    }
}

impl TryFrom<Pl011V1> for Model {
    type Error = StateError;

    fn try_from(state: Pl011V1) -> Result<Self, StateError> {
        for (name, value, mask) in [
            ("ilpr", state.ilpr, ILPR_MASK),
            ("fbrd", state.fbrd, FBRD_MASK),
            ("lcr_h", state.lcr_h, LCR_H_MASK),
            ("cr", state.cr, CR_MASK),
            ("ifls", state.ifls, IFLS_MASK),
            ("imsc", state.imsc, INT_MASK),
            ("ris", state.ris, INT_MASK),
            ("dmacr", state.dmacr, DMACR_MASK),
        ] {
            if value & !mask != 0 {
                let what = format!("{name} is {value:#x}, beyond the bits that it has");
                return Err(Pl011V1::malformed(what));
            }
        }
        let Pl011V1 { rx, ilpr, ibrd, fbrd, lcr_h, cr, ifls, imsc, ris, dmacr } = state;
        let model = Self { rx: rx.into(), ilpr, ibrd, fbrd, lcr_h, cr, ifls, imsc, ris, dmacr };
        if model.rx.len() > model.capacity() {
            let what = format!("{} bytes are more than the port can hold", model.rx.len());
            return Err(Pl011V1::malformed(what));
        }
        Ok(model)
    }
}
