//! The Goldfish RTC on the bus, with its alarm timer and its interrupt line.

use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::model::Model;
use super::spec::REGION_LEN;
use super::state::GoldfishRtcV1;
use crate::bus::Shared;
use crate::clock::{ClockRef, Timer, device_timer};
use crate::device::{Access, Device, Effect, SavedState, StateError};
use crate::irq::IrqLine;
use crate::registry::{Bench, Specimen};

/// A Goldfish real-time clock.
pub struct GoldfishRtc {
    model: Model,
    clock: ClockRef,
    irq: IrqLine,
    timer: Box<dyn Timer>,
}

impl GoldfishRtc {
    /// A clock that shows the wall-clock time of `clock` and interrupts over `irq`.
    pub fn new(clock: ClockRef, irq: IrqLine) -> Shared<Self> {
        Arc::new_cyclic(|this| {
            let timer = device_timer(&*clock, this, Self::drive);
            Mutex::new(Self { model: Model::default(), clock, irq, timer })
        })
    }

    /// Rings the alarm if it is due, drives the line, and arms the timer for what is left.
    fn drive(&mut self) {
        let left = self.model.ring(self.clock.wall_ns());
        self.timer.arm(left.and_then(|ns| self.clock.now_ns().checked_add(ns)));
        self.irq.set(self.model.interrupt());
    }
}

impl Device for GoldfishRtc {
    fn kind(&self) -> &'static str {
        GoldfishRtcV1::KIND
    }

    fn regions(&self) -> Vec<u64> {
        vec![REGION_LEN]
    }

    fn read(&mut self, at: Access) -> u64 {
        if at.size != 4 {
            return 0;
        }
        self.model.read(at.offset, self.clock.wall_ns()).into()
    }

    fn write(&mut self, at: Access, value: u64) -> Effect {
        if at.size == 4 {
            self.model.write(at.offset, value as u32, self.clock.wall_ns());
            self.drive();
        }
        Effect::None
    }

    fn reset(&mut self) {
        self.model = Model::default();
        self.drive();
    }

    fn save(&self) -> Value {
        GoldfishRtcV1::from(&self.model).to_value()
    }

    fn restore(&mut self, state: &Value) -> Result<(), StateError> {
        self.reset();
        self.model = GoldfishRtcV1::from_value(state)?.into();
        self.drive();
        Ok(())
    }
}

/// A stand-alone clock.
pub fn specimen(bench: &Bench) -> Specimen {
    Specimen::shared(GoldfishRtc::new(bench.clock.clone(), bench.irq.line(0)))
}
