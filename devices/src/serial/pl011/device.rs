//! The port on the bus, between its interrupt line and the host's character back end.

use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::model::Model;
use super::spec::{DR, FR, FR_RXFE, REGION_LEN};
use super::state::Pl011V1;
use crate::bus::lock;
use crate::device::{Access, Device, Effect, SavedState, StateError};
use crate::host::char::{CharSink, NullSink};
use crate::irq::IrqLine;
use crate::registry::{Bench, Specimen};
use crate::serial::SerialPort;

/// A PL011.
pub struct Pl011 {
    model: Model,
    irq: IrqLine,
    /// Level that `irq` was last driven to.
    asserted: bool,
    output: Box<dyn CharSink>,
    ready: Option<Box<dyn Fn() + Send>>,
    /// The host has more input than fitted, and waits for `ready`.
    waiting: bool,
}

impl Pl011 {
    /// A port that interrupts over `irq` and sends to `output`.
    pub fn new(irq: IrqLine, output: Box<dyn CharSink>) -> Self {
        Self { model: Model::default(), irq, asserted: false, output, ready: None, waiting: false }
    }

    /// Follows a change of the model: the interrupt line, and the host that waits.
    fn drive(&mut self) {
        let level = self.model.interrupt();
        if level != self.asserted {
            self.asserted = level;
            self.irq.set(level);
        }
        if self.waiting && self.model.rx.is_empty() && self.model.receives() {
            self.waiting = false;
            if let Some(ready) = &self.ready {
                ready();
            }
        }
    }

    /// Takes a whole new state; the line is driven even if it seems not to change.
    fn replace(&mut self, model: Model) {
        self.model = model;
        self.asserted = self.model.interrupt();
        self.irq.set(self.asserted);
        self.drive();
    }
}

impl SerialPort for Pl011 {
    fn receive(&mut self, bytes: &[u8]) -> usize {
        let taken = self.model.receive(bytes);
        self.waiting = taken < bytes.len();
        self.drive();
        taken
    }

    fn set_ready(&mut self, ready: Box<dyn Fn() + Send>) {
        self.ready = Some(ready);
    }

    fn poll(&mut self) -> Option<u8> {
        let there = self.model.read(FR) & FR_RXFE == 0;
        let byte = there.then(|| self.model.read(DR) as u8);
        self.drive();
        byte
    }
}

impl Device for Pl011 {
    fn kind(&self) -> &'static str {
        Pl011V1::KIND
    }

    fn regions(&self) -> Vec<u64> {
        vec![REGION_LEN]
    }

    /// Registers have 16 bits; wider and narrower accesses reach the same one.
    fn read(&mut self, at: Access) -> u64 {
        let value = self.model.read(at.offset);
        self.drive();
        value.into()
    }

    fn write(&mut self, at: Access, value: u64) -> Effect {
        if let Some(byte) = self.model.write(at.offset, value as u16) {
            self.output.write(&[byte]);
        }
        self.drive();
        Effect::None
    }

    fn reset(&mut self) {
        self.replace(Model::default());
    }

    fn save(&self) -> Value {
        Pl011V1::from(&self.model).to_value()
    }

    fn restore(&mut self, state: &Value) -> Result<(), StateError> {
        self.reset();
        self.replace(Pl011V1::from_value(state)?.try_into()?);
        Ok(())
    }
}

/// A stand-alone port; the stimulus is input of up to 64 bytes.
pub fn specimen(bench: &Bench) -> Specimen {
    let uart = Arc::new(Mutex::new(Pl011::new(bench.irq.line(0), Box::new(NullSink))));
    let input = uart.clone();
    Specimen::shared(uart).stimulated_by(move |random| {
        let len = (random % 65) as usize;
        lock(&input).receive(&[(random >> 8) as u8; 64][..len]);
    })
}
