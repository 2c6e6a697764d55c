//! The clock on its two ports, with its timer and its interrupt line.

use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::model::Model;
use super::spec::{LEN, REGION_LEN};
use super::state::CmosRtcV1;
use crate::bus::Shared;
use crate::clock::{ClockRef, Timer, device_timer};
use crate::device::{Access, Device, Effect, SavedState, StateError};
use crate::irq::IrqLine;
use crate::registry::{Bench, Specimen};

/// A CMOS real-time clock.
pub struct CmosRtc {
    model: Model,
    clock: ClockRef,
    irq: IrqLine,
    timer: Box<dyn Timer>,
}

impl CmosRtc {
    /// A clock that shows the wall-clock time of `clock` (UTC) and interrupts over `irq`.
    pub fn new(clock: ClockRef, irq: IrqLine) -> Shared<Self> {
        Arc::new_cyclic(|this| {
            let timer = device_timer(&*clock, this, Self::drive);
            Mutex::new(Self { model: Model::new(clock.wall_ns()), clock, irq, timer })
        })
    }

    /// Raises what is due, drives the line, and arms the timer for what will come.
    fn drive(&mut self) {
        self.model.catch_up(self.clock.wall_ns());
        self.signal();
    }

    /// Drives the line, and arms the timer for what will come.
    fn signal(&mut self) {
        self.irq.set(self.model.interrupt());
        let next = self.model.next_ns(self.clock.wall_ns());
        self.timer.arm(next.and_then(|ns| self.clock.now_ns().checked_add(ns)));
    }
}

impl Device for CmosRtc {
    fn kind(&self) -> &'static str {
        CmosRtcV1::KIND
    }

    fn regions(&self) -> Vec<u64> {
        vec![REGION_LEN]
    }

    /// The index port cannot be read.
    fn read(&mut self, at: Access) -> u64 {
        if at.offset != 1 || at.size != 1 {
            return 0xff;
        }
        let value = self.model.read(self.clock.wall_ns());
        self.drive();
        value.into()
    }

    fn write(&mut self, at: Access, value: u64) -> Effect {
        match (at.offset, at.size) {
            // Bit 7 masks NMIs on a PC; there is nothing to mask here.
            (0, 1) => self.model.index = value as u8 % LEN as u8,
            (1, 1) => {
                self.model.write(value as u8, self.clock.wall_ns());
                self.drive();
            }
            _ => {}
        }
        Effect::None
    }

    fn reset(&mut self) {
        self.model = Model::new(self.clock.wall_ns());
        self.drive();
    }

    fn save(&self) -> Value {
        CmosRtcV1::from(&self.model).to_value()
    }

    fn restore(&mut self, state: &Value) -> Result<(), StateError> {
        self.reset();
        self.model = CmosRtcV1::from_value(state)?.try_into()?;
        self.signal();
        Ok(())
    }
}

/// A stand-alone clock.
pub fn specimen(bench: &Bench) -> Specimen {
    Specimen::shared(CmosRtc::new(bench.clock.clone(), bench.irq.line(0)))
}
