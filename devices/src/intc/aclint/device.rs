//! The ACLINT on the bus, with its timers and the harts' pins.

use std::sync::{Arc, Mutex, Weak};

use serde_json::Value;

use super::model::{Model, ticks};
use super::spec::{MAX_HARTS, REGION_LEN, Register};
use super::state::AclintV1;
use crate::bus::Shared;
use crate::clock::{ClockRef, Timer, device_timer};
use crate::device::{Access, Device, Effect, SavedState, StateError};
use crate::irq::IrqLine;
use crate::registry::{Bench, Specimen};

/// MSWI and MTIMER.
pub struct Aclint {
    model: Model,
    clock: ClockRef,
    pins: Vec<Pins>,
}

/// What leads from the device to one hart.
struct Pins {
    msip: IrqLine,
    mtip: IrqLine,
    timer: Box<dyn Timer>,
}

impl Aclint {
    /// A device for as many harts as there are lines: `msip[i]` and `mtip[i]` go to hart `i`.
    ///
    /// # Panics
    /// When the numbers of lines differ, or exceed [`MAX_HARTS`].
    pub fn new(clock: ClockRef, msip: Vec<IrqLine>, mtip: Vec<IrqLine>) -> Shared<Self> {
        assert_eq!(msip.len(), mtip.len(), "each hart has both interrupts");
        assert!(msip.len() <= MAX_HARTS, "an ACLINT serves at most {MAX_HARTS} harts");
        Arc::new_cyclic(|this: &Weak<Mutex<Self>>| {
            let pins = |(hart, (msip, mtip))| Pins {
                msip,
                mtip,
                timer: device_timer(&*clock, this, move |aclint| aclint.drive_mtip(hart)),
            };
            let pins: Vec<Pins> = msip.into_iter().zip(mtip).enumerate().map(pins).collect();
            Mutex::new(Self { model: Model::new(pins.len()), clock, pins })
        })
    }

    fn now(&self) -> u64 {
        ticks(self.clock.now_ns())
    }

    fn drive_msip(&self, hart: usize) {
        self.pins[hart].msip.set(self.model.harts[hart].msip);
    }

    /// Sets the timer pin for the present and the timer for its next change.
    fn drive_mtip(&mut self, hart: usize) {
        let (now, pins) = (self.now(), &self.pins[hart]);
        pins.mtip.set(self.model.mtip(hart, now));
        pins.timer.arm(self.model.next_change_ns(hart, now));
    }

    fn drive_all(&mut self) {
        for hart in 0..self.pins.len() {
            self.drive_msip(hart);
            self.drive_mtip(hart);
        }
    }
}

impl Device for Aclint {
    fn kind(&self) -> &'static str {
        AclintV1::KIND
    }

    fn regions(&self) -> Vec<u64> {
        vec![REGION_LEN]
    }

    fn read(&mut self, at: Access) -> u64 {
        match Register::at(at.offset, at.size, self.pins.len()) {
            Some((register, shift)) => self.model.read(register, self.now()) >> shift & mask(at),
            None => 0,
        }
    }

    fn write(&mut self, at: Access, value: u64) -> Effect {
        let Some((register, shift)) = Register::at(at.offset, at.size, self.pins.len()) else {
            return Effect::None;
        };
        let now = self.now();
        let kept = self.model.read(register, now) & !(mask(at) << shift);
        self.model.write(register, kept | (value & mask(at)) << shift, now);
        match register {
            Register::Msip(hart) => self.drive_msip(hart),
            Register::Mtimecmp(hart) => self.drive_mtip(hart),
            Register::Mtime => self.drive_all(),
        }
        Effect::None
    }

    /// MTIME shows the machine's ticks again; they do not start anew, as the harts' `time` does
    /// not.
    fn reset(&mut self) {
        self.model = Model::new(self.pins.len());
        self.drive_all();
    }

    fn save(&self) -> Value {
        AclintV1::from(&self.model).to_value()
    }

    fn restore(&mut self, state: &Value) -> Result<(), StateError> {
        self.reset();
        self.model = AclintV1::from_value(state)?.into_model(self.pins.len())?;
        self.drive_all();
        Ok(())
    }
}

fn mask(at: Access) -> u64 {
    if at.size == 8 { u64::MAX } else { u32::MAX.into() }
}

/// A stand-alone ACLINT for two harts.
pub fn specimen(bench: &Bench) -> Specimen {
    let (msip, mtip) = (bench.irq.lines(0, 2), bench.irq.lines(2, 2));
    Specimen::shared(Aclint::new(bench.clock.clone(), msip, mtip))
}
